use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::kit::folder;
use crate::kit::image::{
    Image, Packing, docker_archive, index_layout, layer, layout_files, oci_archive, oci_layout,
};

fn entries(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
    let read = |entry: std::io::Result<tar::Entry<'_, fs::File>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn a_docker_archive_has_a_shared_layer_once() {
    let folder = folder();
    let path = folder.path().join("images.tar");
    let images = [Image::new("web:1.0").layer(1, 500).layer(2, 10), Image::new("api:2").layer(1, 500)];
    docker_archive(&path, &images);
    let entries = entries(&path);
    assert_eq!(entries.len(), 2 + 2 + 1);
    let manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!(["web:1.0"]));
    assert_eq!(manifest[0]["Layers"][0], manifest[1]["Layers"][0]);
    let layer_file = manifest[0]["Layers"][1].as_str().unwrap();
    assert_eq!(entries[layer_file], layer(2, 10));
    let config: Value = serde_json::from_slice(&entries[manifest[0]["Config"].as_str().unwrap()]).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][1], sha256(&layer(2, 10)));
}

#[test]
fn a_layout_and_its_archive_hold_the_same() {
    let folder = folder();
    let images =
        [Image::new("web:1.0").layer(1, 500), Image::new("web:2.0").packing(Packing::None).layer(1, 500)];
    oci_layout(folder.path(), &images);
    let path = folder.path().join("images.tar");
    oci_archive(&path, &images);
    let archived = entries(&path);
    assert_eq!(archived, layout_files(&images));
    for (name, bytes) in &archived {
        assert_eq!(&fs::read(folder.path().join(name)).unwrap(), bytes);
        if let Some(hash) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(sha256(bytes), format!("sha256:{hash}"));
        }
    }
    let index: Value = serde_json::from_slice(&archived["index.json"]).unwrap();
    assert_eq!(index["manifests"][1]["annotations"]["org.opencontainers.image.ref.name"], "2.0");
}

#[test]
fn what_is_built_is_what_a_registry_takes() {
    let registry = Registry::distribution().start();
    let mut client = Client::of(&registry);
    let folder = folder();
    let images = [Image::new("web:1").layer(1, 500), Image::new("web:1").architecture("arm64").layer(2, 500)];
    let index = index_layout(folder.path(), "1", &images);
    for image in &images {
        for blob in image.packed_layers().iter().chain([&image.config()]) {
            put_blob(&mut client, "web", &blob.bytes);
        }
        let manifest = image.manifest();
        let target = format!("/v2/web/manifests/{}", manifest.digest());
        assert_eq!(client.put_manifest(&target, manifest.media_type, &manifest.bytes).status, 201);
    }
    assert_eq!(client.put_manifest("/v2/web/manifests/1", index.media_type, &index.bytes).status, 201);
    let file = folder.path().join("blobs/sha256").join(index.digest().replace("sha256:", ""));
    assert_eq!(fs::read(file).unwrap(), index.bytes);
    registry.assert_orderly();
}
