//! The manifest by which krew installs the plugin, held to more than krew does: it reads loosely, so that a
//! mistake shows on the user's machine only.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::dist::package::{OWN, THIRD_PARTY, krew};

pub(crate) const MANIFEST: &str = include_str!("../../krew-manifest.yaml");
const PLUGIN: &str = include_str!("../../plugin.yaml");
const README: &str = include_str!("../../README.md");
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");
const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What krew is built for, in Go's names.
const SYSTEMS: [&str; 3] = ["linux", "darwin", "windows"];
const PROCESSORS: [&str; 2] = ["amd64", "arm64"];
/// What the bot that opens the pull request at krew's index reads.
const TEMPLATE: &str = include_str!("../../.krew.yaml");

#[derive(Deserialize)]
struct Yaml(Value);

pub(crate) fn read(text: &str) -> Value {
    serde_saphyr::from_str::<Yaml>(text).unwrap().0
}

/// Everything that is wrong with a manifest.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn rule(&mut self, (holds, rule): (bool, &str)) {
        if !holds {
            self.0.push(rule.to_owned());
        }
    }

    /// Exactly these keys: krew passes over a key that it does not know, in another case too.
    fn keys(&mut self, value: &Value, expected: &[&str]) {
        let mut found: Vec<&str> =
            value.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        self.rule((found == expected, &format!("keys are {expected:?}, not {found:?}")));
    }
}

