//! A run as a whole: several images, what is left out, what is forced.

use super::{archive, json, stored, testdata, writes};
use crate::kit::folder;
use crate::kit::program::{Program, assert_ran};
use crate::kit::registry::{Fault, Match, Registry};

#[test]
fn a_push_says_where_it_goes_what_it_did_and_what_to_paste() {
    let registry = Registry::gitea().start();
    let ran = Program::push_to(&registry).current_dir(&testdata("")).args(["-j", "1", "-l", "warn"]);
    let ran = ran.arg("./docker-hybrid-packed.tar").run().exits(0);
    registry.assert_orderly();
    assert_ran!(ran);
}

#[test]
fn without_the_word_push_it_is_a_push_all_the_same() {
    let registry = Registry::distribution().start();
    let ran =
        Program::new().args(["-r", &registry.address(), "--plain-http"]).arg(testdata("skopeo-oci.tar"));
    ran.run().exits(0);
    stored::whole(&registry, "web", "1.0");
    registry.assert_orderly();
}

#[test]
fn several_images_go_in_one_run() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let web = archive(folder.path(), "web:1.0", 1);
    let api = archive(folder.path(), "api:2.0", 2);
    let ran = Program::push_to(&registry).args([&web, &api]).arg(testdata("oci-layout")).run().exits(0);
    assert_eq!(ran.stdout.lines().count(), 3, "{ran}");
    for (name, tag) in [("web", "1.0"), ("api", "2.0"), ("oci-layout", "1.0")] {
        stored::whole(&registry, &format!("giteaadmin/{name}"), tag);
    }
    ran.says(&["pushed 3 images in "]);
    registry.assert_orderly();
}

#[test]
fn an_image_that_is_refused_leaves_the_others() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    for (name, seed) in [("api:1.0", 1), ("shop:1.0", 2), ("web:1.0", 3)] {
        archive(folder.path(), name, seed);
    }
    let put = Match::method("PUT").path_contains("/giteaadmin/shop/manifests/");
    registry.script(put, Fault::status(403));
    let push =
        Program::push_to(&registry).current_dir(folder.path()).args(["--progress", "none", "-l", "error"]);
    let ran = push.args(["./api.tar", "./shop.tar", "./web.tar"]).run().exits(7);
    assert_eq!(ran.stdout.lines().count(), 2, "{ran}");
    stored::whole(&registry, "giteaadmin/api", "1.0");
    stored::whole(&registry, "giteaadmin/web", "1.0");
    assert!(registry.manifest("giteaadmin/shop", "1.0").is_none());
    registry.assert_orderly();
    assert_ran!(ran);
}

#[test]
fn a_source_that_is_no_image_leaves_the_others() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let web = archive(folder.path(), "web:1.0", 1);
    let push = Program::push_to(&registry).arg(testdata("invalid-image.tar")).arg(&web);
    let ran = push.run().exits(3).says(&["holds no image", "1 image failed"]);
    assert!(ran.stdout.contains("/giteaadmin/web:1.0@sha256:"), "{ran}");
    stored::whole(&registry, "giteaadmin/web", "1.0");
    registry.assert_orderly();
}

#[test]
fn failures_of_different_kinds_exit_with_one_and_are_all_told_at_the_end() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    for (name, seed) in [("shop:1.0", 2), ("web:1.0", 3)] {
        archive(folder.path(), name, seed);
    }
    std::fs::copy(testdata("damaged-image.tar"), folder.path().join("damaged.tar")).unwrap();
    let put = Match::method("PUT").path_contains("/giteaadmin/shop/manifests/");
    registry.script(put, Fault::status(403));
    let push =
        Program::push_to(&registry).current_dir(folder.path()).args(["--progress", "none", "-l", "error"]);
    let ran = push.args(["./damaged.tar", "./shop.tar", "./web.tar"]).run().exits(1);
    stored::whole(&registry, "giteaadmin/web", "1.0");
    registry.assert_orderly();
    assert_ran!(ran);
}

