use serde_json::json;
use tar::EntryType;

use super::kit::{Tar, archive, config, find, layer, names, only, read_tar as read, saved, told};
use crate::oci::sha256;
use crate::port::{Content, Encoding, Found, SourceError};

/// An archive with one image of one layer, whose entries are what `with` adds.
fn one(with: impl FnOnce(Tar) -> Tar, config_name: &str, layer_name: &str) -> Result<Found, SourceError> {
    let listed = json!([{"Config": config_name, "RepoTags": ["a:1"], "Layers": [layer_name]}]);
    read(with(Tar::default().json("c.json", &config(&[&layer("x")]))).json("manifest.json", &listed))
}

#[test]
fn an_image_without_names_has_the_one_of_its_file() {
    let image = only(read(saved(&[], &[&layer("x")])).unwrap());
    assert!(image.suggested.is_empty());
    assert_eq!(image.fallback, "app");
    assert!(image.source.to_string().ends_with("app.tar"));
}

#[test]
fn bad_names_are_left_to_the_naming() {
    let image = only(read(saved(&["Bad:\u{1b}[0m", "good:1"], &[&layer("x")])).unwrap());
    assert_eq!(names(&image), ["Bad:\u{1b}[0m", "good:1"]);
    assert!(!image.source.to_string().contains('\u{1b}'), "{}", image.source);
}

#[test]
fn each_layer_is_looked_at_by_itself() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0];
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0];
    let image = only(read(saved(&["a:1"], &[&gzip, &zstd, &layer("x"), b""])).unwrap());
    let Content::Unpacked { layers, .. } = &image.content else { panic!("packed") };
    let encodings: Vec<_> = layers.iter().map(|layer| layer.encoding).collect();
    assert_eq!(encodings, [Encoding::Gzip, Encoding::Zstd, Encoding::Tar, Encoding::Tar]);
}

#[test]
fn names_in_the_archive_may_begin_with_a_dot() {
    let with = |tar: Tar| tar.raw(EntryType::Regular, "./l//layer.tar", "", &layer("x"));
    assert!(one(with, "./c.json", "l/layer.tar").is_ok());
}

