//! What is logged at which level, and what never is.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::testdata;
use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::{Program, Ran};
use crate::kit::registry::{Fault, Login, Match, Registry, Scope, Settings, User};

fn push(settings: Settings, flags: &[&str]) -> Ran {
    let registry = settings.start();
    let ran = Program::push_to(&registry).args(flags).arg(testdata("valid-image.tar")).run().exits(0);
    registry.assert_orderly();
    ran
}

/// Log lines of one level: `Jan  2 15:04:05 INFO push started ...`, without the time.
fn logged<'a>(ran: &'a Ran, level: &str) -> Vec<&'a str> {
    let lines = ran.stderr.lines().filter_map(|line| line.get(16..));
    lines.filter(|line| line.split(' ').next() == Some(level)).collect()
}

#[test]
fn info_tells_the_start_and_the_end_of_each_image_with_its_time() {
    let ran = push(Registry::gitea(), &[]);
    let lines = logged(&ran, "INFO");
    assert_eq!(lines.len(), 2, "{ran}");
    assert!(lines[0].starts_with("INFO push started image=127.0.0.1:"), "{ran}");
    assert!(lines[1].starts_with("INFO push finished image=127.0.0.1:"), "{ran}");
    for part in [" status=pushed ", " digest=sha256:", " size=", " sent=", " retries=0 ", " duration="] {
        assert!(lines[1].contains(part), "{part}: {ran}");
    }
    assert_eq!(logged(&ran, "DEBUG"), [""; 0]);
}

/// What another crate logs of a failure is in the error already.
#[test]
fn a_cluster_that_is_stopped_is_told_once() {
    let (place, config) = (folder(), "kubeconfig");
    // No service has port 1, and a scheme is not needed.
    let text = "current-context: kind-x\nclusters: [{name: c, cluster: {server: '127.0.0.1:1'}}]\n\
                users: [{name: u, user: {token: C4N4RY}}]\ncontexts: [{name: kind-x, context: {cluster: c, user: u}}]\n";
    std::fs::write(place.path().join(config), text).unwrap();
    let ran = |flags: &[&str]| {
        let push = Program::new().arg("--kubeconfig").arg(place.path().join(config)).args(flags);
        push.arg(testdata("valid-image.tar")).run().exits(5)
    };
    let told = ran(&[]);
    assert!(
        told.stderr.starts_with("error: the Kubernetes API of context \"kind-x\" does not answer"),
        "{told}"
    );
    let told = ran(&["-l", "debug"]);
    assert_eq!(logged(&told, "ERROR").len(), 1, "{told}");
    assert!(!told.stderr.contains("C4N4RY"), "{told}");
}

#[test]
fn debug_tells_every_request_with_what_it_was_and_what_came_of_it() {
    let registry = Registry::gitea().start();
    let push = Program::push_to(&registry).args(["-l", "debug"]).arg(testdata("valid-image.tar"));
    let ran = push.run().exits(0);
    let lines = logged(&ran, "DEBUG");
    let requests: Vec<&&str> = lines.iter().filter(|line| line.starts_with("DEBUG request ")).collect();
    assert_eq!(requests.len(), registry.requests().len(), "{ran}\n{:#?}", registry.lines());
    for entry in registry.requests() {
        let (method, status) = (&entry.method, entry.status.unwrap());
        let parts = [
            format!(" method={method} "),
            format!("{}{}", registry.origin(), entry.path),
            format!(" status={status} "),
            format!(" sent={} ", entry.body_bytes),
        ];
        let told = |line: &&str| parts.iter().all(|part| line.contains(part)) && line.contains(" ms=");
        assert!(requests.iter().any(|line| told(line)), "{parts:?}\n{ran}");
    }
    registry.assert_orderly();
}

#[test]
fn verbose_is_debug() {
    let ran = push(Registry::gitea(), &["-v"]);
    assert!(ran.stderr.contains(" DEBUG request "), "{ran}");
}

#[test]
fn debug_tells_how_far_layers_are_in_hundredths() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let source = folder.path().join("web.tar");
    image::oci_archive(&source, &[Image::new("web:1").layer(1, 4 << 20)]);
    // The answer is late, so that a tick finds the layer under way.
    registry.script(Match::method("POST").nth(1), Fault::Late(std::time::Duration::from_millis(400)));
    registry.script(Match::method("POST").nth(2), Fault::Late(std::time::Duration::from_millis(400)));
    let ran = Program::push_to(&registry).args(["-l", "debug"]).arg(source).run().exits(0);
    let percent: Vec<&str> =
        logged(&ran, "DEBUG").into_iter().filter(|line| line.contains(" percent=")).collect();
    assert!(!percent.is_empty(), "{ran}");
    for word in ["DEBUG layer started ", "DEBUG layer finished ", "DEBUG manifest put "] {
        assert!(ran.stderr.contains(word), "{word}: {ran}");
    }
    registry.assert_orderly();
}

