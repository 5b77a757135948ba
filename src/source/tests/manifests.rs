//! Images that manifests refer to, with an engine that has one of them.

#![cfg(unix)]

use std::fs;

use super::fake_engine::{Engine, NOWHERE, Stored, docker_at};
use super::kit::{layer, names, places};
use crate::event::{Event, Events};
use crate::port::{Found, SourceError};
use crate::source::{EngineSockets, Places, Spec, open};

const HOST: &str = "gitea.localtest.me:8443";

fn web() -> Stored {
    Stored::unpacked(&["web:1.0"], &[&layer("x")])
}

/// Pods with these images, read with this engine. The notes that were told come along.
fn find(images: &[&str], sockets: EngineSockets) -> (Result<Found, SourceError>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.yaml");
    let pod = |image: &&str| {
        format!("apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: '{image}'}}]}}\n---\n")
    };
    fs::write(&path, images.iter().map(pod).collect::<String>()).unwrap();
    let places = Places { sockets, registry: Some(HOST.to_owned()), ..places() };
    let (events, mut told) = Events::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(open(Spec::Manifests { path }, &places).find(&events));
    let mut notes = Vec::new();
    while let Ok(event) = told.try_recv() {
        if let Event::Note(text) = event {
            notes.push(text);
        }
    }
    (found, notes)
}

#[test]
fn an_image_of_the_engine_has_the_name_that_the_manifest_gives_it() {
    let engine = Engine::at("docker.sock", vec![web()]);
    let full = format!("{HOST}/giteaadmin/web:1.0");
    let (found, notes) = find(&["web:1.0", &full], docker_at(&engine.address()));
    let found = found.unwrap();
    assert_eq!(found.images.iter().map(names).collect::<Vec<_>>(), [vec!["web:1.0"], vec![full.as_str()]]);
    assert!(found.images.iter().all(|image| image.source.0 == "docker-daemon:web:1.0"));
    assert!(found.images[0].notes[0].contains("app.yaml calls it `web:1.0`"), "{:?}", found.images[0].notes);
    assert!(found.images[1].notes[0].contains("it is `web:1.0` of the local engine"));
    assert_eq!(notes, [""; 0]);
}

#[test]
fn what_is_named_for_the_registry_and_is_in_no_engine_has_failed() {
    let engine = Engine::at("docker.sock", vec![web()]);
    let missing = format!("{HOST}/giteaadmin/api:2");
    let (found, _) = find(&["web:1.0", &missing], docker_at(&engine.address()));
    let found = found.unwrap();
    assert_eq!(found.images.len(), 1);
    let [(name, SourceError::NotInEngine { reference, .. })] = found.failed.as_slice() else {
        panic!("{:?}", found.failed)
    };
    assert!(name.0.starts_with("manifest:") && name.0.ends_with(&format!("app.yaml:{missing}")), "{name}");
    assert_eq!(*reference, missing);
}

#[test]
fn what_is_neither_is_left_with_a_note() {
    let engine = Engine::at("docker.sock", vec![web()]);
    let pinned = format!("{HOST}/giteaadmin/web@sha256:{}", "0".repeat(64));
    let images = ["web:1.0", "nginx:1.27", "redis", "{{ .Image }}", &pinned];
    let (found, notes) = find(&images, docker_at(&engine.address()));
    assert_eq!(found.unwrap().images.len(), 1);
    let expected =
        ["left `{{ .Image }}`: helm", &format!("left `{pinned}`: "), "left `nginx:1.27`, `redis`: "];
    assert_eq!(notes.len(), expected.len(), "{notes:?}");
    for (note, expected) in notes.iter().zip(expected) {
        assert!(note.starts_with(expected), "{note}");
    }
}

#[test]
fn manifests_without_an_image_of_the_user_say_so() {
    let (found, notes) = find(&["nginx:1.27"], docker_at(NOWHERE));
    assert!(matches!(found, Err(SourceError::NothingNamed { .. })), "{found:?}");
    assert_eq!(notes.len(), 1);
    let missing = super::kit::find(Spec::Manifests { path: "/nonexistent/k8s".into() });
    assert!(matches!(missing, Err(SourceError::NotFound { .. })));
}