#[test]
fn documents_of_another_shape_are_refused() {
    for (text, reason) in [
        ("null", "JSON of another shape"),
        ("{}", "JSON of another shape"),
        ("[]", "lists no image"),
        (r#"[{"Config":"a","Config":"b","Layers":[]}]"#, "key `Config` twice"),
        ("\u{feff}[]", "not valid JSON"),
        ("[", "not valid JSON"),
    ] {
        let error = told(read(Tar::default().file("manifest.json", text.as_bytes())));
        assert!(error.contains(reason), "{text}: {error}");
    }
    let deep = "[".repeat(200_000);
    assert!(told(read(Tar::default().file("manifest.json", deep.as_bytes()))).contains("not valid JSON"));
    let large = vec![b' '; 4 * 1024 * 1024 + 1];
    assert!(told(read(Tar::default().file("manifest.json", &large))).contains("more than 4 MiB"));
}

#[test]
fn a_configuration_is_bounded_and_has_all_that_is_needed() {
    let with = |config: &[u8]| {
        let listed = json!([{"Config": "c.json", "RepoTags": null, "Layers": []}]);
        told(read(Tar::default().file("c.json", config).json("manifest.json", &listed)))
    };
    assert!(with(&vec![b' '; 4 * 1024 * 1024 + 1]).contains("more than 4 MiB"));
    assert!(with(b"{}").contains("another shape"));
    assert!(with(br#"{"rootfs":{"diff_ids":["sha256:../../x"]}}"#).contains("another shape"));
    assert!(with(b"\xff\xfe{\0}\0").contains("not valid JSON"));
}

#[test]
fn as_many_layers_as_the_configuration_says_are_needed() {
    let config = config(&[]);
    let listed = json!([{"Config": "c.json", "RepoTags": [], "Layers": ["l"]}]);
    let tar = Tar::default().json("c.json", &config).file("l", b"").json("manifest.json", &listed);
    assert!(told(read(tar)).contains("manifest.json lists 1 layers, the configuration 0"));
}

#[test]
fn an_image_of_metadata_alone_has_no_layers() {
    for rootfs in [json!({"type": "layers"}), json!({"type": "layers", "diff_ids": null})] {
        let with = |layers: serde_json::Value| {
            let config = json!({"os": "linux", "architecture": "amd64", "rootfs": rootfs});
            let listed = json!([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": layers}]);
            let tar = Tar::default().json("c.json", &config).file("l", &layer("x"));
            read(tar.json("manifest.json", &listed))
        };
        let image = only(with(json!(null)).unwrap());
        assert!(matches!(image.content, Content::Unpacked { layers, .. } if layers.is_empty()));
        assert!(told(with(json!(["l"]))).contains("lists 1 layers, the configuration 0"));
    }
}

#[test]
fn what_is_missing_is_named_before_anything_is_sent() {
    assert!(told(one(|tar| tar, "c.json", "gone/layer.tar")).contains("layer `gone/layer.tar` is missing"));
    let with = |tar: Tar| tar.file("l", &layer("x"));
    assert!(told(one(with, "d.json", "l")).contains("configuration `d.json` is missing"));
}

#[test]
fn a_configuration_that_is_not_what_its_name_says_is_refused() {
    let other = format!("{}.json", sha256(b"other").digest());
    let listed = json!([{"Config": other, "RepoTags": [], "Layers": []}]);
    let tar = Tar::default().json(&other, &config(&[])).json("manifest.json", &listed);
    assert!(told(read(tar)).contains("has digest"));
}

#[test]
fn names_that_lead_out_of_the_archive_are_refused_only_where_they_are_used() {
    let stray = |tar: Tar| {
        let tar = tar.raw(EntryType::Regular, "../../etc/x", "", b"x");
        tar.raw(EntryType::Regular, "/etc/x", "", b"x").file("l", &layer("x"))
    };
    assert!(one(stray, "c.json", "l").is_ok());
    for name in ["../../etc/x", "/etc/x", "a/../l"] {
        assert!(told(one(stray, "c.json", name)).contains("it refers to"), "{name}");
        assert!(told(one(stray, name, "l")).contains("it refers to"), "{name}");
    }
}

#[test]
fn a_document_under_a_crooked_name_does_not_count() {
    let tar = Tar::default().raw(EntryType::Regular, "a/../manifest.json", "", b"[]");
    assert!(told(read(tar)).contains("without a manifest.json"));
}

#[test]
fn links_are_followed_inside_the_archive_and_only_there() {
    let linked = |target: &'static str| {
        let with = move |tar: Tar| tar.file("a/l", &layer("x")).symlink("b/l", target);
        one(with, "c.json", "b/l")
    };
    assert!(linked("../a/l").is_ok());
    assert!(linked("./.././a//l").is_ok());
    assert!(told(linked("../../etc/passwd")).contains("outside of the archive"));
    assert!(told(linked("/a/l")).contains("outside of the archive"));
    assert!(told(linked("gone")).contains("links to `b/gone`, which is missing"));
    assert!(told(linked("l")).contains("do not end"));
    let hard = |target: &'static str| {
        let with = move |tar: Tar| tar.file("a/l", &layer("x")).raw(EntryType::Link, "b/l", target, b"");
        one(with, "c.json", "b/l")
    };
    assert!(hard("a/l").is_ok());
    assert!(told(hard("gone")).contains("which is missing"));
    assert!(told(hard("../a/l")).contains("outside of the archive"));
}

#[test]
fn a_chain_of_links_is_bounded() {
    let chain = |length: usize| {
        let with = move |tar: Tar| {
            let first = tar.file("l0", &layer("x"));
            (1..=length).fold(first, |tar, i| tar.symlink(&format!("l{i}"), &format!("l{}", i - 1)))
        };
        one(with, "c.json", &format!("l{length}"))
    };
    assert!(chain(16).is_ok());
    assert!(told(chain(17)).contains("do not end"));
}

#[test]
fn a_document_that_stands_twice_is_refused_even_if_both_are_equal() {
    let tar = saved(&["a:1"], &[&layer("x")]);
    let twice = tar.file("manifest.json", b"[]");
    assert!(told(read(twice)).contains("several times"));
    let tar = Tar::default().file("manifest.json", b"[]").file("./manifest.json", b"[]");
    assert!(told(read(tar)).contains("two entries named `manifest.json`"));
}

#[test]
fn a_layer_may_stand_twice_only_with_equal_bytes() {
    let twice =
        |second: Vec<u8>| one(move |tar: Tar| tar.file("l", &layer("x")).file("l", &second), "c.json", "l");
    assert!(twice(layer("x")).is_ok());
    assert!(told(twice(layer("y"))).contains("two entries named `l`"));
    assert!(told(twice(b"shorter".to_vec())).contains("several times"));
}

#[test]
fn names_that_differ_in_case_are_two() {
    let with = |tar: Tar| tar.file("l", &layer("x")).file("L", b"other");
    assert!(one(with, "c.json", "l").is_ok());
}

#[test]
fn a_layer_that_is_no_file_is_refused() {
    for kind in [EntryType::Directory, EntryType::Fifo, EntryType::Char, EntryType::Block] {
        let error = told(one(|tar| tar.raw(kind, "l", "", b""), "c.json", "l"));
        assert!(error.contains("its entry `l` is no file"), "{kind:?}: {error}");
    }
}

#[test]
fn names_are_shown_escaped() {
    let error = told(one(|tar| tar, "c.json", "a\u{1b}]0;x\u{7}\u{202e}b\n"));
    assert!(error.contains(r"`a\u{1b}]0;x\u{7}\u{202e}b\u{a}` is missing"), "{error}");
}

#[test]
fn an_unknown_kind_of_entry_is_passed_over_with_a_word() {
    let with = |tar: Tar| tar.file("l", &layer("x")).raw(EntryType::new(b'Z'), "z", "", b"12345");
    let image = only(one(with, "c.json", "l").unwrap());
    assert!(image.notes[0].contains("entry `z`"), "{:?}", image.notes);
}

#[test]
fn what_follows_the_end_of_the_archive_is_not_looked_at() {
    let mut bytes = saved(&["a:1"], &[&layer("x")]).bytes();
    bytes.extend(saved(&["b:1"], &[&layer("y")]).bytes());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.tar");
    std::fs::write(&path, bytes).unwrap();
    let image = only(find(archive(&path)).unwrap());
    assert_eq!(names(&image), ["a:1"]);
    assert!(image.notes[0].contains("after the end"), "{:?}", image.notes);
}
