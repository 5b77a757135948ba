use super::*;
use crate::kit::registry::Manner;

fn start() -> (Registry, Client) {
    let registry = Registry::distribution().start();
    let client = Client::of(&registry);
    (registry, client)
}

#[test]
fn a_blob_goes_up_in_chunks_and_comes_back() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/team/web/blobs/uploads/");
    assert_eq!(opened.status, 202);
    assert_eq!(opened.header("range"), Some("0-0"));
    let first = client.patch(opened.location(), Some("0-4"), b"hello");
    assert_eq!((first.status, first.header("range")), (202, Some("0-4")));
    let second = client.patch(first.location(), Some("5-9"), b"world");
    assert_eq!((second.status, second.header("range")), (202, Some("0-9")));
    let digest = sha256(b"helloworld");
    let stored = client.put(&format!("{}&digest={digest}", second.location()), b"");
    assert_eq!((stored.status, stored.header("docker-content-digest")), (201, Some(digest.as_str())));
    let blob = client.get(stored.location());
    assert_eq!(blob.text(), "helloworld");
    assert_eq!(client.head(stored.location()).header("content-length"), Some("10"));
    assert_eq!(registry.bytes_received(), 10);
    registry.assert_orderly();
}

#[test]
fn a_location_is_absolute_and_its_state_changes_with_each_step() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    assert!(opened.location().starts_with(&registry.origin()), "{opened:?}");
    let next = client.patch(opened.location(), None, b"hello");
    assert_ne!(next.location(), opened.location());
    let stale = client.patch(opened.location(), None, b"again");
    assert_eq!((stale.status, stale.code().as_str(), stale.header("range")), (416, "RANGE_INVALID", None));
    let status = client.get(opened.location());
    assert_eq!((status.header("range"), status.location()), (Some("0-4"), next.location()));
    assert_eq!(registry.violations(), [""; 0]);
}

#[test]
fn a_state_that_was_not_given_out_is_a_violation() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    let bare = opened.location().split('?').next().unwrap().to_owned();
    assert_eq!(client.patch(&bare, None, b"hello").status, 404);
    assert_eq!(client.patch(&format!("{bare}?_state=other"), None, b"hello").status, 404);
    assert_eq!(registry.violations().len(), 2);
}

#[test]
fn a_chunk_that_starts_elsewhere_is_refused() {
    let (_registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    let early = client.patch(opened.location(), Some("5-9"), b"world");
    assert_eq!((early.status, early.header("range"), early.header("location")), (416, None, None));
    assert_eq!(client.patch(opened.location(), Some("0-9"), b"short").code(), "SIZE_INVALID");
    assert_eq!(client.patch(opened.location(), Some("bytes 0-4"), b"hello").status, 400);
}

#[test]
fn a_refusal_can_say_where_the_session_stands() {
    let registry = Registry::distribution().full_refusals().start();
    let mut client = Client::of(&registry);
    let opened = client.post("/v2/web/blobs/uploads/");
    let next = client.patch(opened.location(), Some("0-4"), b"hello");
    let refused = client.patch(next.location(), Some("9-13"), b"world");
    assert_eq!((refused.status, refused.header("range")), (416, Some("0-4")));
    assert_eq!(refused.location(), next.location());
}

#[test]
fn a_wrong_digest_keeps_the_session() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    let wrong = client.put(&format!("{}&digest={}", opened.location(), sha256(b"other")), b"hello");
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "DIGEST_INVALID"));
    let status = client.get(opened.location());
    assert_eq!(status.header("range"), Some("0-4"));
    assert_eq!(client.put(&format!("{}&digest={}", status.location(), sha256(b"hello")), b"").status, 201);
    registry.assert_orderly();
}

#[test]
fn a_session_can_be_deleted_once() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    assert_eq!(registry.open_sessions().len(), 1);
    assert_eq!(client.ask("DELETE", opened.location(), &[], b"").unwrap().status, 204);
    assert_eq!(client.ask("DELETE", opened.location(), &[], b"").unwrap().status, 404);
    registry.assert_orderly();
}

#[test]
fn a_blob_goes_up_in_one_post_where_that_is_taken() {
    let registry = Registry::distribution().single_posts().start();
    let mut client = Client::of(&registry);
    let digest = sha256(b"hello");
    let target = |digest: &str| format!("/v2/web/blobs/uploads/?digest={digest}");
    let octets = [("Content-Type", "application/octet-stream")];
    let mut post = |digest: &str, headers: &[(&str, &str)]| {
        client.ask("POST", &target(digest), headers, b"hello").unwrap()
    };
    assert_eq!(post(&digest, &octets).status, 201);
    assert_eq!(post(&sha256(b"other"), &octets).code(), "DIGEST_INVALID");
    assert_eq!(post(&digest, &[]).status, 415);
    assert!(registry.has_blob("web", &digest));
}

