use std::path::Path;

use serde_json::{Value, json};

use super::kit::{
    CONFIG, INDEX, LAYER, MANIFEST, Oci, config, find, find_in, layer, layout, places, read, read_tar, told,
    with_layers, with_manifest,
};
use crate::oci::sha256;
use crate::port::SourceError;
use crate::source::Links;

#[test]
fn the_layout_file_is_of_the_one_version_and_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    oci.list(image, None);
    oci.into_folder(dir.path());
    std::fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"9.9"}"#).unwrap();
    assert!(told(find(layout(dir.path()))).contains("version `9.9`"));
    std::fs::remove_file(dir.path().join("oci-layout")).unwrap();
    assert!(told(find(layout(dir.path()))).contains("no oci-layout"));
    std::fs::remove_file(dir.path().join("index.json")).unwrap();
    assert!(matches!(find(layout(dir.path())), Err(SourceError::NotAnImage { .. })));
}

#[test]
fn digests_that_are_none_are_refused_before_a_path_is_made() {
    let hex = "a".repeat(64);
    for digest in [
        "sha256:../../../etc/passwd".to_owned(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha512:{hex}"),
        "sha256:abc".to_owned(),
        "md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        "sha256+b64:LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=".to_owned(),
        String::new(),
    ] {
        let mut oci = Oci::default();
        oci.list(json!({"mediaType": MANIFEST, "digest": digest, "size": 2}), None);
        let error = read(oci).unwrap_err();
        assert!(matches!(error, SourceError::Manifest { .. }), "{digest}: {error}");
        let layers = with_layers(|_| vec![json!({"mediaType": LAYER, "digest": digest, "size": 2})]);
        assert!(matches!(read(layers), Err(SourceError::Manifest { .. })), "{digest}");
    }
}

#[test]
fn sizes_that_are_not_those_of_the_blobs_are_refused() {
    for size in [json!(1), json!(1_u64 << 50), json!(-1), json!("2")] {
        let mut oci = Oci::default();
        let mut image = oci.image("amd64", &layer("x"));
        image["size"] = size.clone();
        oci.list(image, None);
        assert!(read(oci).is_err(), "{size}");
        let layers = with_layers(|oci| {
            let mut descriptor = oci.blob(LAYER, b"layer");
            descriptor["size"] = size.clone();
            vec![descriptor]
        });
        assert!(read(layers).is_err(), "{size}");
    }
}

#[test]
fn a_manifest_or_configuration_with_other_bytes_is_refused() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    oci.list(image.clone(), None);
    let name = format!("blobs/{}", image["digest"].as_str().unwrap().replace(':', "/"));
    let swapped = String::from_utf8(oci.blobs[&name].clone())
        .unwrap()
        .replace("\"schemaVersion\":2", "\"schemaVersion\":3");
    oci.blobs.insert(name, swapped.into_bytes());
    assert!(told(read(oci)).contains("digest"));
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    oci.list(image, None);
    let config = config(&[&layer("x")]).to_string();
    let name = format!("blobs/sha256/{}", sha256(config.as_bytes()).digest());
    oci.blobs.insert(name, config.replace("amd64", "arm64").into_bytes());
    assert!(told(read(oci)).contains("has digest"));
}

#[test]
fn documents_that_two_readers_could_read_differently_are_refused() {
    let both = with_manifest(MANIFEST, |oci| {
        let config = oci.document(CONFIG, &config(&[]));
        json!({"schemaVersion": 2, "config": config, "layers": [], "manifests": []})
    });
    assert!(told(read(both)).contains("both"));
    let empty = with_manifest(MANIFEST, |_| json!({"schemaVersion": 2}));
    assert!(told(read(empty)).contains("neither"));
    let other = with_manifest(INDEX, |oci| {
        let config = oci.document(CONFIG, &config(&[]));
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []})
    });
    assert!(told(read(other)).contains("calls itself"));
}

#[test]
fn schema_1_is_refused_by_its_name() {
    for media_type in [MANIFEST, "application/vnd.docker.distribution.manifest.v1+prettyjws"] {
        let old = with_manifest(media_type, |_| json!({"schemaVersion": 1, "fsLayers": [], "name": "a"}));
        assert!(told(read(old)).contains("schema 1"), "{media_type}");
    }
}

