use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::kit::{Oci, find, find_in, layer, places, saved, testdata};
use crate::port::{Found, SourceError};
use crate::source::{Places, SearchRules, Spec};

fn search(folder: &Path, rules: SearchRules) -> Result<Found, SourceError> {
    find_in(Spec::Folder { path: folder.to_owned() }, &Places { search: rules, ..places() })
}

/// What was found and passed over, by the paths below the folder.
fn paths(folder: &Path, found: &Found) -> (Vec<String>, Vec<(String, String)>) {
    let root = format!("{}/", folder.display());
    let below = |text: String| text.replace(&root, "");
    let images = found.images.iter().map(|image| below(image.source.to_string())).collect();
    let skipped =
        found.skipped.iter().map(|one| (below(one.path.display().to_string()), one.reason.clone())).collect();
    (images, skipped)
}

fn globs(all: &[&str]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in all {
        set.add(Glob::new(glob).unwrap());
    }
    set.build().unwrap()
}

fn image(path: &Path, tag: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    saved(&[tag], &[&layer(tag)]).write(path);
}

#[test]
fn files_are_found_by_content_in_the_order_of_their_paths() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    image(&at("b/app.bin"), "b:1");
    image(&at("a.tar"), "a:1");
    fs::write(at("notes.txt"), "x".repeat(600)).unwrap();
    fs::write(at("data.gz"), [[0x1f, 0x8b].as_slice(), &[0; 600]].concat()).unwrap();
    let mut oci = Oci::default();
    let one = oci.image("amd64", &layer("c"));
    oci.list(one, Some("1"));
    oci.into_folder(&at("c/layout"));
    let (images, skipped) = paths(dir.path(), &search(dir.path(), SearchRules::default()).unwrap());
    assert_eq!(images, ["docker-archive:a.tar:a:1", "docker-archive:b/app.bin:b:1", "oci:c/layout:1"]);
    assert!(skipped.is_empty(), "{skipped:?}");
}

#[test]
fn what_calls_itself_an_archive_and_is_none_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    image(&at("z.tar"), "z:1");
    fs::write(at("a-empty.tar"), "").unwrap();
    fs::write(at("b-small.tar"), [1; 511]).unwrap();
    fs::write(at("c-text.tar"), [b'x'; 600]).unwrap();
    fs::write(at("d.tar.gz"), [[0x1f, 0x8b].as_slice(), &[0; 600]].concat()).unwrap();
    fs::create_dir(at("e.tar")).unwrap();
    fs::copy(testdata("damaged-image.tar"), at("f-damaged")).unwrap();
    fs::copy(testdata("invalid-image.tar"), at("g-other")).unwrap();
    fs::copy(testdata("invalid-image.tar"), at("h.tar")).unwrap();
    let (images, skipped) = paths(dir.path(), &search(dir.path(), SearchRules::default()).unwrap());
    assert_eq!(images, ["docker-archive:z.tar:z:1"]);
    let said: Vec<_> = skipped.iter().map(|(path, reason)| (path.as_str(), reason.as_str())).collect();
    let reasons = [
        "0 bytes",
        "511 bytes",
        "no tar",
        "its gzip content is damaged",
        "a folder",
        "ends inside",
        "without a manifest",
    ];
    let names = ["a-empty.tar", "b-small.tar", "c-text.tar", "d.tar.gz", "e.tar", "f-damaged", "h.tar"];
    assert_eq!(said.iter().map(|(path, _)| *path).collect::<Vec<_>>(), names);
    for ((path, reason), expected) in said.iter().zip(reasons) {
        assert!(reason.contains(expected), "{path}: {reason}");
    }
}

#[test]
fn folders_that_hold_no_images_are_passed_over_with_a_word() {
    let dir = tempfile::tempdir().unwrap();
    for folder in [".git", "node_modules", "target", "sub/target"] {
        image(&dir.path().join(folder).join("a.tar"), "a:1");
    }
    match search(dir.path(), SearchRules::default()).unwrap_err() {
        SourceError::NothingFound { skipped, .. } => {
            assert_eq!(skipped.len(), 4);
            assert!(skipped.iter().all(|one| one.reason.contains("not searched")));
        }
        other => panic!("{other}"),
    }
    assert!(search(&dir.path().join("target"), SearchRules::default()).is_ok());
}

