#![cfg(unix)]

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::fake_engine::{Engine, Stored, docker_at};
use super::kit::{CONFIG, INDEX, MANIFEST, Oci, Tar, config, layer, places};
use crate::content::Blob;
use crate::event::Events;
use crate::oci::{Digest, sha256};
use crate::port::{Content, FoundImage, ImageTree, SourceError};
use crate::source::{EngineKind, Places, Spec, open};

/// An engine that is asked again and again, by a program that remembers.
struct Again {
    engine: Engine,
    places: Places,
    runtime: Runtime,
}

impl Again {
    fn with(stored: Stored) -> Self {
        let engine = Engine::at("docker.sock", vec![stored]);
        let places = Places { sockets: docker_at(&engine.address()), ..places() };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build();
        Self { engine, places, runtime: runtime.unwrap() }
    }

    fn find(&self) -> Result<FoundImage, SourceError> {
        let spec = Spec::Engine { reference: "web:1".to_owned(), kind: EngineKind::Docker };
        // Each time is a run of its own.
        let places = Places { learned: std::sync::Arc::default(), ..self.places.clone() };
        let mut found = self.runtime.block_on(open(spec, &places).find(&Events::none()))?;
        assert_eq!(found.images.len(), 1);
        Ok(found.images.remove(0))
    }
}

fn web(layers: &[&[u8]]) -> Stored {
    Stored::unpacked(&["web:1"], layers)
}

fn blobs_of(tree: &ImageTree) -> Vec<(Digest, Blob)> {
    let own = tree.blobs.iter().map(|(descriptor, blob)| (descriptor.digest().clone(), blob.clone()));
    own.chain(tree.children.iter().flat_map(|child| blobs_of(child))).collect()
}

/// Every layer with the digest of its bytes.
fn blobs(image: &FoundImage) -> Vec<(Digest, Blob)> {
    match &image.content {
        Content::Exact(tree) => blobs_of(tree),
        Content::Unpacked { layers, .. } => {
            layers.iter().map(|layer| (layer.diff_id.clone(), layer.blob.clone())).collect()
        }
    }
}

/// Whether two finds are the same image, as far as it is known without reading layers.
fn assert_same(one: &FoundImage, other: &FoundImage) {
    let known = |image: &FoundImage| -> Vec<(Digest, u64)> {
        blobs(image).into_iter().map(|(digest, blob)| (digest, blob.len())).collect()
    };
    assert_eq!(known(one), known(other));
    assert_eq!(one.platforms, other.platforms);
    assert_eq!(one.suggested, other.suggested);
    assert_eq!(one.source, other.source);
    match (&one.content, &other.content) {
        (Content::Exact(one), Content::Exact(other)) => assert_eq!(one.manifest.raw(), other.manifest.raw()),
        (
            Content::Unpacked { config: one, exact: of_one, .. },
            Content::Unpacked { config: other, exact: of_other, .. },
        ) => {
            assert_eq!(one, other);
            let raw = |exact: &Option<std::sync::Arc<ImageTree>>| {
                exact.as_ref().map(|tree| tree.manifest.raw().clone())
            };
            assert_eq!(raw(of_one), raw(of_other));
        }
        _ => panic!("{one:?} and {other:?}"),
    }
}

fn assert_readable(image: &FoundImage) {
    for (digest, blob) in blobs(image) {
        assert_eq!(sha256(&blob.read_all(u64::MAX).unwrap()), digest);
    }
}

#[test]
fn the_same_image_is_exported_once() {
    let again = Again::with(web(&[&layer("a"), &layer("b")]));
    let first = again.find().unwrap();
    for _ in 0..2 {
        assert_same(&again.find().unwrap(), &first);
    }
    assert_eq!(again.engine.exports(), 1);
}

#[test]
fn a_layer_that_is_wanted_after_all_is_exported_with_all_others() {
    let again = Again::with(web(&[&layer("a"), &layer("b")]));
    again.find().unwrap();
    let second = again.find().unwrap();
    assert_readable(&second);
    assert_readable(&second);
    assert_eq!(again.engine.exports(), 2);
}

#[test]
fn an_image_that_was_built_anew_is_exported() {
    let again = Again::with(web(&[&layer("a"), &layer("b")]));
    again.find().unwrap();
    again.engine.has(vec![web(&[&layer("a"), &layer("c")])]);
    let next = again.find().unwrap();
    assert_eq!(again.engine.exports(), 2);
    assert_readable(&next);
    assert_eq!(again.engine.exports(), 2);
}

#[test]
fn an_image_that_is_gone_when_a_layer_is_wanted_is_told_of() {
    let again = Again::with(web(&[&layer("a")]));
    again.find().unwrap();
    let second = again.find().unwrap();
    again.engine.has(Vec::new());
    let error = blobs(&second)[0].1.ready(&CancellationToken::new()).unwrap_err();
    assert!(error.to_string().contains("docker-daemon:web:1`: unix://"), "{error}");
    assert!(error.to_string().contains("no such image"), "{error}");
}

#[test]
fn an_export_that_does_not_come_to_its_end_can_be_given_up() {
    let again = Again::with(web(&[&layer("a")]));
    again.find().unwrap();
    let second = again.find().unwrap();
    again.engine.stalls();
    let cancel = CancellationToken::new();
    let (blob, waiting) = (blobs(&second)[0].1.clone(), cancel.clone());
    let reader = std::thread::spawn(move || blob.ready(&waiting));
    while again.engine.exports() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(!reader.is_finished());
    cancel.cancel();
    let error = reader.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("the run ended first"), "{error}");
    // The engine sends to nobody: it is free for the next question.
    assert_eq!(blobs(&again.find().unwrap()).len(), 1);
}

