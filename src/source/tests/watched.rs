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
