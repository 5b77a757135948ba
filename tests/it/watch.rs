//! Sources that change while they are watched.
#![cfg(unix)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::folder;
use crate::kit::image::{Image, docker_archive, oci_layout};
use crate::kit::program::{Program, Running};
use crate::kit::registry::{Fault, Match, Registry};

/// Longer than a file has to stay the same before it is read.
const SETTLED: Duration = Duration::from_secs(1);

/// The archive of an image with this for its content, as bytes.
fn archive(seed: u64) -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("web.tar");
    docker_archive(&path, &[Image::new("web:1").layer(seed, 60_000)]);
    fs::read(path).unwrap()
}

/// A registry, and an archive that is watched for it.
struct Case {
    registry: Registry,
    _folder: TempDir,
    file: PathBuf,
}

impl Case {
    fn new() -> Self {
        let folder = folder();
        let file = folder.path().join("web.tar");
        fs::write(&file, archive(1)).unwrap();
        Self { registry: Registry::gitea().start(), _folder: folder, file }
    }

    fn watch(&self) -> Program {
        Program::watch_to(&self.registry).arg(&self.file)
    }

    fn write(&self, seed: u64) {
        fs::write(&self.file, archive(seed)).unwrap();
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.file.with_file_name(name)
    }
}

fn pushed(running: &Running, count: usize) {
    running.until(&format!("{count} pushes"), |running| running.stdout().lines().count() >= count);
}

/// Ends the watch, and gives what was pushed.
fn ended(running: Running) -> Vec<String> {
    running.signal("INT");
    let ran = running.wait().exits(0).says(&["watched for "]);
    ran.stdout.lines().map(str::to_owned).collect()
}

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_file_is_pushed_each_time_that_it_is_written_anew() {
    let case = Case::new();
    let running = case.watch().start();
    pushed(&running, 1);
    case.write(2);
    pushed(&running, 2);
    let renamed = case.beside("next");
    fs::write(&renamed, archive(3)).unwrap();
    fs::rename(&renamed, &case.file).unwrap();
    pushed(&running, 3);
    running.signal("INT");
    let ran = running.wait().exits(0).says(&["watching  ", ": 3 pushes, 0 failed, "]);
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    let stored = case.registry.manifest("giteaadmin/web", "1").unwrap();
    assert_eq!(
        *lines.last().unwrap(),
        format!("{}/giteaadmin/web:1@{}", case.registry.address(), stored.digest)
    );
    lines.dedup();
    assert_eq!(lines.len(), 3, "{ran}");
    case.registry.assert_orderly();
}

#[test]
fn a_file_that_was_only_touched_is_not_pushed_again() {
    let case = Case::new();
    let running = case.watch().start();
    pushed(&running, 1);
    let before = (running.stderr(), case.registry.requests().len());
    case.write(1);
    sleep(SETTLED);
    assert_eq!((running.stderr(), case.registry.requests().len()), before);
    assert_eq!(ended(running).len(), 1);
}

#[test]
fn a_file_that_is_written_slowly_is_pushed_once_it_is_whole() {
    let case = Case::new();
    let running = case.watch().start();
    pushed(&running, 1);
    let mut file = OpenOptions::new().write(true).truncate(true).open(&case.file).unwrap();
    let whole = archive(2);
    for piece in whole.chunks(whole.len() / 4) {
        file.write_all(piece).unwrap();
        sleep(SETTLED);
    }
    pushed(&running, 2);
    let text = running.stderr();
    assert_eq!(ended(running).len(), 2);
    assert!(!text.contains("error"), "{text}");
    case.registry.assert_orderly();
}

#[test]
fn a_file_that_is_removed_and_made_again_is_pushed() {
    let case = Case::new();
    fs::remove_file(&case.file).unwrap();
    let running = case.watch().start();
    running.until("waiting", |running| running.stderr().contains("does not exist"));
    case.write(1);
    pushed(&running, 1);
    fs::remove_file(&case.file).unwrap();
    sleep(SETTLED);
    case.write(1);
    sleep(SETTLED);
    assert_eq!(running.stdout().lines().count(), 1);
    case.write(2);
    pushed(&running, 2);
    assert_eq!(ended(running).len(), 2);
}

