use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

use super::kit::{
    CONFIG, INDEX, LAYER, MANIFEST, Oci, Tar, archive, config, exact, find, find_in, layer, layout, names,
    only, places, told,
};
use crate::oci::{Children, MediaType, Platform, sha256};
use crate::port::{Content, Found, SourceError};
use crate::source::{Links, Places};

fn in_folder(oci: Oci) -> (tempfile::TempDir, Result<Found, SourceError>) {
    let dir = tempfile::tempdir().unwrap();
    oci.into_folder(dir.path());
    let found = find(layout(dir.path()));
    (dir, found)
}

fn read(oci: Oci) -> Result<Found, SourceError> {
    in_folder(oci).1
}

fn read_tar(tar: Tar) -> Result<Found, SourceError> {
    let dir = tempfile::tempdir().unwrap();
    tar.write(&dir.path().join("app.tar"));
    find(archive(&dir.path().join("app.tar")))
}

/// A layout whose one image has this manifest.
fn with_manifest(media_type: &str, edit: impl FnOnce(&mut Oci) -> Value) -> Oci {
    let mut oci = Oci::default();
    let manifest = edit(&mut oci);
    let descriptor = oci.document(media_type, &manifest);
    oci.list(descriptor, Some("1"));
    oci
}

/// A layout whose one image has these layers.
fn with_layers(edit: impl FnOnce(&mut Oci) -> Vec<Value>) -> Oci {
    with_manifest(MANIFEST, |oci| {
        let layers = edit(oci);
        let config = oci.document(CONFIG, &config(&[]));
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
    })
}

fn wanted(architecture: &str) -> Places {
    let mut platform = Platform::default();
    platform.set_os("linux".into()).set_architecture(architecture.into());
    Places { platform: Some(platform), ..places() }
}

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

#[test]
fn what_an_index_lists_beside_images_is_passed_over_with_a_word() {
    let mut oci = Oci::default();
    let image = oci.image("amd64", &layer("x"));
    let other = oci.blob("text/plain", b"notes");
    oci.list(other, None);
    oci.list(image.clone(), Some("1"));
    let mut subject = json!({"schemaVersion": 2, "layers": [], "subject": image});
    subject["config"] = oci.blob("application/vnd.oci.empty.v1+json", b"{}");
    let signature = oci.document(MANIFEST, &subject);
    oci.list(signature, None);
    let found = read(oci).unwrap();
    let reasons: Vec<_> = found.skipped.iter().map(|one| one.reason.as_str()).collect();
    assert!(
        reasons[0].contains("`text/plain`") && reasons[1].contains("belongs to another image"),
        "{reasons:?}"
    );
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
        assert!(told(find(layout(dir.path()))).contains("links out of it"));
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
