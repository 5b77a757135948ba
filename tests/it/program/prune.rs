//! What pushes left behind, and how it is deleted.

use serde_json::{Value, json};

use super::{archive, json};
use crate::kit::image::{self, Image};
use crate::kit::program::{Program, Ran, assert_ran};
use crate::kit::registry::{Answer, Fault, Match, PASSWORD, Registry, Scope, USER, User};

/// Pushes `web:1.0` as often as it is said, each time with another content. Gives the digests.
fn pushed(registry: &Registry, times: u64) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    (0..times)
        .map(|seed| {
            Program::push_to(registry).arg(archive(folder.path(), "web:1.0", seed)).run().exits(0);
            registry.manifest("giteaadmin/web", "1.0").unwrap().digest
        })
        .collect()
}

/// Which of the digests are there.
fn there(registry: &Registry, digests: &[String]) -> Vec<bool> {
    digests.iter().map(|digest| registry.manifest("giteaadmin/web", digest).is_some()).collect()
}

fn prune(registry: &Registry, flags: &[&str]) -> Ran {
    Program::prune_on(registry).args(["--progress", "lines", "-l", "warn"]).args(flags).run()
}

fn statuses(report: &Value) -> Vec<(&str, &str)> {
    let versions = report["versions"].as_array().unwrap().iter();
    versions
        .map(|version| (version["status"].as_str().unwrap(), version["reason"].as_str().unwrap_or_default()))
        .collect()
}

#[test]
fn what_no_tag_needs_is_listed_and_deleted() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 3);
    let ran = prune(&registry, &["web", "--keep", "0", "--yes"]).exits(0);
    let named = |digest: &String| format!("{}/giteaadmin/web@{digest}", registry.address());
    // The newest first.
    let expected: Vec<String> = digests[..2].iter().rev().map(named).collect();
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected);
    assert_eq!(there(&registry, &digests), [false, false, true]);
    super::stored::whole(&registry, "giteaadmin/web", "1.0");
    registry.assert_orderly();
    let again = prune(&registry, &["web", "--keep", "0", "--yes"]).exits(0);
    assert_eq!(again.stdout, "");
}

#[test]
fn the_newest_stay() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 4);
    prune(&registry, &["--keep", "2", "--yes"]).exits(0);
    assert_eq!(there(&registry, &digests), [false, true, true, true]);
}

#[test]
fn a_dry_run_only_lists() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 3);
    registry.clear_log();
    let ran = prune(&registry, &["--keep", "0", "--dry-run"]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 2);
    assert_eq!(there(&registry, &digests), [true; 3]);
    assert_eq!(super::writes(&registry), 0);
}

#[test]
fn nothing_is_deleted_where_nobody_can_be_asked() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 2);
    let ran = prune(&registry, &["web", "--keep", "0"]);
    assert_eq!(there(&registry, &digests), [true; 2]);
    assert_ran!(ran);
}

#[test]
fn what_becomes_of_each_version_is_told() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 3);
    let ran = prune(&registry, &["web", "--keep", "1", "--yes", "-o", "json"]).exits(0);
    let report = json(&ran);
    assert_eq!((&report["kind"], &report["dryRun"]), (&json!("PruneReport"), &json!(false)));
    assert_eq!(report["auth"]["username"], USER);
    assert_eq!(statuses(&report), [("deleted", ""), ("kept", "tagged 1.0"), ("kept", "one of the newest")]);
    let first = &report["versions"][0];
    assert_eq!(first["reference"], format!("{}/giteaadmin/web@{}", registry.address(), digests[0]));
    let summary = &report["summary"];
    assert_eq!(
        (&summary["deleted"], &summary["kept"], &summary["images"]),
        (&json!(1), &json!(2), &json!(1))
    );
    assert!(summary["bytesFreed"].as_u64().unwrap() > 0);
    assert_eq!(report["exitCode"], 0);
}

#[test]
fn the_table_and_the_summary_say_why_something_stays() {
    let registry = Registry::gitea().start();
    pushed(&registry, 3);
    assert_ran!(prune(&registry, &["web", "--keep", "1", "--yes", "-o", "table"]));
}

#[test]
fn an_index_stays_whole_or_goes_whole() {
    let registry = Registry::gitea().start();
    let folder = tempfile::tempdir().unwrap();
    for seed in [1, 2] {
        let images = ["amd64", "arm64"]
            .map(|architecture| Image::new("web:1.0").architecture(architecture).layer(seed, 900));
        let layout = folder.path().join(seed.to_string());
        image::index_layout(&layout, "1.0", &images);
        Program::push_to(&registry).args(["--as", "web:1.0"]).arg(layout).run().exits(0);
    }
    let ran = prune(&registry, &["web", "--keep", "0", "--yes", "-o", "json"]).exits(0);
    let report = json(&ran);
    let deleted = statuses(&report).into_iter().filter(|(status, _)| *status == "deleted").count();
    assert_eq!(deleted, 3, "{ran}");
    super::stored::whole(&registry, "giteaadmin/web", "1.0");
    registry.assert_orderly();
}

#[test]
fn an_image_below_a_path_is_named_by_its_whole_path() {
    let registry = Registry::gitea().owner("team").start();
    let folder = tempfile::tempdir().unwrap();
    for seed in [1, 2] {
        let file = archive(folder.path(), "web:1.0", seed);
        for name in ["team/apps/web:1.0", "team/web:1.0"] {
            Program::push_to(&registry).args(["--as", name]).arg(&file).run().exits(0);
        }
    }
    let ran = prune(&registry, &["team/apps/web", "--keep", "0", "--yes"]).exits(0);
    assert!(ran.stdout.contains("/team/apps/web@sha256:") && ran.stdout.lines().count() == 1, "{ran}");
    let rest = prune(&registry, &["--owner", "team", "--keep", "0", "--yes"]).exits(0);
    assert!(rest.stdout.contains("/team/web@sha256:") && rest.stdout.lines().count() == 1, "{rest}");
}

