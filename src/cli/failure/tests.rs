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

mod images;
mod registry;
mod sources;

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
