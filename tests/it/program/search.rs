//! Folders that are searched, and `list`.

use std::fs;
use std::path::Path;

use super::{archive, stored, testdata, writes};
use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::{Program, assert_ran};
use crate::kit::registry::Registry;

/// Images at several depths, and what a search meets beside them.
fn tree(top: &Path) {
    let build = top.join("build");
    let (deep, git) = (build.join("a/b"), top.join(".git"));
    for folder in [&deep, &git, &top.join("node_modules"), &top.join("target")] {
        fs::create_dir_all(folder).unwrap();
    }
    archive(top, "web:1", 1);
    archive(&build, "api:1", 2);
    archive(&deep, "shop:1", 3);
    archive(&git, "hidden:1", 4);
    image::oci_layout(&build.join("layout"), &[Image::new("layout:2").layer(5, 3000)]);
    fs::write(top.join("notes.txt"), "no image").unwrap();
    fs::write(build.join("short.tar"), "too short").unwrap();
    fs::copy(testdata("invalid-image.tar"), build.join("sources.tar")).unwrap();
}

/// Repositories that a push of this folder made.
fn pushed(flags: &[&str]) -> Vec<String> {
    let (registry, folder) = (Registry::distribution().start(), folder());
    tree(folder.path());
    Program::push_to(&registry).arg("--path").arg(folder.path()).args(flags).run().exits(0);
    registry.assert_orderly();
    registry.repositories()
}

#[test]
fn a_folder_is_searched_and_what_was_left_out_is_said() {
    let (registry, folder) = (Registry::distribution().start(), folder());
    tree(folder.path());
    let push =
        Program::push_to(&registry).current_dir(folder.path()).args(["-j", "1", "-l", "warn", "-o", "table"]);
    let ran = push.run().exits(0);
    assert_eq!(registry.repositories(), ["api", "layout", "shop", "web"]);
    stored::whole(&registry, "shop", "1");
    registry.assert_orderly();
    let skipped: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("skipped")).collect();
    insta::assert_snapshot!(skipped.join("\n"));
}

#[test]
fn a_folder_may_be_named_as_a_source() {
    let (registry, folder) = (Registry::distribution().start(), folder());
    tree(folder.path());
    Program::push_to(&registry).current_dir(folder.path()).arg("./build").run().exits(0);
    assert_eq!(registry.repositories(), ["api", "layout", "shop"]);
    registry.assert_orderly();
}

#[test]
fn patterns_say_what_is_searched_and_what_is_not() {
    assert_eq!(pushed(&["--include", "**/api.tar"]), ["api"]);
    assert_eq!(pushed(&["--include", "*.tar", "--exclude", "build"]), ["web"]);
    assert_eq!(pushed(&["--exclude", "**/layout", "--exclude", "**/shop.tar"]), ["api", "web"]);
}

#[test]
fn a_search_ends_at_its_depth() {
    assert_eq!(pushed(&["--max-depth", "1"]), ["web"]);
    assert_eq!(pushed(&["--max-depth", "2"]), ["api", "layout", "web"]);
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_followed_only_when_asked_to() {
    let (registry, inside, outside) = (Registry::distribution().start(), folder(), folder());
    archive(inside.path(), "web:1", 1);
    let elsewhere = archive(outside.path(), "shop:1", 2);
    std::os::unix::fs::symlink(elsewhere, inside.path().join("link.tar")).unwrap();
    let push = || Program::push_to(&registry).current_dir(inside.path()).arg("--path").arg(".");
    push().run().exits(0).says(&["link.tar: it links out of the searched folder; `--follow` allows it"]);
    assert_eq!(registry.repositories(), ["web"]);
    push().arg("--follow").run().exits(0);
    assert_eq!(registry.repositories(), ["shop", "web"]);
    registry.assert_orderly();
}

#[test]
fn a_folder_without_images_says_what_was_skipped() {
    let (registry, folder) = (Registry::distribution().start(), folder());
    fs::create_dir(folder.path().join("target")).unwrap();
    fs::write(folder.path().join("short.tar"), "too short").unwrap();
    fs::copy(testdata("invalid-image.tar"), folder.path().join("sources.tar")).unwrap();
    let ran = Program::push_to(&registry).current_dir(folder.path()).args(["--path", "."]).run().exits(3);
    assert_eq!(writes(&registry), 0);
    assert_ran!(ran);
}

#[test]
fn home_is_not_searched() {
    let registry = Registry::distribution().start();
    let program = Program::push_to(&registry);
    archive(program.home(), "web:1", 1);
    let ran = program.run().exits(2);
    assert_eq!(writes(&registry), 0);
    assert_ran!(ran);
}

#[test]
fn list_says_what_a_push_would_take_and_asks_nobody() {
    let folder = folder();
    tree(folder.path());
    let list = Program::new().current_dir(folder.path()).args(["list", "-o", "table", "--progress", "none"]);
    assert_ran!(list.run().exits(0));
}

#[test]
fn list_gives_names_one_a_line() {
    let folder = folder();
    tree(folder.path());
    let list = Program::new().current_dir(folder.path()).args(["list", "-r", "localhost:5000/team", "-q"]);
    let ran = list.run().exits(0);
    let mut names: Vec<&str> = ran.stdout.lines().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["api:1", "layout:2", "shop:1", "web:1"].map(|name| format!("localhost:5000/team/{name}"))
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn list_tells_programs_in_json() {
    let list = Program::new().current_dir(&testdata("")).args(["list", "./skopeo-oci.tar", "-o", "json"]);
    let ran = list.run().exits(0);
    let list = super::json(&ran);
    assert_eq!((&list["kind"], &list["exitCode"]), (&"ImageList".into(), &0.into()));
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn list_goes_on_past_a_source_that_is_no_image() {
    let list =
        Program::new().current_dir(&testdata("")).args(["list", "./invalid-image.tar", "./skopeo-oci.tar"]);
    let ran = list.run().exits(3).says(&["holds no image"]);
    assert_eq!(ran.stdout, "<registry>/<owner>/web:1.0\n");
}
