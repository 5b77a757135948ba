//! What refers to an image by `subject`, on registries that keep no list of it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::kit::{Endpoint, Push, Servers, digest_of, pulled};

cases![gitea_lists_what_refers_to_an_image, distribution_3_lists_what_refers_to_an_image];

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn blob(layout: &Path, media_type: &str, bytes: &[u8]) -> Result<Value> {
    let digest = digest_of(bytes);
    let file = layout.join("blobs").join(digest.replace(':', "/"));
    fs::create_dir_all(file.parent().context("no folder")?)?;
    fs::write(file, bytes)?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
}

/// An image `web:1` with a signature for each of the texts.
fn signed(layout: &Path, texts: &[&str]) -> Result<Value> {
    let document = |config: &Value, layers: &[Value]| json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let config = blob(layout, "application/vnd.oci.image.config.v1+json", config)?;
    let image = blob(layout, MANIFEST, document(&config, &[]).to_string().as_bytes())?;
    let mut named = image.clone();
    named["annotations"] = json!({ "org.opencontainers.image.ref.name": "web:1" });
    let mut listed = vec![named];
    let empty = blob(layout, "application/vnd.oci.empty.v1+json", b"{}")?;
    for text in texts {
        let mut signature = document(&empty, &[blob(layout, "text/plain", text.as_bytes())?]);
        signature["subject"] = image.clone();
        signature["artifactType"] = json!("application/vnd.example.signature");
        listed.push(blob(layout, MANIFEST, signature.to_string().as_bytes())?);
    }
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": listed }).to_string())?;
    Ok(image)
}

/// Pushes with one signature, and then with another one beside it.
fn both_are_listed(push: impl Fn() -> Result<Push>, registry: &Endpoint, repository: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for texts in [&["one"][..], &["one", "two"]] {
        let image = signed(folder.path(), texts)?;
        push()?.arg(folder.path()).run()?.exits(0)?;
        let digest = image["digest"].as_str().context("no digest")?;
        ensure!(pulled(registry, repository, "1")?.digest == digest, "the tag is of another image");
        let list = pulled(registry, repository, &digest.replace(':', "-"))?;
        ensure!(list.children.len() == texts.len(), "{}", list.manifest);
        for (child, entry) in list.children.iter().zip(list.manifest["manifests"].as_array().context("none")?)
        {
            ensure!(child.manifest["subject"]["digest"] == digest);
            ensure!(entry["artifactType"] == "application/vnd.example.signature");
        }
    }
    Ok(())
}

fn gitea_lists_what_refers_to_an_image(servers: &Servers) -> Result<()> {
    let push = || Ok(Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--as", "signed:1"]));
    both_are_listed(push, &servers.gitea.admin(), "giteaadmin/signed")
}

fn distribution_3_lists_what_refers_to_an_image(servers: &Servers) -> Result<()> {
    let registry = servers.distribution.registry();
    let push = || {
        let place = ["--registry", &registry, "--plain-http", "--auth", "none", "--as", "signed:1"];
        Ok(Push::new()?.args(place))
    };
    both_are_listed(push, &servers.distribution.endpoint(), "signed")
}
