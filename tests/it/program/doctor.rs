//! `doctor`: right about each thing that a push needs, and about each that is broken on purpose.

use std::fs;

use crate::kit::program::{Program, Ran};
use crate::kit::registry::{Answer, Certificate, Fault, Match, PASSWORD, Registry, USER, User};

/// What the disk holds differs with the machine, fingerprints with each certificate.
macro_rules! assert_checked {
    ($ran:expr) => {{
        let mut filters = vec![(r"\d+\.\d [KMGT]iB free", "[SIZE] free"), (r"\(os error \d+\)", "[REASON]")];
        filters.extend_from_slice(crate::kit::program::FILTERS);
        filters.push(("([0-9A-F]{2}:){31}[0-9A-F]{2}", "[HASH]"));
        filters.push((r"(until|valid from) [^.\n]*", "$1 [DATE]"));
        insta::with_settings!({ filters => filters }, { insta::assert_snapshot!($ran.to_string()) });
    }};
}

/// Fails unless each of these lines is in the answer, with one space between words.
fn shows(ran: &Ran, lines: &[&str]) {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: Vec<String> = ran.stdout.lines().map(words).collect();
    for line in lines {
        assert!(shown.iter().any(|shown| shown.starts_with(line)), "no `{line}` in\n{ran}");
    }
}

/// The names of checks that ended so.
fn ended(report: &serde_json::Value, status: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == status);
    checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_registry_that_takes_images_is_green_and_nothing_stays_there() {
    let registry = Registry::gitea().https("localhost").start();
    let ran = Program::doctor_of(&registry).run().exits(0);
    assert_checked!(ran);
    assert_eq!((registry.count("POST"), registry.count("DELETE")), (1, 1));
    assert_eq!(registry.count("PUT") + registry.count("PATCH"), 0);
    registry.assert_orderly();
}

#[test]
fn a_registry_that_is_open_asks_for_no_login() {
    let registry = Registry::distribution().start();
    let ran = Program::doctor_of(&registry).args(["--auth", "none"]).run().exits(0);
    shows(&ran, &["skip tls plain HTTP", "ok login it asks for none", "ok write idpbuilder-push-doctor: "]);
    registry.assert_orderly();
}

#[test]
fn a_wrong_password_fails_the_login_and_nothing_is_opened() {
    let registry = Registry::gitea().https("localhost").start();
    let ran = Program::doctor_of(&registry).input("wrong").run().exits(4);
    assert_checked!(ran);
    assert_eq!(super::writes(&registry), 0);
}

#[test]
fn a_document_has_every_check_and_the_first_failure_gives_the_exit_code() {
    let registry = Registry::gitea().https("localhost").start();
    let ran = Program::doctor_of(&registry).input("wrong").args(["-o", "json"]).run().exits(4);
    let report = super::json(&ran);
    assert_eq!((&report["kind"], &report["exitCode"]), (&"DoctorReport".into(), &4.into()));
    assert_eq!(report["registry"]["address"], registry.address());
    assert_eq!(ended(&report, "failed"), ["login"]);
    assert_eq!(report["checks"].as_array().unwrap().len(), 17);
    let login = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "login").unwrap();
    assert_eq!(login["error"]["code"], "AUTH_FAILED");
    ran.says(&["error: localhost:", "refused the credentials", "To fix this:"]);
}

#[test]
fn a_certificate_that_has_expired_fails_tls() {
    let registry = Registry::gitea().certificate(Certificate::expired("localhost")).start();
    let ran = Program::doctor_of(&registry).run().exits(6);
    assert_checked!(ran);
    assert_eq!(registry.requests().len(), 0);
}

#[test]
fn a_certificate_of_nobody_known_is_shown() {
    let registry = Registry::gitea().https("localhost").start();
    let place = format!("localhost:{}", registry.port());
    let program = Program::new().args(["doctor", "-r", &place]).login(USER, PASSWORD);
    let ran = program.run().exits(6);
    shows(&ran, &["skip kubeconfig no kubeconfig found; a push goes on without the cluster", "FAIL tls "]);
    shows(
        &ran,
        &["cause: ", "The server shows one for localhost, *.localhost, until", "skip registry waits for tls"],
    );
    assert_eq!(registry.requests().len(), 0);
}

#[test]
fn a_file_that_holds_no_certificate_is_a_failed_certificate() {
    let registry = Registry::gitea().https("localhost").start();
    let program = Program::doctor_of(&registry);
    fs::write(program.home().join("ca.pem"), "no PEM").unwrap();
    let ran = program.run().exits(2);
    shows(
        &ran,
        &["FAIL certificate ", "skip name waits for certificate", "skip clock waits for certificate"],
    );
}

#[test]
fn nobody_on_the_port_fails_tcp_at_once() {
    let registry = Registry::gitea().start();
    let program = Program::doctor_of(&registry);
    registry.refuse_connections();
    let ran = program.run().exits(6);
    shows(&ran, &["ok name 127.0.0.1", "FAIL tcp could not reach", "skip tls waits for tcp"]);
    shows(&ran, &["cause: connection refused by 127.0.0.1", "skip write waits for tcp"]);
}

