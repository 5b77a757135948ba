use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::registry::sha256;

/// An image as it stands in an archive or a layout. The same values make the same bytes, so that two of them
/// can share a layer.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// `web:1.0`.
    pub(crate) name: String,
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) architecture: String,
    pub(crate) packing: Packing,
}

/// Whether layers of a layout are packed. `docker save` never packs, and does not look at this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
}

/// A blob of a manifest: its media type and its bytes.
pub(crate) struct Blob {
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Blob {
    pub(crate) fn digest(&self) -> String {
        sha256(&self.bytes)
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len() })
    }
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A tar with one file of so many bytes, which do not compress.
pub(crate) fn layer(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = words.flatten().take(length).collect();
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, &format!("srv/{seed}"), &bytes);
    tar.into_inner().unwrap()
}

impl Image {
    /// For linux/amd64, without layers.
    pub(crate) fn new(name: &str) -> Self {
        let (name, architecture) = (name.to_owned(), "amd64".to_owned());
        Self { name, layers: Vec::new(), architecture, packing: Packing::Gzip }
    }

    /// One more layer, made by [`layer`].
    pub(crate) fn layer(mut self, seed: u64, length: usize) -> Self {
        self.layers.push(layer(seed, length));
        self
    }

    pub(crate) fn architecture(mut self, architecture: &str) -> Self {
        architecture.clone_into(&mut self.architecture);
        self
    }

    pub(crate) fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    pub(crate) fn config(&self) -> Blob {
        let diff_ids: Vec<String> = self.layers.iter().map(|layer| sha256(layer)).collect();
        let config = json!({ "architecture": self.architecture, "os": "linux",
            "config": { "Labels": { "name": self.name } },
            "rootfs": { "type": "layers", "diff_ids": diff_ids } });
        Blob { media_type: CONFIG, bytes: config.to_string().into_bytes() }
    }

    /// The layers as a layout has them, in order.
    pub(crate) fn packed_layers(&self) -> Vec<Blob> {
        let packed = |layer: &Vec<u8>| match self.packing {
            Packing::None => {
                Blob { media_type: "application/vnd.oci.image.layer.v1.tar", bytes: layer.clone() }
            }
            Packing::Gzip => {
                Blob { media_type: "application/vnd.oci.image.layer.v1.tar+gzip", bytes: gzip(layer) }
            }
        };
        self.layers.iter().map(packed).collect()
    }

    pub(crate) fn manifest(&self) -> Blob {
        let layers: Vec<Value> = self.packed_layers().iter().map(Blob::descriptor).collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST,
            "config": self.config().descriptor(), "layers": layers });
        Blob { media_type: MANIFEST, bytes: manifest.to_string().into_bytes() }
    }

    fn tag(&self) -> &str {
        self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag)
    }
}

/// What `docker save` wrote before it wrote OCI layouts: layers that are not packed, and a manifest.json.
pub(crate) fn docker_archive(path: &Path, images: &[Image]) {
    let mut files = BTreeMap::new();
    let mut manifest = Vec::new();
    for image in images {
        let config = image.config();
        let config_name = format!("{}.json", hash(&config.bytes));
        let layer_name = |layer: &Vec<u8>| format!("{}/layer.tar", hash(layer));
        let layers: Vec<String> = image.layers.iter().map(layer_name).collect();
        files.extend(layers.iter().cloned().zip(image.layers.iter().cloned()));
        manifest.push(json!({ "Config": &config_name, "RepoTags": [image.name], "Layers": layers }));
        files.insert(config_name, config.bytes);
    }
    files.insert("manifest.json".to_owned(), Value::from(manifest).to_string().into_bytes());
    write_tar(path, &files);
}

/// A folder; each image has its tag as its reference name.
pub(crate) fn oci_layout(folder: &Path, images: &[Image]) {
    write_folder(folder, &layout_files(images));
}

/// The same in a tar.
pub(crate) fn oci_archive(path: &Path, images: &[Image]) {
    write_tar(path, &layout_files(images));
}

/// A layout whose one name is an index of these images, one for each platform.
pub(crate) fn index_layout(folder: &Path, tag: &str, images: &[Image]) -> Blob {
    let mut files = BTreeMap::new();
    let descriptors: Vec<Value> = images.iter().map(|image| add_image(&mut files, image)).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors });
    let index = Blob { media_type: INDEX, bytes: index.to_string().into_bytes() };
    add_blob(&mut files, &index);
    finish_layout(&mut files, &[named(index.descriptor(), tag)]);
    write_folder(folder, &files);
    index
}

/// Names and contents of the files of a layout.
pub(crate) fn layout_files(images: &[Image]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut descriptors = Vec::new();
    for image in images {
        descriptors.push(named(add_image(&mut files, image), image.tag()));
    }
    finish_layout(&mut files, &descriptors);
    files
}

fn add_image(files: &mut BTreeMap<String, Vec<u8>>, image: &Image) -> Value {
    add_blob(files, &image.config());
    image.packed_layers().iter().for_each(|layer| add_blob(files, layer));
    add_blob(files, &image.manifest());
    let mut descriptor = image.manifest().descriptor();
    descriptor["platform"] = json!({ "os": "linux", "architecture": image.architecture });
    descriptor
}

fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({ REF_NAME: name });
    descriptor
}

fn add_blob(files: &mut BTreeMap<String, Vec<u8>>, blob: &Blob) {
    files.insert(format!("blobs/sha256/{}", hash(&blob.bytes)), blob.bytes.clone());
}

fn finish_layout(files: &mut BTreeMap<String, Vec<u8>>, manifests: &[Value]) {
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    files.insert("index.json".to_owned(), index.to_string().into_bytes());
    let version = json!({ "imageLayoutVersion": "1.0.0" });
    files.insert("oci-layout".to_owned(), version.to_string().into_bytes());
}

fn write_folder(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A tar of these files, for a test that wants to change one first.
pub(crate) fn write_tar(path: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let mut tar = tar::Builder::new(File::create(path).unwrap());
    for (name, bytes) in files {
        append(&mut tar, name, bytes);
    }
    tar.finish().unwrap();
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, path, bytes).unwrap();
}

fn hash(bytes: &[u8]) -> String {
    sha256(bytes).replace("sha256:", "")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
    let mut packed = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut packed).unwrap();
    packed.truncate(length);
    packed
}
