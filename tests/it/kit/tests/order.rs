//! What the registry notices about the order of requests.

use super::*;
use crate::kit::registry::{Fault, Match};

/// Begins a PATCH that promises more than it sends, and waits until the registry has met it.
fn half_a_chunk(registry: &Registry, client: &mut Client, session: &str) {
    client.begin("PATCH", session, &[("Content-Type", "application/octet-stream")], 10).unwrap();
    client.write(b"hello").unwrap();
    registry.until(|registry| registry.bytes_received() == 5);
}

#[test]
fn two_requests_at_once_on_a_session_are_refused_and_a_violation() {
    for (registry, repository, status) in
        [(Registry::distribution().start(), "web", 409), (Registry::gitea().start(), "giteaadmin/web", 500)]
    {
        let mut first = administrator(&registry);
        let opened = first.post(&format!("/v2/{repository}/blobs/uploads/"));
        half_a_chunk(&registry, &mut first, opened.location());
        let second = administrator(&registry).get(opened.location());
        assert_eq!(second.status, status);
        assert_eq!(registry.violations().len(), 1, "{:?}", registry.violations());
        first.write(b"world").unwrap();
        assert_eq!(first.reply("PATCH").unwrap().status, 202);
    }
}

#[test]
fn coming_back_after_giving_up_is_no_violation() {
    let registry = Registry::distribution().start();
    let mut first = Client::of(&registry);
    let opened = first.post("/v2/web/blobs/uploads/");
    half_a_chunk(&registry, &mut first, opened.location());
    drop(first);
    assert_eq!(Client::of(&registry).get(opened.location()).header("range"), Some("0-4"));
    assert_eq!(registry.violations(), [""; 0]);
}

#[test]
fn two_manifests_at_once_in_a_repository_are_a_violation_in_gitea_only() {
    for (registry, prefix, violations) in
        [(Registry::gitea().start(), "giteaadmin/", 1), (Registry::distribution().start(), "", 0)]
    {
        let mut first = administrator(&registry);
        for repository in ["web", "other"] {
            put_blob(&mut first, &format!("{prefix}{repository}"), b"{}");
        }
        let manifest = manifest_of(&[]);
        let target = format!("/v2/{prefix}web/manifests/1");
        first.begin("PUT", &target, &[("Content-Type", MANIFEST)], manifest.len()).unwrap();
        registry.until(|registry| registry.requests().iter().any(|entry| entry.path == target));
        let mut second = administrator(&registry);
        assert_eq!(put_manifest(&mut second, &format!("{prefix}other"), "1", &manifest).status, 201);
        assert_eq!(registry.violations(), [""; 0]);
        assert_eq!(put_manifest(&mut second, &format!("{prefix}web"), "2", &manifest).status, 201);
        assert_eq!(registry.violations().len(), violations);
        first.write(&manifest).unwrap();
        assert_eq!(first.reply("PUT").unwrap().status, 201);
        registry.clear_log();
        assert_eq!(put_manifest(&mut first, &format!("{prefix}web"), "3", &manifest).status, 201);
        registry.assert_orderly();
    }
}

#[test]
fn a_blob_that_was_there_already_is_a_violation() {
    let registry = Registry::distribution().start();
    let mut client = Client::of(&registry);
    let digest = registry.put_blob("web", &b"hello"[..]);
    assert_eq!(put_blob(&mut client, "web", b"hello"), digest);
    put_blob(&mut client, "other", b"hello");
    assert_eq!(registry.violations().len(), 1);
}

#[test]
fn a_session_that_is_left_open_is_listed() {
    let registry = Registry::gitea().start();
    let opened = administrator(&registry).post("/v2/giteaadmin/web/blobs/uploads/");
    assert_eq!(registry.open_sessions(), [opened.location()]);
}

#[test]
fn the_log_says_what_was_asked_and_in_which_order() {
    let registry = Registry::distribution().start();
    let mut first = Client::of(&registry);
    let opened = first.post("/v2/web/blobs/uploads/");
    half_a_chunk(&registry, &mut first, opened.location());
    let mut second = Client::of(&registry);
    second.ask("HEAD", "/v2/web/blobs/x?a=1", &[("X-Test", "yes")], b"").unwrap();
    first.write(b"world").unwrap();
    first.reply("PATCH").unwrap();
    let [post, patch, head] = registry.requests().try_into().unwrap();
    assert!(post.ended.unwrap() < patch.began);
    assert!(patch.began < head.began && head.ended < patch.ended);
    assert_eq!(post.connection, patch.connection);
    assert_ne!(post.connection, head.connection);
    assert_eq!((patch.body_bytes, patch.body), (10, b"helloworld".to_vec()));
    assert_eq!((head.header("x-test"), head.query("a")), (Some("yes"), Some("1")));
    assert_eq!((head.line().as_str(), head.fault), ("HEAD /v2/web/blobs/x 404", None));
}

#[test]
fn what_is_no_http_is_answered_and_a_violation() {
    let registry = Registry::distribution().start();
    let mut client = Client::of(&registry);
    client.write(b"GET /v2/ HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(client.reply("GET").unwrap().status, 400);
    assert!(client.is_closed());
    assert_eq!(registry.violations(), ["not HTTP/1.1: 0 Host headers"]);
}

#[test]
fn tls_to_a_plain_port_is_told_so_at_once() {
    let registry = Registry::distribution().start();
    let mut client = Client::of(&registry);
    client.write(b"\x16\x03\x01").unwrap();
    assert_eq!(client.reply("GET").unwrap().status, 400);
    assert_eq!(registry.violations(), [""; 0]);
}

#[test]
fn a_log_that_is_cleared_does_not_mix_up_what_is_still_going_on() {
    let registry = Registry::distribution().start();
    let mut client = Client::of(&registry);
    registry.script(Match::method("POST"), Fault::Late(std::time::Duration::from_millis(30)));
    client.begin("POST", "/v2/web/blobs/uploads/", &[], 0).unwrap();
    registry.until(|registry| registry.count("POST") == 1);
    registry.clear_log();
    Client::of(&registry).get("/v2/");
    assert_eq!(client.reply("POST").unwrap().status, 202);
    assert_eq!(registry.lines(), ["GET /v2/ 200"]);
}
