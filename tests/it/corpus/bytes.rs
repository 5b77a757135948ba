//! Archives and layouts of which every byte can be wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::kit::image;
use crate::kit::registry::sha256;

pub(super) const MANIFEST: &str = image::MANIFEST;
pub(super) const INDEX: &str = image::INDEX;
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

pub(super) fn layer() -> Vec<u8> {
    image::layer(1, 3000)
}

/// A tar without its end.
#[derive(Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    /// `edit` changes the header before the checksum is made.
    pub(super) fn edited(
        mut self,
        kind: u8,
        name: &[u8],
        content: &[u8],
        edit: impl FnOnce(&mut tar::Header),
    ) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        edit(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(super) fn entry(self, kind: u8, name: &[u8], content: &[u8]) -> Self {
        self.edited(kind, name, content, |_| {})
    }

    pub(super) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(b'0', name.as_bytes(), content.as_ref())
    }

    pub(super) fn json(self, name: &str, content: &Value) -> Self {
        self.file(name, content.to_string())
    }

    /// A symbolic link, `2`, or a hard one, `1`.
    pub(super) fn link(self, kind: u8, name: &str, target: &str) -> Self {
        let edit = |header: &mut tar::Header| {
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        };
        self.edited(kind, name.as_bytes(), b"", edit)
    }

    /// Records for the next entry.
    pub(super) fn pax(self, records: &[(&str, &str)]) -> Self {
        let records: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(b'x', b"pax", &records)
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn end(self) -> Vec<u8> {
        self.raw(&[0; 1024]).0
    }
}

/// A record begins with its own length.
pub(super) fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let lengths = rest.len()..rest.len() + 20;
    let length = lengths.into_iter().find(|length| length.to_string().len() + rest.len() == *length);
    format!("{}{rest}", length.unwrap()).into_bytes()
}

pub(super) fn config(layers: &[&[u8]]) -> Value {
    let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(layer)).collect();
    json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}})
}

/// A `manifest.json` of one image.
pub(super) fn listed(config: &str, tags: &[&str], layers: &[&str]) -> Value {
    json!([{"Config": config, "RepoTags": tags, "Layers": layers}])
}

/// An archive of `app:1`, whose layer is under this name and made by `with`.
pub(super) fn around(layer_name: &str, with: impl FnOnce(Tar) -> Tar) -> Vec<u8> {
    let tar = Tar::default().json("config.json", &config(&[&layer()]));
    with(tar).json("manifest.json", &listed("config.json", &["app:1"], &[layer_name])).end()
}

/// The entries of a good archive of `app:1`.
pub(super) fn good() -> Tar {
    let tar = Tar::default().json("config.json", &config(&[&layer()])).file("l/layer.tar", layer());
    tar.json("manifest.json", &listed("config.json", &["app:1"], &["l/layer.tar"]))
}

/// A layout, to be written into a folder.
#[derive(Default)]
pub(super) struct Oci {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) listed: Vec<Value>,
}

impl Oci {
    /// One image of one layer, listed as `1`.
    pub(super) fn image() -> Self {
        Self::with_layers(|oci| vec![oci.blob(LAYER, &layer())])
    }

    /// One image of these layers, of which the configuration knows the one that [`layer`] makes.
    pub(super) fn with_layers(layers: impl FnOnce(&mut Self) -> Vec<Value>) -> Self {
        Self::with_manifest(MANIFEST, |oci| {
            let layers = layers(oci);
            let config = oci.document(CONFIG, &config(&[&layer()]));
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
        })
    }

    /// One image with this manifest.
    pub(super) fn with_manifest(media_type: &str, manifest: impl FnOnce(&mut Self) -> Value) -> Self {
        let mut oci = Self::default();
        let manifest = manifest(&mut oci);
        let descriptor = oci.document(media_type, &manifest);
        oci.list(descriptor);
        oci
    }

    /// Keeps a blob and returns its descriptor.
    pub(super) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = sha256(bytes);
        self.files.insert(path_of(&digest), bytes.to_owned());
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    pub(super) fn document(&mut self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, document.to_string().as_bytes())
    }

    pub(super) fn list(&mut self, mut descriptor: Value) {
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": "1"});
        self.listed.push(descriptor);
    }

    /// Changes the descriptor in `index.json`.
    pub(super) fn describe(mut self, key: &str, value: Value) -> Self {
        self.listed[0][key] = value;
        self
    }

    pub(super) fn write(mut self, folder: &Path) {
        let index = json!({"schemaVersion": 2, "manifests": self.listed});
        self.files.entry("index.json".to_owned()).or_insert(index.to_string().into_bytes());
        let version = json!({"imageLayoutVersion": "1.0.0"}).to_string().into_bytes();
        self.files.entry("oci-layout".to_owned()).or_insert(version);
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        for (name, bytes) in self.files {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

/// Where a layout has the blob of a digest.
pub(super) fn path_of(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}
