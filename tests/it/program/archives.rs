//! What other tools wrote, pushed as it is.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::{json, stored, testdata};
use crate::kit::program::Program;
use crate::kit::registry::Registry;

/// What an archive or layout names, with the program's own reading left out: the digest of its one image.
fn digest_in_index(source: &Path) -> String {
    let index = if source.is_dir() { fs::read(source.join("index.json")).unwrap() } else { index_in(source) };
    let index: Value = serde_json::from_slice(&index).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

fn index_in(archive: &Path) -> Vec<u8> {
    let mut archive = tar::Archive::new(File::open(archive).unwrap());
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let mut index = entries.find(|entry| entry.path().unwrap().ends_with("index.json")).unwrap();
    let mut bytes = Vec::new();
    index.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn every_archive_and_layout_arrives_whole_under_its_name() {
    for (name, targets) in [
        ("valid-image.tar", &["web:1.0"][..]),
        ("docker-legacy-multi.tar", &["api:2.1", "api:latest", "web:1.0"]),
        ("docker-hybrid.tar", &["web:1.0"]),
        ("docker-hybrid-packed.tar", &["api:2.1"]),
        ("podman-docker.tar", &["web:1.0"]),
        ("podman-oci.tar", &["web:1.0"]),
        ("skopeo-oci.tar", &["web:1.0"]),
        ("oci-layout", &["oci-layout:1.0"]),
        ("multi-platform-layout", &["multi-platform-layout:1.0"]),
    ] {
        let registry = Registry::gitea().start();
        let ran = Program::push_to(&registry).arg(testdata(name)).run().exits(0);
        let mut told: Vec<&str> = ran.stdout.lines().collect();
        told.sort_unstable();
        let expected: Vec<String> = targets.iter().map(|target| pinned(&registry, target)).collect();
        assert_eq!(told, expected, "{name}");
        registry.assert_orderly();
    }
}

/// The reference with the digest that the registry has, after the image was read back.
fn pinned(registry: &Registry, target: &str) -> String {
    let (name, tag) = target.split_once(':').unwrap();
    let digest = stored::digest(registry, &format!("giteaadmin/{name}"), tag);
    format!("{}/giteaadmin/{target}@{digest}", registry.address())
}

#[test]
fn what_is_packed_already_keeps_its_digest() {
    for name in [
        "docker-hybrid-packed.tar",
        "podman-oci.tar",
        "skopeo-oci.tar",
        "oci-layout",
        "multi-platform-layout",
    ] {
        let registry = Registry::gitea().start();
        let source = testdata(name);
        let ran = Program::push_to(&registry).arg(&source).args(["-o", "json"]).run().exits(0);
        assert_eq!(json(&ran)["images"][0]["digest"], digest_in_index(&source), "{name}");
        registry.assert_orderly();
    }
}

#[test]
fn two_tags_of_one_image_are_one_manifest() {
    let registry = Registry::gitea().start();
    Program::push_to(&registry).arg(testdata("docker-legacy-multi.tar")).run().exits(0);
    let digest = |tag| registry.manifest("giteaadmin/api", tag).unwrap().digest;
    assert_eq!(digest("2.1"), digest("latest"));
    assert_ne!(digest("2.1"), registry.manifest("giteaadmin/web", "1.0").unwrap().digest);
    registry.assert_orderly();
}

#[test]
fn one_image_of_an_archive_is_named_behind_it() {
    let registry = Registry::gitea().start();
    let source = format!("docker-archive:{}:team/api:latest", testdata("docker-legacy-multi.tar").display());
    Program::push_to(&registry).arg(source).run().exits(0);
    assert_eq!(registry.repositories(), ["giteaadmin/api"]);
    assert_eq!(registry.tags("giteaadmin/api"), ["latest"]);
    registry.assert_orderly();
}

#[test]
fn a_source_said_outright_is_what_it_says() {
    let registry = Registry::gitea().start();
    for (source, target) in [
        (format!("oci-archive:{}", testdata("skopeo-oci.tar").display()), "web"),
        (format!("oci:{}:1.0", testdata("oci-layout").display()), "oci-layout"),
    ] {
        Program::push_to(&registry).arg(source).run().exits(0);
        stored::whole(&registry, &format!("giteaadmin/{target}"), "1.0");
    }
    registry.assert_orderly();
}

#[test]
fn one_platform_of_an_index_goes_up_alone() {
    let registry = Registry::gitea().start();
    let source = testdata("multi-platform-layout");
    Program::push_to(&registry).args(["--platform", "linux/arm64"]).arg(source).run().exits(0);
    let manifest = stored::whole(&registry, "giteaadmin/multi-platform-layout", "1.0");
    assert!(manifest["manifests"].is_null(), "{manifest}");
    let config = manifest["config"]["digest"].as_str().unwrap();
    let config = registry.blob("giteaadmin/multi-platform-layout", config).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&config).unwrap()["architecture"], "arm64");
    registry.assert_orderly();
}

#[test]
fn all_platforms_of_an_index_go_up_with_it() {
    let registry = Registry::gitea().start();
    Program::push_to(&registry).arg(testdata("multi-platform-layout")).run().exits(0);
    let index = stored::whole(&registry, "giteaadmin/multi-platform-layout", "1.0");
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    registry.assert_orderly();
}

#[test]
fn a_registry_of_the_spec_gets_the_same_without_an_owner() {
    let registry = Registry::distribution().start();
    let ran = Program::push_to(&registry).arg(testdata("skopeo-oci.tar")).run().exits(0);
    let digest = digest_in_index(&testdata("skopeo-oci.tar"));
    assert_eq!(ran.stdout, format!("{}/web:1.0@{digest}\n", registry.address()));
    assert_eq!(stored::digest(&registry, "web", "1.0"), digest);
    registry.assert_orderly();
}
