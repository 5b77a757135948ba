use serde_json::{Value, json};

use super::kit::{
    CONFIG, LAYER, MANIFEST, Oci, Tar, archive, config, find, layer, named, names, only, read_tar, saved,
    told,
};
use crate::oci::sha256;
use crate::port::{Content, FoundImage};
use crate::source::ArchiveKind;

/// The name of a blob's entry.
fn entry(descriptor: &Value) -> String {
    format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
}

/// An archive as docker writes it since 25: `manifest.json` has all layers of the image, and the layout has
/// it with the layers that `list` makes of them.
fn hybrid(layers: &[&[u8]], list: impl FnOnce(Vec<Value>) -> Vec<Value>) -> (Oci, Value) {
    let mut oci = Oci::default();
    let config = oci.document(CONFIG, &config(layers));
    let all: Vec<Value> = layers.iter().map(|layer| oci.blob(LAYER, layer)).collect();
    let saved = json!({"Config": entry(&config), "RepoTags": ["web:1"],
        "Layers": all.iter().map(entry).collect::<Vec<_>>()});
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": list(all)});
    let descriptor = oci.document(MANIFEST, &manifest);
    oci.list(descriptor, Some("web:1"));
    (oci, saved)
}

fn both((oci, saved): (Oci, Value)) -> Tar {
    oci.into_tar().json("manifest.json", &json!([saved]))
}

