use base64::Engine as _;
use serde_json::{Value, json};

use super::kit::{
    LAYER, MANIFEST, Oci, archive, exact, find, find_in, in_folder, layer, layout, names, only, read, told,
    wanted, with_layers, with_manifest,
};
use crate::oci::{Children, MediaType, sha256};
use crate::port::{FoundImage, SourceError};
use crate::source::Spec;

#[test]
fn the_same_manifest_under_several_names_is_one_image() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    oci.list(image.clone(), Some("1.0"));
    oci.list(image.clone(), Some("localhost/web:1.0"));
    oci.list(image, Some("1.0"));
    assert_eq!(names(&only(read(oci).unwrap())), ["1.0", "localhost/web:1.0"]);
}

#[test]
fn unpacked_layers_of_a_layout_keep_their_digests() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    oci.list(image.clone(), None);
    let found = only(read(oci).unwrap());
    assert_eq!(exact(&found).manifest.digest().as_ref(), image["digest"].as_str().unwrap());
}

#[test]
fn nested_indexes_and_attestations_are_part_of_the_image() {
    let mut oci = Oci::default();
    let (amd, arm) = (oci.image("amd64", &layer("x")), oci.image("arm64", &layer("y")));
    let mut attestation = oci.image("unknown", &layer("sbom"));
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let inner = oci.index(&[arm, attestation]);
    let outer = oci.index(&[amd, inner]);
    oci.list(outer, Some("1"));
    let image = only(read(oci).unwrap());
    assert_eq!(image.platforms.len(), 2);
    assert_eq!(exact(&image).children[1].children.len(), 2);
}

#[test]
fn platforms_without_an_index_of_their_own_are_one_image() {
    let mut oci = Oci::default();
    for architecture in ["amd64", "arm64"] {
        let image = oci.image(architecture, &layer(architecture));
        oci.list(image, None);
    }
    let image = only(read(oci).unwrap());
    assert_eq!(*exact(&image).manifest.descriptor().media_type(), MediaType::ImageIndex);
    assert_eq!(image.platforms.len(), 2);
}

#[test]
fn of_an_index_that_is_not_whole_the_one_platform_is_pushed_with_a_word() {
    let mut oci = Oci::default();
    let (amd, arm) = (oci.image("amd64", &layer("x")), oci.image("arm64", &layer("y")));
    let index = oci.index(&[amd.clone(), arm.clone()]);
    oci.drop_blob(&arm);
    oci.list(index, Some("1"));
    let (dir, found) = in_folder(oci);
    let image = only(found.unwrap());
    assert_eq!(exact(&image).manifest.digest().as_ref(), amd["digest"].as_str().unwrap());
    assert!(image.notes[0].contains("lists linux/arm64, which is not there"), "{:?}", image.notes);
    assert_eq!(image.platforms.len(), 1);
    let other = find_in(layout(dir.path()), &wanted("arm64")).unwrap_err();
    assert!(matches!(other, SourceError::PlatformNotFound { present, .. } if present == ["linux/amd64"]));
}

#[test]
fn of_an_index_that_is_not_whole_the_platform_that_was_asked_for_is_taken() {
    let mut oci = Oci::default();
    let all = ["amd64", "arm64", "s390x"].map(|arch| oci.image(arch, &layer(arch)));
    let index = oci.index(&all);
    oci.drop_blob(&all[2]);
    oci.list(index, Some("1"));
    let (dir, _) = in_folder(oci);
    let image = only(find_in(layout(dir.path()), &wanted("arm64")).unwrap());
    assert_eq!(exact(&image).manifest.digest().as_ref(), all[1]["digest"].as_str().unwrap());
    assert!(image.notes[0].contains("`--platform`"), "{:?}", image.notes);
}

#[test]
fn a_missing_blob_is_refused_before_anything_is_sent() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    let digest = sha256(&layer("x"));
    oci.drop_blob(&json!({"digest": digest.to_string()}));
    oci.list(image, Some("1"));
    let error = told(read(oci));
    assert!(error.contains(&format!("layer `{digest}` is missing")), "{error}");
}

