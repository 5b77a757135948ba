use super::advice::listed;
use super::{Class, Failure, Scene, engine};
use crate::cli::screen::size;
use crate::content::ContentError;
use crate::port::{Skipped, SourceError, UnpackError};

const READABLE: &str = "Look at what it is, and whether this user may read it: ls -l";

pub(super) fn explain(error: &SourceError, scene: &Scene<'_>) -> Failure {
    let of = |code| Failure::new(Class::Source, code, error.to_string()).chain(error);
    match error {
        SourceError::NotFound { path, near } => {
            let beside = |name: &String| path.with_file_name(name).display().to_string();
            let near: Vec<String> = near.iter().map(beside).collect();
            near_names(of("SOURCE_NOT_FOUND"), &near, scene)
                .say("A path is looked up from the folder that the command runs in")
        }
        SourceError::Read { .. } => of("SOURCE_UNREADABLE").say(READABLE),
        SourceError::NotAnImage { .. } => of("NOT_AN_IMAGE").say(
            "An image is a tar of `docker save`, an OCI archive or an OCI layout; `docker export` makes none",
        ),
        SourceError::Damaged { .. } | SourceError::Json { .. } | SourceError::Manifest { .. } => {
            of("SOURCE_DAMAGED")
                .say("Save or build the image again; the file was perhaps not written to its end")
        }
        SourceError::LinksOut { .. } => of("SOURCE_LINKS_OUT")
            .run("Follow links that lead out of it", scene.with("--follow"))
            .say("Or copy it so that links become files: cp -rL"),
        SourceError::Unpack { .. } | SourceError::TooLarge { .. } => packed(error),
        SourceError::Content(error) => content(error, scene),
        SourceError::NameNotFound { names, .. } => {
            let failure = of("NAME_NOT_IN_SOURCE");
            let failure = if names.is_empty() {
                failure.detail("its images have no names")
            } else {
                failure.detail(format!("it has: {}", listed(names)))
            };
            failure.say("Leave the name out to push all that it has")
        }
        SourceError::PlatformNotFound { present, .. } => of("PLATFORM_NOT_FOUND")
            .detail(format!("it has: {}", listed(present)))
            .run("Push what is there", scene.with("--platform all")),
        SourceError::NotInEngine { .. }
        | SourceError::SeveralEngines { .. }
        | SourceError::NoneTagged { .. }
        | SourceError::Engine { .. }
        | SourceError::EngineRefused { .. } => engine::explain(error, scene),
        SourceError::NothingFound { skipped, .. } => passed_over(of("NOTHING_FOUND"), skipped, scene)
            .run("Push an image of the local engine", scene.of("myapp:dev"))
            .run("Or search elsewhere", scene.of("--path DIR --max-depth 16")),
        SourceError::NothingNamed { skipped, .. } => passed_over(of("NOTHING_FOUND"), skipped, scene)
            .say("Build the images under the names that the manifests use")
            .run("Or push one by its name", scene.of("myapp:dev")),
    }
}

/// Faults of archives that are compressed.
fn packed(error: &SourceError) -> Failure {
    let of = |code| Failure::new(Class::Source, code, error.to_string()).chain(error);
    match error {
        SourceError::TooLarge { .. } => of("SOURCE_TOO_LARGE")
            .say("Unpack it and push the tar; what is pushed from a file of its own has no bound"),
        SourceError::Unpack { source: UnpackError::Memory { .. }, .. } => of("SOURCE_TOO_LARGE")
            .say("Pack it anew without --long or --ultra, or unpack it and push the tar"),
        _ => of("SOURCE_DAMAGED")
            .say("Save or build the image again; the file was perhaps not written to its end"),
    }
}

pub(super) fn near_names(failure: Failure, near: &[String], scene: &Scene<'_>) -> Failure {
    match near {
        [] => failure,
        [one] => failure.did_you_mean(scene.of(one)),
        many => failure.detail(format!("near it: {}", listed(many))),
    }
}

/// Skipped files beyond these are counted only.
const SHOWN_SKIPPED: usize = 5;

fn passed_over(failure: Failure, skipped: &[Skipped], scene: &Scene<'_>) -> Failure {
    let mut failure = failure;
    for one in skipped.iter().take(SHOWN_SKIPPED) {
        failure = failure.detail(format!("skipped {}: {}", scene.path(&one.path), one.reason));
    }
    if skipped.len() > SHOWN_SKIPPED {
        failure = failure.detail(format!("and {} more were skipped", skipped.len() - SHOWN_SKIPPED));
    }
    failure
}

/// Faults of the bytes under a source, or of the folder that they are spooled to.
pub(super) fn content(error: &ContentError, scene: &Scene<'_>) -> Failure {
    let of = |class, code| Failure::new(class, code, error.to_string()).chain(error);
    match error {
        ContentError::Changed { .. } => of(Class::Source, "SOURCE_CHANGED")
            .say("Push again when nothing writes to it any more")
            .may_be_retried(),
        ContentError::Short { .. } => of(Class::Source, "SOURCE_DAMAGED")
            .say("Save the image again; the file was perhaps not written to its end"),
        ContentError::Spool { .. } => of(Class::Mixed, "TEMPORARY_FILES")
            .run("Use a folder with room", scene.with("--tmp-dir DIR"))
            .may_be_retried(),
        ContentError::NoRoom { needed, free, .. } => of(Class::Mixed, "TEMPORARY_FILES")
            .detail(format!("needed: {}, free: {}", size(*needed), size(*free)))
            .run("Use a folder with room", scene.with("--tmp-dir DIR")),
        ContentError::Fetch { .. } => of(Class::Source, "ENGINE_FAILED")
            .say("Push again; the image may have been removed or built anew meanwhile")
            .may_be_retried(),
        ContentError::Deferred(error) => content(error, scene),
        ContentError::Open { .. } | ContentError::NotRegular { .. } | ContentError::Read { .. } => {
            of(Class::Source, "SOURCE_UNREADABLE").say(READABLE)
        }
        ContentError::TooLarge { .. } => of(Class::Source, "SOURCE_DAMAGED")
            .say("No manifest or configuration of an image is as large as that"),
    }
}
