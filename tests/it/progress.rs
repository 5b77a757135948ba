//! What `--progress json` promises to programs.

use serde_json::Value;

use crate::kit::folder;
use crate::kit::image::{Image, docker_archive};
use crate::kit::program::{Program, Ran};
use crate::kit::registry::{Fault, Match, Registry};

/// All of the standard error, line by line.
fn lines(ran: &Ran) -> Vec<Value> {
    ran.stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["type"].as_str().unwrap()).collect()
}

#[test]
fn every_line_is_an_object_with_a_type_and_a_version_and_the_last_says_how_it_ended() {
    let registry = Registry::gitea().start();
    registry.script(Match::method("PUT").path_contains("manifests"), Fault::status(503));
    let folder = folder();
    let archive = folder.path().join("web.tar");
    docker_archive(&archive, &[Image::new("web:1").layer(1, 9000)]);
    let ran = Program::push_to(&registry).args(["--progress", "json"]).arg(&archive).run().exits(0);
    let lines = lines(&ran);
    assert!(lines.iter().all(|line| line["schemaVersion"] == 1), "{ran}");
    let types = types(&lines);
    let expected = [
        "connected",
        "imageFound",
        "planned",
        "imageStarted",
        "blobStarted",
        "retrying",
        "manifestPut",
        "imageFinished",
        "finished",
    ];
    let at =
        |kind: &str| types.iter().position(|one| *one == kind).unwrap_or_else(|| panic!("{kind}: {ran}"));
    let places: Vec<usize> = expected.into_iter().map(at).collect();
    assert!(places.is_sorted(), "{types:?}");
    assert_eq!(lines[places[0]]["registry"]["host"], registry.address());
    let last = lines.last().unwrap();
    assert_eq!((&last["exitCode"], &last["summary"]["pushed"]), (&0.into(), &1.into()));
    assert!(ran.stdout.contains("@sha256:"), "{ran}");
}

#[test]
fn logs_and_errors_keep_the_form() {
    let registry = Registry::gitea().start();
    let program = Program::push_to(&registry).args(["--progress", "json", "-v", "./none.tar"]);
    let ran = program.run().exits(3);
    let lines = lines(&ran);
    let ours: Vec<&Value> = lines.iter().filter(|line| line["schemaVersion"] == 1).collect();
    assert!(ours.len() < lines.len(), "there is no log: {ran}");
    assert_eq!(ours[ours.len() - 2]["type"], "error");
    assert_eq!(ours[ours.len() - 2]["code"], "SOURCE_NOT_FOUND");
    assert_eq!(ours[ours.len() - 1]["exitCode"], 3);
}

#[test]
fn what_is_not_even_begun_keeps_the_form() {
    let ran = Program::new().args(["push", "--progress", "json", "-u", "half", "x.tar"]).run().exits(2);
    let lines = lines(&ran);
    assert_eq!(types(&lines), ["error", "finished"]);
    assert_eq!(lines[1]["exitCode"], 2);
}