#[test]
fn the_body_of_a_post_is_ignored_otherwise() {
    for manner in [Manner::Distribution, Manner::Distribution2] {
        let registry = Registry::of(manner).start();
        let mut client = Client::of(&registry);
        let digest = sha256(b"hello");
        let target = format!("/v2/web/blobs/uploads/?digest={digest}");
        let opened = client.ask("POST", &target, &[], b"hello").unwrap();
        assert_eq!((opened.status, opened.header("range")), (202, Some("0-0")));
        let stored = client.put(&format!("{}&digest={digest}", opened.location()), b"hello");
        assert_eq!(stored.status, 201);
    }
}

#[test]
fn the_older_distribution_has_no_way_back_into_a_session() {
    let registry = Registry::of(Manner::Distribution2).start();
    let mut client = Client::of(&registry);
    let opened = client.post("/v2/web/blobs/uploads/");
    let next = client.patch(opened.location(), Some("7-11"), b"hello");
    assert_eq!((next.status, next.header("range")), (202, Some("0-4")));
    assert_eq!(client.get(next.location()).status, 204);
    assert_eq!(registry.open_sessions().len(), 1);
    assert_eq!(client.get(opened.location()).code(), "BLOB_UPLOAD_INVALID");
    assert_eq!(client.ask("DELETE", opened.location(), &[], b"").unwrap().status, 404);
    registry.assert_orderly();
}

#[test]
fn a_mount_needs_a_repository_that_has_the_blob() {
    let (registry, mut client) = start();
    let digest = put_blob(&mut client, "base", b"hello");
    let mount = |from: &str| format!("/v2/web/blobs/uploads/?mount={digest}{from}");
    assert_eq!(client.post(&mount("")).status, 202);
    assert_eq!(client.post(&mount("&from=other")).status, 202);
    let mounted = client.post(&mount("&from=base"));
    assert_eq!((mounted.status, mounted.header("docker-content-digest")), (201, Some(digest.as_str())));
    assert!(registry.has_blob("web", &digest));
    assert_eq!(registry.open_sessions().len(), 2);
}