#[test]
fn what_can_be_read_only_once_is_not_watched() {
    let case = Case::new();
    let pipe = case.beside("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [pipe.as_path(), Path::new("/dev/stdin")] {
        let said = format!("`{}` is a stream, which can be read only once", path.display());
        Program::watch_to(&case.registry).arg(path).run().exits(2).says(&[&said]);
    }
    assert!(case.registry.requests().is_empty());
}

#[test]
fn a_layout_is_pushed_when_its_index_changes() {
    let case = Case::new();
    let folder = case.beside("layout");
    oci_layout(&folder, &[Image::new("web:1").layer(1, 5000)]);
    let running = Program::watch_to(&case.registry).arg(&folder).start();
    pushed(&running, 1);
    oci_layout(&folder, &[Image::new("web:1").layer(2, 5000)]);
    pushed(&running, 2);
    assert_eq!(ended(running).len(), 2);
}

#[test]
fn the_command_runs_after_each_push_without_our_secrets() {
    let case = Case::new();
    let (after, out) = (case.beside("after"), case.beside("out"));
    script(&after, "env > \"$1.new\"; echo told \"$2\"; mv \"$1.new\" \"$1\"; exit 3");
    let running = Program::watch_to(&case.registry)
        .env("IDPBUILDER_REGISTRY_TOKEN", "")
        .env("IDPBUILDER_REGISTRY_PASSWORD", "")
        .arg(&case.file)
        .arg("--on-push")
        .arg(&after)
        .arg(&out)
        .arg("--force");
    let running = running.start();
    running.until("run", |running| running.stderr().contains("warning: --on-push"));
    let first = fs::read_to_string(&out).unwrap();
    assert!(!first.contains("IDPBUILDER_REGISTRY_"), "{first}");
    case.write(2);
    running.until("run again", |running| running.stderr().matches("warning: --on-push").count() == 2);
    let text = running.stderr();
    assert!(text.contains("told --force\n") && text.contains("failed (exit status: 3)"), "{text}");
    let environment = fs::read_to_string(&out).unwrap();
    let images = ended(running);
    let (reference, digest) = images.last().unwrap().split_once('@').unwrap();
    for (name, value) in [("REFERENCE", reference), ("DIGEST", digest), ("IMAGE", images.last().unwrap())] {
        assert!(environment.contains(&format!("IDPBUILDER_PUSH_{name}={value}\n")), "{environment}");
    }
}

#[test]
fn a_password_of_the_environment_is_not_given_on() {
    let registry = Registry::gitea().start();
    let case = Case::new();
    let out = case.beside("out");
    let running = Program::new()
        .args(["watch", "--registry", &registry.address(), "--plain-http"])
        .env("IDPBUILDER_REGISTRY_USERNAME", crate::kit::registry::USER)
        .env("IDPBUILDER_REGISTRY_PASSWORD", crate::kit::registry::PASSWORD)
        .arg(&case.file)
        .args(["--on-push", "sh", "-c", "env > \"$0.new\"; mv \"$0.new\" \"$0\""])
        .arg(&out)
        .start();
    running.until("run", |_| out.exists());
    // The shell may not have ended yet, and is ended then.
    running.signal("INT");
    running.wait();
    let environment = fs::read_to_string(out).unwrap();
    assert!(environment.contains("IDPBUILDER_PUSH_IMAGE="), "{environment}");
    assert!(!environment.contains(crate::kit::registry::PASSWORD), "{environment}");
}

