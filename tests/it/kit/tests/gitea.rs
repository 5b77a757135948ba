//! How blobs reach Gitea.

use super::*;
use crate::kit::registry::{Fault, Match};

const UPLOADS: &str = "/v2/giteaadmin/web/blobs/uploads/";

fn start() -> (Registry, Client) {
    let registry = Registry::gitea().start();
    let client = administrator(&registry);
    (registry, client)
}

/// A client that leaves when so many bytes of a longer chunk have left.
fn cut_chunk(registry: &Registry, session: &str, range: &str, bytes: &[u8], promised: usize) {
    let mut client = administrator(registry);
    client.begin("PATCH", session, &[("Content-Range", range)], promised).unwrap();
    client.write(bytes).unwrap();
}

#[test]
fn a_location_is_relative_and_has_no_query() {
    let (registry, mut client) = start();
    let opened = client.post(UPLOADS);
    assert_eq!((opened.status, opened.header("range")), (202, None));
    assert!(opened.location().starts_with(UPLOADS) && !opened.location().contains('?'), "{opened:?}");
    let status = client.get(opened.location());
    assert_eq!((status.status, status.header("range")), (204, None));
    let first = client.patch(opened.location(), None, b"hello");
    assert_eq!((first.status, first.header("range")), (202, Some("0-4")));
    assert_eq!(client.get(opened.location()).header("range"), Some("0-4"));
    let digest = sha256(b"hello");
    assert_eq!(client.put(&format!("{}?digest={digest}", opened.location()), b"").status, 201);
    assert_eq!(client.put(&format!("{}?digest={digest}", opened.location()), b"").status, 404);
    assert_eq!(
        client.head(&format!("/v2/giteaadmin/web/blobs/{digest}")).header("content-length"),
        Some("5")
    );
    registry.assert_orderly();
}

#[test]
fn the_second_chunk_needs_a_bare_range() {
    let (_registry, mut client) = start();
    let opened = client.post(UPLOADS);
    let session = opened.location();
    assert_eq!(client.patch(session, Some("bytes 0-4"), b"hello").status, 400);
    assert_eq!(client.patch(session, Some("0-4"), b"hello").status, 202);
    assert_eq!(client.patch(session, None, b"world").status, 400);
    let early = client.patch(session, Some("7-11"), b"world");
    assert_eq!((early.status, early.header("range"), early.header("location")), (416, None, None));
    assert_eq!(client.patch(session, Some("5-99"), b"world").status, 202);
}

#[test]
fn a_put_with_a_body_appends_and_a_wrong_digest_keeps_the_session() {
    let (registry, mut client) = start();
    let opened = client.post(UPLOADS);
    let put = |digest: String| format!("{}?digest={digest}", opened.location());
    client.patch(opened.location(), None, b"hello");
    assert_eq!(client.put(&put(sha256(b"hello")), b"hello").code(), "DIGEST_INVALID");
    assert_eq!(client.get(opened.location()).header("range"), Some("0-9"));
    assert_eq!(client.put(&put(sha256(b"hellohello")), b"").status, 201);
    assert_eq!(registry.open_sessions(), [""; 0]);
}

#[test]
fn a_chunk_that_is_cut_poisons_the_session_for_ever() {
    let (registry, mut client) = start();
    let opened = client.post(UPLOADS);
    let session = opened.location();
    client.patch(session, None, b"hello");
    cut_chunk(&registry, session, "5-104", b"world", 100);
    assert_eq!(client.get(session).header("range"), Some("0-4"));
    let refused = client.patch(session, Some("5-9"), b"world");
    assert_eq!((refused.status, refused.text().as_str()), (500, ""));
    let put = format!("{session}?digest={}", sha256(b"hello"));
    assert_eq!(client.put(&put, b"").status, 500);
    assert_eq!(client.ask("DELETE", session, &[], b"").unwrap().status, 204);
    registry.assert_orderly();
}

#[test]
fn behind_nginx_a_chunk_that_is_cut_leaves_the_session_clean() {
    let registry = Registry::gitea().behind_nginx().start();
    let mut client = administrator(&registry);
    let opened = client.post(UPLOADS);
    client.patch(opened.location(), None, b"hello");
    cut_chunk(&registry, opened.location(), "5-104", b"world", 100);
    assert_eq!(client.get(opened.location()).header("range"), Some("0-4"));
    assert_eq!(client.patch(opened.location(), Some("5-9"), b"world").status, 202);
}

