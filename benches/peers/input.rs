//! The images that are pushed: made once, from the machine's own files, and kept in `target/bench`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tar::Builder;

use crate::files::{self, Files, Filling, Hashed, Stored, append, layer};

/// What all images are named in their archives; `delta` has its own tag.
pub(crate) const NAME: &str = "docker.io/bench/web";
pub(crate) const TAG: &str = "1";
pub(crate) const CHANGED: &str = "changed";

const MIB: u64 = 1 << 20;
/// Of `web`: 250 MiB. The last layer is the one that `delta` changes.
const WEB: [u64; 6] = [100, 60, 40, 30, 17, 3];

/// Where each image stands.
pub(crate) struct Inputs {
    folder: PathBuf,
}

impl Inputs {
    pub(crate) fn new() -> Result<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target folder")?;
        let folder = target.join("bench");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// The image of a work; made now where it was not made before.
    pub(crate) fn get(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if !path.exists() {
            let making = self.folder.join(format!("making-{}", std::process::id()));
            fs::create_dir_all(&making)?;
            let made = make(&making, name);
            let moved = made.and_then(|()| move_all(&making, &self.folder));
            fs::remove_dir_all(&making)?;
            moved.with_context(|| format!("cannot make {name}"))?;
        }
        Ok(path)
    }
}

fn move_all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // Layers have been copied into their images.
        if entry.file_name().to_string_lossy().starts_with("layer-") {
            continue;
        }
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn make(folder: &Path, name: &str) -> Result<()> {
    let mut files = Files::of_this_machine()?;
    let mut layers = |sizes: &[u64], filling| -> Result<Vec<Stored>> {
        let path = |at: usize| folder.join(format!("layer-{at}"));
        sizes.iter().enumerate().map(|(at, size)| layer(path(at), *size, filling, &mut files)).collect()
    };
    match name {
        "many.tar" => {
            let sizes: Vec<u64> = (0..60).map(|at| MIB / 5 + at * (MIB * 9 / 5) / 59).collect();
            save(&folder.join(name), &layers(&sizes, Filling::Files)?, TAG)
        }
        "big.tar" => save(&folder.join(name), &layers(&[2048 * MIB], Filling::FilesAndNoise)?, TAG),
        _ => all_of_web(folder, layers(&WEB.map(|size| size * MIB), Filling::Files)?),
    }
}

/// As archives of `docker save`, old and new, and packed in an OCI layout.
fn all_of_web(folder: &Path, mut layers: Vec<Stored>) -> Result<()> {
    save(&folder.join("web.tar"), &layers, TAG)?;
    hybrid(&folder.join("hybrid.tar"), &layers)?;
    layout(&folder.join("layout"), &layers)?;
    let last = layers.pop().context("no layer")?;
    layers.push(files::changed(&last, folder.join("layer-changed"))?);
    save(&folder.join("delta.tar"), &layers, CHANGED)
}

fn config(layers: &[Stored]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", layer.hash)).collect();
    let rootfs = json!({ "type": "layers", "diff_ids": diff_ids });
    json!({ "architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs }).to_string().into_bytes()
}

fn begin(path: &Path) -> Result<Builder<BufWriter<File>>> {
    Ok(Builder::new(BufWriter::new(File::create(path)?)))
}

fn document<W: Write>(tar: &mut Builder<W>, name: &str, content: &[u8]) -> Result<()> {
    append(tar, name, content.len() as u64, content)
}

fn end(tar: Builder<BufWriter<File>>) -> Result<()> {
    Ok(tar.into_inner()?.flush()?)
}

/// As `docker save` wrote it up to 24.
fn save(path: &Path, layers: &[Stored], tag: &str) -> Result<()> {
    let mut tar = begin(path)?;
    let name = |layer: &Stored| format!("{}/layer.tar", layer.hash);
    for layer in layers {
        append(&mut tar, &name(layer), layer.size, File::open(&layer.path)?)?;
    }
    let config = config(layers);
    let config_name = format!("{}.json", files::hash(&config));
    document(&mut tar, &config_name, &config)?;
    let names: Vec<String> = layers.iter().map(name).collect();
    let image = json!([{ "Config": config_name, "RepoTags": [format!("{NAME}:{tag}")], "Layers": names }]);
    document(&mut tar, "manifest.json", image.to_string().as_bytes())?;
    end(tar)
}

/// As it writes it from 25 on: an OCI layout of unpacked layers in a tar, which is the old kind as well.
fn hybrid(path: &Path, layers: &[Stored]) -> Result<()> {
    let mut tar = begin(path)?;
    let blob = |hash: &str| format!("blobs/sha256/{hash}");
    for layer in layers {
        append(&mut tar, &blob(&layer.hash), layer.size, File::open(&layer.path)?)?;
    }
    let config = config(layers);
    let manifest = manifest(&config, layers, "application/vnd.oci.image.layer.v1.tar");
    for content in [&config, &manifest] {
        document(&mut tar, &blob(&files::hash(content)), content)?;
    }
    document(&mut tar, "index.json", &index(&manifest))?;
    document(&mut tar, "oci-layout", LAYOUT)?;
    let names: Vec<String> = layers.iter().map(|layer| blob(&layer.hash)).collect();
    let config = blob(&files::hash(&config));
    let image = json!([{ "Config": config, "RepoTags": [format!("{NAME}:{TAG}")], "Layers": names }]);
    document(&mut tar, "manifest.json", image.to_string().as_bytes())?;
    end(tar)
}

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

fn layout(folder: &Path, layers: &[Stored]) -> Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let mut packed = Vec::new();
    for layer in layers {
        let path = blobs.join("packing");
        let mut encoder = GzEncoder::new(Hashed::create(&path)?, flate2::Compression::default());
        io::copy(&mut File::open(&layer.path)?, &mut encoder)?;
        let stored = encoder.finish()?.finish(path)?;
        fs::rename(&stored.path, blobs.join(&stored.hash))?;
        packed.push(stored);
    }
    let config = config(layers);
    let manifest = manifest(&config, &packed, "application/vnd.oci.image.layer.v1.tar+gzip");
    for content in [&config, &manifest] {
        fs::write(blobs.join(files::hash(content)), content)?;
    }
    fs::write(folder.join("index.json"), index(&manifest))?;
    Ok(fs::write(folder.join("oci-layout"), LAYOUT)?)
}

fn descriptor(kind: &str, hash: &str, size: u64) -> Value {
    json!({ "mediaType": kind, "digest": format!("sha256:{hash}"), "size": size })
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn manifest(config: &[u8], layers: &[Stored], kind: &str) -> Vec<u8> {
    let layers: Vec<Value> = layers.iter().map(|layer| descriptor(kind, &layer.hash, layer.size)).collect();
    let config = described("application/vnd.oci.image.config.v1+json", config);
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers })
        .to_string()
        .into_bytes()
}

fn described(kind: &str, content: &[u8]) -> Value {
    descriptor(kind, &files::hash(content), content.len() as u64)
}

fn index(manifest: &[u8]) -> Vec<u8> {
    let mut image = described(MANIFEST, manifest);
    let names = json!({ "io.containerd.image.name": format!("{NAME}:{TAG}"),
        "org.opencontainers.image.ref.name": TAG });
    if let Some(image) = image.as_object_mut() {
        image.insert("annotations".to_owned(), names);
    }
    json!({ "schemaVersion": 2, "manifests": [image] }).to_string().into_bytes()
}
