use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::http::Endpoint;

/// An image as it came back from a registry, every byte checked against its digest.
pub(crate) struct Pulled {
    pub(crate) digest: String,
    pub(crate) manifest: Value,
    /// Config and layers by digest.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// What an index names, in its order.
    pub(crate) children: Vec<Pulled>,
}

/// `*/*` is not enough: distribution then hides every manifest that is not Docker's.
pub(super) const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Reads with requests of its own, so that it shares no mistake with the product.
pub(crate) fn pulled(registry: &Endpoint, repository: &str, reference: &str) -> Result<Pulled> {
    let path = format!("/v2/{repository}/manifests/{reference}");
    let answer =
        registry.send("GET", &path, &format!("Accept: {}\r\n", MANIFESTS.join(", ")), &[])?.expect(200)?;
    let digest = digest_of(&answer.body);
    ensure!(
        answer.header("docker-content-digest") == Some(&digest),
        "the registry names another digest than {digest}"
    );
    ensure!(!reference.starts_with("sha256:") || reference == digest, "{reference} holds {digest}");
    let manifest = answer.json()?;
    let mut pulled = Pulled { digest, manifest, blobs: BTreeMap::new(), children: Vec::new() };
    for child in array(&pulled.manifest, "manifests") {
        let child = child["digest"].as_str().context("a child without a digest")?;
        pulled.children.push(self::pulled(registry, repository, child)?);
    }
    for blob in array(&pulled.manifest, "layers").iter().chain(pulled.manifest.get("config")) {
        let digest = blob["digest"].as_str().context("a blob without a digest")?.to_owned();
        let body = registry.get(&format!("/v2/{repository}/blobs/{digest}"))?.expect(200)?.body;
        ensure!(digest_of(&body) == digest, "{digest} came back as {}", digest_of(&body));
        ensure!(Some(body.len() as u64) == blob["size"].as_u64(), "{digest} has {} bytes", body.len());
        pulled.blobs.insert(digest, body);
    }
    Ok(pulled)
}

impl Pulled {
    pub(crate) fn layers(&self) -> &[Value] {
        array(&self.manifest, "layers")
    }

    /// The config's list of what the layers are when unpacked.
    pub(crate) fn diff_ids(&self) -> Result<Vec<String>> {
        let digest = self.manifest["config"]["digest"].as_str().context("no config")?;
        let config: Value =
            serde_json::from_slice(self.blobs.get(digest).context("the config was not pulled")?)?;
        Ok(serde_json::from_value(config["rootfs"]["diff_ids"].clone())?)
    }
}

fn array<'a>(manifest: &'a Value, name: &str) -> &'a [Value] {
    manifest.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in ring::digest::digest(&ring::digest::SHA256, bytes).as_ref() {
        write!(text, "{byte:02x}").ok();
    }
    text
}