#[test]
fn indexes_nest_to_a_bounded_depth() {
    let nested = |depth: usize| {
        let mut oci = Oci::default();
        let mut descriptor = oci.image("amd64", &layer("x"));
        for _ in 0..depth {
            descriptor = oci.index(&[descriptor]);
        }
        oci.list(descriptor, Some("1"));
        read(oci)
    };
    assert!(nested(7).is_ok());
    assert!(told(nested(8)).contains("nest deeper"));
}

#[test]
fn an_index_that_leads_to_too_many_manifests_is_refused() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    let mut level = image;
    // Each of seven levels lists the one below in twenty forms.
    for _ in 0..5 {
        let forms: Vec<Value> = (0..20)
            .map(|form| {
                let document = json!({"schemaVersion": 2, "manifests": [level], "annotations": {"form": form.to_string()}});
                oci.document(INDEX, &document)
            })
            .collect();
        level = oci.index(&forms);
    }
    oci.list(level, Some("1"));
    assert!(matches!(read(oci), Err(SourceError::Damaged { .. })));
}

#[test]
fn many_indexes_over_one_that_lists_many_manifests_are_refused() {
    let mut oci = Oci::default();
    let content = layer("x");
    let many: Vec<Value> = (0..600).map(|n| oci.image(&format!("a{n}"), &content)).collect();
    let shared = oci.index(&many);
    for name in 0..40 {
        let text = name.to_string();
        let document = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [shared], "annotations": {"n": text}});
        let top = oci.document(INDEX, &document);
        oci.list(top, Some(&text));
    }
    // Not by its value, which takes many megabytes to show.
    let refused =
        matches!(read(oci), Err(SourceError::Damaged { reason, .. }) if reason.contains("more than 20000"));
    assert!(refused);
}

#[test]
fn a_large_index_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Oci::default().into_folder(dir.path());
    std::fs::write(dir.path().join("index.json"), vec![b' '; 5 * 1024 * 1024]).unwrap();
    assert!(told(find(layout(dir.path()))).contains("more than 4 MiB"));
}

#[test]
fn an_index_without_images_is_refused() {
    assert!(told(read(Oci::default())).contains("lists no image"));
    assert!(told(read_tar(Oci::default().into_tar())).contains("lists no image"));
}

#[cfg(unix)]
mod links {
    use super::*;

    /// A layout whose layer was moved to `place` and linked to.
    fn linked(place: &Path) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut oci = Oci::default();
        let content = layer("x");
        let image = oci.image("amd64", &content);
        oci.list(image, Some("1"));
        oci.into_folder(dir.path());
        let blob = dir.path().join("blobs/sha256").join(sha256(&content).digest());
        let target = dir.path().join(place);
        std::fs::rename(&blob, &target).unwrap();
        std::os::unix::fs::symlink(&target, &blob).unwrap();
        dir
    }

    #[test]
    fn a_blob_may_be_a_link_to_inside_of_the_layout() {
        let dir = linked(Path::new("shared"));
        assert!(find(layout(dir.path())).is_ok());
    }

    #[test]
    fn a_blob_that_links_out_of_the_layout_needs_a_word() {
        let outside = tempfile::tempdir().unwrap();
        let dir = linked(&outside.path().join("shared"));
        let error = find(layout(dir.path())).unwrap_err();
        assert!(
            matches!(&error, SourceError::LinksOut { name, .. } if name.starts_with("blobs/")),
            "{error}"
        );
        let mut follow = places();
        follow.search.links = Links::Follow;
        assert!(find_in(layout(dir.path()), &follow).is_ok());
    }

    #[test]
    fn a_blob_that_is_no_file_is_refused_and_not_waited_for() {
        for name in ["blob", "index.json"] {
            let dir = linked(Path::new("shared"));
            let path = match name {
                "blob" => dir.path().join("shared"),
                other => dir.path().join(other),
            };
            std::fs::remove_file(&path).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
            assert!(told(find(layout(dir.path()))).contains("not a regular file"), "{name}");
        }
    }
}