#[test]
fn fail_fast_begins_nothing_new() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let images = ["a", "b", "c", "d"];
    for (name, seed) in images.iter().zip(1..) {
        archive(folder.path(), &format!("{name}:1"), seed);
    }
    registry.script(Match::method("POST").path_contains("/giteaadmin/a/"), Fault::status(403));
    let push =
        Program::push_to(&registry).current_dir(folder.path()).args(["--fail-fast", "-j", "1", "-o", "json"]);
    let ran = push.args(images.map(|name| format!("./{name}.tar"))).run().exits(7);
    let report = json(&ran);
    let statuses: Vec<&str> =
        report["images"].as_array().unwrap().iter().map(|image| image["status"].as_str().unwrap()).collect();
    assert_eq!(statuses[0], "failed");
    assert!(statuses.contains(&"cancelled"), "{statuses:?}");
    assert_eq!(registry.tags("giteaadmin/d"), [""; 0]);
    registry.assert_orderly();
}

#[test]
fn force_sends_the_manifest_again() {
    let registry = Registry::gitea().start();
    let push = |flags: &[&str]| {
        Program::push_to(&registry)
            .args(flags)
            .arg(testdata("skopeo-oci.tar"))
            .args(["-o", "json"])
            .run()
            .exits(0)
    };
    push(&[]);
    registry.clear_log();
    let ran = push(&["--force"]);
    assert_eq!(json(&ran)["images"][0]["status"], "pushed");
    let puts = registry
        .lines()
        .iter()
        .filter(|line| line.starts_with("PUT") && line.contains("/manifests/"))
        .count();
    assert_eq!(puts, 2, "by digest and by tag: {:#?}", registry.lines());
    registry.assert_orderly();
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_would_be_done() {
    let registry = Registry::gitea().start();
    let push = Program::push_to(&registry).current_dir(&testdata("")).args(["--dry-run", "-l", "warn"]);
    let ran = push.args(["./oci-layout", "./docker-legacy-multi.tar"]).run().exits(0);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    assert_eq!(registry.repositories(), [""; 0]);
    registry.assert_orderly();
    assert_ran!(ran);
}

#[test]
fn a_dry_run_tells_what_is_there_from_what_is_not() {
    let registry = Registry::gitea().start();
    Program::push_to(&registry).arg(testdata("skopeo-oci.tar")).run().exits(0);
    registry.clear_log();
    let push = Program::push_to(&registry).current_dir(&testdata("")).args(["--dry-run", "-l", "warn"]);
    let push = push.args(["./skopeo-oci.tar", "./oci-layout", "./docker-hybrid-packed.tar"]);
    let ran = push.run().exits(0);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    registry.assert_orderly();
    assert_ran!(ran);
}

#[test]
fn a_dry_run_of_unpacked_layers_does_not_pack_them() {
    let registry = Registry::gitea().start();
    let push = Program::push_to(&registry).args(["--dry-run", "-o", "json"]).arg(testdata("valid-image.tar"));
    let report = json(&push.run().exits(0));
    assert_eq!(report["dryRun"], true);
    assert_eq!(report["images"][0]["status"], "planned");
    assert_eq!(report["images"][0]["digest"], serde_json::Value::Null);
    assert_eq!(report["images"][0]["phases"]["packMs"], 0);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    registry.assert_orderly();
}

#[test]
fn the_command_of_the_first_plan_works_as_written() {
    let registry = Registry::gitea().https("gitea.localhost").start();
    let host = format!("gitea.localhost:{}", registry.port());
    let push = Program::new().current_dir(&testdata(""));
    let push = push.args(["push", "--registry", &host, "--username", "giteaAdmin"]);
    let push = push.args(["--password", crate::kit::registry::PASSWORD, "--insecure", "./valid-image.tar"]);
    let ran = push.args(["--progress", "none", "-l", "error"]).run().exits(0);
    stored::whole(&registry, "giteaadmin/web", "1.0");
    registry.assert_orderly();
    insta::with_settings!({ filters => {
        let mut filters = crate::kit::program::FILTERS.to_vec();
        filters.push((r"(gitea\.localhost):\d+", "$1:[PORT]"));
        filters.push(("([0-9A-F]{2}:){31}[0-9A-F]{2}|[0-9a-f]{64}", "[HASH]"));
        filters
    } }, { insta::assert_snapshot!(ran.to_string()) });
}