fn unpacked(image: &FoundImage) -> usize {
    match &image.content {
        Content::Unpacked { layers, exact: None, .. } => layers.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_whose_layers_the_layout_does_not_list_is_left_to_manifest_json() {
    let (x, y) = (layer("x"), layer("y"));
    let none = both(hybrid(&[&x, &y], |_| Vec::new()));
    assert_eq!(unpacked(&only(read_tar(none).unwrap())), 2);
    let packed: [&[u8]; 2] = [&[0x1f, 0x8b, 8, 0, 1], &[0x1f, 0x8b, 8, 0, 2]];
    let one = both(hybrid(&packed, |all| all[..1].to_vec()));
    assert_eq!(unpacked(&only(read_tar(one).unwrap())), 2);
}

#[test]
fn an_image_whose_layers_nobody_lists_is_refused() {
    let (oci, _) = hybrid(&[&layer("x")], |_| Vec::new());
    let (_, other) = hybrid(&[&layer("y")], |all| all);
    let second = config(&[&layer("y")]).to_string();
    let name = other["Config"].as_str().unwrap().to_owned();
    let tar = both((oci, other)).file(&name, second.as_bytes());
    let error = told(read_tar(tar));
    assert!(error.contains("the manifest lists 0 layers, the configuration 1"), "{error}");
}

#[test]
fn an_index_that_is_null_leaves_all_images_to_manifest_json() {
    let null = json!({"schemaVersion": 2, "manifests": null});
    let tar = saved(&[], &[&layer("x")]).json("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}));
    assert_eq!(unpacked(&only(read_tar(tar.json("index.json", &null)).unwrap())), 1);
}

#[test]
fn layers_that_are_no_tars_are_not_packed() {
    for media_type in [
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
        "application/vnd.wasm.content.layer.v1+wasm",
    ] {
        let (x, y) = (layer("x"), layer("y"));
        let tar = both(hybrid(&[&x, &y], |mut all| {
            all[1]["mediaType"] = media_type.into();
            all
        }));
        let image = only(read_tar(tar).unwrap());
        assert!(matches!(image.content, Content::Exact(_)), "{media_type}: {image:?}");
    }
}

#[test]
fn a_fault_in_an_image_that_was_not_asked_for_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.tar");
    let of = |name: &str| find(named(&path, ArchiveKind::Any, name));
    let (oci, good) = hybrid(&[&layer("x")], |all| all);
    let bad = json!({"Config": "gone.json", "RepoTags": ["api:1"], "Layers": []});
    oci.into_tar().json("manifest.json", &json!([good, bad])).write(&path);
    assert_eq!(names(&only(of("web:1").unwrap())), ["web:1"]);
    assert!(told(of("api:1")).contains("`gone.json` is missing"));
    assert!(told(find(archive(&path))).contains("`gone.json` is missing"));
    // In the layout as well, which lists no layers of the one that was not asked for.
    let (mut oci, good) = hybrid(&[&layer("x")], |all| all);
    let (bad, _) = hybrid(&[&layer("y")], |_| Vec::new());
    oci.blobs.extend(bad.blobs);
    let mut other = bad.listed[0].clone();
    other["annotations"] = json!({"org.opencontainers.image.ref.name": "api:1"});
    oci.listed.push(other);
    oci.into_tar().json("manifest.json", &json!([good])).write(&path);
    assert_eq!(names(&only(of("web:1").unwrap())), ["web:1"]);
    assert!(told(of("api:1")).contains("lists 0 layers"));
}

#[test]
fn a_fault_in_an_image_without_a_name_does_not_keep_the_one_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.tar");
    let (mut oci, good) = hybrid(&[&layer("x")], |all| all);
    oci.listed[0]["annotations"] = json!({});
    let mut broken = oci.blob(MANIFEST, b"no manifest");
    broken["size"] = json!(11);
    oci.listed.push(broken);
    oci.into_tar().json("manifest.json", &json!([good])).write(&path);
    assert_eq!(names(&only(find(named(&path, ArchiveKind::Any, "web:1")).unwrap())), ["web:1"]);
    assert!(told(find(named(&path, ArchiveKind::Any, "api:1"))).contains("not readable"));
}

#[test]
fn names_of_manifest_json_are_used_where_the_index_has_only_tags() {
    let content = layer("x");
    let hybrid = |name: Option<&str>| {
        let mut oci = Oci::default();
        let image = oci.image("amd64", &content);
        oci.list(image, name);
        let config = sha256(config(&[&content]).to_string().as_bytes());
        let blobs = |digest: &str| format!("blobs/sha256/{digest}");
        let saved = json!([{
            "Config": blobs(config.digest()),
            "RepoTags": ["web:1.0", "web:latest"],
            "Layers": [blobs(sha256(&content).digest())],
        }]);
        only(read_tar(oci.into_tar().json("manifest.json", &saved)).unwrap())
    };
    assert_eq!(names(&hybrid(Some("1.0"))), ["web:1.0", "web:latest"]);
    assert_eq!(names(&hybrid(None)), ["web:1.0", "web:latest"]);
    assert_eq!(names(&hybrid(Some("localhost/web:3"))), ["localhost/web:3"]);
    assert!(matches!(&hybrid(None).content, Content::Unpacked { exact: Some(_), .. }));
}

#[test]
fn manifest_json_comes_last() {
    let (content, other) = (layer("x"), layer("y"));
    let mut oci = Oci::default();
    let image = oci.image("amd64", &content);
    // The layout names a manifest that nobody wrote; manifest.json has the image, and one more.
    oci.list(image.clone(), Some("1.0"));
    let docker = |layer: &[u8], tag: &str, name: &str| {
        let config = sha256(config(&[layer]).to_string().as_bytes());
        json!({"Config": format!("blobs/sha256/{}", config.digest()), "RepoTags": [tag], "Layers": [name]})
    };
    let saved = json!([docker(&content, "web:1.0", "l/x"), docker(&other, "api:2.0", "l/y")]);
    let second = config(&[&other]).to_string();
    let gone = sha256(&content);
    oci.drop_blob(&json!({"digest": gone.to_string()}));
    let second_name = format!("blobs/sha256/{}", sha256(second.as_bytes()).digest());
    let tar = oci.into_tar().file("l/x", &content).file("l/y", &other).file(&second_name, second.as_bytes());
    let found = read_tar(tar.json("manifest.json", &saved)).unwrap();
    assert_eq!(found.images.iter().map(names).collect::<Vec<_>>(), [["web:1.0"], ["api:2.0"]]);
    assert!(found.images.iter().all(|image| matches!(&image.content, Content::Unpacked { exact: None, .. })));
}
