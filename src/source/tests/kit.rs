use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::content::SpoolDir;
use crate::event::Events;
use crate::oci::{Digest, Platform, sha256};
use crate::pack::Form;
use crate::port::{Content, Found, FoundImage, ImageTree, PackIndex, Remembered, SourceError, Suggested};
use crate::source::{ArchiveKind, Places, Spec, open};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Remembers in memory.
#[derive(Default)]
pub(super) struct Kept {
    packed: Mutex<HashMap<(Digest, Form), Remembered>>,
    configs: Mutex<HashMap<Digest, Bytes>>,
}

impl PackIndex for Kept {
    fn packed(&self, diff_id: &Digest, form: Form) -> Option<Remembered> {
        self.packed.lock().unwrap().get(&(diff_id.clone(), form)).cloned()
    }

    fn keep_packed(&self, diff_id: &Digest, form: Form, packed: &Remembered) {
        self.packed.lock().unwrap().insert((diff_id.clone(), form), packed.clone());
    }

    fn config(&self, digest: &Digest) -> Option<Bytes> {
        self.configs.lock().unwrap().get(digest).cloned()
    }

    fn keep_config(&self, config: &Bytes) {
        self.configs.lock().unwrap().insert(sha256(config), config.clone());
    }
}

pub(super) fn places() -> Places {
    Places::new(SpoolDir::new(std::env::temp_dir()), Arc::new(Kept::default()))
}

pub(super) fn find_in(spec: Spec, places: &Places) -> Result<Found, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(open(spec, places).find(&Events::none()))
}

pub(super) fn find(spec: Spec) -> Result<Found, SourceError> {
    find_in(spec, &places())
}

pub(super) fn archive(path: &Path) -> Spec {
    Spec::Archive { path: path.to_owned(), kind: ArchiveKind::Any, name: None }
}

pub(super) fn named(path: &Path, kind: ArchiveKind, name: &str) -> Spec {
    Spec::Archive { path: path.to_owned(), kind, name: Some(name.to_owned()) }
}

pub(super) fn layout(path: &Path) -> Spec {
    Spec::Layout { path: path.to_owned(), tag: None }
}

pub(super) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The one image of a find.
pub(super) fn only(found: Found) -> FoundImage {
    assert_eq!(found.images.len(), 1, "{found:?}");
    found.images.into_iter().next().unwrap()
}

pub(super) fn names(image: &FoundImage) -> Vec<&str> {
    image
        .suggested
        .iter()
        .map(|name| match name {
            Suggested::Reference(name) => name.as_str(),
            Suggested::Tag(tag) => tag.as_str(),
        })
        .collect()
}

pub(super) fn exact(image: &FoundImage) -> &ImageTree {
    match &image.content {
        Content::Exact(tree) => tree,
        Content::Unpacked { .. } => panic!("{} is not packed", image.source),
    }
}

/// An error with all that it says.
pub(super) fn told(result: Result<Found, SourceError>) -> String {
    crate::source::shown::chain(&result.expect_err("no error"))
}

/// A tar with one file in it: what a layer holds.
pub(super) fn layer(text: &str) -> Vec<u8> {
    Tar::default().file("etc/text", text.as_bytes()).bytes()
}

/// A tar made by hand.
pub(super) struct Tar(tar::Builder<Vec<u8>>);

impl Default for Tar {
    fn default() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }
}

impl Tar {
    pub(super) fn file(mut self, name: &str, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        self.0.append_data(&mut header, name, content).unwrap();
        self
    }

    pub(super) fn json(self, name: &str, content: &Value) -> Self {
        self.file(name, content.to_string().as_bytes())
    }

    /// An entry whose name and target are taken as they are.
    pub(super) fn raw(mut self, kind: tar::EntryType, name: &str, target: &str, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(tar::EntryType::Symlink, name, target, b"")
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    pub(super) fn write(self, path: &Path) {
        std::fs::write(path, self.bytes()).unwrap();
    }
}

/// The configuration of an image of these layers.
pub(super) fn config(layers: &[&[u8]]) -> Value {
    let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(layer).to_string()).collect();
    json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}})
}

