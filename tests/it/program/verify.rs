//! What the registry holds is compared with what it should hold.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{archive, json as document, testdata};
use crate::kit::folder;
use crate::kit::image::{self, Image, layer};
use crate::kit::program::{Program, Ran, assert_ran};
use crate::kit::registry::{Answer, Fault, Match, Registry};

/// A Gitea with `web:1.0`, pushed from an archive in the folder.
fn pushed() -> (Registry, TempDir) {
    let (registry, folder) = (Registry::gitea().start(), folder());
    archive(folder.path(), "web:1.0", 1);
    push(&registry, folder.path(), &["web.tar"]);
    (registry, folder)
}

fn push(registry: &Registry, folder: &Path, words: &[&str]) -> Ran {
    Program::push_to(registry).current_dir(folder).args(words).run().exits(0)
}

fn verify(registry: &Registry, folder: &Path, words: &[&str]) -> Program {
    Program::verify_in(registry).current_dir(folder).args(["-l", "warn"]).args(words)
}

/// The manifest under a tag.
fn manifest(registry: &Registry, repository: &str, tag: &str) -> Value {
    serde_json::from_slice(&registry.manifest(repository, tag).unwrap().bytes).unwrap()
}

fn first_layer(registry: &Registry) -> String {
    manifest(registry, "giteaadmin/web", "1.0")["layers"][0]["digest"].as_str().unwrap().to_owned()
}

/// The one image of a document, and its one difference.
fn difference(ran: &Ran) -> (Value, Value) {
    let report = document(ran);
    let images = report["images"].as_array().unwrap();
    assert_eq!(images.len(), 1, "{report}");
    let differences = images[0]["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{report}");
    (images[0].clone(), differences[0].clone())
}

#[test]
fn what_was_pushed_is_as_it_should_be() {
    let (registry, folder) = pushed();
    for flags in [&["web.tar"][..], &["--deep", "web.tar"]] {
        registry.clear_log();
        let ran = verify(&registry, folder.path(), flags).run().exits(0);
        let digest = registry.manifest("giteaadmin/web", "1.0").unwrap().digest;
        assert_eq!(ran.stdout, format!("{}/giteaadmin/web:1.0@{digest}\n", registry.address()));
        let written = registry.count("POST") + registry.count("PUT") + registry.count("PATCH");
        assert_eq!(written, 0, "{:#?}", registry.lines());
        registry.assert_orderly();
    }
}

#[test]
fn sizes_are_asked_for_and_only_deep_reads_blobs() {
    let (registry, folder) = pushed();
    let reads = |flags: &[&str]| {
        registry.clear_log();
        verify(&registry, folder.path(), flags).run().exits(0);
        let lines = registry.lines();
        lines.iter().filter(|line| line.starts_with("GET") && line.contains("/blobs/")).count()
    };
    assert_eq!(reads(&["web.tar"]), 0);
    assert_eq!(reads(&["web.tar", "--deep"]), 2);
}

#[test]
fn a_layer_that_is_gone_is_named_and_a_forced_push_brings_it_back() {
    let (registry, folder) = pushed();
    registry.lose_blob("giteaadmin/web", &first_layer(&registry));
    let ran = verify(&registry, folder.path(), &["web.tar"]).run().exits(8);
    ran.clone().says(&[&first_layer(&registry), "--force web.tar"]);
    assert_ran!(ran);
    push(&registry, folder.path(), &["web.tar", "--force"]);
    verify(&registry, folder.path(), &["--deep", "web.tar"]).run().exits(0);
    registry.assert_orderly();
}

#[test]
fn a_layer_of_another_size_is_damaged() {
    let (registry, folder) = pushed();
    let layer = first_layer(&registry);
    for bytes in [b"short".to_vec(), vec![7; 100_000]] {
        registry.spoil_blob(&layer, bytes.clone());
        let ran = verify(&registry, folder.path(), &["web.tar", "-o", "json"]).run().exits(8);
        let (image, difference) = difference(&ran);
        assert_eq!(image["status"], "damaged");
        assert_eq!((&difference["kind"], &difference["digest"]), (&json!("damaged"), &json!(layer)));
        assert_eq!(difference["found"]["size"], bytes.len());
    }
}

#[test]
fn a_byte_that_changed_is_found_by_deep_alone() {
    let (registry, folder) = pushed();
    let layer = first_layer(&registry);
    let mut bytes = registry.blob("giteaadmin/web", &layer).unwrap().to_vec();
    bytes[100] ^= 1;
    registry.spoil_blob(&layer, bytes);
    verify(&registry, folder.path(), &["web.tar"]).run().exits(0);
    let ran = verify(&registry, folder.path(), &["--deep", "web.tar", "--progress", "none"]).run().exits(8);
    assert_ran!(ran);
}

