//! Failures on this side: sources, usage, the cluster, the way to the registry.

use std::fs;

use super::{archive, testdata, writes};
use crate::kit::folder;
use crate::kit::program::{Program, Ran, assert_ran};
use crate::kit::registry::{Fault, Match, Registry};

/// A push of a source of `testdata/`, which fails before anything is written.
fn refused(source: &str, code: i32) -> Ran {
    let registry = Registry::distribution().start();
    let ran = Program::push_to(&registry).current_dir(&testdata("")).arg(source).run().exits(code);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    assert_eq!(ran.stdout, "");
    registry.assert_orderly();
    ran
}

#[test]
fn a_tar_that_is_no_image_is_told() {
    assert_ran!(refused("./invalid-image.tar", 3));
}

#[test]
fn a_damaged_archive_is_told() {
    assert_ran!(refused("./damaged-image.tar", 3));
}

#[test]
fn a_path_that_is_not_there_is_told_with_those_that_are_near() {
    assert_ran!(refused("./valid-imag.tar", 3));
    assert_ran!(refused("./docker-hybrid-pack.tar", 3));
    assert_ran!(refused("./nothing/like/this.tar", 3));
}

#[test]
fn an_image_that_no_engine_has_is_told() {
    assert_ran!(refused("myapp:dev", 3));
}

#[test]
fn a_name_that_an_archive_does_not_have_is_told_with_those_it_has() {
    assert_ran!(refused("docker-archive:docker-legacy-multi.tar:web:2.0", 3));
}

#[test]
fn a_platform_that_an_image_does_not_have_is_told_with_those_it_has() {
    let registry = Registry::distribution().start();
    let push = Program::push_to(&registry).current_dir(&testdata("")).args(["--platform", "linux/s390x"]);
    let ran = push.arg("./multi-platform-layout").run().exits(3);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    assert_ran!(ran);
}

#[test]
fn a_layer_that_is_not_what_the_image_says_is_not_pushed() {
    let (registry, folder) = (Registry::distribution().start(), folder());
    let image = crate::kit::image::Image::new("web:1").layer(1, 3000);
    let mut files = crate::kit::image::layout_files(std::slice::from_ref(&image));
    let layer = image.packed_layers()[0].digest().replace("sha256:", "blobs/sha256/");
    files.get_mut(&layer).unwrap()[100] ^= 1;
    crate::kit::image::write_tar(&folder.path().join("web.tar"), &files);
    let ran = Program::push_to(&registry).current_dir(folder.path()).arg("./web.tar").run().exits(3);
    assert_eq!(registry.tags("web"), [""; 0]);
    assert_eq!(registry.open_sessions(), [""; 0]);
    ran.says(&["error: ", "Save the image again"]);
}

#[test]
fn usage_errors_exit_with_two() {
    for arguments in [
        &["--nonsense"][..],
        &["--as", "Web", "web:1"],
        &["--tag", "a b", "web:1"],
        &["-j", "0", "web:1"],
        &["MyApp:Dev"],
        &["-v", "list"],
        &["--registry", "ftp://x", "web:1"],
        &["--include", "[", "."],
        &["--owner", "me", "-r", "r.example/team", "web:1"],
        &["--plain-http", "-r", "https://r.example", "web:1"],
        &["-r", "http://r.example", "web:1"],
        &[""],
        &["-", "-u", "me", "--password-stdin"],
    ] {
        let ran = Program::new().args(arguments).run().exits(2);
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with("error: "), "{arguments:?}: {ran}");
    }
}

#[test]
fn capitals_in_a_name_come_back_with_a_suggestion() {
    assert_ran!(Program::new().arg("MyApp:Dev").run().exits(2));
}

#[test]
fn a_cluster_is_looked_for_where_no_registry_is_given() {
    let run = || Program::new().current_dir(&testdata("")).arg("./skopeo-oci.tar");
    assert_ran!(run().run().exits(5));
    let missing = run().args(["--kubeconfig", "./gone.yaml"]).run().exits(5);
    missing.says(&["gone.yaml"]);
}

#[test]
fn a_kubeconfig_that_is_none_is_told() {
    let run = Program::new().current_dir(&testdata("")).args(["--kubeconfig", "./README.md"]);
    assert_ran!(run.arg("./skopeo-oci.tar").run().exits(5));
}

#[test]
fn a_refused_connection_is_told() {
    let registry = Registry::distribution().start();
    registry.refuse_connections();
    let push = Program::push_to(&registry).current_dir(&testdata("")).args(["--retries", "0"]);
    assert_ran!(push.arg("./skopeo-oci.tar").run().exits(6));
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let push = Program::new().current_dir(&testdata("")).args(["--retries", "0", "-r", "registry.invalid:1"]);
    let ran = push.arg("./skopeo-oci.tar").run().exits(6);
    ran.says(&["could not reach registry.invalid:1", "--resolve registry.invalid:1:ADDRESS"]);
}

#[test]
fn used_up_retries_are_told_with_the_last_reason() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    archive(folder.path(), "web:1", 1);
    registry.script(Match::method("POST").always(), Fault::status(500));
    let push =
        Program::push_to(&registry).current_dir(folder.path()).args(["--progress", "none", "-l", "warn"]);
    let ran = push.args(["--retries", "2", "--retry-max-wait", "10ms", "./web.tar"]).run().exits(6);
    registry.assert_orderly();
    assert_ran!(ran);
}

#[test]
fn a_registry_that_is_away_for_a_moment_is_waited_for() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let web = archive(folder.path(), "web:1", 1);
    registry.script(Match::method("PUT").path_contains("/manifests/"), Fault::status(503));
    registry.script(Match::method("POST"), Fault::status(502));
    let ran =
        Program::push_to(&registry).args(["--retry-max-wait", "10ms", "-o", "json"]).arg(web).run().exits(0);
    assert_eq!(super::json(&ran)["images"][0]["retries"], 2, "{ran}");
    ran.says(&["retry 1 in "]);
    super::stored::whole(&registry, "giteaadmin/web", "1");
    registry.assert_orderly();
}

#[test]
fn a_folder_for_temporary_files_that_is_not_there_is_told() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let image = crate::kit::image::Image::new("web:1").layer(1, 4 << 20);
    crate::kit::image::docker_archive(&folder.path().join("web.tar"), &[image]);
    fs::write(folder.path().join("file"), "").unwrap();
    let push =
        Program::push_to(&registry).current_dir(folder.path()).args(["--progress", "none", "-l", "warn"]);
    let ran = push.args(["--tmp-dir", "./file/below", "./web.tar"]).run().exits(1);
    registry.assert_orderly();
    assert_ran!(ran);
}
