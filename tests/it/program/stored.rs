//! Reads back what a registry holds, without the code that pushed it.

use std::io::{Seek as _, Write as _};
use std::process::Command;

use serde_json::Value;

use crate::kit::registry::{Registry, sha256};

/// The manifest under a tag or digest, after everything below it was looked at: each blob is there, and each
/// layer unpacks to what the configuration says of it.
pub(crate) fn whole(registry: &Registry, repository: &str, reference: &str) -> Value {
    let stored = registry
        .manifest(repository, reference)
        .unwrap_or_else(|| panic!("no {repository}:{reference}; there are {:?}", registry.repositories()));
    let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap();
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        whole(registry, repository, child["digest"].as_str().unwrap());
    }
    if manifest["layers"].is_array() {
        assert_eq!(diff_ids(registry, repository, &manifest), declared(registry, repository, &manifest));
    }
    manifest
}

/// The digest that a tag points to.
pub(crate) fn digest(registry: &Registry, repository: &str, tag: &str) -> String {
    whole(registry, repository, tag);
    registry.manifest(repository, tag).unwrap().digest
}

/// Media types of an image's layers.
pub(crate) fn layer_types(manifest: &Value) -> Vec<&str> {
    manifest["layers"].as_array().unwrap().iter().map(|layer| layer["mediaType"].as_str().unwrap()).collect()
}

fn declared(registry: &Registry, repository: &str, manifest: &Value) -> Vec<String> {
    let config: Value = serde_json::from_slice(&blob(registry, repository, &manifest["config"])).unwrap();
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap().iter();
    diff_ids.map(|diff_id| diff_id.as_str().unwrap().to_owned()).collect()
}

fn diff_ids(registry: &Registry, repository: &str, manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    layers.map(|layer| sha256(&unpacked(layer, &blob(registry, repository, layer)))).collect()
}

fn blob(registry: &Registry, repository: &str, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let bytes = registry.blob(repository, digest).unwrap_or_else(|| panic!("{repository} lacks {digest}"));
    assert_eq!(descriptor["size"].as_u64(), Some(bytes.len() as u64));
    bytes.to_vec()
}

fn unpacked(layer: &Value, bytes: &[u8]) -> Vec<u8> {
    let media_type = layer["mediaType"].as_str().unwrap();
    if media_type.ends_with("gzip") { gunzip(bytes) } else { bytes.to_vec() }
}

/// By a program that everybody has: a reader that is not ours, which takes several members as one stream.
fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let ran = Command::new("gzip").arg("-dc").stdin(file).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    ran.stdout
}
