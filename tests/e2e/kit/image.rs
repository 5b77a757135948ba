use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::http::Endpoint;
use super::pulled::digest_of;

/// A layer of one file that does not compress; the same seed makes the same layer.
pub(crate) fn layer(seed: u64, length: usize) -> Result<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = words.take(length / 8).flatten().collect();
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, &format!("srv/{seed}"), &bytes)?;
    Ok(tar.into_inner()?)
}

/// What `docker save` wrote before it wrote OCI layouts, for images larger than testdata may hold.
pub(crate) fn docker_archive(path: &Path, name: &str, layers: &[Vec<u8>]) -> Result<()> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest_of(layer)).collect();
    let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": { "name": name } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    let files: Vec<String> =
        diff_ids.iter().map(|id| format!("{}/layer.tar", id.replace("sha256:", ""))).collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": files }]);
    let mut tar = tar::Builder::new(std::fs::File::create(path)?);
    for (file, layer) in files.iter().zip(layers) {
        append(&mut tar, file, layer)?;
    }
    append(&mut tar, "config.json", config.to_string().as_bytes())?;
    append(&mut tar, "manifest.json", manifest.to_string().as_bytes())?;
    Ok(tar.finish()?)
}

/// An image whose layers go up as they are.
pub(crate) struct Image {
    pub(crate) digest: String,
    manifest: Vec<u8>,
    /// Layers and the configuration, by digest.
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Image {
    pub(crate) fn of(layers: &[Vec<u8>]) -> Self {
        let mut blobs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut keep = |bytes: &[u8]| {
            let digest = digest_of(bytes);
            blobs.insert(digest.clone(), bytes.to_vec());
            digest
        };
        let diff_ids: Vec<String> = layers.iter().map(|layer| keep(layer)).collect();
        let config = json!({ "architecture": "amd64", "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": diff_ids } })
        .to_string();
        let named: Vec<Value> = diff_ids
            .iter()
            .zip(layers)
            .map(|(digest, layer)| {
                json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest,
                    "size": layer.len() })
            })
            .collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": named,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(),
                "digest": keep(config.as_bytes()) } })
        .to_string();
        Self { digest: digest_of(manifest.as_bytes()), manifest: manifest.into_bytes(), blobs }
    }

    /// As an OCI layout, into a folder that is there.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        for (digest, bytes) in self.blobs.iter().chain([(&self.digest, &self.manifest)]) {
            fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
        }
        let index = json!({ "schemaVersion": 2, "manifests": [{ "mediaType": MANIFEST,
            "size": self.manifest.len(), "digest": self.digest }] });
        fs::write(folder.join("index.json"), index.to_string())?;
        Ok(fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?)
    }

    /// As another client of Gitea pushes it: blobs that are not there, then the tag alone.
    pub(crate) fn put(&self, registry: &Endpoint, repository: &str, tag: &str) -> Result<()> {
        let path = format!("/v2/{repository}");
        for (digest, bytes) in &self.blobs {
            if registry.send("HEAD", &format!("{path}/blobs/{digest}"), "", &[])?.status != 200 {
                let upload = format!("{path}/blobs/uploads/?digest={digest}");
                registry.send("POST", &upload, "", bytes)?.expect(201)?;
            }
        }
        let kind = format!("Content-Type: {MANIFEST}\r\n");
        registry.send("PUT", &format!("{path}/manifests/{tag}"), &kind, &self.manifest)?.expect(201).map(drop)
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn append(tar: &mut tar::Builder<impl std::io::Write>, path: &str, bytes: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    Ok(tar.append_data(&mut header, path, bytes)?)
}
