#![cfg(unix)]

use std::fs;
use std::time::Duration;

use super::fake_engine::{Engine, Stored, docker_at};
use super::kit::{archive, layer, places, saved};
use crate::event::Events;
use crate::port::{Fingerprint, Sight, SourceError, Watched};
use crate::source::{EngineKind, Places, Spec, watch};

fn image(text: &str) -> Stored {
    Stored::unpacked(&["web:1"], &[&layer(text)])
}

fn watched(engine: &Engine) -> Box<dyn Watched> {
    let spec = Spec::Engine { reference: "web:1".to_owned(), kind: EngineKind::Docker };
    watch(spec, &Places { sockets: docker_at(&engine.address()), ..places() }, &Events::none())
}

fn ready(sight: Sight) -> Fingerprint {
    match sight {
        Sight::Ready(snapshot) => snapshot.fingerprint,
        Sight::Unready(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_engine_without_events_is_asked_again() {
    let engine = Engine::at("docker.sock", vec![image("a")]);
    let mut source = watched(&engine);
    let first = ready(source.next().await);
    engine.has(vec![image("b")]);
    let second = ready(source.next().await);
    assert_ne!(first, second);
    engine.has(Vec::new());
    assert!(matches!(source.next().await, Sight::Unready(SourceError::NotInEngine { .. })));
    engine.has(vec![image("b")]);
    assert_eq!(ready(source.next().await), second);
    assert_eq!(engine.exports(), 0);
}

fn all(engine: &Engine, spec: Spec) -> Box<dyn Watched> {
    let registry = Some("r.example".to_owned());
    watch(spec, &Places { sockets: docker_at(&engine.address()), registry, ..places() }, &Events::none())
}

fn named(name: &str, text: &str) -> Stored {
    Stored::unpacked(&[name], &[&layer(text)])
}

#[tokio::test]
async fn all_tagged_changes_with_an_image_that_is_named_for_the_registry() {
    let engine = Engine::at("docker.sock", vec![image("a")]);
    let mut source = all(&engine, Spec::AllTagged);
    assert!(matches!(source.next().await, Sight::Unready(SourceError::NoneTagged { .. })));
    engine.has(vec![image("a"), named("r.example/me/web:1", "b")]);
    let first = ready(source.next().await);
    engine.has(vec![image("c"), named("r.example/me/web:1", "d")]);
    assert_ne!(ready(source.next().await), first);
    engine.has(vec![image("e"), named("r.example/me/web:1", "b")]);
    assert_eq!(ready(source.next().await), first);
    assert_eq!(engine.exports(), 0);
}

#[tokio::test]
async fn manifests_change_by_themselves_and_with_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pod.yaml");
    let write = |image: &str| {
        let text = format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: {image}\n");
        fs::write(&file, text).unwrap();
    };
    write("r.example/me/web:1");
    let engine = Engine::at("docker.sock", vec![image("a")]);
    let mut source = all(&engine, Spec::Manifests { path: file.clone() });
    let first = ready(source.next().await);
    engine.has(vec![image("b")]);
    let second = ready(source.next().await);
    assert_ne!(second, first);
    write("r.example/me/web:2");
    assert_ne!(ready(source.next().await), second);
    fs::remove_file(&file).unwrap();
    assert!(matches!(source.next().await, Sight::Unready(_)));
    assert_eq!(engine.exports(), 0);
}

#[tokio::test]
async fn a_look_that_was_left_is_made_again() {
    let engine = Engine::at("docker.sock", vec![image("a")]);
    let mut source = watched(&engine);
    let first = ready(source.next().await);
    engine.has(vec![image("b")]);
    // In small steps, so that some of them end within a look.
    for _ in 0..1000 {
        if let Ok(sight) = tokio::time::timeout(Duration::from_millis(5), source.next()).await {
            assert_ne!(ready(sight), first);
            return;
        }
    }
    panic!("the change was never seen");
}

#[tokio::test]
async fn what_was_seen_of_a_file_is_what_a_push_gets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.tar");
    fs::write(&file, saved(&["web:1"], &[&layer("a")]).bytes()).unwrap();
    let mut source = watch(archive(&file), &places(), &Events::none());
    let Sight::Ready(snapshot) = source.next().await else { panic!("not ready") };
    fs::write(&file, "something else").unwrap();
    let found = snapshot.source.find(&Events::none()).await.unwrap();
    assert_eq!(found.images.len(), 1);
    assert!(matches!(source.next().await, Sight::Unready(SourceError::NotAnImage { .. })));
}
