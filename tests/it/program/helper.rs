//! The program as docker's credential helper, on a machine without a cluster.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::json;

use super::testdata;
use crate::kit::program::{Program, Ran};
use crate::kit::registry::Registry;

const NONE: &str = "credentials not found in native keychain\n";

fn helper(verb: &str, input: &str) -> Ran {
    let folder = crate::kit::folder();
    let link = folder.path().join("docker-credential-idpbuilder");
    symlink(Path::new(env!("CARGO_BIN_EXE_idpbuilder-push")), &link).unwrap();
    Program::called(&link).arg(verb).input(input).run()
}

#[test]
fn without_a_cluster_there_is_no_login_and_an_empty_list() {
    let ran = helper("get", "https://gitea.cnoe.localtest.me:8443\n").exits(1);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (NONE, ""));
    let ran = helper("list", "").exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("{}\n", ""));
}

#[test]
fn what_docker_wants_to_keep_is_refused_in_one_line() {
    for verb in ["store", "erase", "push", "--version"] {
        let ran = helper(verb, "{\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":\"made-up\"}").exits(1);
        assert!(ran.stdout.lines().count() == 1 && ran.stderr.is_empty(), "{ran}");
        assert!(!ran.stdout.contains("made-up"), "{ran}");
    }
}

#[test]
fn a_push_does_not_ask_its_own_helper() {
    let registry = Registry::distribution().start();
    let flags = ["--plain-http", "--auth", "docker", "--registry"];
    let push = Program::new().args(flags).arg(registry.address()).arg(testdata("skopeo-oci.tar"));
    let (config, helpers) = (push.home().join(".docker"), push.home().join("helpers"));
    fs::create_dir(&config).unwrap();
    fs::write(config.join("config.json"), json!({ "credsStore": "idpbuilder" }).to_string()).unwrap();
    fs::create_dir(&helpers).unwrap();
    let program = helpers.join("docker-credential-idpbuilder");
    let asked = helpers.join("asked");
    fs::write(&program, format!("#!/bin/sh\n: > '{}'\n", asked.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = push.env("PATH", format!("{}:/usr/bin:/bin", helpers.display())).run().exits(0);
    assert!(!ran.left.iter().any(|file| file.ends_with("asked")), "{:?}", ran.left);
}
