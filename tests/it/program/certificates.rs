//! How the registry's certificate is checked.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{stored, testdata, writes};
use crate::kit::program::{Program, Ran};
use crate::kit::registry::{Certificate, PASSWORD, Registry, USER, sha256};

/// Fingerprints differ with each certificate, dates with each day.
macro_rules! assert_certificate {
    ($ran:expr) => {{
        let mut filters = crate::kit::program::FILTERS.to_vec();
        filters.push(("([0-9A-F]{2}:){31}[0-9A-F]{2}|[0-9a-f]{64}", "[HASH]"));
        insta::with_settings!({ filters => filters }, { insta::assert_snapshot!($ran.to_string()) });
    }};
}

fn push(registry: &Registry) -> Program {
    let place = format!("localhost:{}", registry.port());
    let push = Program::new().args(["--progress", "none", "-l", "warn", "--retries", "0", "-r", &place]);
    push.current_dir(&testdata("")).login(USER, PASSWORD)
}

/// With the certificate itself as the authority.
fn trusting(registry: &Registry) -> Program {
    let push = push(registry);
    let file = push.home().join("ca.pem");
    fs::write(&file, registry.certificate_pem()).unwrap();
    push.arg("--ca-file").arg(file)
}

/// Of the certificate, as other tools show it.
fn fingerprint(registry: &Registry) -> String {
    let pem = registry.certificate_pem();
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let digest = sha256(&STANDARD.decode(base64).unwrap()).replace("sha256:", "").to_uppercase();
    let bytes: Vec<&str> = (0..digest.len()).step_by(2).map(|at| &digest[at..at + 2]).collect();
    bytes.join(":")
}

fn refused(push: Program, registry: &Registry) -> Ran {
    let ran = push.arg("./skopeo-oci.tar").run().exits(6);
    assert_eq!(writes(registry), 0);
    assert!(registry.requests().iter().all(|entry| entry.header("authorization").is_none()));
    ran
}

#[test]
fn a_certificate_of_a_file_is_trusted() {
    let registry = Registry::gitea().https("localhost").start();
    trusting(&registry).arg("./skopeo-oci.tar").run().exits(0);
    stored::whole(&registry, "giteaadmin/web", "1.0");
    registry.assert_orderly();
}

#[test]
fn a_certificate_of_nobody_known_is_refused() {
    let registry = Registry::gitea().https("localhost").start();
    assert_certificate!(refused(push(&registry), &registry));
}

#[test]
fn a_certificate_that_another_authority_signed_is_refused() {
    let registry = Registry::gitea().https("localhost").start();
    let push = push(&registry);
    let file = push.home().join("ca.pem");
    fs::write(&file, Certificate::of_cluster("localhost").pem).unwrap();
    assert_certificate!(refused(push.arg("--ca-file").arg(file), &registry));
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    let registry = Registry::gitea().certificate(Certificate::expired("localhost")).start();
    assert_certificate!(refused(trusting(&registry), &registry));
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_refused() {
    let registry = Registry::gitea().certificate(Certificate::not_yet_valid("localhost")).start();
    assert_certificate!(refused(trusting(&registry), &registry));
}

#[test]
fn a_certificate_for_other_names_is_refused() {
    let registry = Registry::gitea().https("other.example").start();
    assert_certificate!(refused(trusting(&registry), &registry));
}

#[test]
fn insecure_takes_any_certificate_and_says_which() {
    for certificate in [Certificate::expired("other.example"), Certificate::of_cluster("localhost")] {
        let registry = Registry::gitea().certificate(certificate).start();
        let ran = push(&registry).args(["--insecure", "-o", "json", "./skopeo-oci.tar"]).run().exits(0);
        let shown = format!(" is not checked (SHA-256 {}): ", fingerprint(&registry));
        let ran = ran.says(&["warning: the certificate of localhost:", &shown]);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["registry"]["address"], registry.address());
        registry.assert_orderly();
    }
}

#[test]
fn insecure_does_not_allow_plain_http() {
    let registry = Registry::gitea().start();
    let ran = push(&registry).args(["--insecure", "./skopeo-oci.tar"]).run().exits(6);
    assert_eq!(registry.requests().len(), 0, "{:#?}", registry.lines());
    assert_certificate!(ran);
}

#[test]
fn a_registry_with_tls_is_not_asked_in_plain_http() {
    let registry = Registry::gitea().https("localhost").start();
    let ran = push(&registry).args(["--plain-http", "./skopeo-oci.tar"]).run().exits(6);
    assert_certificate!(ran);
}

#[test]
fn something_else_on_the_port_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A program that is gone has had its answer.
            let _ = { connection }.write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
        }
    });
    let push =
        Program::new().current_dir(&testdata("")).args(["--retries", "0", "--plain-http", "-r", &place]);
    let ran = push.arg("./skopeo-oci.tar").run().exits(6);
    // Why depends on whether its words came before the request or after.
    ran.says(&[&format!("error: could not reach {place}\n  cause: ")]);
}

#[test]
fn a_file_without_certificates_is_a_usage_error() {
    let registry = Registry::gitea().https("localhost").start();
    let ran = push(&registry).args(["--ca-file", "./README.md", "./skopeo-oci.tar"]).run().exits(2);
    assert_certificate!(ran);
    let ran = push(&registry).args(["--ca-file", "./gone.pem", "./skopeo-oci.tar"]).run().exits(2);
    ran.says(&["could not read the certificates in `./gone.pem`"]);
}
