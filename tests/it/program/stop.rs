//! Runs that are stopped from outside.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{archive, json, stored};
use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::{Program, Ran, Running, assert_ran};
use crate::kit::registry::{Fault, Match, Registry};

/// A run that was asked to stop ends within two seconds; this leaves one more to a machine that is busy.
const PROMISED: Duration = Duration::from_secs(3);

fn stopped_in_time(running: Running, signal: &str) -> Ran {
    running.signal(signal);
    let asked = Instant::now();
    let ran = running.wait();
    assert!(asked.elapsed() < PROMISED, "{:?} after the signal:\n{ran}", asked.elapsed());
    ran
}

/// `web:1` with one layer of so many MiB.
fn large(folder: &Path, mebibytes: usize) -> PathBuf {
    let path = folder.join("web.tar");
    image::docker_archive(&path, &[Image::new("web:1").layer(9, mebibytes << 20)]);
    path
}

/// A push whose layer takes several requests.
fn in_pieces(registry: &Registry, folder: &Path) -> Program {
    Program::push_to(registry).args(["--chunk-size", "1MiB"]).arg(large(folder, 3))
}

/// What is large is on its way, and does not arrive; a configuration does.
fn stall(registry: &Registry) {
    registry.script(Match::method("PATCH").always(), Fault::StopReading(100_000));
}

fn until_stalled(registry: &Registry) {
    registry.until(|registry| registry.requests().iter().any(|entry| entry.body_bytes >= 100_000));
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_run_whose_words_nobody_reads_can_be_stopped() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    // More is told of so many images than a pipe holds.
    let images: Vec<Image> = (0..800).map(|tag| Image::new(&format!("web:{tag}")).layer(1, 100)).collect();
    let path = folder.path().join("web.tar");
    image::docker_archive(&path, &images);
    let program = Program::push_to(&registry).args(["--progress", "json", "--dry-run"]).arg(path);
    let running = program.nobody_reads_stderr().start();
    registry.until(|registry| !registry.requests().is_empty());
    std::thread::sleep(Duration::from_secs(1));
    running.signal("TERM");
    running.wait().exits(143);
}

#[test]
fn a_verification_in_the_middle_is_stopped() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let web = archive(folder.path(), "web:1.0", 1);
    Program::push_to(&registry).arg(&web).run().exits(0);
    for path in ["/blobs/", "/manifests/"] {
        registry.script(Match::method("GET").path_contains(path), Fault::Stall);
        registry.clear_log();
        let running = Program::verify_in(&registry).args(["--deep", "-o", "json"]).arg(&web).start();
        let is_asked = |line: &String| line.starts_with("GET") && line.contains(path);
        registry.until(|registry| registry.lines().iter().any(is_asked));
        let ran = stopped_in_time(running, "INT").exits(130);
        let ran = ran.says(&["error: stopped before everything was looked at"]);
        assert_eq!(json(&ran)["exitCode"], 130);
        registry.clear_scripts();
    }
}

#[test]
fn an_upload_in_the_middle_is_stopped_and_its_session_deleted() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        for settings in [Registry::gitea(), Registry::gitea().behind_nginx(), Registry::distribution()] {
            let (registry, folder, temporary) = (settings.start(), folder(), folder());
            stall(&registry);
            let push = Program::push_to(&registry).arg("--tmp-dir").arg(temporary.path());
            let running = push.arg(large(folder.path(), 24)).start();
            until_stalled(&registry);
            let ran = stopped_in_time(running, signal).exits(code);
            assert_eq!(ran.stdout, "");
            let ran = ran.says(&["stopping", "error: stopped before everything was pushed"]);
            // What packing came to is remembered, and is a few bytes a layer.
            let left: Vec<_> = ran.left.iter().filter(|file| !file.starts_with(".cache")).collect();
            assert_eq!(left, [""; 0].map(Path::new));
            assert!(is_empty(temporary.path()));
            assert_eq!(registry.tags("giteaadmin/web"), [""; 0]);
            registry.until(|registry| registry.open_sessions().is_empty());
            registry.assert_orderly();
        }
    }
}

#[test]
fn an_answer_that_does_not_come_does_not_hold_up_the_end() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let drip = Fault::SlowAnswer { bytes: 1, every: Duration::from_secs(1) };
    registry.script(Match::method("PATCH"), drip);
    let running = in_pieces(&registry, folder.path()).start();
    registry.until(|registry| {
        registry.requests().iter().any(|entry| entry.status == Some(202) && entry.method == "PATCH")
    });
    stopped_in_time(running, "INT").exits(130);
    registry.until(|registry| registry.open_sessions().is_empty());
    registry.assert_orderly();
}

