//! Names and manifests of Gitea, and what it forgets.

use super::*;
use crate::kit::registry::Manner;

fn start() -> (Registry, Client) {
    let registry = Registry::gitea().owner("team").start();
    let client = administrator(&registry);
    (registry, client)
}

#[test]
fn an_owners_case_does_not_matter_and_a_tag_is_folded() {
    let (registry, mut client) = start();
    push(&mut client, "GiteaAdmin/web", "V1", &[b"one"]);
    let first = client.head("/v2/giteaadmin/web/manifests/v1");
    assert_eq!(first.status, 200);
    push(&mut client, "giteaadmin/web", "v1", &[b"two"]);
    let second = client.head("/v2/giteaadmin/web/manifests/V1");
    assert_ne!(first.header("docker-content-digest"), second.header("docker-content-digest"));
    assert_eq!(registry.tags("giteaadmin/web"), ["v1"]);
    registry.assert_orderly();
}

#[test]
fn names_are_stricter_than_the_spec() {
    let (_registry, mut client) = start();
    for image in ["a__b", "a--b", "A"] {
        let reply = client.post(&format!("/v2/giteaadmin/{image}/blobs/uploads/"));
        assert_eq!((reply.status, reply.code().as_str()), (400, "NAME_INVALID"), "{image}");
    }
    let tag = "t".repeat(129);
    assert_eq!(put_manifest(&mut client, "giteaadmin/web", &tag, b"{}").status, 400);
    let unknown = client.post("/v2/nobody/web/blobs/uploads/");
    assert_eq!((unknown.status, unknown.text().as_str()), (404, "Not found."));
    assert_eq!(client.post("/v2/team/web/blobs/uploads/").status, 202);
}

#[test]
fn an_owner_with_a_new_name_is_a_redirect() {
    let registry = Registry::gitea().renamed_owner("old", "new").start();
    let mut client = administrator(&registry);
    let reply = client.post("/v2/old/web/blobs/uploads/?mount=x");
    assert_eq!((reply.status, reply.location()), (307, "/v2/new/web/blobs/uploads/?mount=x"));
}

#[test]
fn overwriting_a_tag_forgets_the_old_version_and_its_layers() {
    let (registry, mut client) = start();
    let old = push(&mut client, "giteaadmin/web", "1", &[b"old", b"shared"]);
    push(&mut client, "giteaadmin/web", "1", &[b"new", b"shared"]);
    assert_eq!(client.head(&format!("/v2/giteaadmin/web/manifests/{old}")).status, 404);
    assert_eq!(client.head(&format!("/v2/giteaadmin/web/blobs/{}", sha256(b"old"))).status, 404);
    assert_eq!(client.head(&format!("/v2/giteaadmin/web/blobs/{}", sha256(b"shared"))).status, 200);
    let mount = format!("/v2/giteaadmin/other/blobs/uploads/?mount={}", sha256(b"old"));
    assert_eq!(client.post(&mount).status, 202);
    assert_eq!(registry.violations(), [""; 0]);
}

#[test]
fn what_was_put_by_digest_outlives_its_tag() {
    let (_registry, mut client) = start();
    let old = sha256(&manifest_of(&[b"old"]));
    push(&mut client, "giteaadmin/web", &old, &[b"old"]);
    push(&mut client, "giteaadmin/web", "1", &[b"old"]);
    push(&mut client, "giteaadmin/web", "1", &[b"new"]);
    assert_eq!(client.head(&format!("/v2/giteaadmin/web/manifests/{old}")).status, 200);
    assert_eq!(client.head(&format!("/v2/giteaadmin/web/blobs/{}", sha256(b"old"))).status, 200);
}

#[test]
fn a_manifest_put_by_a_wrong_digest_is_taken_and_the_true_one_answered() {
    let (_registry, mut client) = start();
    push(&mut client, "giteaadmin/web", "1", &[b"layer"]);
    let manifest = manifest_of(&[b"layer"]);
    let reply = put_manifest(&mut client, "giteaadmin/web", &sha256(b"other"), &manifest);
    assert_eq!(
        (reply.status, reply.header("docker-content-digest")),
        (201, Some(sha256(&manifest).as_str()))
    );
}

#[test]
fn a_missing_layer_is_not_named() {
    let (registry, mut client) = start();
    let reply = put_manifest(&mut client, "giteaadmin/web", "1", &manifest_of(&[b"layer"]));
    assert_eq!((reply.status, reply.code().as_str()), (404, "BLOB_UNKNOWN"));
    assert!(!reply.text().contains("sha256"), "{reply:?}");
    assert_eq!(registry.violations().len(), 1);
}

