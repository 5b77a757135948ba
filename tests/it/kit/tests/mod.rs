//! The registry is held to what it claims to be before anything is held to it.

mod distribution;
mod faults;
mod gitea;
mod gitea_content;
mod image;
mod login;
mod order;
mod program;

use serde_json::json;

use super::client::{Client, Reply};
use super::registry::{PASSWORD, Registry, USER, sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What `printf hello | sha512sum` says.
const SHA512_OF_HELLO: &str = "sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7\
                               2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043";

/// A client of a Gitea with its user's password.
fn administrator(registry: &Registry) -> Client {
    Client::of(registry).basic(USER, PASSWORD)
}

/// Puts a blob there, and returns its digest.
fn put_blob(client: &mut Client, repository: &str, bytes: &[u8]) -> String {
    let digest = sha256(bytes);
    let opened = client.post(&format!("/v2/{repository}/blobs/uploads/"));
    assert_eq!(opened.status, 202, "{opened:?}");
    let question = if opened.location().contains('?') { '&' } else { '?' };
    let put = format!("{}{question}digest={digest}", opened.location());
    assert_eq!(client.put(&put, bytes).status, 201);
    digest
}

/// A manifest of a configuration `{}` and these layers, which need not be there.
fn manifest_of(layers: &[&[u8]]) -> Vec<u8> {
    let descriptor = |bytes: &[u8], media_type: &str| json!({ "mediaType": media_type, "digest": sha256(bytes), "size": bytes.len() });
    let layers: Vec<_> =
        layers.iter().map(|layer| descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip")).collect();
    let config = descriptor(b"{}", "application/vnd.oci.image.config.v1+json");
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    manifest.to_string().into_bytes()
}

fn index_of(manifests: &[(&str, &[u8])]) -> Vec<u8> {
    let descriptors: Vec<_> = manifests
        .iter()
        .map(|(media_type, bytes)| json!({ "mediaType": media_type, "digest": sha256(bytes), "size": bytes.len() }))
        .collect();
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors }).to_string().into_bytes()
}

/// Pushes an image of these layers under a tag, blobs first, and returns its digest.
fn push(client: &mut Client, repository: &str, tag: &str, layers: &[&[u8]]) -> String {
    for blob in layers.iter().chain(&[&b"{}"[..]]) {
        let target = format!("/v2/{repository}/blobs/{}", sha256(blob));
        if client.head(&target).status == 404 {
            put_blob(client, repository, blob);
        }
    }
    let reply = put_manifest(client, repository, tag, &manifest_of(layers));
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.header("docker-content-digest").unwrap().to_owned()
}

fn put_manifest(client: &mut Client, repository: &str, reference: &str, manifest: &[u8]) -> Reply {
    client.put_manifest(&format!("/v2/{repository}/manifests/{reference}"), MANIFEST, manifest)
}