#[test]
fn behind_nginx_leaving_after_the_last_byte_poisons_the_session() {
    let registry = Registry::gitea().behind_nginx().start();
    let mut client = administrator(&registry);
    let opened = client.post(UPLOADS);
    registry.script(Match::method("PATCH"), Fault::Stall);
    cut_chunk(&registry, opened.location(), "0-4", b"hello", 5);
    assert_eq!(client.get(opened.location()).header("range"), None);
    assert_eq!(client.patch(opened.location(), Some("0-4"), b"hello").status, 500);
}

#[test]
fn a_mount_takes_from_any_repository_and_a_mount_with_a_body_never_fails() {
    let (registry, mut client) = start();
    let digest = put_blob(&mut client, "giteaadmin/base", b"hello");
    assert_eq!(client.head(&format!("/v2/giteaadmin/web/blobs/{digest}")).status, 404);
    assert_eq!(client.post(&format!("{UPLOADS}?mount={digest}&from=GiteaAdmin/base")).status, 202);
    assert_eq!(client.post(&format!("{UPLOADS}?mount={digest}&from=giteaadmin/base")).status, 201);
    assert_eq!(client.post(&format!("/v2/giteaadmin/third/blobs/uploads/?mount={digest}")).status, 201);
    let target = |bytes: &[u8], repository: &str| {
        let digest = sha256(bytes);
        format!("/v2/giteaadmin/{repository}/blobs/uploads/?mount={digest}&digest={digest}")
    };
    assert_eq!(client.ask("POST", &target(b"hello", "fourth"), &[], b"hello").unwrap().status, 201);
    assert_eq!(client.ask("POST", &target(b"world", "fourth"), &[], b"world").unwrap().status, 201);
    assert!(registry.has_blob("giteaadmin/fourth", &sha256(b"world")));
    assert_eq!(registry.violations(), [""; 0]);
}

#[test]
fn other_algorithms_than_sha256_are_refused() {
    let (_registry, mut client) = start();
    let reply = client.ask("POST", &format!("{UPLOADS}?digest={SHA512_OF_HELLO}"), &[], b"hello").unwrap();
    assert_eq!(reply.code(), "DIGEST_INVALID");
}

#[test]
fn over_quota_the_session_stays_and_a_shared_file_goes() {
    let registry = Registry::gitea().quota(8).start();
    let mut client = administrator(&registry);
    let digest = put_blob(&mut client, "giteaadmin/base", b"hello");
    let opened = client.post(UPLOADS);
    let refused = client.put(&format!("{}?digest={digest}", opened.location()), b"hello");
    assert_eq!((refused.status, refused.text().as_str()), (403, ""));
    assert_eq!(registry.open_sessions().len(), 1);
    assert_eq!(client.head(&format!("/v2/giteaadmin/base/blobs/{digest}")).status, 404);
}

#[test]
fn a_body_above_the_limit_is_refused_unread() {
    let registry = Registry::gitea().body_limit(10).start();
    let mut client = administrator(&registry);
    let opened = client.post(UPLOADS);
    client.begin("PATCH", opened.location(), &[], 11).unwrap();
    let reply = client.reply("PATCH").unwrap();
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert!(reply.text().contains("<html>"), "{reply:?}");
    // What is still on its way is swallowed, without a reset.
    client.write(b"hello").unwrap();
    assert!(client.is_closed());
    assert_eq!(registry.bytes_received(), 0);
}

#[test]
fn a_client_that_expects_leave_gets_the_refusal_instead() {
    let registry = Registry::gitea().body_limit(10).start();
    let mut client = administrator(&registry);
    let opened = client.post(UPLOADS);
    client.begin("PATCH", opened.location(), &[("Expect", "100-continue")], 5).unwrap();
    assert_eq!(client.reply("PATCH").unwrap().status, 100);
    client.write(b"hello").unwrap();
    assert_eq!(client.reply("PATCH").unwrap().status, 202);
    client.begin("PATCH", opened.location(), &[("Expect", "100-continue")], 11).unwrap();
    assert_eq!(client.reply("PATCH").unwrap().status, 413);
}

#[test]
fn headers_of_a_proxy_are_refused() {
    let (registry, mut client) = start();
    let reply = client.ask("GET", "/v2/", &[("X-Forwarded-Proto", "https")], b"").unwrap();
    assert_eq!(reply.status, 400);
    assert_eq!(registry.violations().len(), 1);
}
