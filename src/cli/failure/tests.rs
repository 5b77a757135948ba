use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;

use super::*;
use crate::cli::args::CommandWord;
use crate::cli::facts::{AuthFacts, AuthSource, ClusterFacts, Facts, RegistryFacts, TlsFacts};
use crate::cli::screen::Ink;
use crate::cli::settings::{Colour, GivenKind};
use crate::cli::stop::Reason;
use crate::cli::usage::WordError;
use crate::cli::value::{self, ValueError};
use crate::cluster::SecretName;
use crate::content::ContentError;
use crate::oci::{Digest, sha256};
use crate::pack::PackError;
use crate::plan::TargetError;
use crate::port::{EnginePlace, NetworkFault, Origin, Refusal, Scheme, Skipped, SourceName, UnpackError};
use crate::report::{ImageError, ImageOutcome, LayerCounts, Phases, PushReport, Status};

fn facts() -> Facts {
    Facts {
        cluster: Some(ClusterFacts { name: "localdev".into(), context: "kind-localdev".into() }),
        registry: RegistryFacts {
            host: "gitea.cnoe.localtest.me:8443".into(),
            address: Some("127.0.0.1:8443".into()),
            tls: TlsFacts::Pinned,
            source: "localbuild/localdev".into(),
            body_limit: Some(1 << 30),
        },
        auth: AuthFacts {
            source: AuthSource::Cluster { secret: "gitea/gitea-credential".into() },
            username: Some("giteaAdmin".into()),
        },
    }
}

/// A registry that flags name, and no cluster.
fn elsewhere(tls: TlsFacts, source: AuthSource) -> Facts {
    let registry = RegistryFacts { tls, host: "r.example".into(), body_limit: None, ..facts().registry };
    Facts { cluster: None, registry, auth: AuthFacts { source, username: Some("me".into()) } }
}