#[test]
fn a_command_that_runs_is_ended_with_the_watch() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let case = Case::new();
        let pid = case.beside("pid");
        let running = case
            .watch()
            .args(["--on-push", "sh", "-c", "echo $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; sleep 600 & wait"])
            .arg(&pid)
            .start();
        running.until("run", |_| pid.exists());
        running.signal(signal);
        running.wait().exits(code).says(&["was ended with the watch", ": 1 push, 0 failed"]);
        let pid = fs::read_to_string(pid).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists());
    }
}

#[test]
fn a_watch_that_waits_ends_well() {
    for signal in ["INT", "TERM"] {
        let case = Case::new();
        let running = case.watch().start();
        pushed(&running, 1);
        running.signal(signal);
        let ran = running.wait().exits(0);
        assert!(!ran.stderr.contains("stopping"), "{ran}");
    }
}

#[test]
fn a_push_that_is_cut_short_says_so() {
    let case = Case::new();
    case.registry.script(Match::any().path_contains("/uploads/").nth(2), Fault::Stall);
    let running = case.watch().start();
    case.registry.until(|registry| registry.unused_scripts().is_empty());
    running.signal("INT");
    running.wait().exits(130).says(&["stopped before everything was pushed", ": 0 pushes, 1 failed"]);
}

#[test]
fn a_push_that_failed_is_told_and_the_next_one_is_not_hindered() {
    let case = Case::new();
    let running = case.watch().start();
    pushed(&running, 1);
    case.registry.script(Match::method("PUT").path_contains("/manifests/").always(), Fault::status(403));
    case.write(2);
    running.until("failed", |running| running.stderr().contains("error: "));
    case.write(3);
    running.until("failed again", |running| running.stderr().matches("error: ").count() == 2);
    case.registry.clear_scripts();
    case.write(4);
    pushed(&running, 2);
    running.signal("INT");
    running.wait().exits(0).says(&[": 2 pushes, 2 failed, "]);
}

#[test]
fn a_registry_that_was_away_gets_what_it_missed() {
    let case = Case::new();
    let running = case.watch().args(["--retries", "0"]).start();
    pushed(&running, 1);
    case.registry.refuse_connections();
    case.registry.reset_connections();
    case.write(2);
    running.until("failed", |running| running.stderr().contains("error: "));
    case.registry.accept_connections();
    pushed(&running, 2);
    ended(running);
}

#[test]
fn each_push_is_a_document_in_a_line() {
    let case = Case::new();
    let running = case.watch().args(["-o", "json", "-q"]).start();
    pushed(&running, 1);
    case.write(2);
    pushed(&running, 2);
    running.signal("TERM");
    let ran = running.wait().exits(0);
    assert_eq!(ran.stderr, "");
    for line in ran.stdout.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&document["kind"], &document["summary"]["pushed"]), (&"PushReport".into(), &1.into()));
    }
}

#[test]
fn programs_are_told_of_a_watch_as_of_a_push() {
    let case = Case::new();
    let watch = case.watch().args(["-o", "yaml", "--progress", "json", "--on-push", "false"]);
    let running = watch.start();
    running.until("told of the command", |running| running.stderr().contains("--on-push: `false` failed"));
    running.signal("INT");
    let ran = running.wait().exits(0);
    assert!(ran.stdout.starts_with("---\napiVersion: "), "{ran}");
    let facts: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = facts.iter().map(|fact| fact["type"].as_str().unwrap()).collect();
    assert_eq!(
        (types[0], types[types.len() - 2], types[types.len() - 1]),
        ("connected", "warning", "finished")
    );
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let case = Case::new();
    let folder = case.file.parent().unwrap();
    for (word, said) in [(folder.as_os_str(), "no OCI layout"), ("-".as_ref(), "standard input cannot")] {
        let program = Program::new().args(["watch", "--registry", "127.0.0.1:1", "--plain-http"]);
        program.arg(word).run().exits(2).says(&[said]);
    }
    Program::new().args(["watch", "a:1", "b:1"]).run().exits(2);
    Program::new().arg("watch").run().exits(2);
    Program::new().args(["watch", "--dry-run", "a:1"]).run().exits(2).says(&["--dry-run"]);
}