#[test]
fn a_foreign_layer_is_left_out_and_its_descriptor_stays() {
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let url = json!(["http://127.0.0.1:1/never-asked"]);
    for is_there in [true, false] {
        let oci = with_layers(|oci| {
            let mut descriptor = oci.blob(foreign, b"foreign");
            if !is_there {
                oci.drop_blob(&descriptor);
            }
            descriptor["urls"] = url.clone();
            vec![descriptor, oci.blob(LAYER, b"own")]
        });
        let image = only(read(oci).unwrap());
        let tree = exact(&image);
        assert_eq!(tree.blobs.len(), 2);
        let Children::Image { layers, .. } = tree.manifest.children() else { panic!("no image") };
        assert_eq!(layers.len(), 2);
        assert!(image.notes[0].contains("belongs to others"), "{:?}", image.notes);
    }
}

#[test]
fn a_layer_without_urls_is_not_foreign() {
    let oci = with_layers(|oci| {
        let descriptor = oci.blob("application/vnd.oci.image.layer.nondistributable.v1.tar", b"x");
        oci.drop_blob(&descriptor);
        vec![descriptor]
    });
    assert!(told(read(oci)).contains("is missing"));
}

#[test]
fn an_artifact_is_pushed_as_it_stands() {
    let oci = with_manifest(MANIFEST, |oci| {
        let config = oci.blob("application/vnd.example.config", b"not even JSON");
        json!({"schemaVersion": 2, "config": config, "layers": []})
    });
    let image = only(read(oci).unwrap());
    assert!(image.notes[0].contains("`application/vnd.example.config`"), "{:?}", image.notes);
    assert!(image.platforms.is_empty());
    assert_eq!(exact(&image).blobs.len(), 1);
}

/// Lists something without a name that refers to a manifest.
fn refer(oci: &mut Oci, subject: &Value, text: &str) -> Value {
    let mut document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "subject": subject});
    document["config"] = oci.blob("application/vnd.oci.empty.v1+json", b"{}");
    document["layers"] = json!([oci.blob("text/plain", text.as_bytes())]);
    let descriptor = oci.document(MANIFEST, &document);
    oci.list(descriptor.clone(), None);
    descriptor
}

fn referrers(image: &FoundImage) -> Vec<&str> {
    exact(image).referrers.iter().map(|tree| tree.manifest.digest().as_ref()).collect()
}

fn digest(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().unwrap()
}

#[test]
fn what_an_index_lists_beside_images_is_passed_over_with_a_word() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    let other = oci.blob("text/plain", b"notes");
    oci.list(other, None);
    oci.list(image, Some("1"));
    let elsewhere = oci.image("arm64", &layer("y"));
    let stray = refer(&mut oci, &elsewhere, "signature");
    let found = read(oci).unwrap();
    let reasons: Vec<_> = found.skipped.iter().map(|one| one.reason.as_str()).collect();
    assert!(
        reasons[0].contains("`text/plain`")
            && reasons[1].contains(digest(&stray))
            && reasons[1].contains("not here"),
        "{reasons:?}"
    );
    only(found);
}

#[test]
fn what_refers_to_an_image_goes_with_it_behind_its_subject() {
    let mut oci = Oci::default();
    let (amd, arm) = (oci.image("amd64", &layer("x")), oci.image("arm64", &layer("y")));
    let of_arm = refer(&mut oci, &arm, "of one platform");
    // A signature of the bill of materials stands before it in the layout.
    let bill = refer(&mut Oci::default(), &amd, "bill of materials");
    let signature = refer(&mut oci, &bill, "signature");
    refer(&mut oci, &amd, "bill of materials");
    let index = oci.index(&[amd, arm]);
    oci.list(index, Some("1"));
    let other = oci.image("amd64", &layer("z"));
    oci.list(other, Some("2"));
    let (dir, found) = in_folder(oci);
    let found = found.unwrap();
    assert!(found.skipped.is_empty(), "{:?}", found.skipped);
    assert_eq!(referrers(&found.images[0]), [digest(&bill), digest(&of_arm), digest(&signature)]);
    assert_eq!(referrers(&found.images[1]), [""; 0]);
    let tagged = Spec::Layout { path: dir.path().to_owned(), tag: Some("1".to_owned()) };
    assert_eq!(referrers(&only(find(tagged).unwrap())).len(), 3);
}

