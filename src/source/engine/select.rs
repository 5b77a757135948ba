use super::client::{Here, Image, Silence};
use super::sockets::{Endpoint, Engine, Standing};
use crate::port::{EnginePlace, SourceError};
use crate::source::shown::shown;

/// What a place answered when it was asked for an image.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    pub(super) answer: Result<Option<Here>, Silence>,
}

/// The image that is meant.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) endpoint: Endpoint,
    pub(super) here: Here,
    /// Engines that could not be asked, and might have another image of this name.
    pub(super) notes: Vec<String>,
}

/// The image of the one engine that has it; `None` where none has. Of several engines of Docker, the one
/// that `docker build` builds in goes before the others. The same image in several engines is taken from the
/// first.
///
/// # Errors
/// `SeveralEngines` for different images of one name.
pub(super) fn choose(reference: &str, asked: &[Asked]) -> Result<Option<Chosen>, SourceError> {
    let mut having: Vec<(&Endpoint, &Here)> =
        asked.iter().filter_map(|one| Some((&one.endpoint, one.answer.as_ref().ok()?.as_ref()?))).collect();
    let own = |endpoint: &Endpoint| endpoint.engine == Engine::Docker && endpoint.standing == Standing::Own;
    if having.iter().any(|(endpoint, _)| own(endpoint)) {
        having.retain(|(endpoint, _)| endpoint.engine == Engine::Podman || own(endpoint));
    }
    let Some((endpoint, here)) = having.first() else { return Ok(None) };
    if having.iter().any(|(_, other)| !same(&here.image, &other.image)) {
        let places = having.iter().map(|(endpoint, here)| place(reference, endpoint, here)).collect();
        return Err(SourceError::SeveralEngines { reference: shown(reference), places });
    }
    let notes = asked.iter().filter_map(note).collect();
    Ok(Some(Chosen { endpoint: (*endpoint).clone(), here: (*here).clone(), notes }))
}

/// Whether two engines have the same image. Their ids differ where they keep images in different ways;
/// then the layers and the time of the build tell.
fn same(one: &Image, other: &Image) -> bool {
    let known = |image: &Image| image.created.is_some() && !image.diff_ids.is_empty();
    (one.id.is_some() && one.id == other.id)
        || (known(one) && one.diff_ids == other.diff_ids && one.created == other.created)
}

fn place(reference: &str, endpoint: &Endpoint, here: &Here) -> EnginePlace {
    let id = here.image.id.as_ref().map(|id| id.digest().chars().take(12).collect());
    EnginePlace {
        source: format!("{}:{}", endpoint.engine.scheme(), shown(reference)),
        engine: endpoint.name.clone(),
        id: id.unwrap_or_default(),
        created: here.image.created.clone().unwrap_or_default(),
    }
}

/// An engine that is installed and not running is no news, unless it is the user's own.
fn note(asked: &Asked) -> Option<String> {
    let reason = match &asked.answer {
        Err(reason @ (Silence::Failed(_) | Silence::Refused(_))) => reason,
        Err(reason @ Silence::NotRunning(_)) if asked.endpoint.standing == Standing::Own => reason,
        _ => return None,
    };
    Some(format!("the engine at {} could not be asked: {reason}", asked.endpoint.name))
}

