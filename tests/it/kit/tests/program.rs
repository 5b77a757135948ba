use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::kit::folder;
use crate::kit::program::{Program, assert_ran};

fn shell(script: &str) -> Program {
    Program::called(Path::new("/bin/sh")).args(["-c", script])
}

#[test]
fn both_streams_and_the_exit_code_are_kept() {
    let ran = shell("cat; echo err >&2; exit 3").input("from standard input\n").run().exits(3).says(&["err"]);
    assert_ran!(ran, @r"
    exit: 3
    ----- stdout
    from standard input
    ----- stderr
    err
    ");
}

#[test]
fn the_environment_is_what_the_test_says() {
    let ran = shell("env | cut -d= -f1 | sort").env("EXTRA", "1").run();
    // The last is the profile of who counts the lines that tests run.
    let ours = ["PWD", "SHLVL", "_", "OLDPWD", "LLVM_PROFILE_FILE"];
    let mut names: Vec<&str> = ran.stdout.lines().filter(|name| !ours.contains(name)).collect();
    names.sort_unstable();
    assert_eq!(names, ["CONTAINER_HOST", "DOCKER_HOST", "EXTRA", "HOME", "PATH", "TMPDIR"]);
}

#[test]
fn what_differs_from_run_to_run_is_not_in_a_snapshot() {
    let folder = folder();
    let file = folder.path().join("web.tar");
    let text = format!("`{}` to 127.0.0.1:40123 in 2.1 s at 48 MiB/s, $HOME/x", file.display());
    assert_ran!(shell(&format!("echo \"{}\"", text.replace('`', "'"))).run(), @r"
    exit: 0
    ----- stdout
    '[TEMP]/web.tar' to 127.0.0.1:[PORT] in [TIME] at [SPEED], [HOME]/x
    ----- stderr
    ");
}

#[test]
#[should_panic(expected = "still running")]
fn a_program_that_does_not_end_is_ended() {
    shell("exec sleep 60").limit(Duration::from_millis(50)).run();
}

#[test]
fn a_program_can_be_signalled_while_it_runs() {
    // Not INT: in the background of a shell that is ignored, and an ignored signal cannot be trapped.
    let running = shell("trap 'exit 130' TERM; echo ready >&2; while :; do sleep 0.01; done").start();
    while !running.stderr().contains("ready") {
        std::thread::yield_now();
    }
    running.signal("TERM");
    running.wait().exits(130);
}

#[test]
fn a_program_starts_in_its_own_home() {
    let program = shell("cat note; pwd");
    fs::write(program.home().join("note"), "hello\n").unwrap();
    assert_eq!(program.run().to_string(), "exit: 0\n----- stdout\nhello\n[HOME]\n----- stderr\n");
    let elsewhere = folder();
    let ran = shell("pwd").current_dir(elsewhere.path()).run();
    assert_eq!(Path::new(ran.stdout.trim()), elsewhere.path());
}

#[test]
fn a_push_is_told_where_the_registry_is_and_who_asks() {
    let arguments = |registry: &Registry| {
        let echo = Program::push_to(registry);
        format!("{echo:?}")
    };
    assert!(
        arguments(&Registry::gitea().start()).contains("--plain-http --username giteaAdmin --password-stdin")
    );
    let tls = arguments(&Registry::distribution().https("localhost").start());
    assert!(tls.contains("--registry localhost:") && tls.contains("--ca-file"), "{tls}");
    assert!(!tls.contains("--username"), "{tls}");
}