fn with_scene<T>(facts: Option<&Facts>, tell: impl FnOnce(&Scene<'_>) -> T) -> T {
    let sources = ["myapp:dev".to_owned()];
    tell(&Scene {
        command: "idpbuilder push",
        typed: &[],
        sources: &sources,
        home: Some(Path::new("/home/u")),
        facts,
    })
}

/// Every failure as a person sees it, under its exit code and its word for programs.
fn told(failures: impl IntoIterator<Item = Failure>) -> String {
    let mut text = String::new();
    for failure in failures {
        let retry = if failure.retry == Retry::MayHelp { ", may be retried" } else { "" };
        let _ = writeln!(text, "[exit {} {}{retry}]", failure.class.number(), failure.code);
        let _ = writeln!(text, "{}\n", failure.render(Ink::new(Colour::Plain)));
    }
    text
}

fn explained<F: Into<Fault>>(faults: impl IntoIterator<Item = F>, facts: Option<&Facts>) -> String {
    with_scene(facts, |scene| told(faults.into_iter().map(|fault| explain(&fault.into(), scene))))
}

fn origin() -> Origin {
    Origin::new(Scheme::Https, "gitea.cnoe.localtest.me", 8443)
}

fn digest(text: &str) -> Digest {
    sha256(text.as_bytes())
}

fn denied() -> io::Error {
    io::Error::from(io::ErrorKind::PermissionDenied)
}

#[test]
fn usage_errors_are_explained() {
    let from_environment = ValueError::Form { form: "[http[s]://]HOST[:PORT][/PATH]" };
    let glob = globset::Glob::new("[").unwrap_err();
    assert_snapshot!(explained(
        [
            UsageError::CommandWord(CommandWord { word: "list".into() }),
            UsageError::NotText { variable: "IDPBUILDER_REGISTRY_PASSWORD" },
            UsageError::EnvironmentValue {
                variable: "IDPBUILDER_REGISTRY_URL",
                what: "registry address",
                source: from_environment
            },
            UsageError::Glob { pattern: "[".into(), source: glob },
            UsageError::UserAlone { given: "--username" },
            UsageError::PasswordAlone { given: "--password" },
            UsageError::PasswordAndToken {
                password: "IDPBUILDER_REGISTRY_PASSWORD",
                token: "IDPBUILDER_REGISTRY_TOKEN"
            },
            UsageError::AuthBesideLogin { auth: "docker", given: "--token" },
            UsageError::Stdin { source: io::Error::from(io::ErrorKind::InvalidData) },
            UsageError::StdinTwice,
            UsageError::StdinEmpty,
            UsageError::StdinTooLong { limit: 65_536 },
            UsageError::PlainHttpMissing { registry: "localhost:5000".into() },
            UsageError::PlainHttpForHttps { registry: "r.example".into() },
            UsageError::PlainHttpWithoutRegistry,
            UsageError::AllTaggedWithoutRegistry,
            UsageError::InstallForShell,
            UsageError::TwoOwners { owner: "me".into(), path: "team".into() },
            UsageError::WatchSeveral,
            UsageError::WatchStdin,
            UsageError::WatchStream { path: "/dev/stdin".into() },
            UsageError::WatchFolder { path: "images".into() },
            UsageError::WatchPlan,
        ],
        None
    ));
}

#[test]
fn words_that_are_no_source_are_explained() {
    let errors = [
        WordError::TypedInput,
        WordError::Empty { word: "oci-archive:".into(), scheme: "oci-archive" },
        WordError::Nothing,
        WordError::NotAName { word: "my app".into(), reason: "invalid reference format".into() },
        WordError::UpperCase { word: "MyApp:Dev".into(), suggestion: "myapp:Dev".into() },
        WordError::Search { path: "/".into(), what: "the top of the file system" },
    ];
    assert_snapshot!(explained(errors.map(UsageError::Word), None));
}

#[test]
fn a_wrong_value_is_told_with_what_is_expected() {
    let errors = [
        value::duration("30").unwrap_err(),
        value::duration("0s").unwrap_err(),
        value::size("16Mib ").unwrap_err(),
        value::size("99999999g").unwrap_err(),
        value::registry("u:p@r").unwrap_err(),
        value::registry("ftp://r").unwrap_err(),
        value::rename("Web").unwrap_err(),
        value::tag("a b").unwrap_err(),
        value::secret("").unwrap_err(),
    ];
    assert_snapshot!(errors.map(|error| error.to_string()).join("\n"));
}

#[test]
fn a_cluster_that_is_not_found_is_explained() {
    let kubeconfig = || "/home/u/.kube/config".to_owned();
    assert_snapshot!(explained(
        [
            ClusterError::NoKubeconfig { tried: vec!["/home/u/.kube/config".into(), "/etc/kube".into()] },
            ClusterError::Kubeconfig { path: "/home/u/.kube/config".into(), reason: "no YAML".into() },
            ClusterError::ContextNotFound {
                context: "kind-x".into(),
                kubeconfig: kubeconfig(),
                contexts: vec!["kind-localdev".into()],
            },
            ClusterError::NoCluster {
                context: Some("kind-localdev".into()),
                kubeconfig: kubeconfig(),
                contexts: vec!["kind-dev2".into(), "prod-eks".into()],
            },
            ClusterError::NoCluster { context: None, kubeconfig: kubeconfig(), contexts: Vec::new() },
            ClusterError::Several { contexts: vec!["kind-a".into(), "k3d-b".into()] },
        ],
        None
    ));
}

#[test]
fn a_cluster_that_does_not_answer_as_wished_is_explained() {
    let context = || "kind-localdev".to_owned();
    let forbidden = |user: Option<&str>, verb, resource: &str| ClusterError::Forbidden {
        context: context(),
        user: user.map(str::to_owned),
        login: "kind".into(),
        verb,
        resource: resource.into(),
    };
    let secret = SecretName { namespace: "gitea".into(), name: "gitea-credential".into() };
    assert_snapshot!(explained(
        [
            ClusterError::Context { context: context(), reason: "it has no address".into() },
            ClusterError::Unreachable {
                context: context(),
                server: "https://127.0.0.1:6443".into(),
                reason: "connection refused".into(),
            },
            ClusterError::Unauthenticated { context: context(), reason: "401".into() },
            forbidden(Some("dev's"), "get", "secrets gitea/gitea-credential"),
            forbidden(Some("system:serviceaccount:ci:pusher"), "list", "localbuilds.idpbuilder.cnoe.io"),
            forbidden(None, "get", "localbuilds.idpbuilder.cnoe.io a"),
            ClusterError::PluginSilent {
                context: context(),
                command: "aws".into(),
                after: Duration::from_secs(15),
            },
            ClusterError::PluginUnasked { context: "k3d b".into(), command: "aws".into() },
            ClusterError::SeveralLocalbuilds { context: "k3d-b".into(), names: vec!["a".into(), "b".into()] },
            ClusterError::PlainHttp { name: "localdev".into(), registry: "gitea.lab.example:8080".into() },
            ClusterError::SecretNotFound { context: context(), looked_for: vec![secret.clone()] },
            ClusterError::SecretNotFound {
                context: context(),
                looked_for: vec![SecretName { namespace: "team".into(), name: "nope".into() }],
            },
            ClusterError::SecretIncomplete {
                secret,
                missing: "password",
                found: vec!["username".into(), "token".into()],
                reason: "no such key".into(),
            },
            ClusterError::Localbuild { name: "localdev".into(), field: "port", value: "x".into() },
            ClusterError::Api { context: context(), reason: "500".into() },
        ],
        None
    ));
}

#[test]
fn a_source_that_has_no_image_is_explained() {
    let path = || PathBuf::from("/home/u/app.tar");
    assert_snapshot!(explained(
        [
            SourceError::NotFound { path: path(), near: vec!["app2.tar".into()] },
            SourceError::NotFound { path: path(), near: vec!["app2.tar".into(), "apps.tar".into()] },
            SourceError::NotFound { path: path(), near: Vec::new() },
            SourceError::Read { path: path(), source: denied() },
            SourceError::NotAnImage { path: path(), reason: "it has no manifest".into() },
            SourceError::Damaged { path: path(), reason: "it ends within a header".into() },
            SourceError::LinksOut {
                path: path(),
                name: "blobs/sha256/ab".into(),
                target: "/elsewhere/ab".into()
            },
            SourceError::Unpack { path: path(), source: UnpackError::Truncated { codec: "gzip" } },
            SourceError::Unpack {
                path: path(),
                source: UnpackError::Memory { codec: "xz", limit: 64 << 20 }
            },
            SourceError::TooLarge { path: path(), limit: 64 << 30 },
            SourceError::NameNotFound { path: path(), name: "web:2".into(), names: vec!["web:1".into()] },
            SourceError::NameNotFound { path: path(), name: "web:2".into(), names: Vec::new() },
            SourceError::PlatformNotFound {
                source_name: "app.tar".into(),
                wanted: "linux/arm64".into(),
                present: vec!["linux/amd64".into()],
            },
        ],
        None
    ));
}

/// One image of Docker and one of Podman, or two of Docker.
fn several(sources: [&str; 2]) -> SourceError {
    let places = sources.map(|source| EnginePlace {
        source: format!("{source}:myapp:dev"),
        engine: format!("unix:///run/{source}.sock"),
        id: "19bc204df71f".into(),
        created: if source == "podman" { String::new() } else { "2026-10-01T08:00:00Z".into() },
    });
    SourceError::SeveralEngines { reference: "myapp:dev".into(), places: places.to_vec() }
}

#[test]
fn what_local_engines_say_is_explained() {
    let tried = |count: usize| (0..count).map(|n| format!("unix:///{n}.sock: has no such image")).collect();
    assert_snapshot!(explained(
        [
            SourceError::NotInEngine {
                reference: "myapp:dev".into(),
                tried: tried(2),
                near: vec!["myapp:latest".into()],
            },
            SourceError::NotInEngine { reference: "myapp:dev".into(), tried: tried(10), near: Vec::new() },
            SourceError::NotInEngine { reference: "myapp:dev".into(), tried: Vec::new(), near: Vec::new() },
            several(["docker-daemon", "podman"]),
            several(["docker-daemon", "docker-daemon"]),
            SourceError::NoneTagged { registry: "gitea.cnoe.localtest.me:8443".into(), tried: tried(1) },
            SourceError::EngineRefused {
                engine: "unix:///run/docker.sock".into(),
                reason: "content digest sha256:abc: not found".into()
            },
            SourceError::Engine { engine: "/var/run/docker.sock".into(), reason: "permission denied".into() },
        ],
        None
    ));
}

#[test]
fn a_folder_without_images_says_what_was_left_out() {
    let skipped = |n: usize| {
        let one = |n| Skipped { path: format!("/home/u/a/{n}.tar").into(), reason: "no image".into() };
        (0..n).map(one).collect()
    };
    assert_snapshot!(explained(
        [0, 2, 9]
            .map(|n| SourceError::NothingFound { path: "/home/u/a".into(), skipped: skipped(n) })
            .into_iter()
            .chain([SourceError::NothingNamed { path: "/home/u/a".into(), skipped: skipped(1) }]),
        None
    ));
}

#[test]
fn content_that_cannot_be_read_is_explained() {
    let path = || PathBuf::from("/home/u/app.tar");
    let errors = [
        ContentError::Open { path: path(), source: denied() },
        ContentError::NotRegular { path: path() },
        ContentError::Changed { path: path() },
        ContentError::Short { path: path(), file_len: 10, end: 20 },
        ContentError::TooLarge { len: 20, limit: 10 },
        ContentError::Spool { dir: "/var/tmp".into(), source: io::Error::from(io::ErrorKind::StorageFull) },
        ContentError::NoRoom { dir: "/var/tmp".into(), needed: 5 << 30, free: 1 << 20 },
        ContentError::Fetch { name: "docker-daemon:web:1".into(), reason: "no such image".into() },
        ContentError::Deferred(Arc::new(ContentError::Changed { path: "podman:web:1".into() })),
    ];
    assert_snapshot!(explained(errors.map(SourceError::Content), None));
}

#[test]
fn names_that_cannot_be_a_target_are_explained() {
    let errors = [
        TargetError::Name { name: "a//b".into(), reason: "a part between slashes is empty".into() },
        TargetError::UpperCase { name: "myapp:dev".into(), suggestion: "typed:dev".into() },
        TargetError::UpperCase { name: "InAFile:Dev".into(), suggestion: "inafile:Dev".into() },
        TargetError::GiteaName { name: "me/a__b".into(), found: "__", suggestion: "a_b".into() },
        TargetError::NoName,
        TargetError::NoTag { name: "web@sha256:...".into() },
        TargetError::Collision { target: "r/me/web:1".into(), sources: vec!["a.tar".into(), "b.tar".into()] },
        TargetError::RenameOfMany { images: 3 },
    ];
    assert_snapshot!(explained(errors.map(|error| RunError::Plan(PlanError::Target(error))), None));
}

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

fn refused(refusal: Refusal, status: u16, message: &str) -> RegistryError {
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

#[test]
fn what_fails_on_this_machine_is_explained() {
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    let local = explained(
        [
            LocalError::Runtime { source: denied() },
            LocalError::Stdout { source: full() },
            LocalError::CaFile { path: "ca.pem".into(), source: denied() },
            LocalError::NotCertificates {
                path: "ca.pem".into(),
                reason: "it has no PEM certificate in it".into(),
            },
            LocalError::ClusterLoginElsewhere { registry: "ghcr.io".into() },
            LocalError::ClusterLoginInsecure { registry: "gitea.lab.example:8443".into() },
            LocalError::NoOwner,
            LocalError::Link { path: "/usr/bin/kubectl_complete-idpbuilder_push".into(), source: denied() },
            LocalError::LinkTaken { path: "/home/u/.local/bin/kubectl_complete-idpbuilder_push".into() },
            LocalError::NoHome,
        ],
        None,
    );
    let reasons = [Reason::Interrupt, Reason::Terminate, Reason::OutOfTime(Duration::from_mins(5))];
    assert_snapshot!(local + &told(reasons.map(stopped)));
}

fn failed(source: &str, reference: &str, error: ImageError) -> ImageOutcome {
    ImageOutcome {
        source: SourceName(source.into()),
        reference: reference.into(),
        digest: None,
        media_type: None,
        platforms: Vec::new(),
        status: Status::Failed(Arc::new(error)),
        size: 0,
        layers: LayerCounts::default(),
        bytes_sent: 0,
        retries: 0,
        duration: Duration::ZERO,
        phases: Phases::default(),
    }
}

fn report(images: Vec<ImageOutcome>) -> PushReport {
    PushReport { images, ..PushReport::default() }
}

#[test]
fn images_that_failed_are_explained() {
    let pack = |source| ImageError::Pack { diff_id: digest("layer"), source };
    let mismatch = PackError::DiffIdMismatch { expected: digest("a"), found: digest("b") };
    let spool =
        ContentError::Spool { dir: "/var/tmp".into(), source: io::Error::from(io::ErrorKind::StorageFull) };
    let errors = [
        pack(mismatch),
        pack(PackError::CrewLost),
        pack(PackError::Content(spool)),
        pack(PackError::Cancelled),
        ImageError::PackedOtherwise { expected: digest("a"), found: digest("b") },
        ImageError::Compose(crate::oci::ComposeError { reason: "two layers and one diff_id".into() }),
    ];
    assert_snapshot!(with_scene(None, |scene| told(errors.iter().map(|error| one(error, scene)))));
}

#[test]
fn images_that_failed_for_one_reason_share_its_text() {
    let denied = || ImageError::Registry(refused(Refusal::Denied, 401, "reqPackageAccess"));
    let damaged = ImageError::Source(SourceError::Damaged { path: "b.tar".into(), reason: "cut off".into() });
    let report = report(vec![
        failed("a.tar", "host/me/a:1", denied()),
        failed("b.tar", "", damaged),
        failed("c.tar", "host/me/c:1", denied()),
    ]);
    let facts = facts();
    let failures = with_scene(Some(&facts), |scene| of_report(&report, scene));
    assert_eq!(whole(&failures), Some(Class::Mixed));
    assert_snapshot!(told(failures));
}

#[test]
fn the_one_image_of_a_run_is_not_named_again() {
    let report = report(vec![failed("a.tar", "host/me/a:1", refused(Refusal::Other, 418, "").into())]);
    let failures = with_scene(None, |scene| of_report(&report, scene));
    assert_eq!(whole(&failures), Some(Class::Refused));
    assert_eq!(failures[0].details, [] as [String; 0]);
}

#[test]
fn colours_are_around_the_words_and_change_nothing_else() {
    let failure = Failure::new(Class::Usage, "X", "what").detail("more").say("do");
    let plain = failure.render(Ink::new(Colour::Plain));
    let painted = failure.render(Ink::new(Colour::Ansi));
    assert!(painted.starts_with("\x1b[1;31merror:\x1b[0m what"), "{painted:?}");
    let bare = painted.replace("\x1b[1;31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "");
    assert_eq!(bare, plain);
}

#[test]
fn what_a_server_says_is_bounded_and_escaped() {
    let failure = Failure::new(Class::Refused, "X", "what").cause("\u{202e}".repeat(5000));
    let text = failure.render(Ink::new(Colour::Plain));
    assert!(text.len() < 4096, "{} bytes", text.len());
    assert!(text.is_ascii());
}

#[test]
fn programs_get_the_same_advice() {
    let failure = Failure::new(Class::Usage, "X", "what").did_you_mean("a b").say("c").run("d", "e");
    assert_eq!(failure.hints(), ["did you mean: a b", "c", "d: e"]);
}
