//! The parts of a push, each alone: packing, hashing, a tar's index, a plan, and the upload loop.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be prepared has nothing to measure")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};
use idpbuilder_push::content::{Blob, SpoolDir};
use idpbuilder_push::event::{Events, Meter};
use idpbuilder_push::oci::{Descriptor, Digest, Hasher, Manifest, Repository, Tag, sha256};
use idpbuilder_push::pack::{Codec, Crew, Encoder, Encoding, Form, Unpacked, Workshop, pack};
use idpbuilder_push::plan::{Naming, Owner, RegistryHost, plan};
use idpbuilder_push::port::{
    Content, Document, FoundImage, Layer, ManifestName, NoCache, RegistryError, RegistryReader,
    RegistryWriter, SourceName, Stored, Suggested, TagLister, Upload,
};
use idpbuilder_push::report::Verdict;
use idpbuilder_push::source::{ArchiveKind, Places, Spec, open};
use idpbuilder_push::{Compression, Job, Limits, World};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const MIB: usize = 1 << 20;

fn some(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// The program itself, again and again: like what images are made of.
fn binary(length: usize) -> Bytes {
    let own = fs::read(std::env::current_exe().unwrap()).unwrap();
    own.into_iter().cycle().take(length).collect::<Vec<_>>().into()
}

#[divan::bench]
fn hash(bencher: Bencher) {
    let content = binary(16 * MIB);
    bencher.counter(BytesCount::of_slice(&content[..])).bench(|| {
        let mut hasher = Hasher::sha256();
        hasher.update(black_box(&content));
        hasher.finish()
    });
}

/// With its `diff_id` checked and what comes out hashed, by as many threads.
#[divan::bench(args = ["gzip:1", "gzip:6", "zstd:1", "zstd:3"], consts = [1, 2], sample_count = 10)]
fn pack_a_layer<const THREADS: usize>(bencher: Bencher, encoder: &str) {
    let (codec, level) = encoder.split_once(':').unwrap();
    let codec = if codec == "gzip" { Codec::Gzip } else { Codec::Zstd };
    let form = Form::Packed(Encoder::new(codec, level.parse().unwrap()).unwrap());
    let content = binary(16 * MIB);
    let layer = Unpacked { diff_id: sha256(&content), blob: Blob::Memory(content.clone()) };
    let (crew, spools) = (Crew::new(some(THREADS)), SpoolDir::new(std::env::temp_dir()));
    bencher.counter(BytesCount::of_slice(&content[..])).bench(|| {
        pack(&layer, form, Workshop { crew: &crew, spools: &spools }, &mut |_| ControlFlow::Continue(()))
            .unwrap()
    });
}

/// What is found in an archive: its index, and the one image that its documents describe.
#[divan::bench]
fn index_a_tar_of_5000_entries(bencher: Bencher) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.tar");
    let mut tar = tar::Builder::new(File::create(&path).unwrap());
    let mut append = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content).unwrap();
    };
    let layer = b"a layer";
    for number in 0..4_997 {
        append(&format!("{number}/VERSION"), b"1.0");
    }
    append("layer.tar", layer);
    append("config.json", &config(&[sha256(layer)]));
    append("manifest.json", br#"[{"Config":"config.json","RepoTags":["web:1"],"Layers":["layer.tar"]}]"#);
    tar.into_inner().unwrap();
    let places = Places::new(SpoolDir::new(folder.path().to_owned()), Arc::new(NoCache));
    let runtime = runtime();
    bencher.counter(ItemsCount::new(5_000_usize)).bench(|| {
        let spec = Spec::Archive { path: path.clone(), kind: ArchiveKind::Any, name: None };
        let found = runtime.block_on(open(spec, &places).find(&Events::none())).unwrap();
        assert_eq!(found.images.len(), 1);
        found
    });
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

fn config(diff_ids: &[Digest]) -> Vec<u8> {
    let rootfs = serde_json::json!({ "type": "layers", "diff_ids": diff_ids });
    let config = serde_json::json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs });
    config.to_string().into_bytes()
}

/// An image with these layers.
fn image(name: &str, layers: &[Bytes]) -> FoundImage {
    let layers: Vec<Layer> = layers
        .iter()
        .map(|content| Layer {
            diff_id: sha256(content),
            encoding: Encoding::Tar,
            blob: Blob::Memory(content.clone()),
        })
        .collect();
    let config = config(&layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>()).into();
    FoundImage {
        source: SourceName(name.to_owned()),
        suggested: vec![Suggested::Reference(name.to_owned())],
        fallback: String::new(),
        content: Content::Unpacked { config, layers, exact: None },
        platforms: Vec::new(),
        notes: Vec::new(),
    }
}