#[test]
fn a_foreign_layer_must_be_there_too() {
    let (gitea, mut client) = start();
    let plain = Registry::distribution().start();
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest_of(&[b"layer"])).unwrap();
    manifest["layers"][0]["urls"] = json!(["https://example.test/layer"]);
    let manifest = manifest.to_string().into_bytes();
    put_blob(&mut client, "giteaadmin/web", b"{}");
    assert_eq!(put_manifest(&mut client, "giteaadmin/web", "1", &manifest).status, 404);
    let mut client = Client::of(&plain);
    put_blob(&mut client, "web", b"{}");
    assert_eq!(put_manifest(&mut client, "web", "1", &manifest).status, 201);
    assert_eq!(gitea.violations().len(), 1);
}

#[test]
fn a_size_that_is_wrong_is_refused() {
    let (_registry, mut client) = start();
    put_blob(&mut client, "giteaadmin/web", b"{}");
    let manifest = String::from_utf8(manifest_of(&[])).unwrap().replace("\"size\":2", "\"size\":3");
    assert_eq!(put_manifest(&mut client, "giteaadmin/web", "1", manifest.as_bytes()).code(), "SIZE_INVALID");
}

#[test]
fn an_index_holds_image_manifests_only() {
    let (_registry, mut client) = start();
    let manifest = manifest_of(&[b"layer"]);
    let index = index_of(&[(MANIFEST, &manifest)]);
    let target = "/v2/giteaadmin/web/manifests/";
    let missing = client.put_manifest(&format!("{target}1"), INDEX, &index);
    assert_eq!((missing.status, missing.code().as_str()), (404, "MANIFEST_BLOB_UNKNOWN"));
    push(&mut client, "giteaadmin/web", &sha256(&manifest), &[b"layer"]);
    let by_digest = format!("{target}{}", sha256(&index));
    assert_eq!(client.put_manifest(&by_digest, INDEX, &index).status, 201);
    let nested = index_of(&[(INDEX, &index)]);
    assert_eq!(client.put_manifest(&format!("{target}1"), INDEX, &nested).status, 400);
}

#[test]
fn a_content_type_has_no_parameters_and_schema_1_is_not_implemented() {
    let (_registry, mut client) = start();
    put_blob(&mut client, "giteaadmin/web", b"{}");
    let mut put = |media_type: &str, body: &[u8]| {
        client.put_manifest("/v2/giteaadmin/web/manifests/1", media_type, body).status
    };
    assert_eq!(put(&format!("{MANIFEST}; charset=utf-8"), &manifest_of(&[])), 400);
    assert_eq!(put("application/vnd.docker.distribution.manifest.v1+json", b"{}"), 501);
    assert_eq!(put(MANIFEST, b"{"), 500);
    assert_eq!(put(MANIFEST, &vec![b' '; (10 << 20) + 1]), 413);
    assert_eq!(put(MANIFEST, &manifest_of(&[])), 201);
}

#[test]
fn the_older_gitea_fails_on_a_configuration_that_is_no_json() {
    let manifest = |config: &[u8]| {
        let config = json!({ "digest": sha256(config), "size": config.len() });
        json!({ "schemaVersion": 2, "config": config, "layers": [] }).to_string().into_bytes()
    };
    let put = |manner: Manner| {
        let registry = Registry::of(manner).start();
        let token = administrator(&registry).get("/v2/token").json()["token"].as_str().unwrap().to_owned();
        let mut client = Client::of(&registry).bearer(&token);
        put_blob(&mut client, "giteaadmin/web", b"no json");
        put_manifest(&mut client, "giteaadmin/web", "1", &manifest(b"no json")).status
    };
    assert_eq!(put(Manner::Gitea), 201);
    assert_eq!(put(Manner::Gitea124), 500);
}

#[test]
fn a_manifest_and_a_blob_can_be_deleted() {
    let (registry, mut client) = start();
    let digest = push(&mut client, "giteaadmin/web", "1", &[b"layer"]);
    let loose = put_blob(&mut client, "giteaadmin/web", b"loose");
    let mut delete = |path: String| client.ask("DELETE", &path, &[], b"").unwrap().status;
    assert_eq!(delete(format!("/v2/giteaadmin/web/blobs/{loose}")), 202);
    assert_eq!(delete(format!("/v2/giteaadmin/web/manifests/{digest}")), 202);
    assert_eq!(delete(format!("/v2/giteaadmin/web/manifests/{digest}")), 404);
    assert_eq!(registry.tags("giteaadmin/web"), [""; 0]);
}
