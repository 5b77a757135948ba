//! Names and links in an archive: they are looked up in it and nowhere else.

use super::bytes::{Tar, around, config, good, layer, listed};
use super::{End, Place, Row, hold, row};

use End::{Refused, Whole};

/// The layer `l` is a chain of so many symbolic links.
fn chain(place: &Place, length: usize) {
    let first = |tar: Tar| tar.file("l0", layer());
    let all = |tar: Tar| {
        (1..=length).fold(first(tar), |tar, i| tar.link(b'2', &format!("l{i}"), &format!("l{}", i - 1)))
    };
    place.tar(around(&format!("l{length}"), all));
}

/// What would be found outside if a name was followed there.
fn bait(place: &Place) -> String {
    std::fs::write(place.outside().join("layer"), layer()).unwrap();
    std::fs::write(place.outside().join("config"), config(&[&layer()]).to_string()).unwrap();
    place.outside().display().to_string()
}

fn names() -> Vec<Row> {
    vec![
        row(21, "a layer above the archive", Refused, &["it refers to"], |place| {
            bait(place);
            place.tar(around("../out/layer", |tar| tar.file("../out/layer", layer())));
        }),
        row(21, "a stray entry above the archive", Whole, &[], |place| {
            bait(place);
            place.tar(good().file("../out/layer", "stray").end());
        }),
        row(22, "an absolute layer", Refused, &["it refers to"], |place| {
            let layer = format!("{}/layer", bait(place));
            place.tar(around(&layer, |tar| tar));
        }),
        row(22, "a stray absolute entry", Whole, &[], |place| {
            place.tar(good().file("/etc/x", "stray").end());
        }),
        row(23, "names with a dot before them", Whole, &[], |place| {
            let tar =
                Tar::default().json("./config.json", &config(&[&layer()])).file("./l//layer.tar", layer());
            let listed = listed("config.json", &["app:1"], &["l/layer.tar"]);
            place.tar(tar.json("./manifest.json", &listed).end());
        }),
        row(24, "a crooked manifest.json", Refused, &["without a manifest.json"], |place| {
            place.tar(Tar::default().file("a/../manifest.json", "[]").end());
        }),
        row(25, "a name with NUL", Refused, &["NUL"], |place| {
            place.tar(around("l", |tar| tar.entry(b'L', b"L", b"a\0b\0").file("l", layer())));
        }),
        row(
            27,
            "a name that drives terminals",
            Refused,
            &[r"a\u{1b}]8;;x\u{7}\u{202e}b\u{a}\u{d}"],
            |place| {
                place.tar(around("a\u{1b}]8;;x\u{7}\u{202e}b\n\r", |tar| tar));
            },
        ),
        row(28, "names that differ in case", Whole, &[], |place| {
            place.tar(around("l", |tar| tar.file("l", layer()).file("L", "other")));
        }),
        row(34, "two manifest.json", Refused, &["manifest.json"], |place| {
            place.tar(good().file("manifest.json", "[]").end());
        }),
        row(35, "a layer twice", Whole, &[], |place| {
            place.tar(around("l", |tar| tar.file("l", layer()).file("l", layer())));
        }),
        row(35, "two layers of one name", Refused, &["two entries named `l`"], |place| {
            place.tar(around("l", |tar| tar.file("l", layer()).file("l", crate::kit::image::layer(2, 3000))));
        }),
    ]
}

fn links() -> Vec<Row> {
    vec![
        row(29, "a layer that links to another", Whole, &[], |place| {
            place.tar(around("b/l", |tar| tar.file("a/l", layer()).link(b'2', "b/l", "../a/l")));
        }),
        row(30, "symbolic links in a circle", Refused, &["do not end"], |place| {
            place.tar(around("a", |tar| tar.link(b'2', "a", "b").link(b'2', "b", "a")));
        }),
        row(30, "hard links in a circle", Refused, &["do not end"], |place| {
            place.tar(around("a", |tar| tar.link(b'1', "a", "b").link(b'1', "b", "a")));
        }),
        row(31, "a chain of 16 links", Whole, &[], |place| chain(place, 16)),
        row(31, "a chain of 17 links", Refused, &["do not end"], |place| chain(place, 17)),
        row(32, "a link above the archive", Refused, &["outside of the archive"], |place| {
            bait(place);
            place.tar(around("l", |tar| tar.link(b'2', "l", "../out/layer")));
        }),
        row(32, "a link to an absolute path", Refused, &["outside of the archive"], |place| {
            let target = format!("{}/layer", bait(place));
            place.tar(around("l", |tar| tar.link(b'2', "l", &target)));
        }),
        row(33, "a hard link to what is not there", Refused, &["which is missing"], |place| {
            place.tar(around("l", |tar| tar.link(b'1', "l", "gone")));
        }),
        row(36, "a folder for a layer", Refused, &["no file"], |place| {
            place.tar(around("l", |tar| tar.entry(b'5', b"l", b"")));
        }),
        row(36, "a pipe for a layer", Refused, &["no file"], |place| {
            place.tar(around("l", |tar| tar.entry(b'6', b"l", b"")));
        }),
        row(36, "a device for a layer", Refused, &["no file"], |place| {
            place.tar(around("l", |tar| tar.entry(b'3', b"l", b"")));
        }),
        row(53, "a configuration above the archive", Refused, &["it refers to"], |place| {
            bait(place);
            let listed = listed("../out/config", &["app:1"], &["l"]);
            place.tar(Tar::default().file("l", layer()).json("manifest.json", &listed).end());
        }),
        row(53, "an absolute configuration", Refused, &["it refers to"], |place| {
            let listed = listed(&format!("{}/config", bait(place)), &["app:1"], &["l"]);
            place.tar(Tar::default().file("l", layer()).json("manifest.json", &listed).end());
        }),
    ]
}

#[test]
fn names_of_an_archive_lead_nowhere_else() {
    hold(&names());
}

#[test]
fn links_of_an_archive_lead_nowhere_else() {
    hold(&links());
}
