//! What the registry refuses.

use std::path::Path;

use super::archive;
use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::{Program, Ran, assert_ran};
use crate::kit::registry::{Answer, Fault, Match, Registry};

fn push(registry: &Registry, folder: &Path) -> Program {
    Program::push_to(registry).current_dir(folder).args(["--progress", "none", "-l", "warn"])
}

fn refused(registry: &Registry, flags: &[&str]) -> Ran {
    let folder = folder();
    archive(folder.path(), "web:1", 1);
    let ran = push(registry, folder.path()).args(flags).arg("./web.tar").run().exits(7);
    assert_eq!(ran.stdout, "");
    registry.assert_orderly();
    ran
}

#[test]
fn an_owner_that_does_not_exist_is_told() {
    let registry = Registry::gitea().start();
    assert_ran!(refused(&registry, &["--owner", "nobody"]));
}

#[test]
fn a_quota_that_is_used_up_is_told() {
    let registry = Registry::gitea().quota(100).start();
    assert_ran!(refused(&registry, &[]));
}

#[test]
fn a_body_limit_that_no_chunk_fits_in_is_told() {
    let registry = Registry::gitea().body_limit(200).start();
    assert_ran!(refused(&registry, &[]));
}

#[test]
fn a_body_limit_that_chunks_fit_in_is_no_failure() {
    let (registry, folder) = (Registry::gitea().body_limit(2 << 20).start(), folder());
    let source = folder.path().join("web.tar");
    image::oci_archive(&source, &[Image::new("web:1").layer(1, 8 << 20)]);
    push(&registry, folder.path()).args(["--chunk-size", "1MiB", "./web.tar"]).run().exits(0);
    super::stored::whole(&registry, "giteaadmin/web", "1");
    registry.assert_orderly();
}

#[test]
fn a_body_limit_below_a_mebibyte_is_met_by_the_size_of_chunks() {
    for settings in [Registry::gitea(), Registry::distribution()] {
        let (registry, folder) = (settings.body_limit(512 << 10).start(), folder());
        let source = folder.path().join("web.tar");
        image::oci_archive(&source, &[Image::new("web:1").layer(1, 3 << 20)]);
        push(&registry, folder.path()).args(["--chunk-size", "256KiB", "./web.tar"]).run().exits(0);
        assert!(registry.requests().iter().all(|entry| entry.body_bytes <= 256 << 10));
        registry.assert_orderly();
    }
}

#[test]
fn a_body_limit_that_nobody_told_of_is_found_out() {
    for settings in [Registry::gitea(), Registry::distribution()] {
        let (registry, folder) = (settings.body_limit(2 << 20).start(), folder());
        let source = folder.path().join("web.tar");
        image::oci_archive(&source, &[Image::new("web:1").layer(1, 8 << 20)]);
        push(&registry, folder.path()).arg("./web.tar").run().exits(0);
        let owner = if registry.is_gitea() { "giteaadmin/" } else { "" };
        super::stored::whole(&registry, &format!("{owner}web"), "1");
        registry.assert_orderly();
    }
}

#[test]
fn a_manifest_that_is_not_taken_is_told() {
    let registry = Registry::distribution().start();
    let answer = Answer::refused(400, "MANIFEST_INVALID", "manifest invalid");
    registry.script(Match::method("PUT").path_contains("/manifests/"), Fault::Answer(answer));
    assert_ran!(refused(&registry, &[]));
}

#[test]
fn an_owner_that_was_renamed_is_told_with_the_new_name() {
    let registry = Registry::gitea().renamed_owner("old", "new").start();
    assert_ran!(refused(&registry, &["--owner", "old"]));
}

#[test]
fn words_of_a_server_cannot_drive_the_terminal() {
    let registry = Registry::distribution().start();
    let answer = Answer::refused(403, "DENIED", "no\u{1b}[2J\u{202e}\n");
    registry.script(Match::method("POST").always(), Fault::Answer(answer));
    let ran = refused(&registry, &[]);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{202e}'), "{ran}");
}
