use super::*;

#[test]
fn all_images_that_are_named_for_the_registry_are_found_once() {
    let named = |names: &[&str], text: &str| Stored::unpacked(names, &[&layer(text)]);
    let shared = named(&["r.example:5000/me/shared:1"], "s");
    let docker = Engine::at(
        "docker.sock",
        vec![named(&["web:1", "r.example:5000/me/web:1"], "w"), named(&["other:1"], "o"), shared.clone()],
    );
    let podman = Engine::at("podman.sock", vec![named(&["r.example:5000/me/api:2"], "a"), shared]);
    let places = Places {
        sockets: engines(&docker.address(), &podman.address()),
        registry: Some("r.example:5000".to_owned()),
        ..places()
    };
    let found = find_in(Spec::AllTagged, &places).unwrap();
    let sources: Vec<String> = found.images.iter().map(|image| image.source.to_string()).collect();
    assert_eq!(
        sources,
        [
            "podman:r.example:5000/me/api:2",
            "docker-daemon:r.example:5000/me/shared:1",
            "docker-daemon:r.example:5000/me/web:1"
        ]
    );
    assert_eq!(names(&found.images[2]), ["r.example:5000/me/web:1"]);
}

#[test]
fn that_no_image_is_named_for_the_registry_is_an_error_with_the_places_that_were_asked() {
    let docker = Engine::at("docker.sock", vec![web(&["web:1"])]);
    let places = Places {
        sockets: docker_at(&docker.address()),
        registry: Some("r.example:5000".to_owned()),
        ..places()
    };
    let error = find_in(Spec::AllTagged, &places).unwrap_err();
    let SourceError::NoneTagged { registry, tried } = error else { panic!("{error}") };
    assert_eq!((registry.as_str(), tried.len()), ("r.example:5000", 2));
}

fn tagged(engine: &Engine) -> Places {
    let sockets = docker_at(&engine.address());
    Places { sockets, registry: Some("r.example".to_owned()), ..places() }
}

#[test]
fn of_all_images_that_are_named_for_the_registry_one_that_cannot_be_had_leaves_the_others() {
    let engine =
        Engine::at("docker.sock", vec![nonsense(&["r.example/me/bad:1"]), web(&["r.example/me/web:1"])]);
    let found = find_in(Spec::AllTagged, &tagged(&engine)).unwrap();
    assert_eq!((found.images.len(), found.failed.len()), (1, 1));
    assert_eq!(found.failed[0].0.to_string(), "r.example/me/bad:1");
    assert_eq!(names(&found.images[0]), ["r.example/me/web:1"]);
}

#[test]
fn an_image_of_many_names_is_exported_once_even_by_a_program_that_remembers_nothing() {
    let engine = Engine::at("docker.sock", vec![web(&["r.example/me/web:1", "r.example/me/web:2"])]);
    let places = Places { index: Arc::new(NoCache), ..tagged(&engine) };
    let found = find_in(Spec::AllTagged, &places).unwrap();
    let all: Vec<_> = found.images.iter().map(names).collect();
    assert_eq!(all, [["r.example/me/web:1"], ["r.example/me/web:2"]]);
    assert_eq!(engine.exports(), 1);
}