#[test]
fn a_blob_that_ends_too_early_time_after_time_is_damaged() {
    let (registry, folder) = pushed();
    let layer = first_layer(&registry);
    let get = Match::method("GET").path_contains(&layer).times(3);
    registry.script(get, Fault::TruncatedBody(100));
    let ran = verify(&registry, folder.path(), &["--deep", "web.tar", "-o", "json"]).run().exits(8);
    assert_eq!(difference(&ran).1["found"]["size"], 100);
    registry.assert_orderly();
}

#[test]
fn a_blob_whose_way_is_cut_is_read_again() {
    let (registry, folder) = pushed();
    let get = Match::method("GET").path_contains(&first_layer(&registry));
    registry.script(get, Fault::TruncatedBody(100));
    verify(&registry, folder.path(), &["--deep", "web.tar"]).run().exits(0);
    registry.assert_orderly();
}

#[test]
fn another_image_under_the_tag_is_told_by_its_configuration_where_layers_are_packed() {
    let (registry, folder) = pushed();
    archive(folder.path(), "web:1.0", 2);
    let ran = verify(&registry, folder.path(), &["web.tar", "-o", "json"]).run().exits(8);
    let (image, difference) = difference(&ran);
    assert_eq!((&image["status"], &image["error"]["code"]), (&json!("different"), &json!("DIFFERENT")));
    assert_eq!((&difference["kind"], &difference["part"]), (&json!("other"), &json!("config")));
}

#[test]
fn another_image_under_the_tag_is_told_by_its_manifest_where_that_is_known() {
    let registry = Registry::gitea().start();
    let named = |file: &str| ["--as".to_owned(), "web:1.0".to_owned(), testdata(file).display().to_string()];
    Program::push_to(&registry).args(named("oci-layout")).run().exits(0);
    let ran = Program::verify_in(&registry).args(named("podman-oci.tar")).args(["-o", "json"]).run().exits(8);
    let (image, difference) = difference(&ran);
    assert_eq!(image["status"], "different");
    assert_eq!((&difference["part"], &difference["found"]["digest"]), (&json!("manifest"), &image["digest"]));
    registry.assert_orderly();
}

#[test]
fn an_image_that_was_never_pushed_is_missing() {
    let (registry, folder) = pushed();
    archive(folder.path(), "api:1.0", 2);
    let ran = verify(&registry, folder.path(), &["web.tar", "api.tar"]).run().exits(8);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
    assert_ran!(ran);
}

#[test]
fn layers_may_have_any_packed_form() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    archive(folder.path(), "web:1.0", 1);
    push(&registry, folder.path(), &["web.tar", "--compression", "none"]);
    verify(&registry, folder.path(), &["web.tar"]).run().exits(0);
    push(&registry, folder.path(), &["web.tar"]);
    verify(&registry, folder.path(), &["web.tar"]).run().exits(0);
}

#[test]
fn a_child_of_an_index_that_is_gone_or_damaged_is_named() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let layout = folder.path().join("both");
    let images =
        ["amd64", "arm64"].map(|one| Image::new("both:1").architecture(one).layer(one.len() as u64, 900));
    image::index_layout(&layout, "1", &images);
    push(&registry, folder.path(), &["./both"]);
    verify(&registry, folder.path(), &["--deep", "./both"]).run().exits(0);
    let index = manifest(&registry, "giteaadmin/both", "1");
    let child = index["manifests"][1]["digest"].as_str().unwrap();
    registry.spoil_manifest("giteaadmin/both", child, "{}");
    let ran = verify(&registry, folder.path(), &["./both", "-o", "json"]).run().exits(8);
    let (image, found) = difference(&ran);
    assert_eq!((&image["status"], &found["digest"]), (&json!("damaged"), &json!(child)));
    registry.lose_manifest("giteaadmin/both", child);
    let ran = verify(&registry, folder.path(), &["./both", "-o", "json"]).run().exits(8);
    let (image, found) = difference(&ran);
    assert_eq!((&image["status"], &found["kind"]), (&json!("missing"), &json!("missing")));
    assert_eq!((&found["part"], &found["digest"]), (&json!("manifest"), &json!(child)));
    push(&registry, folder.path(), &["./both", "--force"]);
    verify(&registry, folder.path(), &["--deep", "./both"]).run().exits(0);
}

#[test]
fn a_manifest_that_is_not_what_the_registry_calls_it_is_damaged() {
    let (registry, folder) = pushed();
    let digest = registry.manifest("giteaadmin/web", "1.0").unwrap().digest;
    registry.spoil_manifest("giteaadmin/web", &digest, "{}");
    let ran = verify(&registry, folder.path(), &["web.tar", "-o", "json"]).run().exits(8);
    let (image, found) = difference(&ran);
    assert_eq!((&image["status"], &found["digest"]), (&json!("damaged"), &json!(digest)));
}