#[test]
fn globs_take_in_and_leave_out() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.tar", "b.img", "sub/c.tar", "old/d.tar"] {
        image(&dir.path().join(name), "x:1");
    }
    let found = |include: &[&str], exclude: &[&str]| {
        let rules =
            SearchRules { include: globs(include), exclude: globs(exclude), ..SearchRules::default() };
        paths(dir.path(), &search(dir.path(), rules).unwrap()).0
    };
    assert_eq!(found(&["*.tar"], &[]).len(), 3);
    assert_eq!(found(&["sub/**"], &[]), ["docker-archive:sub/c.tar:x:1"]);
    assert_eq!(found(&[], &["old", "*.img"]).len(), 2);
}

#[test]
fn the_depth_is_bounded_with_a_word() {
    let dir = tempfile::tempdir().unwrap();
    image(&dir.path().join("a.tar"), "a:1");
    image(&dir.path().join("one/b.tar"), "b:1");
    let found = |max_depth| {
        let rules = SearchRules { max_depth, ..SearchRules::default() };
        paths(dir.path(), &search(dir.path(), rules).unwrap())
    };
    assert_eq!(found(2).0.len(), 2);
    let (images, skipped) = found(1);
    assert_eq!(images.len(), 1);
    assert!(skipped[0].1.contains("1 folders below depth 1"), "{skipped:?}");
}

#[test]
fn a_folder_without_images_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        find(Spec::Folder { path: dir.path().to_owned() }),
        Err(SourceError::NothingFound { skipped, .. }) if skipped.is_empty()
    ));
}

#[test]
fn a_name_that_looks_like_a_flag_is_a_name() {
    let dir = tempfile::tempdir().unwrap();
    image(&dir.path().join("-rf"), "a:1");
    image(&dir.path().join("--insecure"), "b:1");
    let (images, _) = paths(dir.path(), &search(dir.path(), SearchRules::default()).unwrap());
    assert_eq!(images, ["docker-archive:--insecure:b:1", "docker-archive:-rf:a:1"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::source::Links;

    #[test]
    fn links_stay_in_the_folder_unless_they_are_followed() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        image(&outside.path().join("out.tar"), "out:1");
        image(&dir.path().join("z/in.tar"), "in:1");
        symlink(outside.path().join("out.tar"), dir.path().join("out.tar")).unwrap();
        symlink(outside.path(), dir.path().join("folder")).unwrap();
        symlink("nowhere", dir.path().join("broken")).unwrap();
        symlink("circle", dir.path().join("circle")).unwrap();
        symlink("..", dir.path().join("z/up")).unwrap();
        let (images, skipped) = paths(dir.path(), &search(dir.path(), SearchRules::default()).unwrap());
        assert_eq!(images, ["docker-archive:z/in.tar:in:1"]);
        let said: Vec<_> = skipped.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(said, ["broken", "circle", "folder", "out.tar", "z/up"]);
        let follow = SearchRules { links: Links::Follow, ..SearchRules::default() };
        let (images, skipped) = paths(dir.path(), &search(dir.path(), follow).unwrap());
        assert_eq!(images, ["docker-archive:out.tar:out:1", "docker-archive:z/in.tar:in:1"]);
        assert!(skipped.iter().any(|(_, reason)| reason.contains("same file as")), "{skipped:?}");
    }

    #[test]
    fn two_names_of_one_file_are_one_image() {
        let dir = tempfile::tempdir().unwrap();
        image(&dir.path().join("a.tar"), "a:1");
        fs::hard_link(dir.path().join("a.tar"), dir.path().join("b.tar")).unwrap();
        let (images, skipped) = paths(dir.path(), &search(dir.path(), SearchRules::default()).unwrap());
        assert_eq!(images.len(), 1);
        assert_eq!(skipped[0].0, "b.tar");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("y.tar")).unwrap();
        match search(dir.path(), SearchRules::default()).unwrap_err() {
            SourceError::NothingFound { skipped, .. } => {
                assert!(skipped.iter().all(|one| one.reason.contains("no regular file")), "{skipped:?}");
                assert_eq!(skipped.len(), 2);
            }
            other => panic!("{other}"),
        }
    }
}

/// The moment between two looks is chosen by chance, many times.
#[test]
fn a_file_that_comes_and_goes_while_a_folder_is_searched_hinders_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (stays, goes) = (dir.path().join("a.tar"), dir.path().join("b.tar"));
    image(&stays, "a:1");
    let whole = fs::read(&stays).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                fs::write(&goes, &whole).unwrap();
                fs::remove_file(&goes).unwrap();
            }
        });
        for _ in 0..300 {
            let found = search(dir.path(), SearchRules::default());
            let (images, _) = paths(dir.path(), &found.unwrap());
            assert_eq!(images.first().map(String::as_str), Some("docker-archive:a.tar:a:1"));
        }
        ended.store(true, Ordering::Relaxed);
    });
}
