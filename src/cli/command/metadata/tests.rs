use serde::Deserialize;
use serde_json::Value;

use super::PLUGIN;

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

/// krew reads loosely: a wrong key passes in silence and then is missing.
#[test]
fn the_krew_manifest_has_the_keys_that_krew_knows_and_no_others() {
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let krew = read(KREW);
    assert_eq!(keys(&krew), ["apiVersion", "kind", "metadata", "spec"]);
    assert_eq!(krew["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(
        keys(&krew["spec"]),
        ["caveats", "description", "homepage", "platforms", "shortDescription", "version"]
    );
    assert!(krew["spec"]["shortDescription"].as_str().unwrap().len() <= 50);
    for platform in krew["spec"]["platforms"].as_array().unwrap() {
        assert_eq!(keys(platform), ["bin", "files", "selector", "sha256", "uri"]);
        let windows = platform["selector"]["matchLabels"]["os"] == "windows";
        let suffix = if windows { ".exe" } else { "" };
        assert_eq!(platform["bin"], format!("{}{suffix}", env!("CARGO_PKG_NAME")));
        let sum = platform["sha256"].as_str().unwrap();
        assert!(sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        let uri = platform["uri"].as_str().unwrap();
        assert!(uri.contains(VERSION) && uri.ends_with(".tar.gz"), "{uri}");
        let files = platform["files"].as_array().unwrap();
        assert!(files.iter().all(|file| file["to"] == "."), "{files:?}");
        for needed in [platform["bin"].as_str().unwrap(), "LICENSE"] {
            assert!(files.iter().any(|file| file["from"] == needed), "{needed}");
        }
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