#[test]
fn a_list_of_many_pages_is_read_whole() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 60);
    prune(&registry, &["--keep", "0", "--yes"]).exits(0);
    assert_eq!(there(&registry, &digests).iter().filter(|there| **there).count(), 1);
}

#[test]
fn a_list_that_does_not_add_up_deletes_nothing() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 3);
    let wrong = Fault::Header("X-Total-Count".to_owned(), "3".to_owned());
    registry.script(Match::method("GET").path_contains("/packages/").always(), wrong);
    prune(&registry, &["--keep", "0", "--yes"]).exits(6).says(&["changes while it is read"]);
    assert_eq!(there(&registry, &digests), [true; 3]);
}

#[test]
fn a_manifest_that_cannot_be_read_keeps_its_image() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 2);
    let gone = Match::method("GET").path_contains("/manifests/1.0").always();
    registry.script(gone, Fault::Answer(Answer::text(404, "gone")));
    let ran = prune(&registry, &["web", "--keep", "0", "--yes"]);
    assert_eq!(there(&registry, &digests), [true; 2]);
    assert_ran!(ran);
}

#[test]
fn a_version_that_is_gone_already_is_no_failure() {
    let registry = Registry::gitea().start();
    pushed(&registry, 2);
    // The answer is lost, and the second attempt finds nothing.
    registry.script(Match::method("DELETE"), Fault::AnswerLost);
    let ran = prune(&registry, &["web", "--keep", "0", "--yes", "-o", "json"]).exits(0);
    assert_eq!(statuses(&json(&ran)), [("gone", ""), ("kept", "tagged 1.0")]);
    registry.assert_orderly();
}

#[test]
fn a_version_that_cannot_be_deleted_is_told() {
    let registry = Registry::gitea().start();
    pushed(&registry, 3);
    let lost = Match::method("DELETE").always();
    registry.script(lost, Fault::Answer(Answer::html(404, "404 Not Found")));
    assert_ran!(prune(&registry, &["web", "--keep", "0", "--yes"]));
}

#[test]
fn a_token_that_may_only_read_deletes_nothing() {
    let user = User::new("reader", "made-up").access_token("read-token", Scope::Read);
    let registry = Registry::gitea().user(user).start();
    pushed(&registry, 3);
    let program = Program::new().args(["prune", "giteaadmin/web", "--keep", "0", "--yes", "--plain-http"]);
    let program = program.args(["--progress", "lines", "-l", "warn", "--registry", &registry.address()]);
    assert_ran!(program.login("reader", "read-token").run());
}

#[test]
fn the_second_identity_and_the_registrys_tokens_are_kept_apart() {
    let user = User::new("dev", "dev-dev").access_token("write-token", Scope::Write);
    let registry = Registry::gitea().user(user).start();
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--plain-http", "--registry", &registry.address(), "--token", "write-token"];
    for seed in [1, 2] {
        let push = Program::new().args(flags).args(["--owner", "dev"]);
        push.arg(archive(folder.path(), "web:1.0", seed)).run().exits(0);
    }
    let ran = Program::new().args(["prune", "dev/web", "--keep", "0", "--yes"]).args(flags).run().exits(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
    registry.assert_orderly();
}

#[test]
fn an_owner_or_an_image_that_is_not_there_is_told() {
    let registry = Registry::gitea().start();
    pushed(&registry, 1);
    prune(&registry, &["nobody/web"]).exits(7).says(&["has no user or organisation \"nobody\""]);
    prune(&registry, &["wep"]).exits(3).says(&["there is no image `giteaadmin/wep`"]);
    prune(&registry, &["web:1.0"]).exits(2).says(&["a name without tag and digest"]);
}

#[test]
fn a_registry_that_is_no_gitea_is_refused() {
    let registry = Registry::distribution().start();
    assert_ran!(prune(&registry, &["web", "--yes"]));
    assert_eq!(super::writes(&registry), 0);
}

#[test]
fn the_password_is_in_no_log() {
    let registry = Registry::gitea().start();
    pushed(&registry, 2);
    let ran = Program::prune_on(&registry).args(["--keep", "0", "--yes", "-v"]).run().exits(0);
    assert!(!ran.stderr.contains(PASSWORD) && ran.stderr.contains("/api/v1/packages/"), "{ran}");
}

#[test]
fn a_run_that_is_stopped_deletes_nothing_more() {
    let registry = Registry::gitea().start();
    let digests = pushed(&registry, 3);
    registry.script(Match::method("DELETE").always(), Fault::Stall);
    let program = Program::prune_on(&registry).args(["web", "--keep", "0", "--yes", "-o", "json"]);
    let running = program.start();
    registry.until(|registry| registry.count("DELETE") == 1);
    running.signal("INT");
    let ran = running.wait().exits(130).says(&["stopped before everything was deleted"]);
    let report = json(&ran);
    let words: Vec<&str> = statuses(&report).iter().map(|(status, _)| *status).collect();
    assert_eq!(words, ["cancelled", "cancelled", "kept"]);
    assert_eq!(there(&registry, &digests), [true; 3]);
}

#[test]
fn an_api_that_is_nowhere_is_told() {
    let registry = Registry::gitea().start();
    pushed(&registry, 1);
    let version = Match::any().path_contains("/api/v1/version").always();
    registry.script(version, Fault::Answer(Answer::html(404, "404 Not Found")));
    prune(&registry, &["web"]).exits(6).says(&["neither at /api/v1 nor at /gitea/api/v1"]);
}
