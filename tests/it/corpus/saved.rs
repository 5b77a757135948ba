//! What `docker save` writes beside its layers.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::bytes::{Tar, config, layer, listed};
use super::{End, Place, Row, hold, push, row};
use crate::kit::program::Ran;
use crate::kit::registry::{Fault, Match, Registry};
use crate::program::stored;

use End::{NotPushed, Refused, Whole};

fn document(place: &Place, text: impl AsRef<[u8]>) {
    place.tar(Tar::default().file("l", layer()).file("manifest.json", text).end());
}

/// An archive with this configuration.
fn configured(place: &Place, config: impl AsRef<[u8]>) {
    let listed = listed("c.json", &["app:1"], &["l"]);
    place.tar(Tar::default().file("c.json", config).file("l", layer()).json("manifest.json", &listed).end());
}

/// An archive whose entry of this name is a hole of 300 MB.
fn holed(place: &Place, name: &str) {
    let hole: u64 = 300_000_256;
    let mut file = fs::File::create(place.inside().join("app.tar")).unwrap();
    let listed = listed("c.json", &["app:1"], &[]);
    let start = Tar::default().json("manifest.json", &listed);
    let start = start.edited(b'0', name.as_bytes(), b"", |header| header.set_size(hole)).bytes();
    file.write_all(&start).unwrap();
    file.set_len(start.len() as u64 + hole.next_multiple_of(512) + 1024).unwrap();
}