#[test]
fn of_a_platform_only_what_refers_to_it_is_kept() {
    let mut oci = Oci::default();
    let all = ["amd64", "arm64"].map(|arch| oci.image(arch, &layer(arch)));
    let of_arm = refer(&mut oci, &all[1], "of one platform");
    let index = oci.index(&all);
    refer(&mut oci, &index, "of all");
    oci.list(index, Some("1"));
    oci.drop_blob(&all[0]);
    let image = only(read(oci).unwrap());
    assert_eq!(referrers(&image), [digest(&of_arm)]);
}

#[test]
fn an_artifact_of_the_old_kind_is_passed_over_with_a_word() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    oci.list(image, Some("1"));
    let artifact = oci.blob("application/vnd.oci.artifact.manifest.v1+json", b"{}");
    oci.list(artifact, None);
    let found = read(oci).unwrap();
    assert!(found.skipped[0].reason.contains("`application/vnd.oci.artifact.manifest.v1+json`"));
    only(found);
}

#[test]
fn what_cosign_saved_beside_an_image_is_passed_over_with_a_word() {
    let mut oci = Oci::default();
    for (kind, text) in [("image", "x"), ("sigs", "signature"), ("atts", "attestation")] {
        let mut descriptor = oci.image("amd64", &layer(text));
        descriptor["platform"] = json!(null);
        descriptor["annotations"] = json!({"kind": format!("dev.cosignproject.cosign/{kind}")});
        oci.listed.push(descriptor);
    }
    let found = read(oci).unwrap();
    assert_eq!(found.skipped.len(), 2);
    assert!(found.skipped.iter().all(|one| one.reason.contains("`cosign load`")), "{:?}", found.skipped);
    only(found);
}

#[test]
fn an_index_that_lists_what_is_no_manifest_is_refused() {
    let mut oci = Oci::default();
    let other = oci.blob("text/plain", b"notes");
    let index = oci.index(&[other]);
    oci.list(index, Some("1"));
    assert!(told(read(oci)).contains("which is no manifest"));
}

#[test]
fn content_in_a_descriptor_is_checked_and_used() {
    let with_data = |data: &[u8]| {
        let data = base64::engine::general_purpose::STANDARD.encode(data);
        with_layers(|oci| {
            let mut descriptor = oci.blob(LAYER, b"hello");
            oci.drop_blob(&descriptor);
            descriptor["data"] = data.into();
            vec![descriptor]
        })
    };
    let image = only(read(with_data(b"hello")).unwrap());
    assert_eq!(exact(&image).blobs[1].1.read_all(10).unwrap(), "hello");
    assert!(told(read(with_data(b"other"))).contains("another digest"));
}

#[test]
fn a_layout_may_be_called_like_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tar");
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    oci.list(image, Some("1"));
    oci.into_folder(&path);
    let image = only(find(archive(&path)).unwrap());
    assert!(image.source.to_string().starts_with("oci:"));
    assert_eq!(image.fallback, "x");
    assert!(told(find(archive(dir.path()))).contains("it is a folder"));
}

#[test]
fn what_was_not_asked_for_may_be_damaged() {
    let mut oci = Oci::default();
    let (good, bad) = (oci.image("amd64", &layer("x")), oci.image("amd64", &layer("y")));
    oci.drop_blob(&bad);
    oci.list(good, Some("good"));
    oci.list(bad, Some("bad"));
    let (dir, found) = in_folder(oci);
    assert!(told(found).contains("is missing"));
    let tagged = |tag: &str| find(Spec::Layout { path: dir.path().to_owned(), tag: Some(tag.to_owned()) });
    assert_eq!(names(&only(tagged("good").unwrap())), ["good"]);
    assert!(told(tagged("bad")).contains("is missing"));
}