#[test]
fn warn_and_error_leave_the_lines_of_progress_to_the_screen() {
    for level in ["warn", "error"] {
        let ran = push(Registry::gitea(), &["-l", level]);
        assert_eq!((logged(&ran, "INFO").len(), logged(&ran, "DEBUG").len()), (0, 0), "{ran}");
        assert!(ran.stderr.contains("pushed 1 image"), "{ran}");
    }
}

#[test]
fn log_lines_can_be_json() {
    let ran = push(Registry::gitea(), &["-l", "debug", "--log-format", "json"]);
    let lines: Vec<Value> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |message: &str| {
        lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{ran}"))
    };
    assert_eq!(of("push started")["level"], "INFO");
    assert_eq!(of("push finished")["status"], "pushed");
    let request = of("request");
    assert!(
        request["method"].is_string() && request["status"].is_u64() && request["ms"].is_u64(),
        "{request}"
    );
    assert!(request["timestamp"].is_string(), "{request}");
}

/// Everything a secret could be recognised by.
pub(super) fn forms(user: &str, secret: &str) -> Vec<String> {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let mut forms = vec![secret.to_owned(), secret.bytes().map(encode).collect()];
    for text in [format!("{user}:{secret}"), secret.to_owned(), format!("{secret}:")] {
        forms.extend([STANDARD.encode(&text), STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)]);
    }
    forms
}

fn assert_unsaid(ran: &Ran, user: &str, secret: &str) {
    for form in forms(user, secret) {
        assert!(!ran.stderr.contains(&form) && !ran.stdout.contains(&form), "{form}: {ran}");
    }
}

const SECRET: &str = "C4N4RY+/ made=up?";

#[test]
fn a_password_is_said_at_no_level_and_in_no_form() {
    let settings = || -> [Settings; 3] {
        [
            Registry::gitea().user(User::new("me", SECRET)),
            Registry::distribution().login(Login::Basic).user(User::new("me", SECRET)),
            Registry::distribution().login(Login::Bearer).user(User::new("me", SECRET)),
        ]
    };
    for level in ["debug", "info", "warn", "error"] {
        for settings in settings() {
            let registry = settings.start();
            let push =
                Program::new().args(["-r", &registry.address(), "--plain-http", "-o", "json", "-l", level]);
            let ran = push.login("me", SECRET).arg(testdata("valid-image.tar")).run().exits(0);
            assert_unsaid(&ran, "me", SECRET);
            registry.assert_orderly();
        }
    }
}

#[test]
fn a_secret_that_is_refused_is_not_said_either() {
    for flag in ["--password", "--token"] {
        let registry = Registry::gitea().start();
        let push =
            Program::new().args(["-r", &registry.address(), "--plain-http", "-l", "debug", "-o", "json"]);
        let ran =
            push.args(["-u", "giteaAdmin", flag, SECRET]).arg(testdata("valid-image.tar")).run().exits(4);
        assert_unsaid(&ran, "giteaAdmin", SECRET);
    }
}

#[test]
fn a_token_that_the_registry_gave_is_not_said() {
    let token = "C4N4RY-token";
    let user = User::new("me", "made-up").access_token(token, Scope::Write);
    let registry = Registry::gitea().user(user).start();
    let push = Program::new().args(["-r", &registry.address(), "--plain-http", "-l", "debug"]);
    let ran = push.env("IDPBUILDER_REGISTRY_USERNAME", "me").env("IDPBUILDER_REGISTRY_TOKEN", token);
    let ran = ran.arg(testdata("valid-image.tar")).run().exits(0);
    assert_unsaid(&ran, "me", token);
    for entry in registry.requests() {
        let sent = entry.header("authorization").unwrap_or_default().to_owned();
        let sent = sent.split(' ').nth(1).unwrap_or("none sent");
        assert!(!ran.stderr.contains(sent), "{ran}");
    }
    registry.assert_orderly();
}

#[test]
fn the_state_in_an_upload_url_is_not_logged() {
    let ran = push(Registry::distribution(), &["-l", "debug"]);
    assert!(ran.stderr.contains("_state=") || ran.stderr.contains("/blobs/uploads/"), "{ran}");
    for part in ran.stderr.split("_state=").skip(1) {
        assert!(part.starts_with("REDACTED") || part.starts_with("***") || part.starts_with("..."), "{ran}");
    }
}
