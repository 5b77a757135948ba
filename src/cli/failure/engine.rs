use super::source::near_names;
use super::{Class, Failure, Scene};
use crate::port::{EnginePlace, SourceError};

/// What local engines say, or do not.
pub(super) fn explain(error: &SourceError, scene: &Scene<'_>) -> Failure {
    let of = |code| Failure::new(Class::Source, code, error.to_string()).chain(error);
    match error {
        SourceError::NotInEngine { reference, tried, near } => {
            let failure = all_tried(of("IMAGE_NOT_FOUND"), tried);
            near_names(failure, near, scene)
                .run("Build it", format!("docker build -t {reference} ."))
                .run("Or push a file or folder", scene.of("./image.tar"))
                .say("Or set DOCKER_HOST, DOCKER_CONTEXT or CONTAINER_HOST if the engine listens elsewhere")
        }
        SourceError::SeveralEngines { reference, places } => {
            several(of("IMAGE_AMBIGUOUS"), reference, places, scene)
        }
        SourceError::NoneTagged { registry, tried } => all_tried(of("IMAGE_NOT_FOUND"), tried)
            .run("Name an image so", format!("docker tag myapp:dev {registry}/OWNER/myapp:dev"))
            .run("Or push it by its own name", scene.of("myapp:dev")),
        SourceError::Engine { reason, .. } => of("ENGINE_FAILED")
            .cause(reason.clone())
            .may_be_retried()
            .say("Start the engine, or set DOCKER_HOST or CONTAINER_HOST to where it listens")
            .say("Or push a file: docker save -o image.tar IMAGE"),
        SourceError::EngineRefused { reason, .. } => of("ENGINE_FAILED")
            .cause(reason.clone())
            .may_be_retried()
            .say("The engine runs, but something of the image is missing there: pull or build it again"),
        _ => of("SOURCE_UNREADABLE"),
    }
}

/// Places beyond these are counted only.
const SHOWN_PLACES: usize = 8;

fn all_tried(failure: Failure, tried: &[String]) -> Failure {
    if tried.is_empty() {
        return failure.detail("no engine was found: no socket of Docker or Podman is there");
    }
    let shown = tried.iter().take(SHOWN_PLACES).fold(failure, Failure::detail);
    match tried.len().checked_sub(SHOWN_PLACES) {
        None | Some(0) => shown,
        Some(more) => shown.detail(format!("and {more} more")),
    }
}

/// The words for the two kinds of engine do not tell two engines of Docker apart; variables do.
fn several(failure: Failure, reference: &str, places: &[EnginePlace], scene: &Scene<'_>) -> Failure {
    let mut failure = failure;
    for EnginePlace { source, engine, id, created } in places {
        let made = if created.is_empty() { String::new() } else { format!(", made {created}") };
        failure = failure.detail(format!("{source} at {engine} is {id}{made}"));
    }
    let mut sources: Vec<&str> = places.iter().map(|place| place.source.as_str()).collect();
    sources.dedup();
    if sources.len() > 1 {
        for (position, source) in sources.iter().enumerate() {
            failure = failure.run(if position == 0 { "Say which one" } else { "Or" }, scene.of(source));
        }
    }
    if sources.len() < places.len() {
        failure = failure
            .say("Choose an engine of Docker with DOCKER_HOST or DOCKER_CONTEXT, one of Podman with CONTAINER_HOST");
    }
    failure
        .say(format!("Or remove the old one: `docker image rm {reference}`, `podman image rm {reference}`"))
}
