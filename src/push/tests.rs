//! The steps against a registry in memory: what is sent, in which order, and what the report says.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::content::{Blob, ContentError, Deferred, SpoolDir};
use crate::event::{Events, Meter};
use crate::oci::{Children, Descriptor, Digest, Manifest, MediaType, Repository, Tag, sha256};
use crate::pack::{Codec, Encoder, Encoding, Form};
use crate::plan::{Naming, Owner, RegistryHost};
use crate::port::{
    Content, Document, Found, FoundImage, ImageTree, Layer, ManifestName, PackIndex, Refusal, RegistryError,
    RegistryReader, RegistryWriter, Remembered, Source, SourceError, SourceName, Stored, Suggested,
    TagLister, Upload,
};
use crate::report::{ImageError, PushReport, Status, Verdict};
use crate::{Compression, Existing, Job, Limits, Reuse, RunError, StopAfter, World};

mod registry;
mod reuse;

use registry::MemoryRegistry;
use reuse::remembering;

struct Fixed(Vec<FoundImage>);

#[async_trait]
impl Source for Fixed {
    fn name(&self) -> SourceName {
        SourceName("fixed".into())
    }

    async fn find(&self, _: &Events) -> Result<Found, SourceError> {
        Ok(Found { images: self.0.clone(), ..Found::default() })
    }
}

fn memory(content: &[u8]) -> Blob {
    Blob::Memory(Bytes::copy_from_slice(content))
}

fn found(name: &str, content: Content) -> FoundImage {
    FoundImage {
        source: SourceName(format!("test:{name}")),
        suggested: vec![Suggested::Reference(name.to_owned())],
        fallback: "x".into(),
        content,
        platforms: Vec::new(),
        notes: Vec::new(),
    }
}

