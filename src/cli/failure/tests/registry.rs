use super::*;

fn unauthorized(username: Option<&str>, source_name: &str, tried: &[&str]) -> RegistryError {
    RegistryError::Unauthorized {
        origin: origin(),
        status: 401,
        username: username.map(str::to_owned),
        source_name: source_name.into(),
        tried: tried.iter().map(|one| (*one).to_owned()).collect(),
    }
}

#[test]
fn a_login_from_the_cluster_that_was_refused_is_explained() {
    let error = unauthorized(Some("giteaAdmin"), "secret gitea/gitea-credential", &["password", "token"]);
    assert_snapshot!(explained([error], Some(&facts())));
}

#[test]
fn a_login_from_elsewhere_that_was_refused_is_explained() {
    let by = |source| elsewhere(TlsFacts::System, source);
    let given = AuthSource::Given { by: "--token", kind: GivenKind::Token };
    let docker = AuthSource::Docker { name: "docker config ~/.docker/config.json".into() };
    let texts = [
        explained([unauthorized(Some("me"), "--token", &["token"])], Some(&by(given))),
        explained([unauthorized(Some("me"), "docker config", &["password"])], Some(&by(docker))),
        explained([unauthorized(None, "", &[])], Some(&by(AuthSource::None))),
        explained([unauthorized(None, "--token", &["token"])], None),
    ];
    assert_snapshot!(texts.concat());
}

#[test]
fn broken_sources_of_logins_are_explained() {
    let helper = || "docker-credential-x".to_owned();
    assert_snapshot!(explained(
        [
            KeychainError::Read { path: "~/.docker/config.json".into(), source: denied() },
            KeychainError::Config { path: "~/.docker/config.json".into(), reason: "not valid JSON".into() },
            KeychainError::HelperMissing { helper: helper() },
            KeychainError::HelperSilent { helper: helper(), seconds: 10 },
            KeychainError::HelperFailed { helper: helper(), reason: "exit 1".into() },
            KeychainError::ControlCharacter { field: "the password", origin_of: "--password-stdin".into() },
        ],
        None
    ));
}

pub(super) fn refused(refusal: Refusal, status: u16, message: &str) -> RegistryError {
    RegistryError::Refused { refusal, status, subject: "giteaadmin/myapp".into(), message: message.into() }
}

#[test]
fn refusals_are_explained() {
    let errors = [
        refused(Refusal::Denied, 401, "reqPackageAccess"),
        RegistryError::Refused {
            refusal: Refusal::Denied,
            status: 401,
            subject: "platform/myapp".into(),
            message: String::new(),
        },
        refused(Refusal::OwnerUnknown, 404, "Not found."),
        refused(Refusal::TooLarge, 413, ""),
        refused(Refusal::NameInvalid, 400, "NAME_INVALID"),
        refused(Refusal::DigestInvalid, 400, "DIGEST_INVALID"),
        refused(Refusal::BlobUnknown, 404, "BLOB_UNKNOWN"),
        refused(Refusal::ManifestInvalid, 400, "MANIFEST_INVALID"),
        refused(Refusal::Quota, 403, ""),
        refused(Refusal::Redirected { to: "https://r.example/new/myapp".into() }, 307, ""),
        refused(Refusal::Other, 418, "said \u{1b}[2J so"),
    ];
    assert_snapshot!(explained(errors, Some(&facts())));
}

#[test]
fn refusals_of_a_registry_that_is_no_clusters_are_explained() {
    let token = AuthSource::Given { by: "--token", kind: GivenKind::Token };
    let texts = [
        explained([refused(Refusal::Denied, 403, "")], Some(&elsewhere(TlsFacts::System, token))),
        explained([refused(Refusal::Denied, 401, "")], Some(&elsewhere(TlsFacts::System, AuthSource::None))),
        explained(
            [refused(Refusal::TooLarge, 413, "")],
            Some(&elsewhere(TlsFacts::System, AuthSource::None)),
        ),
        explained([refused(Refusal::Quota, 507, "")], None),
        explained([exhausted(Some(500))], Some(&elsewhere(TlsFacts::System, AuthSource::None))),
    ];
    assert_snapshot!(texts.concat());
}

fn exhausted(status: Option<u16>) -> RegistryError {
    let subject = "giteaadmin/myapp".into();
    RegistryError::Exhausted { subject, attempts: 6, last: "empty answer".into(), status }
}

fn network(source: NetworkFault) -> RegistryError {
    RegistryError::Network { origin: origin(), source }
}

#[test]
fn what_breaks_on_the_way_is_explained() {
    let address = || "127.0.0.1:8443".to_owned();
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    let seconds = Duration::from_secs;
    let faults = [
        NetworkFault::Resolve {
            host: "gitea.cnoe.localtest.me".into(),
            source: io::Error::other("no such name"),
        },
        NetworkFault::Refused { address: address() },
        NetworkFault::Connect { address: address(), source: reset() },
        NetworkFault::Tls { reason: "the handshake was cut".into() },
        NetworkFault::NotTls,
        NetworkFault::WrongName { reason: "it is for r.example".into() },
        NetworkFault::Stalled { after: seconds(30) },
        NetworkFault::Silent { after: seconds(60) },
        NetworkFault::Closed { reason: "connection reset by peer".into() },
        NetworkFault::Answer { reason: "no HTTP".into() },
        NetworkFault::Proxy { proxy: "http://proxy:3128".into(), reason: "407".into() },
    ];
    assert_snapshot!(explained(faults.map(network), Some(&facts())));
}

#[test]
fn certificates_that_are_not_trusted_are_explained() {
    let untrusted = || {
        network(NetworkFault::Untrusted {
            reason: "unknown issuer".into(),
            fingerprint: Some("sha256:ab:cd".into()),
        })
    };
    let expired = || network(NetworkFault::Expired { reason: "it was valid until 2025-11-02".into() });
    let other = |tls| elsewhere(tls, AuthSource::None);
    let texts = [
        explained([untrusted(), expired()], Some(&facts())),
        explained([untrusted(), expired()], Some(&other(TlsFacts::System))),
        explained([untrusted()], Some(&other(TlsFacts::CaFile))),
    ];
    assert_snapshot!(texts.concat());
}

#[test]
fn the_rest_of_a_registrys_errors_is_explained() {
    assert_snapshot!(explained(
        [
            RegistryError::Realm { origin: origin(), realm: "auth.example".into() },
            RegistryError::ForeignLocation { origin: origin(), location: "https://other.example".into() },
            exhausted(Some(500)),
            exhausted(Some(502)),
            exhausted(Some(507)),
            exhausted(None),
            RegistryError::DigestMismatch {
                subject: "giteaadmin/myapp".into(),
                expected: digest("a"),
                found: "sha256:0".into(),
            },
            RegistryError::SourceDigest { expected: digest("a"), found: digest("b") },
            RegistryError::NoReferrersList {
                subject: "giteaadmin/myapp:sha256-0".into(),
                reason: "it is an image".into(),
            },
            RegistryError::Cancelled,
        ],
        Some(&facts())
    ));
}