fn documents() -> Vec<Row> {
    vec![
        row(48, "no manifest.json", Refused, &["without a manifest.json"], |place| {
            place.tar(Tar::default().file("l", layer()).end());
        }),
        row(49, "null", Refused, &["manifest.json", "another shape"], |place| document(place, "null")),
        row(49, "an object", Refused, &["manifest.json", "another shape"], |place| document(place, "{}")),
        row(49, "an empty list", Refused, &["lists no image"], |place| document(place, "[]")),
        row(50, "a million images", Refused, &["more than 4 MiB"], |place| {
            let one = r#"{"Config":"c.json","RepoTags":["app:1"],"Layers":["l"]},"#;
            document(place, format!("[{}{{}}]", one.repeat(1_000_000)));
        }),
        row(51, "lists 200 000 deep", Refused, &["not valid JSON"], |place| {
            document(place, "[".repeat(200_000));
        }),
        row(52, "a key twice", Refused, &["key `Config` twice"], |place| {
            document(place, r#"[{"Config":"a","Config":"b","Layers":[]}]"#);
        }),
        row(62, "UTF-16", Refused, &["not valid JSON"], |place| document(place, b"\xff\xfe[\0]\0")),
        row(62, "a byte order mark", Refused, &["not valid JSON"], |place| document(place, "\u{feff}[]")),
    ]
}

fn configurations() -> Vec<Row> {
    vec![
        row(54, "more layers than diff_ids", Refused, &["lists 1 layers, the configuration 0"], |place| {
            configured(place, config(&[]).to_string());
        }),
        row(54, "fewer layers than diff_ids", Refused, &["lists 1 layers, the configuration 2"], |place| {
            configured(place, config(&[&layer(), &layer()]).to_string());
        }),
        row(
            55,
            "another layer than the diff_id says",
            NotPushed,
            &["the image's configuration says"],
            |place| {
                configured(place, config(&[b"another"]).to_string());
            },
        ),
        row(56, "no diff_ids", Refused, &["the configuration 0"], |place| {
            configured(place, r#"{"os":"linux","rootfs":{}}"#);
        }),
        row(56, "no rootfs", Refused, &["another shape"], |place| configured(place, "{}")),
        row(57, "a configuration of 300 MB", Refused, &["more than 4 MiB"], |place| holed(place, "c.json")),
        row(57, "a manifest.json of 300 MB", Refused, &["manifest.json"], |place| {
            holed(place, "manifest.json");
        }),
        row(61, "a layer that says where it could be had", Whole, &[], |place| {
            let tar = Tar::default().json("c.json", &config(&[&layer()])).file("l", layer());
            let digest = crate::kit::registry::sha256(&layer());
            let source = json!({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar",
                "size": 1, "digest": digest, "urls": ["http://127.0.0.2:9/layer"]});
            let listed = json!([{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["l"],
                "LayerSources": {digest: source}}]);
            place.tar(tar.json("manifest.json", &listed).end());
        }),
    ]
}

#[test]
fn a_manifest_json_that_is_none_is_refused() {
    hold(&documents());
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    hold(&configurations());
}

/// Row 58.
#[test]
fn a_name_that_is_none_fails_alone() {
    for name in ["Bad:1", "bad:\u{1b}[31m", "a b:1", &format!("bad:{}", "x".repeat(129))] {
        let (registry, place) = (Registry::distribution().start(), Place::new());
        let tar = Tar::default().json("c.json", &config(&[&layer()])).file("l", layer());
        place.tar(tar.json("manifest.json", &listed("c.json", &[name, "app:1"], &["l"])).end());
        let ran = push(&registry, &place).arg("./app.tar").run().exits(0);
        assert!(!ran.stderr.contains('\u{1b}'), "{name:?}: {ran}");
        assert!(ran.stderr.contains("this name is left out"), "{name:?}: {ran}");
        stored::whole(&registry, "app", "1");
        assert_eq!(registry.repositories(), ["app"], "{name:?}: {ran}");
        registry.assert_orderly();
    }
}

/// Row 59.
#[test]
fn an_image_without_a_name_is_called_after_its_file_or_as_it_was_said() {
    for (flags, repository) in [(&[][..], "app"), (&["--as", "other"], "other")] {
        let (registry, place) = (Registry::distribution().start(), Place::new());
        let tar = Tar::default().json("c.json", &config(&[&layer()])).file("l", layer());
        place.tar(tar.json("manifest.json", &listed("c.json", &[], &["l"])).end());
        push(&registry, &place).args(flags).arg("./app.tar").run().exits(0);
        assert_eq!(registry.repositories(), [repository]);
        registry.assert_orderly();
    }
}

/// Row 60.
#[test]
fn one_tag_on_two_images_is_refused() {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    let other = json!({"Config": "d.json", "RepoTags": ["app:1"], "Layers": []});
    let mut listed = listed("config.json", &["app:1"], &["l/layer.tar"]);
    listed.as_array_mut().unwrap().push(other);
    let tar = Tar::default().json("config.json", &config(&[&layer()])).file("l/layer.tar", layer());
    place.tar(tar.json("d.json", &config(&[])).json("manifest.json", &listed).end());
    let ran = push(&registry, &place).arg("./app.tar").run().exits(2);
    ran.says(&["error: ", "app:1", "To fix this:"]);
    assert_eq!(registry.repositories(), [""; 0]);
}

/// What becomes of the source's file while it is pushed.
fn changed(change: fn(&Path)) -> (Ran, Registry) {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    registry.script(Match::method("HEAD"), Fault::Late(Duration::from_millis(500)));
    let layer = crate::kit::image::layer(1, 1 << 20);
    let tar = Tar::default().json("c.json", &config(&[&layer])).file("l", &layer);
    place.tar(tar.json("manifest.json", &listed("c.json", &["app:1"], &["l"])).end());
    let running = push(&registry, &place).args(["--compression", "none", "./app.tar"]).start();
    registry.until(|registry| registry.count("HEAD") > 0);
    change(&place.inside().join("app.tar"));
    (running.wait(), registry)
}

/// Row 97.
#[test]
fn a_source_whose_bytes_change_while_it_is_pushed_is_refused() {
    let shorter = |path: &Path| open(path).set_len(2000).unwrap();
    let overwritten = |path: &Path| {
        let mut file = open(path);
        file.seek(SeekFrom::Start(3000)).unwrap();
        file.write_all(&[7; 4000]).unwrap();
    };
    for change in [shorter, overwritten] {
        let (ran, registry) = changed(change);
        ran.exits(3).says(&["error: ", "app.tar", "To fix this:"]);
        assert!(registry.tags("app").is_empty());
        registry.assert_orderly();
    }
}

/// Row 97: what the image needs is as it was.
#[test]
fn a_source_that_grows_or_is_replaced_gives_the_image_that_it_was_or_none() {
    let longer = |path: &Path| {
        let mut file = open(path);
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(&[7; 4000]).unwrap();
    };
    let replaced = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::write(path, [7; 9000]).unwrap();
    };
    for change in [longer, replaced] {
        let (ran, registry) = changed(change);
        match ran.code {
            Some(0) => drop(stored::whole(&registry, "app", "1")),
            _ => drop(ran.exits(3).says(&["error: ", "app.tar", "To fix this:"])),
        }
        registry.assert_orderly();
    }
}

fn open(path: &Path) -> fs::File {
    fs::File::options().write(true).open(path).unwrap()
}
