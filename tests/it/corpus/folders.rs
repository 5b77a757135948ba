//! Folders that are searched: what is no image is passed over with a word, and the rest is pushed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::bytes::{Oci, good};
use super::{Place, push};
use crate::kit::program::Ran;
use crate::kit::registry::Registry;
use crate::program::stored;

/// Searches a folder with a good image and what `make` puts beside it.
fn search(make: impl FnOnce(&Place)) -> (Ran, Registry) {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    place.tar(good().end());
    make(&place);
    place.guard();
    let ran = push(&registry, &place).args(["--path", "."]).run().exits(0);
    assert_eq!(place.opened(), [""; 0], "{ran}");
    stored::whole(&registry, "app", "1");
    registry.assert_orderly();
    (ran, registry)
}

/// Passed over with a word, and nothing else is pushed.
fn passed(name: &str, make: impl FnOnce(&Path, &Place)) {
    let (ran, registry) = search(|place| make(&place.inside().join(name), place));
    assert!(ran.stderr.contains(&format!("skipped {name}: ")), "{name}: {ran}");
    assert!(!ran.stderr.contains("error: ") && !ran.stderr.contains("panicked"), "{name}: {ran}");
    assert_eq!(registry.repositories(), ["app"]);
}

fn node(path: &Path, kind: rustix::fs::FileType) {
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, 0o600.into(), 0).unwrap();
}

/// Rows 86 to 88, 90, 91 and 96.
#[test]
fn what_is_no_file_or_no_tar_is_passed_over_and_not_waited_for() {
    passed("folder.tar", |path, _| fs::create_dir(path).unwrap());
    passed("pipe.tar", |path, _| node(path, rustix::fs::FileType::Fifo));
    passed("socket.tar", |path, _| drop(UnixListener::bind(path).unwrap()));
    passed("empty.tar", |path, _| fs::write(path, "").unwrap());
    passed("short.tar", |path, _| fs::write(path, [0; 511]).unwrap());
    passed("circle.tar", |path, _| symlink(path, path).unwrap());
    passed("circle", |path, place| symlink(place.inside(), path).unwrap());
    passed("link.tar", |path, place| {
        let target = place.outside().join("secret.tar");
        fs::write(&target, good().end()).unwrap();
        symlink(target, path).unwrap();
    });
}

/// Row 86.
#[test]
fn a_layout_that_is_called_like_a_tar_is_a_layout() {
    let (_, registry) = search(|place| Oci::image().write(&place.inside().join("other.tar")));
    stored::whole(&registry, "other", "1");
}

/// Row 89.
#[test]
fn what_may_not_be_read_leaves_the_rest() {
    // Root may read everything.
    if rustix::process::geteuid().is_root() {
        return;
    }
    passed("mine.tar", |path, _| {
        fs::write(path, good().end()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    });
}

/// Row 93.
#[test]
fn a_search_ends_after_a_hundred_thousand_files() {
    let (ran, _) = search(|place| {
        let first = place.inside().join("z");
        fs::create_dir(&first).unwrap();
        fs::write(first.join("0"), "").unwrap();
        for n in 1..=100_001 {
            fs::hard_link(first.join(format!("{}", (n - 1) / 50_000 * 50_000)), first.join(n.to_string()))
                .or_else(|_| fs::write(first.join(n.to_string()), ""))
                .unwrap();
        }
    });
    assert!(ran.stderr.contains("the search ended after 100000 files"), "{ran}");
}

/// Row 94.
#[test]
fn a_name_like_a_flag_is_a_name() {
    let (_, registry) = search(|place| {
        for name in ["-rf", "--insecure"] {
            fs::write(place.inside().join(format!("{name}.tar")), good().end()).unwrap();
        }
    });
    assert_eq!(registry.repositories(), ["app"]);
    let (registry, place) = (Registry::distribution().start(), Place::new());
    fs::write(place.inside().join("--insecure.tar"), good().end()).unwrap();
    push(&registry, &place).args(["--", "--insecure.tar"]).run().exits(0);
    stored::whole(&registry, "app", "1");
    registry.assert_orderly();
}

/// Row 95.
#[test]
fn two_names_of_one_file_are_pushed_once() {
    passed("twin.tar", |path, place| fs::hard_link(place.inside().join("app.tar"), path).unwrap());
}