#[test]
fn a_sha512_blob_is_checked_by_its_own_algorithm() {
    let (_registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    assert_eq!(client.put(&format!("{}&digest={SHA512_OF_HELLO}", opened.location()), b"hello").status, 201);
}

#[test]
fn a_manifest_is_found_by_tag_and_by_digest() {
    let (registry, mut client) = start();
    let digest = push(&mut client, "web", "V1", &[b"layer"]);
    let by_tag = client.head("/v2/web/manifests/V1");
    assert_eq!((by_tag.status, by_tag.header("content-type")), (200, Some(MANIFEST)));
    assert_eq!(by_tag.header("docker-content-digest"), Some(digest.as_str()));
    assert_eq!(client.get(&format!("/v2/web/manifests/{digest}")).body, manifest_of(&[b"layer"]));
    assert_eq!(client.head("/v2/web/manifests/v1").status, 404);
    assert_eq!(client.get("/v2/web/tags/list").json()["tags"], json!(["V1"]));
    assert_eq!(registry.manifest("web", "V1").unwrap().digest, digest);
    assert_eq!(registry.repositories(), ["web"]);
    registry.assert_orderly();
}

#[test]
fn a_manifest_is_hidden_from_a_client_that_does_not_accept_its_kind() {
    let (_registry, mut client) = start();
    push(&mut client, "web", "1", &[b"layer"]);
    let accept = [("Accept", "application/vnd.docker.distribution.manifest.v2+json")];
    assert_eq!(client.ask("HEAD", "/v2/web/manifests/1", &accept, b"").unwrap().status, 404);
    let accept = [("Accept", "application/json, application/vnd.oci.image.manifest.v1+json;q=0.5")];
    assert_eq!(client.ask("HEAD", "/v2/web/manifests/1", &accept, b"").unwrap().status, 200);
}

#[test]
fn a_manifest_that_names_another_digest_is_refused() {
    let (_registry, mut client) = start();
    push(&mut client, "web", "1", &[b"layer"]);
    let reply = put_manifest(&mut client, "web", &sha256(b"other"), &manifest_of(&[b"layer"]));
    assert_eq!((reply.status, reply.code().as_str()), (400, "DIGEST_INVALID"));
}

#[test]
fn a_manifest_before_its_blobs_is_refused_and_a_violation() {
    let (registry, mut client) = start();
    let reply = put_manifest(&mut client, "web", "1", &manifest_of(&[b"layer"]));
    assert_eq!((reply.status, reply.code().as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(registry.violations().len(), 1);
    // A blob of another repository does not count.
    let mut other = manifest_of(&[]);
    put_blob(&mut client, "base", b"{}");
    assert_eq!(put_manifest(&mut client, "web", "1", &other).status, 400);
    put_blob(&mut client, "web", b"{}");
    assert_eq!(put_manifest(&mut client, "web", "1", &other).status, 201);
    other.push(b'{');
    assert_eq!(put_manifest(&mut client, "web", "1", &other).code(), "MANIFEST_INVALID");
}

#[test]
fn an_index_comes_after_its_manifests() {
    let (registry, mut client) = start();
    let manifest = manifest_of(&[b"layer"]);
    let index = index_of(&[(MANIFEST, &manifest)]);
    let put = |client: &mut Client| client.put_manifest("/v2/web/manifests/1", INDEX, &index);
    assert_eq!(put(&mut client).code(), "MANIFEST_BLOB_UNKNOWN");
    registry.clear_log();
    push(&mut client, "web", &sha256(&manifest), &[b"layer"]);
    assert_eq!(put(&mut client).status, 201);
    registry.assert_orderly();
}

#[test]
fn a_media_type_that_contradicts_the_body_is_refused() {
    let (registry, mut client) = start();
    put_blob(&mut client, "web", b"{}");
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(client.put_manifest("/v2/web/manifests/1", docker, &manifest_of(&[])).status, 400);
    assert_eq!(registry.violations().len(), 1);
}

#[test]
fn names_and_tags_are_checked() {
    let (_registry, mut client) = start();
    assert_eq!(client.post("/v2/Web/blobs/uploads/").code(), "NAME_INVALID");
    assert_eq!(client.post("/v2/a__b/blobs/uploads/").status, 202);
    assert_eq!(put_manifest(&mut client, "web", "-tag", b"{}").code(), "TAG_INVALID");
    assert_eq!(client.get("/v2/").status, 200);
    assert_eq!(client.get("/elsewhere").status, 404);
}

#[test]
fn a_short_chunk_must_be_the_last() {
    let registry = Registry::distribution().chunk_min_length(4).start();
    let mut client = Client::of(&registry);
    let opened = client.post("/v2/web/blobs/uploads/");
    assert_eq!(opened.header("oci-chunk-min-length"), Some("4"));
    let first = client.patch(opened.location(), Some("0-3"), b"four");
    let short = client.patch(first.location(), Some("4-5"), b"tw");
    assert_eq!(short.status, 202);
    assert_eq!(client.patch(short.location(), Some("6-9"), b"more").status, 416);
    let digest = sha256(b"fourtw");
    assert_eq!(client.put(&format!("{}&digest={digest}", short.location()), b"").status, 201);
}

#[test]
fn a_manifest_that_is_too_large_is_refused() {
    let registry = Registry::distribution().manifest_limit(100).start();
    assert_eq!(put_manifest(&mut Client::of(&registry), "web", "1", &manifest_of(&[])).status, 413);
}

#[test]
fn bytes_of_a_cut_chunk_are_kept() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    let mut cut = Client::of(&registry);
    cut.begin("PATCH", opened.location(), &[("Content-Type", "application/octet-stream")], 100).unwrap();
    cut.write(b"hello").unwrap();
    drop(cut);
    let status = client.get(opened.location());
    assert_eq!((status.status, status.header("range")), (204, Some("0-4")));
    assert_eq!(client.patch(status.location(), Some("5-9"), b"world").status, 202);
    assert_eq!(registry.violations(), [""; 0]);
}

#[test]
fn a_chunked_body_is_read_and_may_be_refused() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    let headers = [("Content-Type", "application/octet-stream"), ("Transfer-Encoding", "chunked")];
    client.begin("PATCH", opened.location(), &headers, 0).unwrap();
    client.write(b"5\r\nhello\r\n5;x=y\r\nworld\r\n0\r\n\r\n").unwrap();
    assert_eq!(client.reply("PATCH").unwrap().header("range"), Some("0-9"));
    assert_eq!(registry.bytes_received(), 10);

    let strict = Registry::distribution().length_required().start();
    let mut client = Client::of(&strict);
    let opened = client.post("/v2/web/blobs/uploads/");
    client.begin("PATCH", opened.location(), &headers, 0).unwrap();
    client.write(b"5\r\nhello\r\n0\r\n\r\n").unwrap();
    assert_eq!(client.reply("PATCH").unwrap().status, 411);
}