/// What became of each place, those that answered first; sockets that are not there share a line.
pub(super) fn tried(asked: &[Asked]) -> Vec<String> {
    let (absent, there): (Vec<&Asked>, Vec<&Asked>) =
        asked.iter().partition(|one| one.answer == Err(Silence::NoSocket));
    let mut lines: Vec<String> = there
        .into_iter()
        .map(|one| match &one.answer {
            Ok(_) => format!("{}: has no such image", one.endpoint.name),
            Err(reason) => format!("{}: {reason}", one.endpoint.name),
        })
        .collect();
    let names: Vec<&str> = absent.iter().map(|one| one.endpoint.name.as_str()).collect();
    match names.as_slice() {
        [] => {}
        [one] => lines.push(format!("{one}: {}", Silence::NoSocket)),
        many => lines.push(format!("no socket at {}", many.join(", "))),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::sha256;

    fn endpoint(engine: Engine, name: &str, standing: Standing) -> Endpoint {
        Endpoint { engine, name: name.to_owned(), address: Err(String::new()), standing }
    }

    fn image(id: &str, layer: &str, created: &str) -> Here {
        let image = Image {
            id: Some(sha256(id.as_bytes())),
            diff_ids: vec![sha256(layer.as_bytes())],
            platform: None,
            names: Vec::new(),
            created: Some(created.to_owned()),
            size: None,
            listed: Vec::new(),
        };
        Here { name: "web:1".to_owned(), image }
    }

    fn has(endpoint: Endpoint, here: Here) -> Asked {
        Asked { endpoint, answer: Ok(Some(here)) }
    }

    fn own(name: &str) -> Endpoint {
        endpoint(Engine::Docker, name, Standing::Own)
    }

    fn other(engine: Engine, name: &str) -> Endpoint {
        endpoint(engine, name, Standing::Other)
    }

    fn name_of(chosen: Result<Option<Chosen>, SourceError>) -> String {
        chosen.unwrap().unwrap().endpoint.name
    }

    #[test]
    fn the_engine_that_has_the_image_is_taken() {
        let asked = [
            Asked { endpoint: own("docker"), answer: Ok(None) },
            has(other(Engine::Podman, "podman"), image("a", "l", "1")),
        ];
        assert_eq!(name_of(choose("web:1", &asked)), "podman");
        assert!(choose("web:1", &asked[..1]).unwrap().is_none());
    }

    #[test]
    fn one_image_in_two_engines_is_taken_from_the_first() {
        for there in [image("a", "l", "2"), image("b", "l", "1")] {
            let asked =
                [has(own("docker"), image("a", "l", "1")), has(other(Engine::Podman, "podman"), there)];
            assert_eq!(name_of(choose("web:1", &asked)), "docker");
        }
    }

    #[test]
    fn different_images_of_one_name_are_refused_with_both_places() {
        for there in [image("b", "m", "1"), image("b", "l", "2")] {
            let asked =
                [has(own("docker"), image("a", "l", "1")), has(other(Engine::Podman, "podman"), there)];
            let SourceError::SeveralEngines { places, .. } = choose("web:1", &asked).unwrap_err() else {
                panic!("another error");
            };
            let sources: Vec<&str> = places.iter().map(|place| place.source.as_str()).collect();
            assert_eq!(sources, ["docker-daemon:web:1", "podman:web:1"]);
            assert_eq!((places[0].engine.as_str(), places[1].engine.as_str()), ("docker", "podman"));
        }
    }

    #[test]
    fn the_engine_that_docker_builds_in_goes_before_other_engines_of_docker() {
        let asked = [
            has(other(Engine::Docker, "desktop"), image("b", "m", "1")),
            has(own("context"), image("a", "l", "1")),
        ];
        assert_eq!(name_of(choose("web:1", &asked)), "context");
        let asked = [
            has(other(Engine::Docker, "desktop"), image("b", "m", "1")),
            has(other(Engine::Docker, "colima"), image("a", "l", "1")),
        ];
        assert!(choose("web:1", &asked).is_err());
    }

    #[test]
    fn an_engine_that_is_not_running_is_told_of_only_where_it_is_the_users_own() {
        let stopped = |endpoint| Asked { endpoint, answer: Err(Silence::NotRunning("refused".into())) };
        let asked = [
            stopped(own("default")),
            stopped(other(Engine::Docker, "colima")),
            Asked {
                endpoint: other(Engine::Docker, "desktop"),
                answer: Err(Silence::Failed("denied".into())),
            },
            has(other(Engine::Podman, "podman"), image("a", "l", "1")),
        ];
        let notes = choose("web:1", &asked).unwrap().unwrap().notes;
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains("default") && notes[1].contains("desktop"), "{notes:?}");
    }

    #[test]
    fn sockets_that_are_not_there_share_a_line() {
        let absent = |name| Asked { endpoint: other(Engine::Docker, name), answer: Err(Silence::NoSocket) };
        let asked = [
            absent("unix:///a"),
            Asked { endpoint: own("unix:///b"), answer: Ok(None) },
            absent("unix:///c"),
        ];
        assert_eq!(tried(&asked), ["unix:///b: has no such image", "no socket at unix:///a, unix:///c"]);
    }
}
