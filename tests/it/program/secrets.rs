//! Where a login may not go: to another origin, to a child, into a file, onto a screen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::archive;
use super::logs::forms;
use crate::kit::folder;
use crate::kit::program::{Program, Ran};
use crate::kit::registry::{Answer, Entry, Fault, Login, Match, Registry, Settings, User};

const USER: &str = "me";
const SECRET: &str = "C4N4RY+/ made=up?";

/// Registries that ask who it is, in each way that there is.
fn kinds() -> [Settings; 3] {
    let user = || User::new(USER, SECRET);
    [
        Registry::gitea().user(user()),
        Registry::distribution().login(Login::Basic).user(user()),
        Registry::distribution().login(Login::Bearer).user(user()),
    ]
}

fn push(registry: &Registry, folder: &Path) -> Program {
    let address = registry.address();
    let push = Program::new().args(["-r", &address, "--plain-http", "-l", "debug", "-o", "json"]);
    push.args(["--owner", USER, "--progress", "json", "--retry-max-wait", "10ms"])
        .arg(archive(folder, "web:1", 1))
}

/// Nothing of the secret is in there, in any form, and no login at all.
fn assert_clean(entries: &[Entry]) {
    for entry in entries {
        for name in ["authorization", "cookie", "proxy-authorization"] {
            assert!(entry.header(name).is_none(), "{name}: {entry:?}");
        }
        let all = format!("{entry:?} {}", String::from_utf8_lossy(&entry.body));
        assert!(forms(USER, SECRET).iter().all(|form| !all.contains(form)), "{all}");
    }
}

/// A push to a registry that leads to another server by these; how it ends does not matter here.
fn led_away(scripts: impl Fn(&Registry, &Registry)) -> Vec<Vec<Entry>> {
    let (mut asked, mut acted) = (Vec::new(), false);
    for settings in kinds() {
        let (registry, other, folder) = (settings.start(), Registry::distribution().start(), folder());
        scripts(&registry, &other);
        push(&registry, folder.path()).login(USER, SECRET).run();
        assert_clean(&other.requests());
        acted |= registry.unused_scripts().is_empty();
        asked.push(other.requests());
    }
    assert!(acted, "nobody was led away");
    asked
}

#[test]
fn a_location_elsewhere_gets_nothing() {
    for method in ["POST", "PATCH"] {
        let asked = led_away(|registry, other| {
            let location = format!("{}/v2/me/web/blobs/uploads/1?_state=x", other.origin());
            registry.script(Match::method(method).always(), Fault::header("location", &location));
        });
        assert!(asked.concat().is_empty(), "{method}: {asked:#?}");
    }
}

#[test]
fn a_write_that_is_redirected_elsewhere_gets_nothing() {
    for method in ["POST", "PATCH", "PUT"] {
        let asked = led_away(|registry, other| {
            registry.script(Match::method(method).always(), Fault::Redirect(other.origin()));
        });
        assert!(asked.concat().is_empty(), "{method}: {asked:#?}");
    }
}

#[test]
fn a_question_that_is_redirected_elsewhere_has_no_login() {
    for path in ["/blobs/", "/manifests/"] {
        let asked = led_away(|registry, other| {
            let when = Match::method("HEAD").path_contains(path).always();
            registry.script(when, Fault::Redirect(other.origin()));
        });
        assert_eq!(asked.concat().is_empty(), path == "/manifests/", "{path}: {asked:#?}");
    }
}

#[test]
fn a_realm_elsewhere_gets_nothing() {
    for form in
        ["OTHER/token", "http://127.0.0.1:80@HOST/token", "http://user@HOST/token", "http://HOST\\@x/token"]
    {
        let asked = led_away(|registry, other| {
            let realm = form.replace("OTHER", &other.origin()).replace("HOST", &other.address());
            let challenge =
                format!("Bearer realm=\"{realm}\",service=\"x\",scope=\"repository:me/web:push\"");
            let answer = Answer::new(401).with("WWW-Authenticate", challenge);
            registry.script(Match::any().always(), Fault::Answer(answer));
        });
        assert!(asked.concat().is_empty(), "{form}: {asked:#?}");
    }
}