fn job(compression: Compression) -> Job {
    let naming = Naming::new(RegistryHost("registry.example".to_owned()), Owner::Named("bench".to_owned()));
    Job { compression, limits: Limits { jobs: some(3), threads: some(2) }, ..Job::new(naming) }
}

fn world(registry: Arc<Sink>) -> World {
    World {
        sources: Vec::new(),
        reader: Arc::clone(&registry) as _,
        writer: registry,
        index: Arc::new(NoCache),
        spools: SpoolDir::new(std::env::temp_dir()),
    }
}

/// 200 images of ten layers, of which five are those of others.
#[divan::bench]
fn plan_200_images(bencher: Bencher) {
    let layer = |name: String| Bytes::from(name.into_bytes());
    let images: Vec<FoundImage> = (0..200)
        .map(|number| {
            let shared = (0..5).map(|at| layer(format!("shared {at}")));
            let own = (0..5).map(|at| layer(format!("of {number}: {at}")));
            image(&format!("image-{number}:1"), &shared.chain(own).collect::<Vec<_>>())
        })
        .collect();
    let (job, world, runtime) = (job(Compression::None), world(Arc::default()), runtime());
    bencher.counter(ItemsCount::new(images.len())).with_inputs(|| images.clone()).bench_values(|images| {
        let plan = runtime.block_on(plan(images, &job, &world, &Events::none())).unwrap();
        assert!(plan.steps().len() > 2_000);
        plan
    });
}

/// What the loop costs for each of many blobs, and for the bytes of few.
#[divan::bench(args = [(2_000, 1_024), (8, 8 * MIB)])]
fn upload_to_a_sink(bencher: Bencher, (blobs, length): (usize, usize)) {
    let layers: Vec<Bytes> =
        (0..blobs).map(|number| [&number.to_le_bytes()[..], &vec![7; length]].concat().into()).collect();
    let images = vec![image("web:1", &layers)];
    let (job, runtime) = (job(Compression::None), runtime());
    bencher
        .counter(ItemsCount::new(blobs))
        .counter(BytesCount::new(blobs * length))
        .with_inputs(|| (images.clone(), world(Arc::default())))
        .bench_values(|(images, world)| {
            let (events, cancel) = (Events::none(), CancellationToken::new());
            runtime.block_on(async {
                let plan = plan(images, &job, &world, &events).await.unwrap();
                let report = idpbuilder_push::push::push(plan, &job, &world, &events, &cancel).await;
                assert_eq!(report.verdict(), Verdict::Done);
                report
            })
        });
}

/// A registry in this process that reads what it is given, and remembers only digests.
#[derive(Default)]
struct Sink {
    blobs: Mutex<HashSet<Digest>>,
}

#[async_trait]
impl TagLister for Sink {
    async fn tags(&self, _: &Repository) -> Vec<Tag> {
        Vec::new()
    }
}

#[async_trait]
impl RegistryReader for Sink {
    async fn manifest(&self, _: &Repository, _: &ManifestName) -> Result<Option<Descriptor>, RegistryError> {
        Ok(None)
    }

    async fn blob(&self, _: &Repository, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(blobs.contains(digest).then_some(0))
    }

    async fn document(
        &self,
        _: &Repository,
        _: Document,
        _: &Descriptor,
    ) -> Result<Option<Bytes>, RegistryError> {
        Ok(None)
    }

    fn best_unasked(&self, _: u64) -> bool {
        false
    }
}

#[async_trait]
impl RegistryWriter for Sink {
    async fn upload(&self, upload: &Upload<'_>) -> Result<Stored, RegistryError> {
        let mut buffer = vec![0; upload.blob.len().min(64 * 1024).try_into().unwrap()];
        let mut offset = 0;
        loop {
            let n = upload.blob.read_at(offset, &mut buffer).unwrap() as u64;
            if n == 0 {
                break;
            }
            offset += n;
            upload.meter.advance(n);
        }
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).insert(upload.digest.clone());
        Ok(Stored::Uploaded)
    }

    async fn put_manifest(
        &self,
        _: &Repository,
        _: &ManifestName,
        manifest: &Manifest,
        _: &Meter,
    ) -> Result<(), RegistryError> {
        black_box(manifest);
        Ok(())
    }
}