#[test]
fn a_name_that_does_not_resolve_fails_the_name() {
    let program = Program::new().args(["doctor", "-r", "no-such.invalid:5000", "--insecure"]);
    let ran = program.args(["--auth", "none"]).run().exits(6);
    shows(&ran, &["FAIL name could not reach no-such.invalid:5000", "skip tcp waits for name"]);
    shows(
        &ran,
        &[
            "2. Or say the address: idpbuilder-push -r no-such.invalid:5000 --insecure --auth none --resolve no-such.invalid:5000:ADDRESS IMAGE",
        ],
    );
}

#[test]
fn something_else_than_a_registry_fails_the_registry() {
    let registry = Registry::distribution().start();
    registry.script(Match::any().always(), Fault::status(404));
    let ran = Program::doctor_of(&registry).args(["--auth", "none"]).run().exits(6);
    shows(&ran, &["ok tcp ", "FAIL registry could not reach", "skip login waits for registry"]);
    shows(&ran, &["1. Look at the address: something else than a registry may answer there"]);
}

#[test]
fn a_registry_that_is_away_is_not_waited_for() {
    let registry = Registry::gitea().start();
    registry.script(Match::any().always(), Fault::status(502));
    let ran = Program::doctor_of(&registry).run().exits(6);
    shows(&ran, &["FAIL registry gave up on `/v2/` after 1 attempt: registry answered 502"]);
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a_right_that_is_missing_fails_the_write() {
    let reader = User::new("reader", "made-up").reads_only();
    let registry = Registry::gitea().user(reader).owner("reader").start();
    let program = Program::new().args(["doctor", "--plain-http", "-r", &registry.address()]);
    let ran = program.login("reader", "made-up").run().exits(7);
    assert_checked!(ran);
    registry.assert_orderly();
}

#[test]
fn an_owner_that_does_not_exist_fails_the_write() {
    let registry = Registry::gitea().https("localhost").start();
    let ran = Program::doctor_of(&registry).args(["--owner", "nobody"]).run().exits(7);
    shows(
        &ran,
        &["ok login user giteaAdmin of ", "FAIL write localhost", "1. Create it there: a push makes none"],
    );
}

#[test]
fn a_session_that_cannot_be_cancelled_is_a_warning() {
    let registry = Registry::gitea().start();
    registry
        .script(Match::method("DELETE").always(), Fault::Answer(Answer::refused(405, "UNSUPPORTED", "no")));
    let ran = Program::doctor_of(&registry).run().exits(0);
    shows(&ran, &["warn write giteaadmin/idpbuilder-push-doctor: an upload was opened"]);
    shows(&ran, &["It could not be cancelled; the registry forgets it by itself.", "a push would work; "]);
}

#[test]
fn clocks_that_are_apart_are_a_warning() {
    for (offset, way) in [(86_400, "behind"), (-86_400, "ahead of")] {
        let registry = Registry::gitea().clock_offset(offset).start();
        let ran = Program::doctor_of(&registry).run().exits(0);
        let clock = ran.stdout.lines().find(|line| line.contains("clock")).unwrap();
        assert!(clock.starts_with("warn") && clock.ends_with(&format!(" {way} the registry's")), "{clock}");
    }
}

#[test]
fn without_a_kubeconfig_all_that_stands_on_a_cluster_waits() {
    let ran = Program::new().args(["doctor", "--kubeconfig", "./none"]).run().exits(5);
    assert_checked!(ran);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_fails_the_disk() {
    let registry = Registry::gitea().start();
    let ran = Program::doctor_of(&registry).args(["--tmp-dir", "/proc/none"]).run().exits(1);
    shows(&ran, &["ok write ", "FAIL disk "]);
}

#[test]
fn a_table_has_a_row_for_each_check() {
    let registry = Registry::gitea().start();
    let ran = Program::doctor_of(&registry).args(["-o", "table"]).run().exits(0);
    shows(&ran, &["CHECK STATUS MESSAGE", "login ok user giteaAdmin", "engines warning none answers"]);
    assert_eq!(ran.stdout.lines().count(), 18);
}

#[test]
fn a_reader_that_is_gone_is_no_failure() {
    let registry = Registry::gitea().start();
    let ran = Program::doctor_of(&registry).nobody_reads().run().exits(0);
    assert_eq!((registry.count("POST"), registry.count("DELETE")), (1, 1), "{ran}");
}

#[cfg(unix)]
#[test]
fn what_a_signal_cuts_short_has_not_failed() {
    let registry = Registry::gitea().start();
    registry.script(Match::any().always(), Fault::Stall);
    let running = Program::doctor_of(&registry).start();
    running.until("connected", |running| running.stdout().contains("tls "));
    running.signal("INT");
    let ran = running.wait().exits(130);
    assert!(!ran.stdout.contains("FAIL"), "{ran}");
}