#[test]
fn a_realm_that_is_redirected_elsewhere_gets_nothing() {
    let asked = led_away(|registry, other| {
        registry.script(Match::any().path_contains("token").always(), Fault::Redirect(other.origin()));
    });
    assert!(asked.concat().is_empty(), "{asked:#?}");
}

/// What a server with TLS says of plain HTTP is not done, with or without a checked certificate.
#[test]
fn nothing_goes_from_tls_to_plain_http() {
    for flags in [&["--insecure"][..], &[]] {
        for case in ["location", "redirect", "realm"] {
            let settings = Registry::distribution().login(Login::Basic).user(User::new(USER, SECRET));
            let (registry, plain, folder) =
                (settings.https("localhost").start(), Registry::distribution().start(), folder());
            match case {
                "location" => {
                    let location = format!("{}/v2/web/blobs/uploads/1", plain.origin());
                    registry.script(Match::method("POST").always(), Fault::header("location", &location));
                }
                "redirect" => registry.script(Match::any().always(), Fault::Redirect(plain.origin())),
                _ => {
                    let challenge = format!("Bearer realm=\"{}/token\"", plain.origin());
                    let answer = Answer::new(401).with("WWW-Authenticate", challenge);
                    registry.script(Match::any().always(), Fault::Answer(answer));
                }
            }
            let address = format!("localhost:{}", registry.port());
            let push = Program::new().args(["push", "-r", &address, "--retry-max-wait", "10ms"]).args(flags);
            let ca = folder.path().join("ca.pem");
            fs::write(&ca, registry.certificate_pem()).unwrap();
            let push = if flags.is_empty() { push.arg("--ca-file").arg(ca) } else { push };
            let ran = push.login(USER, SECRET).arg(archive(folder.path(), "web:1", 1)).run();
            assert!(ran.code != Some(0) && !registry.requests().is_empty(), "{case}: {ran}");
            assert_eq!(plain.connections(), 0, "{case}: {:#?}", plain.lines());
        }
    }
}

/// Each way to give the login; the rest of the run does not depend on it.
fn ways(registry: &Registry, folder: &Path) -> Vec<(&'static str, Program)> {
    let push = || push(registry, folder);
    let saved = |config: serde_json::Value| {
        let docker = folder.join("docker");
        fs::create_dir_all(&docker).unwrap();
        fs::write(docker.join("config.json"), config.to_string()).unwrap();
        push().env("DOCKER_CONFIG", docker)
    };
    let answer = json!({"ServerURL": "x", "Username": USER, "Secret": SECRET});
    let bin = folder.join("bin");
    script(&bin.join("docker-credential-odd"), &format!("cat >/dev/null; echo '{answer}'"));
    let entry = json!({"auths": {registry.address(): {"username": USER, "password": SECRET}}});
    let environment = push().env("IDPBUILDER_REGISTRY_USERNAME", USER);
    vec![
        ("stdin", push().login(USER, SECRET)),
        ("flag", push().args(["-u", USER, "-p", SECRET])),
        ("environment", environment.env("IDPBUILDER_REGISTRY_PASSWORD", SECRET)),
        (
            "helper",
            saved(json!({"credsStore": "odd"})).env("PATH", format!("{}:/usr/bin:/bin", bin.display())),
        ),
        ("entry", saved(entry.clone())),
        ("variable", push().env("DOCKER_AUTH_CONFIG", entry.to_string())),
    ]
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn assert_unsaid(way: &str, ran: &Ran, home: &Path) {
    for form in forms(USER, SECRET) {
        assert!(!ran.stderr.contains(&form) && !ran.stdout.contains(&form), "{way}, {form}: {ran}");
        for file in files(home) {
            let bytes = fs::read(&file).unwrap();
            let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "{way}: {form} is in {}", file.display());
        }
    }
}

