use std::ffi::OsStr;

use serde::Deserialize;
use serde_json::Value;

use super::PLUGIN;
use crate::cli::called::{Called, Role};

/// A manifest as JSON, so that keys and kinds can be looked at.
fn read(text: &str) -> Value {
    serde_saphyr::from_str::<Yaml>(text).unwrap().0
}

#[derive(Deserialize)]
struct Yaml(Value);

const KREW: &str = include_str!("../../../../krew-manifest.yaml");
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

fn pairs(platforms: &Value, of: impl Fn(&Value) -> &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    platforms.as_array().unwrap().iter().map(|one| (text(&of(one)["os"]), text(&of(one)["arch"]))).collect()
}

#[test]
fn the_three_descriptions_agree() {
    let (plugin, krew) = (read(PLUGIN), read(KREW));
    assert_eq!(plugin["spec"]["version"], VERSION);
    assert_eq!(krew["spec"]["version"], VERSION);
    assert_eq!(krew["metadata"]["name"], env!("CARGO_PKG_NAME"));
    assert_eq!(plugin["spec"]["binary"], env!("CARGO_PKG_NAME"));
    assert_eq!(plugin["spec"]["shortDescription"], krew["spec"]["shortDescription"]);
    let ours = pairs(&plugin["spec"]["platforms"], |platform| platform);
    assert_eq!(ours, pairs(&krew["spec"]["platforms"], |platform| &platform["selector"]["matchLabels"]));
}

#[test]
fn the_plugin_is_in_the_group_that_reports_are_in() {
    assert_eq!(read(PLUGIN)["apiVersion"], crate::cli::output::API_VERSION);
}

#[test]
fn a_host_completes_lines_by_the_command_that_is_named() {
    let completion = &read(PLUGIN)["spec"]["completion"];
    assert_eq!(completion["command"], serde_json::json!([crate::cli::args::COMPLETE]));
    assert_eq!(completion["protocol"], "cobra");
}

#[test]
fn every_alias_is_a_name_that_the_program_answers_to() {
    let plugin = read(PLUGIN);
    let by = |name: &str| Called::by(Some(OsStr::new(name)), None);
    let plain = by(env!("CARGO_PKG_NAME"));
    for alias in plugin["spec"]["aliases"].as_array().unwrap() {
        let called = by(alias.as_str().unwrap());
        assert!(called.name() != plain.name() || called.role() == Role::CredentialHelper, "{alias}");
    }
}

#[test]
fn the_rights_are_those_that_are_asked_for() {
    let rights = &read(PLUGIN)["spec"]["requires"]["rbac"];
    let needed: Vec<&str> = rights
        .as_array()
        .unwrap()
        .iter()
        .filter(|right| right["needed"] == true)
        .map(|right| right["resource"].as_str().unwrap())
        .collect();
    assert_eq!(needed, ["secrets", "localbuilds"]);
}
