//! Docker's config, its helpers and kubeconfigs.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bytes::good;
use super::{Place, bounded, push, unasked};
use crate::kit::program::{Program, Ran};
use crate::kit::registry::{Login, Registry, User};

/// Nobody may see it.
const SECRET: &str = "C4N4RY:made:up";

fn registry() -> Registry {
    Registry::distribution().login(Login::Basic).user(User::new("me", SECRET)).start()
}

/// A push with this file for docker's config.
fn with_config(registry: &Registry, place: &Place, config: impl AsRef<[u8]>) -> Program {
    place.tar(good().end());
    let push = push(registry, place).args(["--owner", "me", "./app.tar"]);
    let folder = push.home().join(".docker");
    fs::create_dir(&folder).unwrap();
    write(&folder.join("config.json"), config, 0o600);
    push
}

fn write(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// No login goes anywhere, and none is shown.
fn refused(config: impl AsRef<[u8]>, says: &[&str]) {
    let (registry, place) = (registry(), Place::new());
    let config = String::from_utf8_lossy(config.as_ref()).replace("HOST", &registry.address());
    check(&registry, &with_config(&registry, &place, config).run(), says);
}

fn check(registry: &Registry, ran: &Ran, says: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{ran}");
    let errors = ran.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert!(errors == 1 && ran.stderr.contains("To fix this:\n  1. "), "{ran}");
    for part in says {
        assert!(ran.stderr.contains(part), "`{part}` is missing: {ran}");
    }
    let control = |c: char| c.is_control() && c != '\n';
    for never in ["C4N4RY", "QzROTlJZ", "panicked"] {
        assert!(!ran.stderr.contains(never) && !ran.stderr.contains(control), "{never}: {ran}");
    }
    assert!(unasked(registry), "{:#?}", registry.lines());
    assert!(registry.requests().iter().all(|entry| entry.header("authorization").is_none()));
}

fn entry(user: &str, password: &str) -> Value {
    json!({"auths": {"HOST": {"auth": STANDARD.encode(format!("{user}:{password}"))}}})
}

/// Rows 99, 101 and 102.
#[test]
fn a_config_that_holds_no_login_is_refused_without_its_values() {
    refused(r#"{"auths":{"HOST":{"auth":"C4N4RY***"}}}"#, &["config.json", "entry `127.0.0.1:"]);
    let no_colon = STANDARD.encode("C4N4RY");
    refused(
        json!({"auths": {"HOST": {"auth": no_colon}}}).to_string(),
        &["config.json", "entry `127.0.0.1:"],
    );
    refused(r#"{"auths":{"HOST":{"auth":7}},"x":"C4N4RY""#, &["config.json", "line 1"]);
    for (user, password) in [("m\re", SECRET), ("me", "C4N4RY\r\nx: y"), ("me", "C4N4RY\0"), ("m\ne", SECRET)]
    {
        refused(entry(user, password).to_string(), &["config.json"]);
        let apart = json!({"auths": {"HOST": {"username": user, "password": password}}});
        refused(apart.to_string(), &["config.json"]);
    }
    for helper in ["../../x", "a/b", "/bin/sh", "a b", "\u{1b}x", ".."] {
        refused(json!({"credHelpers": {"HOST": helper}}).to_string(), &[]);
        refused(json!({"credsStore": helper}).to_string(), &[]);
    }
}

/// Row 98.
#[test]
fn a_config_of_a_hundred_megabytes_is_not_read_whole() {
    let (registry, place) = (registry(), Place::new());
    let push = with_config(&registry, &place, "{}");
    let file = fs::File::options().write(true).open(push.home().join(".docker/config.json")).unwrap();
    file.set_len(100_000_000).unwrap();
    check(&registry, &push.run(), &["config.json", "1 MiB"]);
}

/// Row 100.
#[test]
fn a_password_may_have_colons() {
    let (registry, place) = (registry(), Place::new());
    let config = entry("me", SECRET).to_string().replace("HOST", &registry.address());
    with_config(&registry, &place, config).run().exits(0);
    registry.assert_orderly();
}

/// Row 104.
#[test]
fn an_entry_is_for_one_registry_alone() {
    for wrong in
        ["HOST.example", "xHOST", "127.0.0.1", "127.0.0.1:1", "https://127.0.0.1", "HOST:1", "user@HOST"]
    {
        let (registry, place) = (registry(), Place::new());
        let config = entry("me", SECRET).to_string().replace("HOST", wrong);
        let config = config.replace("HOST", &registry.address());
        with_config(&registry, &place, config).run().exits(4);
        let with_login = registry.requests().into_iter().any(|entry| entry.header("authorization").is_some());
        assert!(!with_login, "{wrong}: {:#?}", registry.lines());
    }
}

/// Row 105.
#[test]
fn a_config_that_everybody_can_read_is_told_of() {
    let (registry, place) = (registry(), Place::new());
    let config = entry("me", SECRET).to_string().replace("HOST", &registry.address());
    let push = with_config(&registry, &place, config);
    fs::set_permissions(push.home().join(".docker/config.json"), fs::Permissions::from_mode(0o644)).unwrap();
    push.run().exits(0).says(&["every user of this machine can read", "config.json"]);
}

/// Row 103, and what else a helper may say.
#[test]
fn a_helper_that_says_no_login_is_refused() {
    for (script, says) in [
        ("yes C4N4RY", "64 KiB"),
        ("echo '{\"Secret\":\"C4N4RY\"'", "no login"),
        ("echo '{\"Username\":\"m\\re\",\"Secret\":\"C4N4RY\"}'", "docker-credential-odd"),
        ("printf 'broken \\033[2J' >&2; exit 1", "broken"),
    ] {
        let (registry, place) = (registry(), Place::new());
        let config = json!({"credHelpers": {registry.address(): "odd"}}).to_string();
        let push = with_config(&registry, &place, config);
        let folder = place.outside();
        write(&folder.join("docker-credential-odd"), format!("#!/bin/sh\ncat >/dev/null\n{script}\n"), 0o755);
        let push = push.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        check(&registry, &push.run(), &["docker-credential-odd", says]);
    }
}

fn kubeconfig(cluster: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: kind-x\n\
         clusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{token: C4N4RY}}}}]\n\
         contexts: [{{name: kind-x, context: {{cluster: c, user: u}}}}]\n"
    )
}

fn in_cluster(text: &str) -> Ran {
    let place = Place::new();
    place.tar(good().end());
    fs::write(place.inside().join("config"), text).unwrap();
    let push = bounded().args(["push", "-v", "--kubeconfig", "./config", "./app.tar"]);
    let ran = push.current_dir(&place.inside()).run().exits(5);
    assert!(!ran.stderr.contains("C4N4RY") && !ran.stderr.contains("panicked"), "{ran}");
    ran
}

/// Row 106.
#[test]
fn a_kubeconfig_that_skips_verification_or_has_a_proxy_is_shown_in_the_log() {
    let cluster = "server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true, \
                   proxy-url: 'http://C4N4RY:C4N4RY@127.0.0.1:1'";
    let ran = in_cluster(&kubeconfig(cluster));
    ran.says(&["skips_verification=true", "by_proxy=true", "context=kind-x"]);
}

/// Row 107.
#[test]
fn a_kubeconfig_that_grows_when_it_is_read_is_refused() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 9].join(",");
        writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
    }
    text.push_str(&kubeconfig("server: 'https://127.0.0.1:1'"));
    in_cluster(&text).says(&["error: ", "./config", "To fix this:"]);
}