fn saved(name: &str, layers: &[&[u8]]) -> FoundImage {
    let diff_ids: Vec<Digest> = layers.iter().map(|bytes| sha256(bytes)).collect();
    let layers = layers
        .iter()
        .map(|bytes| Layer { diff_id: sha256(bytes), encoding: Encoding::Tar, blob: memory(bytes) })
        .collect();
    let config = serde_json::json!({ "name": name, "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    let config = Bytes::from(config.to_string());
    found(name, Content::Unpacked { config, layers, exact: None })
}

fn tree(layers: &[&[u8]]) -> Arc<ImageTree> {
    let mut blobs = vec![(Descriptor::new(MediaType::ImageConfig, 2, sha256(b"{}")), memory(b"{}"))];
    blobs.extend(layers.iter().map(|bytes| {
        (Descriptor::new(MediaType::ImageLayerGzip, bytes.len() as u64, sha256(bytes)), memory(bytes))
    }));
    let descriptors: Vec<&Descriptor> = blobs.iter().map(|(descriptor, _)| descriptor).collect();
    let raw = serde_json::json!({
        "schemaVersion": 2, "config": descriptors[0], "layers": &descriptors[1..],
    });
    let manifest = Manifest::from_bytes(Bytes::from(raw.to_string())).unwrap();
    Arc::new(ImageTree { manifest, blobs, children: Vec::new(), referrers: Vec::new() })
}

fn index(children: Vec<Arc<ImageTree>>) -> Arc<ImageTree> {
    let descriptors: Vec<&Descriptor> = children.iter().map(|child| child.manifest.descriptor()).collect();
    let raw = serde_json::json!({"schemaVersion": 2, "manifests": descriptors});
    let manifest = Manifest::from_bytes(Bytes::from(raw.to_string())).unwrap();
    Arc::new(ImageTree { manifest, blobs: Vec::new(), children, referrers: Vec::new() })
}

fn job() -> Job {
    let some = |n| NonZeroUsize::new(n).unwrap();
    let limits = Limits { jobs: some(3), threads: some(2) };
    Job { limits, ..Job::new(Naming::new(RegistryHost("r".into()), Owner::Named("o".into()))) }
}

async fn run(
    registry: &Arc<MemoryRegistry>,
    images: Vec<FoundImage>,
    job: &Job,
) -> Result<PushReport, RunError> {
    run_with(registry, images, job, remembering()).await
}

async fn run_with(
    registry: &Arc<MemoryRegistry>,
    images: Vec<FoundImage>,
    job: &Job,
    index: Arc<dyn PackIndex>,
) -> Result<PushReport, RunError> {
    let cancel = registry.held.lock().unwrap().cancel_on_upload.clone().unwrap_or_default();
    crate::run(job, &world(registry, images, index), &Events::none(), &cancel).await
}

fn world(registry: &Arc<MemoryRegistry>, images: Vec<FoundImage>, index: Arc<dyn PackIndex>) -> World {
    World {
        index,
        sources: vec![Arc::new(Fixed(images))],
        reader: Arc::clone(registry) as _,
        writer: Arc::clone(registry) as _,
        spools: SpoolDir::new(std::env::temp_dir()),
    }
}

#[tokio::test]
async fn the_tag_is_put_last_and_the_manifest_by_digest_before_it() {
    let registry = Arc::new(MemoryRegistry::default());
    let report = run(&registry, vec![saved("web:1", &[b"one", b"two"])], &job()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Done);
    let log = registry.log();
    assert_eq!(log[log.len() - 2..], ["put o/web digest", "put o/web tag 1"]);
    assert_eq!(report.images[0].layers.uploaded, 2);
    assert!(report.images[0].digest.is_some());
}

#[tokio::test]
async fn what_is_tried_again_for_a_manifest_is_counted() {
    let registry = Arc::new(MemoryRegistry::default());
    registry.held.lock().unwrap().manifests_need_two = true;
    let report = run(&registry, vec![saved("web:1", &[b"one"])], &job()).await.unwrap();
    assert_eq!(report.images[0].retries, 2);
}

#[tokio::test]
async fn a_shared_blob_is_uploaded_once_and_mounted_elsewhere() {
    let registry = Arc::new(MemoryRegistry::default());
    let images =
        vec![saved("a:1", &[b"base", b"a"]), saved("a:2", &[b"base", b"b"]), saved("b:1", &[b"base"])];
    let report = run(&registry, images, &job()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Done);
    // Three configurations, `a`, `b`, and `base` once.
    assert_eq!(registry.count("upload"), 6);
    assert_eq!(registry.count("mount"), 1);
    let total: usize = report.images.iter().map(|image| image.layers.uploaded + image.layers.mounted).sum();
    assert_eq!(total, 4);
}

#[tokio::test]
async fn a_second_push_sends_nothing_and_says_so() {
    let registry = Arc::new(MemoryRegistry::default());
    let images = || vec![saved("web:1", &[b"one"]), found("exact:1", Content::Exact(tree(&[b"packed"])))];
    run(&registry, images(), &job()).await.unwrap();
    let (uploads, puts) = (registry.count("upload"), registry.count("put"));
    let report = run(&registry, images(), &job()).await.unwrap();
    assert!(report.images.iter().all(|image| matches!(image.status, Status::Exists)));
    assert_eq!((registry.count("upload"), registry.count("put")), (uploads, puts));
    assert_eq!(report.bytes_sent, 0);
}

#[tokio::test]
async fn what_is_forced_is_sent_again_whatever_the_registry_says_that_it_has() {
    let registry = Arc::new(MemoryRegistry::default());
    let images = || vec![saved("a:1", &[b"base", b"a"]), found("b:1", Content::Exact(tree(&[b"packed"])))];
    run(&registry, images(), &job()).await.unwrap();
    let uploads = registry.count("upload");
    let heads = registry.count("head blob");
    let forced = Job { existing: Existing::Replace, ..job() };
    let report = run(&registry, images(), &forced).await.unwrap();
    assert!(report.images.iter().all(|image| matches!(image.status, Status::Pushed)));
    assert_eq!((registry.count("upload"), registry.count("head blob")), (2 * uploads, heads));
}

#[tokio::test]
async fn a_blob_that_the_registry_has_in_another_size_is_sent_again() {
    let registry = Arc::new(MemoryRegistry::default());
    let image = |tag: &str| vec![found(tag, Content::Exact(tree(&[b"packed"])))];
    run(&registry, image("a:1"), &job()).await.unwrap();
    let uploads = registry.count("upload");
    registry.held.lock().unwrap().content.insert(sha256(b"packed"), Bytes::from_static(b"pack"));
    let report = run(&registry, image("a:2"), &job()).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Pushed), "{report:?}");
    assert_eq!(registry.count("upload"), uploads + 1);
    assert_eq!(registry.held.lock().unwrap().content[&sha256(b"packed")], b"packed"[..]);
}

#[tokio::test]
async fn a_blob_that_may_not_be_asked_for_fails_its_own_image_alone() {
    let registry = Arc::new(MemoryRegistry::default());
    registry.held.lock().unwrap().refuse_head_in = Some("o/denied".parse().unwrap());
    let images = vec![saved("denied:1", &[b"one"]), saved("web:1", &[b"two"])];
    let report = run(&registry, images, &job()).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Failed(_)), "{report:?}");
    assert!(matches!(report.images[1].status, Status::Pushed), "{report:?}");
}

#[tokio::test]
async fn an_exact_image_that_is_there_costs_one_request() {
    let registry = Arc::new(MemoryRegistry::default());
    let images = || vec![found("exact:1", Content::Exact(tree(&[b"packed"])))];
    run(&registry, images(), &job()).await.unwrap();
    let before = registry.log().len();
    run(&registry, images(), &job()).await.unwrap();
    assert_eq!(registry.log()[before..], ["head manifest o/exact 1"]);
}

#[tokio::test]
async fn children_of_an_index_go_before_it_and_digests_survive() {
    let registry = Arc::new(MemoryRegistry::default());
    let root = index(vec![tree(&[b"amd64"]), tree(&[b"arm64"])]);
    let expected = root.manifest.digest().clone();
    let report = run(&registry, vec![found("multi:1", Content::Exact(root))], &job()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Done);
    assert_eq!(report.images[0].digest, Some(expected));
    assert_eq!(report.images[0].layers.total, 2);
    assert_eq!(registry.count("put o/multi digest"), 3);
}

