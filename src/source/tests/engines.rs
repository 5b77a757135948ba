#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::kit::{find_in, layer, names, only, places, saved};
use crate::port::{Found, SourceError};
use crate::source::{EngineKind, EngineSockets, Places, Spec};

/// An engine with one image: it answers the requests that a push sends, and nothing else.
struct Engine {
    dir: tempfile::TempDir,
}

const ID: &str = "sha256:4afc5ccb91ae42841de06bd39ef1e5cfcc17033589aae0ebfcb6cc0b68d8347f";

fn reply(mut stream: UnixStream, name: &str) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.strip_prefix("/v1.41").unwrap_or(path);
    let short = name.trim_end_matches(":latest");
    let inspected = [short, name, ID, &ID[7..19]].map(|image| format!("/images/{image}/json"));
    let exported = [name, ID, &ID[7..19]].map(|image| format!("/images/{image}/get"));
    let (status, body) = if path.ends_with("/version") {
        ("200 OK", br#"{"ApiVersion":"1.41"}"#.to_vec())
    } else if inspected.iter().any(|one| one == path) {
        ("200 OK", format!(r#"{{"Id":"{ID}","RepoTags":["{name}"]}}"#).into_bytes())
    } else if exported.iter().any(|one| one == path) {
        ("200 OK", saved(&[name, "other:1"], &[&layer("x")]).bytes())
    } else if path == "/images/json" {
        let rest = r#""ParentId":"","RepoDigests":[],"Created":0,"Size":0,"SharedSize":0,"Labels":{},"Containers":0"#;
        ("200 OK", format!(r#"[{{"Id":"{ID}","RepoTags":["{name}"],{rest}}}]"#).into_bytes())
    } else {
        ("404 Not Found", br#"{"message":"no such image"}"#.to_vec())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

impl Engine {
    /// Listens under `socket` in a folder of its own until the test ends.
    fn at(socket: &str, name: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(socket);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(path).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                reply(stream, name);
            }
        });
        Self { dir }
    }

    fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.dir.path().display())
    }
}

fn ask(reference: &str, kind: EngineKind, sockets: EngineSockets) -> Result<Found, SourceError> {
    let spec = Spec::Engine { reference: reference.to_owned(), kind };
    find_in(spec, &Places { sockets, ..places() })
}

fn docker_at(address: &str) -> EngineSockets {
    EngineSockets { docker_host: Some(address.to_owned()), ..EngineSockets::default() }
}

fn tried(result: Result<Found, SourceError>) -> (Vec<String>, Vec<String>) {
    match result.unwrap_err() {
        SourceError::NotInEngine { tried, near, .. } => (tried, near),
        other => panic!("{other}"),
    }
}

#[test]
fn an_image_of_an_engine_has_the_name_that_it_was_asked_for_by() {
    let engine = Engine::at("docker.sock", "web:latest");
    // It exports `web:latest` alone: by `web` an engine means all its tags.
    for reference in ["web", "web:latest"] {
        let image = only(ask(reference, EngineKind::Docker, docker_at(&engine.address())).unwrap());
        assert_eq!(names(&image), [reference]);
        assert_eq!(image.source.to_string(), format!("docker-daemon:{reference}"));
    }
}

#[test]
fn an_id_is_no_name() {
    let engine = Engine::at("docker.sock", "web:1.0");
    for reference in [ID, &ID[7..19]] {
        let image = only(ask(reference, EngineKind::Any, docker_at(&engine.address())).unwrap());
        assert_eq!(names(&image), ["web:1.0"]);
        assert_eq!(image.fallback, "4afc5ccb91ae");
    }
}

#[test]
fn podman_is_asked_for_what_was_built_here() {
    let engine = Engine::at("podman/podman.sock", "localhost/web:1.0");
    let sockets = EngineSockets {
        docker_host: Some("unix:///nonexistent.sock".to_owned()),
        runtime_dir: Some(engine.dir.path().to_owned()),
        ..EngineSockets::default()
    };
    let image = only(ask("web:1.0", EngineKind::Any, sockets).unwrap());
    assert_eq!(names(&image), ["web:1.0"]);
    assert_eq!(image.source.to_string(), "podman:web:1.0");
}

#[test]
fn an_engine_that_failed_before_the_one_that_has_the_image_is_named() {
    let engine = Engine::at("podman/podman.sock", "web:1.0");
    let sockets = EngineSockets {
        docker_host: Some("tcp://127.0.0.1:1".to_owned()),
        runtime_dir: Some(engine.dir.path().to_owned()),
        ..EngineSockets::default()
    };
    let image = only(ask("web:1.0", EngineKind::Any, sockets).unwrap());
    assert!(image.notes[0].contains("tcp://127.0.0.1:1 could not be asked"), "{:?}", image.notes);
}

#[test]
fn every_place_that_was_asked_is_named_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let dead = dir.path().join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let engine = Engine::at("podman/podman.sock", "web:1.0");
    let sockets = EngineSockets {
        docker_host: Some(format!("unix://{}", dead.display())),
        runtime_dir: Some(engine.dir.path().to_owned()),
        ..EngineSockets::default()
    };
    let (tried, near) = tried(ask("wbe:1.0", EngineKind::Any, sockets));
    assert!(tried[0].contains("dead.sock: ") && tried[0].contains("refused"), "{tried:?}");
    assert!(tried[1].contains("podman.sock: has no such image"), "{tried:?}");
    assert_eq!(near, ["web:1.0"]);
}

#[test]
fn an_address_that_cannot_be_asked_says_why() {
    for (address, reason) in [
        ("ssh://user@host", "`ssh` addresses are not supported"),
        ("fd://", "`fd` addresses are not supported"),
        ("nonsense", "no address"),
        ("unix:///nonexistent.sock", "no such socket"),
        ("/nonexistent.sock", "no such socket"),
        ("tcp://127.0.0.1:1", "refused"),
    ] {
        let (tried, _) = tried(ask("web", EngineKind::Docker, docker_at(address)));
        assert_eq!(tried.len(), 1);
        assert!(tried[0].contains(reason), "{tried:?}");
    }
}

#[test]
fn a_name_that_would_be_another_request_is_not_sent() {
    let engine = Engine::at("docker.sock", "web:1.0");
    for reference in ["", "../json", "a b", "web?all=1", "web#x", "a//b", "web\r\nX: y"] {
        let (tried, _) = tried(ask(reference, EngineKind::Docker, docker_at(&engine.address())));
        assert!(tried[0].contains("no engine was asked"), "{reference:?}: {tried:?}");
    }
}

#[test]
fn places_follow_the_environment() {
    let sockets = EngineSockets {
        docker_host: None,
        container_host: Some("tcp://127.0.0.1:2375".to_owned()),
        runtime_dir: Some(PathBuf::from("/run/user/7")),
        home: Some(Path::new("/home/a").to_owned()),
    };
    let (tried, _) = tried(ask("a", EngineKind::Docker, EngineSockets { container_host: None, ..sockets }));
    let places = ["/var/run/docker.sock", "/run/user/7/docker.sock", "/home/a/.docker/run/docker.sock"];
    for (tried, place) in tried.iter().zip(places) {
        assert!(tried.starts_with(&format!("unix://{place}: ")), "{tried}");
    }
}