pub(crate) fn faults(manifest: &Value, file: &str) -> Vec<String> {
    let mut faults = Faults::default();
    faults.keys(manifest, &["apiVersion", "kind", "metadata", "spec"]);
    faults.keys(&manifest["metadata"], &["name"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    faults.rule((
        manifest["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2",
        "the API's version",
    ));
    faults.rule((manifest["kind"] == "Plugin", "the kind"));
    let name = text(&manifest["metadata"]["name"]);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    faults.rule((!name.is_empty() && name.chars().all(plain), "a name of letters, digits, _ and -"));
    faults.rule((file == format!("{name}.yaml"), "an index has the manifest under the plugin's name"));
    let spec = &manifest["spec"];
    faults.keys(spec, &["version", "homepage", "shortDescription", "description", "caveats", "platforms"]);
    let version = text(&spec["version"]);
    faults.rule((version.strip_prefix('v').is_some_and(is_semantic), "a semantic version behind a v"));
    let short = text(&spec["shortDescription"]);
    faults.rule(((1..=50).contains(&short.chars().count()), "a short description of 50 characters at most"));
    faults.rule((!short.contains('\n') && !short.ends_with('.'), "one line without a full stop"));
    faults.rule((text(&spec["homepage"]).starts_with("https://"), "a homepage over https"));
    for long in ["description", "caveats"] {
        faults.rule((!text(&spec[long]).trim().is_empty(), long));
    }
    let platforms = spec["platforms"].as_array().cloned().unwrap_or_default();
    faults.rule((!platforms.is_empty(), "a platform at least"));
    let mut seen = Vec::new();
    for platform in &platforms {
        let pair = platform_faults(platform, &version, &mut faults);
        faults.rule((!seen.contains(&pair), "one entry for each platform"));
        seen.push(pair);
    }
    faults.0
}

fn platform_faults(platform: &Value, version: &str, faults: &mut Faults) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    faults.keys(platform, &["selector", "uri", "sha256", "bin", "files"]);
    faults.keys(&platform["selector"], &["matchLabels"]);
    let labels = &platform["selector"]["matchLabels"];
    faults.keys(labels, &["os", "arch"]);
    let (system, processor) = (text(&labels["os"]), text(&labels["arch"]));
    faults.rule((SYSTEMS.contains(&system.as_str()), "an operating system by Go's name"));
    faults.rule((PROCESSORS.contains(&processor.as_str()), "a processor by Go's name"));
    let packing = if system == "windows" { "zip" } else { "tar.gz" };
    let archive = format!("/releases/download/{version}/{NAME}_{version}_{system}_{processor}.{packing}");
    let uri = text(&platform["uri"]);
    faults.rule((uri.starts_with("https://") && uri.ends_with(&archive), "the archive of this platform"));
    let sum = text(&platform["sha256"]);
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    faults.rule((sum.len() == 64 && sum.bytes().all(hex), "a sum of 64 lower-case hexadecimal digits"));
    let bin = text(&platform["bin"]);
    let ending = if system == "windows" { ".exe" } else { "" };
    faults.rule((bin == format!("{NAME}{ending}"), "the program by its name on that system"));
    let files = platform["files"].as_array().cloned().unwrap_or_default();
    let mut extracted = Vec::new();
    for file in &files {
        faults.keys(file, &["from", "to"]);
        let (from, to) = (text(&file["from"]), text(&file["to"]));
        let known = from == bin || from == THIRD_PARTY || OWN.contains(&from.as_str());
        faults.rule((known, "a file that is in the archive"));
        faults.rule((is_clean(&to), "a clean target"));
        extracted.push(if to == "." { from } else { format!("{to}/{from}") });
    }
    for needed in [bin.as_str(), "LICENSE", THIRD_PARTY] {
        faults.rule((extracted.iter().any(|file| file == needed), &format!("{needed} is extracted")));
    }
    (system, processor)
}

/// As Go's `path.Clean` leaves it, relative and inside.
fn is_clean(path: &str) -> bool {
    path == "." || path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn is_semantic(version: &str) -> bool {
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let (numbers, before) = version.split_once('-').map_or((version, None), |(a, b)| (a, Some(b)));
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && (number(part) || !part.bytes().all(|b| b.is_ascii_digit()))
    };
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && before.is_none_or(|before| before.split('.').all(plain))
}

#[test]
fn the_manifest_keeps_every_rule() {
    assert_eq!(faults(&read(MANIFEST), "idpbuilder-push.yaml"), [""; 0]);
}

/// A sum of digits alone would be read as a number.
#[test]
fn sums_are_quoted() {
    sums_are_quoted_in(MANIFEST);
}

pub(crate) fn sums_are_quoted_in(manifest: &str) {
    let sums: Vec<&str> = manifest.lines().filter_map(|line| line.trim().strip_prefix("sha256: ")).collect();
    assert_eq!(sums.len(), read(manifest)["spec"]["platforms"].as_array().unwrap().len());
    for sum in sums {
        let quoted = sum.strip_prefix('"').and_then(|sum| sum.strip_suffix('"'));
        assert_eq!(quoted.map(str::len), Some(64), "{sum}");
    }
}

#[test]
fn every_file_of_the_archive_is_a_plain_one() {
    for file in OWN {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{file}");
    }
}

#[test]
fn the_bots_template_is_made_of_the_manifest() {
    assert_eq!(TEMPLATE, krew::template(MANIFEST).unwrap());
    // Filled in as the bot does it, it is the manifest, but for the sums.
    let filled: String = TEMPLATE
        .replace("{{ .TagName }}", &format!("v{VERSION}"))
        .lines()
        .map(|line| match line.split_once("{{addURIAndSha \"") {
            Some((place, rest)) => {
                let (uri, end) = rest.split_once('"').unwrap();
                assert_eq!(end, " .TagName }}");
                format!("{place}uri: {uri}\n{place}sha256: \"{}\"\n", "0".repeat(64))
            }
            None => format!("{line}\n"),
        })
        .collect();
    assert_eq!(read(&filled), read(MANIFEST));
}

/// Fails if one of these values in the place of the right one passes.
fn are_found(below: &str, wrong: &[(&str, Value)]) {
    for (place, wrong) in wrong {
        let mut manifest = read(MANIFEST);
        *manifest.pointer_mut(&format!("{below}{place}")).unwrap() = wrong.clone();
        assert!(!faults(&manifest, "idpbuilder-push.yaml").is_empty(), "{place} = {wrong}");
    }
}

#[test]
fn what_krew_lets_pass_or_refuses_is_found() {
    are_found(
        "",
        &[
            ("/apiVersion", json!("krew.googlecontainertools.github.com/v1alpha1")),
            ("/kind", json!("plugin")),
            ("/metadata/name", json!("idpbuilder push")),
            ("/metadata/name", json!("idpbuilder_push")),
            ("/spec/version", json!("0.1.0")),
            ("/spec/version", json!("v0.1")),
            ("/spec/version", json!("v01.0.0")),
            ("/spec/version", json!("v9.9.9")),
            ("/spec/shortDescription", json!("")),
            ("/spec/shortDescription", json!("two\nlines")),
            ("/spec/shortDescription", json!("x".repeat(51))),
            ("/spec/homepage", json!("http://example.com")),
            ("/spec/description", json!(" ")),
            ("/spec/platforms", json!([])),
        ],
    );
    let good = read(MANIFEST);
    for place in ["", "/metadata", "/spec", "/spec/platforms/0", "/spec/platforms/0/selector"] {
        let mut manifest = good.clone();
        manifest.pointer_mut(place).unwrap()["shortdescription"] = json!("x");
        assert!(!faults(&manifest, "idpbuilder-push.yaml").is_empty(), "another key in `{place}`");
    }
    assert!(!faults(&good, "krew-manifest.yaml").is_empty());
}

#[test]
fn what_is_wrong_with_one_platform_is_found() {
    let good = read(MANIFEST);
    are_found(
        "/spec/platforms",
        &[
            ("/0/selector/matchLabels", json!({ "os": "linux" })),
            ("/0/selector/matchLabels", json!({ "OS": "linux", "arch": "amd64" })),
            ("/0/selector/matchLabels/os", json!("macos")),
            ("/0/selector/matchLabels/arch", json!("x86_64")),
            ("/0/selector/matchLabels/arch", json!("arm64")),
            ("/0/uri", good["spec"]["platforms"][1]["uri"].clone()),
            ("/0/uri", json!("https://example.com/idpbuilder-push.tar.xz")),
            ("/0/uri", json!("http://example.com/idpbuilder-push_v0.1.0_linux_amd64.tar.gz")),
            (
                "/4/uri",
                json!(
                    "https://example.com/releases/download/v0.1.0/idpbuilder-push_v0.1.0_windows_amd64.tar.gz"
                ),
            ),
            ("/0/sha256", json!(0)),
            ("/0/sha256", json!("A".repeat(64))),
            ("/0/sha256", json!("a".repeat(63))),
            ("/0/bin", json!("./idpbuilder-push")),
            ("/0/bin", json!("idpbuilder-push.exe")),
            ("/4/bin", json!("idpbuilder-push")),
            ("/0/files", json!([{ "from": "idpbuilder-push", "to": "." }])),
            ("/0/files/1/to", json!("./LICENSE")),
            ("/0/files/1/to", json!("/LICENSE")),
            ("/0/files/0/to", json!("./")),
            ("/0/files/0/to", json!("bin")),
            ("/0/files/1/to", json!("../x")),
            ("/0/files/1/from", json!("LICENCE")),
            ("/0/files/2/from", json!("*.md")),
            ("/0/files/2", json!({ "From": "README.md", "to": "." })),
        ],
    );
}

#[test]
fn the_version_is_the_same_everywhere() {
    assert!(is_semantic(VERSION));
    for text in [MANIFEST, PLUGIN] {
        assert_eq!(read(text)["spec"]["version"], format!("v{VERSION}"));
    }
    let archives: Vec<&str> = README.split("idpbuilder-push_v").skip(1).collect();
    assert!(!archives.is_empty() && archives.iter().all(|name| name.starts_with(&format!("{VERSION}_"))));
    let mut headings = CHANGELOG.lines().filter_map(|line| line.strip_prefix("## "));
    let first = headings.next().unwrap();
    let released = if first == "Unreleased" { headings.next() } else { Some(first) };
    // Before the first release there is none.
    let Some(released) = released else { return };
    let (version, date) = released.split_once(" - ").expect("a version and its date");
    assert_eq!(date.len(), "2026-01-31".len(), "{date}");
    assert_eq!(version.trim_matches(['[', ']']), VERSION);
}

/// `cargo binstall` has no test of its own; what it asks for is what krew asks for.
#[test]
fn binstall_finds_the_archives_that_krew_finds() {
    let cargo = include_str!("../../Cargo.toml");
    let asked: Vec<String> = cargo
        .lines()
        .filter_map(|line| line.strip_prefix("pkg-url = \"")?.strip_suffix('"'))
        .map(|url| url.replace("{ repo }", env!("CARGO_PKG_REPOSITORY")))
        .map(|url| url.replace("{ version }", VERSION).replace("{ name }", NAME))
        .collect();
    let manifest = read(MANIFEST);
    let mut known: Vec<String> = Vec::new();
    for platform in manifest["spec"]["platforms"].as_array().unwrap() {
        known.push(platform["uri"].as_str().unwrap().to_owned());
    }
    assert!(known.iter().all(|uri| asked.contains(uri)) && asked.iter().all(|url| known.contains(url)));
}