#[tokio::test]
async fn a_failed_image_leaves_the_others() {
    let registry = Arc::new(MemoryRegistry::default());
    let bad = tree(&[b"bad"]);
    registry.held.lock().unwrap().refuse_upload_of = Some(sha256(b"bad"));
    let images = vec![found("bad:1", Content::Exact(bad)), saved("good:1", &[b"good"])];
    let report = run(&registry, images, &job()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::SomeFailed);
    assert!(
        matches!(report.images[0].status, Status::Failed(_))
            || matches!(report.images[1].status, Status::Failed(_))
    );
    assert_eq!(registry.count("put o/good tag 1"), 1);
    assert_eq!(registry.count("put o/bad"), 0);
}

#[tokio::test]
async fn a_lost_blob_is_sent_again_once() {
    let registry = Arc::new(MemoryRegistry::default());
    registry.held.lock().unwrap().lose_once = Some(sha256(b"packed"));
    let image = found("exact:1", Content::Exact(tree(&[b"packed"])));
    let report = run(&registry, vec![image], &job()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Done);
    assert_eq!(registry.count("upload"), 3);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let registry = Arc::new(MemoryRegistry::default());
    let job = Job { stop: StopAfter::Plan, ..job() };
    let report = run(&registry, vec![saved("web:1", &[b"one"])], &job).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Planned));
    assert_eq!(registry.count("upload") + registry.count("put"), 0);
}

#[tokio::test]
async fn uncompressed_layers_keep_their_digest_when_asked() {
    let registry = Arc::new(MemoryRegistry::default());
    let job = Job { compression: Compression::None, ..job() };
    run(&registry, vec![saved("web:1", &[b"one"])], &job).await.unwrap();
    let held = registry.held.lock().unwrap();
    assert!(held.blobs.contains(&("o/web".parse().unwrap(), sha256(b"one"))));
}

#[tokio::test]
async fn two_different_images_with_one_target_are_refused_before_anything_is_sent() {
    let registry = Arc::new(MemoryRegistry::default());
    let error = run(&registry, vec![saved("web:1", &[b"one"]), saved("x/web:1", &[b"two"])], &job()).await;
    assert!(matches!(error, Err(RunError::Plan(_))));
    assert!(registry.log().is_empty());
}

#[tokio::test]
async fn cancelling_ends_with_a_whole_report_and_no_tag() {
    let registry = Arc::new(MemoryRegistry::default());
    registry.held.lock().unwrap().cancel_on_upload = Some(CancellationToken::new());
    let report =
        run(&registry, vec![saved("web:1", &[b"one"]), saved("web:2", &[b"two"])], &job()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Cancelled);
    assert_eq!(report.images.len(), 2);
    assert_eq!(registry.count("put"), 0);
}

/// A layer that does not come, and whose wait ends with the run.
fn awaited(bytes: &'static [u8], run: &CancellationToken) -> Blob {
    let run = run.clone();
    let never = Deferred::new("podman:web".into(), move |cancel| {
        assert!(!cancel.is_cancelled());
        run.cancel();
        assert!(cancel.is_cancelled());
        Err(ContentError::Fetch { name: "podman:web".into(), reason: "given up".into() })
    });
    never.part(sha256(bytes), bytes.len() as u64)
}

#[tokio::test]
async fn waiting_for_the_bytes_of_a_layer_ends_when_the_run_is_stopped() {
    let mut unpacked = saved("web:1", &[b"one"]);
    let mut exact = tree(&[b"two"]);
    let run = CancellationToken::new();
    if let Content::Unpacked { layers, .. } = &mut unpacked.content {
        layers[0].blob = awaited(b"one", &run);
    }
    let stopped = async |image, run| {
        let registry = Arc::new(MemoryRegistry::default());
        let world = world(&registry, vec![image], remembering());
        let report = crate::run(&job(), &world, &Events::none(), &run).await.unwrap();
        assert_eq!((report.verdict(), report.images.len()), (Verdict::Cancelled, 1));
        assert_eq!(registry.count("put"), 0);
    };
    stopped(unpacked, run).await;
    let run = CancellationToken::new();
    Arc::get_mut(&mut exact).unwrap().blobs[1].1 = awaited(b"two", &run);
    stopped(found("web:1", Content::Exact(exact)), run).await;
}

#[tokio::test]
async fn a_layer_that_is_not_what_its_configuration_says_fails_its_image() {
    let registry = Arc::new(MemoryRegistry::default());
    let mut image = saved("web:1", &[b"one"]);
    if let Content::Unpacked { layers, .. } = &mut image.content {
        layers[0].diff_id = sha256(b"other");
    }
    let report = run(&registry, vec![image], &job()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::SomeFailed);
    assert_eq!(registry.count("put"), 0);
}