#[test]
fn what_finished_before_is_reported() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    stall(&registry);
    let api = archive(folder.path(), "api:1", 1);
    // The small image is first, and is not cut in pieces.
    let flags = ["-o", "json", "--chunk-size", "1MiB"];
    let running = Program::push_to(&registry).args(flags).arg(api).arg(large(folder.path(), 3)).start();
    registry.until(|registry| {
        !registry.tags("giteaadmin/api").is_empty()
            && registry.requests().iter().any(|entry| entry.body_bytes >= 100_000)
    });
    let ran = stopped_in_time(running, "INT").exits(130);
    let report = json(&ran);
    let statuses = |index: usize| report["images"][index]["status"].as_str().unwrap();
    assert_eq!((statuses(0), statuses(1)), ("pushed", "cancelled"), "{ran}");
    assert_eq!(report["exitCode"], 130);
    stored::whole(&registry, "giteaadmin/api", "1");
    registry.until(|registry| registry.open_sessions().is_empty());
    registry.assert_orderly();
}

#[test]
fn a_stopped_run_says_what_to_do() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    stall(&registry);
    let running = in_pieces(&registry, folder.path()).args(["--progress", "none", "-l", "warn"]).start();
    until_stalled(&registry);
    assert_ran!(stopped_in_time(running, "INT"));
}

#[test]
fn a_second_signal_ends_at_once() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    stall(&registry);
    registry.script(Match::method("DELETE").always(), Fault::Stall);
    let running = in_pieces(&registry, folder.path()).start();
    until_stalled(&registry);
    running.signal("INT");
    registry.until(|registry| registry.count("DELETE") == 1);
    running.signal("INT");
    let asked = Instant::now();
    let ran = running.wait().exits(130);
    // Less than the second that deleting a session may take.
    assert!(asked.elapsed() < Duration::from_millis(700), "{:?}:\n{ran}", asked.elapsed());
}

#[test]
fn a_registry_that_answers_nothing_any_more_does_not_hold_up_the_end() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    stall(&registry);
    registry.script(Match::method("DELETE").always(), Fault::Stall);
    let running = in_pieces(&registry, folder.path()).start();
    until_stalled(&registry);
    stopped_in_time(running, "TERM").exits(143);
}

#[test]
fn a_run_that_waits_for_the_registrys_first_answer_is_stopped() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    registry.script(Match::any().always(), Fault::Stall);
    let running = Program::push_to(&registry).arg(archive(folder.path(), "web:1", 1)).start();
    registry.until(|registry| registry.requests().len() == 1);
    stopped_in_time(running, "INT").exits(130);
    registry.assert_orderly();
}

#[test]
fn a_run_that_waits_before_its_next_attempt_is_stopped() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let asked = crate::kit::registry::Answer::new(503).with("Retry-After", "100");
    registry.script(Match::method("POST").always(), Fault::Answer(asked));
    let running = Program::push_to(&registry).arg(archive(folder.path(), "web:1", 1)).start();
    registry.until(|registry| registry.count("POST") > 0);
    stopped_in_time(running, "INT").exits(130);
    registry.assert_orderly();
}

#[test]
fn packing_is_stopped() {
    let (registry, folder, temporary) = (Registry::gitea().start(), folder(), folder());
    let source = folder.path().join("web.tar");
    image::docker_archive(&source, &[Image::new("web:1").layer(9, 96 << 20)]);
    let push = Program::push_to(&registry).args(["-l", "debug"]).arg("--tmp-dir").arg(temporary.path());
    let running = push.arg(source).start();
    while !running.stderr().contains("DEBUG packing ") {
        std::thread::sleep(Duration::from_millis(1));
    }
    let ran = stopped_in_time(running, "INT").exits(130);
    assert!(is_empty(temporary.path()));
    assert!(!ran.stderr.contains("failed"), "{ran}");
    registry.assert_orderly();
}

#[test]
fn the_time_of_a_whole_run_can_be_limited() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    stall(&registry);
    let ran = in_pieces(&registry, folder.path()).args(["--timeout", "1s"]).run().exits(6);
    ran.says(&["the time of --timeout"]);
    registry.until(|registry| registry.open_sessions().is_empty());
    assert_eq!(registry.violations(), [""; 0]);
}