#[test]
fn a_word_with_the_registrys_name_is_looked_at_in_the_registry_by_itself() {
    let (registry, folder) = pushed();
    let digest = registry.manifest("giteaadmin/web", "1.0").unwrap().digest;
    let name = format!("{}/giteaadmin/web", registry.address());
    let tagged = format!("{name}:1.0@{digest}");
    let ran = verify(&registry, folder.path(), &[&tagged]).run().exits(0);
    assert_eq!(ran.stdout, format!("{tagged}\n"));
    let by_digest = format!("{name}@{digest}");
    let ran = verify(&registry, folder.path(), &["--deep", &by_digest]).run().exits(0);
    assert_eq!(ran.stdout, format!("{by_digest}\n"));
    for absent in [format!("{name}:2.0"), name.clone()] {
        verify(&registry, folder.path(), &[&absent]).run().exits(8).says(&["is not in the registry"]);
    }
    let other = format!("{name}:1.0@{}", first_layer(&registry));
    verify(&registry, folder.path(), &[&other]).run().exits(8).says(&["is another image"]);
    registry.assert_orderly();
}

#[test]
fn a_document_has_every_image_and_every_difference() {
    let (registry, folder) = pushed();
    archive(folder.path(), "api:1.0", 2);
    registry.lose_blob("giteaadmin/web", &first_layer(&registry));
    let mut ran =
        verify(&registry, folder.path(), &["web.tar", "api.tar", "-o", "json", "-q"]).run().exits(8);
    let took = document(&ran)["summary"]["durationMs"].as_u64().unwrap();
    let stdout = ran.stdout.replace(&format!("\"durationMs\": {took}"), "\"durationMs\": 0");
    ran.stdout = stdout;
    assert_ran!(ran);
}

#[test]
fn a_table_has_a_row_for_each_image() {
    let (registry, folder) = pushed();
    archive(folder.path(), "api:1.0", 2);
    let ran = verify(&registry, folder.path(), &["web.tar", "api.tar", "-o", "table", "-q"]).run().exits(8);
    let rows: Vec<&str> = ran.stdout.lines().collect();
    assert!(rows[1].contains(" ok ") && rows[2].contains(" missing "), "{ran}");
}

#[test]
fn what_could_not_be_found_out_is_no_difference() {
    let (registry, folder) = pushed();
    let denied = Answer::refused(403, "DENIED", "no");
    registry.script(Match::method("HEAD").path_contains("/blobs/").times(2), Fault::Answer(denied));
    let ran = verify(&registry, folder.path(), &["web.tar", "-o", "json"]).run().exits(7);
    let report = document(&ran);
    assert_eq!(report["images"][0]["status"], "failed");
    assert_eq!(report["images"][0]["differences"], json!([]));
}

#[test]
fn a_registry_that_is_away_ends_the_run() {
    let (registry, folder) = pushed();
    registry.refuse_connections();
    registry.reset_connections();
    verify(&registry, folder.path(), &["web.tar", "--retries", "0"]).run().exits(6);
}

#[test]
fn flags_that_only_a_push_has_are_usage_errors() {
    let (registry, folder) = pushed();
    verify(&registry, folder.path(), &["web.tar", "--force"]).run().exits(2);
}

#[test]
fn a_blob_of_any_size_is_read() {
    let (registry, folder) = (Registry::distribution().start(), folder());
    let path = folder.path().join("large.tar");
    image::docker_archive(&path, &[Image::new("large:1").layer(1, 12 << 20)]);
    push(&registry, folder.path(), &["large.tar"]);
    assert!(layer(1, 12 << 20).len() > 8 << 20);
    verify(&registry, folder.path(), &["--deep", "large.tar"]).run().exits(0);
}

#[test]
fn a_blob_that_is_elsewhere_is_followed_without_the_login() {
    let (registry, folder) = pushed();
    let storage = Registry::distribution().start();
    let layer = first_layer(&registry);
    storage.put_blob("giteaadmin/web", registry.blob("giteaadmin/web", &layer).unwrap());
    let get = Match::method("GET").path_contains(&layer);
    registry.script(get, Fault::Redirect(storage.origin()));
    verify(&registry, folder.path(), &["--deep", "web.tar"]).run().exits(0);
    let asked = storage.requests();
    assert_eq!(asked.len(), 1, "{:#?}", storage.lines());
    assert!(asked[0].header("authorization").is_none());
    registry.assert_orderly();
}