/// Blobs of an OCI layout, to be written into a folder or a tar.
#[derive(Default)]
pub(super) struct Oci {
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
    pub(super) listed: Vec<Value>,
}

impl Oci {
    /// Keeps a blob and returns its descriptor.
    pub(super) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = sha256(bytes);
        self.blobs.insert(format!("blobs/sha256/{}", digest.digest()), bytes.to_owned());
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    }

    pub(super) fn document(&mut self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, document.to_string().as_bytes())
    }

    /// An image of one layer.
    pub(super) fn image(&mut self, architecture: &str, content: &[u8]) -> Value {
        let mut config_document = config(&[content]);
        config_document["architecture"] = architecture.into();
        let config = self.document(CONFIG, &config_document);
        let layer = self.blob(LAYER, content);
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let mut descriptor = self.document(MANIFEST, &manifest);
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    }

    pub(super) fn index(&mut self, manifests: &[Value]) -> Value {
        self.document(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    }

    pub(super) fn list(&mut self, mut descriptor: Value, name: Option<&str>) {
        if let Some(name) = name {
            descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        self.listed.push(descriptor);
    }

    pub(super) fn drop_blob(&mut self, descriptor: &Value) {
        let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
        self.blobs.remove(&format!("blobs/{digest}")).unwrap();
    }

    fn documents(&self) -> [(&str, Value); 2] {
        [
            ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
            ("index.json", json!({"schemaVersion": 2, "manifests": self.listed})),
        ]
    }

    pub(super) fn into_folder(self, folder: &Path) {
        std::fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        for (name, document) in self.documents() {
            std::fs::write(folder.join(name), document.to_string()).unwrap();
        }
        for (name, bytes) in self.blobs {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    pub(super) fn into_tar(self) -> Tar {
        let mut tar = Tar::default();
        for (name, document) in self.documents() {
            tar = tar.json(name, &document);
        }
        self.blobs.into_iter().fold(tar, |tar, (name, bytes)| tar.file(&name, &bytes))
    }
}

/// A `docker save` archive of one image, in its oldest form.
pub(super) fn saved(tags: &[&str], layers: &[&[u8]]) -> Tar {
    let config = config(layers).to_string();
    let id = sha256(config.as_bytes()).digest().to_owned();
    let mut tar = Tar::default().file(&format!("{id}.json"), config.as_bytes());
    let mut listed = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        let name = format!("{i:064x}/layer.tar");
        tar = tar.file(&name, layer);
        listed.push(name);
    }
    tar.json("manifest.json", &json!([{"Config": format!("{id}.json"), "RepoTags": tags, "Layers": listed}]))
}

pub(super) fn in_folder(oci: Oci) -> (tempfile::TempDir, Result<Found, SourceError>) {
    let dir = tempfile::tempdir().unwrap();
    oci.into_folder(dir.path());
    let found = find(layout(dir.path()));
    (dir, found)
}

pub(super) fn read(oci: Oci) -> Result<Found, SourceError> {
    in_folder(oci).1
}

pub(super) fn read_tar(tar: Tar) -> Result<Found, SourceError> {
    let dir = tempfile::tempdir().unwrap();
    tar.write(&dir.path().join("app.tar"));
    find(archive(&dir.path().join("app.tar")))
}

/// A layout whose one image has this manifest.
pub(super) fn with_manifest(media_type: &str, edit: impl FnOnce(&mut Oci) -> Value) -> Oci {
    let mut oci = Oci::default();
    let manifest = edit(&mut oci);
    let descriptor = oci.document(media_type, &manifest);
    oci.list(descriptor, Some("1"));
    oci
}

/// A layout whose one image has these layers.
pub(super) fn with_layers(edit: impl FnOnce(&mut Oci) -> Vec<Value>) -> Oci {
    with_manifest(MANIFEST, |oci| {
        let layers = edit(oci);
        let config = oci.document(CONFIG, &config(&[]));
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
    })
}

pub(super) fn linux(architecture: &str) -> Platform {
    let mut platform = Platform::default();
    platform.set_os("linux".into()).set_architecture(architecture.into()).set_variant(None);
    platform
}

pub(super) fn wanted(architecture: &str) -> Places {
    Places { platform: Some(linux(architecture)), ..places() }
}