/// What is on both streams, in JSON, in the log, in the cache and in what is left for a later run.
#[test]
fn a_login_is_neither_shown_nor_kept_however_it_was_given_and_however_the_run_ends() {
    for (end, code) in [("well", 0), ("refused", 4), ("denied", 7), ("given up", 6)] {
        for settings in kinds() {
            let (registry, folder) = (settings.start(), folder());
            match end {
                "well" => {}
                "refused" => registry.script(Match::any().always(), Fault::status(401)),
                "denied" => registry.script(
                    Match::method("POST").always(),
                    Fault::Answer(Answer::refused(403, "DENIED", "no")),
                ),
                _ => registry.script(Match::method("PUT").always(), Fault::ResetBeforeAnswer),
            }
            for (way, push) in ways(&registry, folder.path()) {
                let home = folder.path().join("home");
                fs::create_dir_all(&home).unwrap();
                let ran = push.env("HOME", &home).args(["--retries", "1"]).run();
                assert_eq!(ran.code, Some(code), "{end}, {way}: {ran}");
                assert_unsaid(way, &ran, &home);
                assert!(end != "well" || !files(&home).is_empty(), "something is remembered");
            }
        }
    }
}

/// The plugin of a kubeconfig and the helper see arguments, environment and standard input.
#[test]
fn no_child_gets_the_login() {
    let (registry, folder) = (Registry::gitea().user(User::new(USER, SECRET)).start(), folder());
    let seen = folder.path().join("seen");
    let look = format!(
        "{{ tr '\\0' '\\n' </proc/$$/cmdline; cat /proc/$$/environ; cat; }} >>{} 2>&1; exit 1",
        seen.display()
    );
    let bin = folder.path().join("bin");
    script(&bin.join("plugin"), &look);
    let kubeconfig = folder.path().join("kubeconfig");
    let plugin = bin.join("plugin").display().to_string();
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"});
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": exec}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]});
    fs::write(&kubeconfig, config.to_string()).unwrap();
    let base = || {
        let push = Program::new().args(["push", "--context", "x", "--kubeconfig"]).arg(&kubeconfig);
        push.arg(archive(folder.path(), "web:1", 1))
    };
    base().login(USER, SECRET).run();
    let variables =
        base().env("IDPBUILDER_REGISTRY_USERNAME", USER).env("IDPBUILDER_REGISTRY_PASSWORD", SECRET);
    variables.run();
    base().env("IDPBUILDER_REGISTRY_TOKEN", SECRET).args(["--owner", USER]).run();
    let text = fs::read_to_string(&seen).expect("the plugin ran");
    assert!(text.contains("KUBERNETES_EXEC_INFO"), "{text}");
    for form in forms(USER, SECRET) {
        assert!(!text.contains(&form), "{form}: {text}");
    }
    drop(registry);
}

/// Neither a variable nor a file can take the checks away.
#[test]
fn only_a_flag_makes_it_insecure() {
    let (registry, folder) = (Registry::distribution().https("localhost").start(), folder());
    let push = Program::new().args(["push", "-r", &format!("localhost:{}", registry.port())]);
    let names = ["INSECURE", "IDPBUILDER_INSECURE", "IDPBUILDER_REGISTRY_INSECURE", "IDPBUILDER_PLAIN_HTTP"];
    let push = names.iter().fold(push, |push, name| push.env(name, "true"));
    let ran = push.env("NODE_TLS_REJECT_UNAUTHORIZED", "0").arg(archive(folder.path(), "web:1", 1)).run();
    assert_eq!(ran.code, Some(6), "{ran}");
    assert_eq!(registry.lines(), [""; 0]);
    let help = Program::new().arg("--help").run().exits(0).stdout;
    assert!(!help.contains("INSECURE") && !help.contains("PLAIN_HTTP"), "{help}");
}