#[test]
fn without_a_memory_every_image_is_exported() {
    let again = Again::with(web(&[&layer("a")]));
    let index = || places().index;
    let mut forgetful = again;
    for _ in 0..2 {
        forgetful.places.index = index();
        forgetful.find().unwrap();
    }
    let again = forgetful;
    assert_eq!(again.engine.exports(), 2);
}

/// An image with an attestation beside it, as buildkit leaves it in the containerd store.
fn attested(media_type: &str, content: &[u8]) -> Stored {
    let mut oci = Oci::default();
    let tar = layer("a");
    let config = oci.document(CONFIG, &config(&[&tar]));
    let packed = oci.blob(media_type, content);
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [packed]});
    let mut image = oci.document(MANIFEST, &manifest);
    image["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let subject = image["digest"].clone();
    let statement = oci.blob("application/vnd.in-toto+json", b"{\"a\":1}");
    let empty = oci.document(
        CONFIG,
        &json!({"os": "unknown", "architecture": "unknown",
        "rootfs": {"type": "layers", "diff_ids": [statement["digest"]]}}),
    );
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [statement]});
    let mut attestation = oci.document(MANIFEST, &manifest);
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": subject});
    let index = oci.index(&[image, attestation]);
    listed(oci, index, &tar)
}

fn listed(mut oci: Oci, top: Value, tar: &[u8]) -> Stored {
    let id = top["digest"].as_str().unwrap().to_owned();
    oci.list(top, Some("1"));
    Stored::packed("web:1", &id, &[tar], oci)
}

#[test]
fn an_index_of_the_containerd_store_is_exported_once_and_its_digest_survives() {
    let stored = attested("application/vnd.oci.image.layer.v1.tar+gzip", b"\x1f\x8b not looked into");
    let id = stored.id.clone();
    let again = Again::with(stored);
    let first = again.find().unwrap();
    let second = again.find().unwrap();
    assert_same(&second, &first);
    assert_eq!(again.engine.exports(), 1);
    let Content::Exact(tree) = &second.content else { panic!("{second:?}") };
    assert_eq!((tree.manifest.digest().as_ref(), second.platforms.len()), (id.as_str(), 1));
    assert_readable(&second);
    assert_eq!(again.engine.exports(), 2);
}

#[test]
fn an_image_of_the_containerd_store_whose_layers_are_not_packed_is_packed_both_times() {
    let mut oci = Oci::default();
    let tar = layer("a");
    let image = oci.image("amd64", &tar);
    let id = image["digest"].as_str().unwrap().to_owned();
    oci.list(image, Some("1"));
    let mut config = config(&[&tar]);
    config["architecture"] = json!("amd64");
    let entry = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes).digest());
    let saved = json!([{"Config": entry(config.to_string().as_bytes()), "RepoTags": ["web:1"],
        "Layers": [entry(&tar)]}]);
    let export = oci.into_tar().json("manifest.json", &saved).bytes();
    let again = Again::with(Stored { export, ..Stored::packed("web:1", &id, &[&tar], Oci::default()) });
    let first = again.find().unwrap();
    assert!(matches!(first.content, Content::Unpacked { exact: Some(_), .. }));
    let second = again.find().unwrap();
    assert_same(&second, &first);
    assert_eq!(again.engine.exports(), 1);
    assert_readable(&second);
}

#[test]
fn an_index_that_is_not_whole_is_exported_each_time() {
    let mut oci = Oci::default();
    let tar = layer("a");
    let images = ["amd64", "arm64"].map(|architecture| oci.image(architecture, &tar));
    oci.drop_blob(&images[1]);
    let index = oci.document(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}));
    let again = Again::with(listed(oci, index, &tar));
    let first = again.find().unwrap();
    assert_same(&again.find().unwrap(), &first);
    assert_eq!(again.engine.exports(), 2);
}

#[test]
fn the_length_of_a_layer_that_was_wrong_once_is_not_believed_for_ever() {
    let stored = web(&[&layer("a")]);
    let longer = Tar::default().file("etc/text", &[b'x'; 9000]).bytes();
    let id = stored.id.strip_prefix("sha256:").unwrap();
    let wrong = Tar::default()
        .json(&format!("{id}.json"), &config(&[&layer("a")]))
        .file("l/layer.tar", &longer)
        .json(
            "manifest.json",
            &json!([{"Config": format!("{id}.json"), "RepoTags": ["web:1"],
            "Layers": ["l/layer.tar"]}]),
        );
    let again = Again::with(Stored { export: wrong.bytes(), ..stored.clone() });
    again.find().unwrap();
    again.engine.has(vec![stored]);
    let second = again.find().unwrap();
    // It is known to be another one as soon as it is read, and then for good.
    assert!(blobs(&second)[0].1.ready(&CancellationToken::new()).is_err());
    assert_readable(&again.find().unwrap());
}

#[test]
fn an_engine_that_says_other_layers_than_before_is_exported_anew() {
    let mut stored = web(&[&layer("a"), &layer("b")]);
    let again = Again::with(stored.clone());
    again.find().unwrap();
    stored.inspected["RootFS"]["Layers"] = json!([sha256(&layer("a")).to_string()]);
    again.engine.has(vec![stored]);
    again.find().unwrap();
    assert_eq!(again.engine.exports(), 2);
}

#[test]
fn an_image_for_which_there_is_no_room_is_not_exported() {
    let mut stored = web(&[&layer("a")]);
    stored.inspected["Size"] = json!(i64::MAX);
    let again = Again::with(stored);
    let error = again.find().unwrap_err();
    assert!(error.to_string().contains("are needed"), "{error}");
    assert_eq!(again.engine.exports(), 0);
}
