use std::ffi::{OsStr, OsString};
use std::io::{self, Cursor};
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::cli::args::{Command, parse};
use crate::cli::called::Called;
use crate::cli::facts::ClusterFacts;
use crate::cli::settings::login::Given;
use crate::cli::word::Seen;
use crate::cluster::Login as ClusterLogin;
use crate::job::Compression;
use crate::source::EngineKind;

mod view;

struct Empty;

impl Probe for Empty {
    fn look(&self, _: &Path) -> Seen {
        Seen::Nothing
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

fn command(line: &str) -> Command {
    let called = Called::by(None, None);
    let words = std::iter::once("x").chain(line.split(' ').filter(|word| !word.is_empty()));
    parse(words.map(OsString::from).collect(), &called).unwrap()
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::of(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        .unwrap()
}

fn with(line: &str, pairs: &[(&str, &str)], stdin: &str) -> Result<Settings, UsageError> {
    let Command::Push(args) = command(line) else { panic!("no push: {line}") };
    let mut stdin = Cursor::new(stdin.as_bytes().to_vec());
    let mut around = Surroundings { environment: &environment(pairs), probe: &Empty, stdin: &mut stdin };
    Settings::of(*args, &mut around)
}

fn settings(line: &str) -> Settings {
    with(line, &[], "").unwrap()
}

fn error(line: &str) -> UsageError {
    with(line, &[], "").unwrap_err()
}

const URL: &str = "IDPBUILDER_REGISTRY_URL";
const USER: &str = "IDPBUILDER_REGISTRY_USERNAME";
const PASSWORD: &str = "IDPBUILDER_REGISTRY_PASSWORD";
const TOKEN: &str = "IDPBUILDER_REGISTRY_TOKEN";

fn given(settings: Settings) -> (Option<String>, String, GivenKind, &'static str) {
    match settings.reach.login {
        Login::Given(Given { username, secret, kind, by }) => {
            (username, secret.expose().to_owned(), kind, by)
        }
        other => panic!("no login: {other:?}"),
    }
}

#[test]
fn without_flags_everything_comes_from_the_cluster() {
    let settings = settings("myapp:dev");
    assert_eq!(settings.reach.place, Place::Cluster);
    assert_eq!(settings.reach.tls, Tls::Known);
    assert_eq!(settings.reach.login, Login::Auto);
    assert_eq!(settings.reach.cluster.login, ClusterLogin::Read);
    assert_eq!(settings.reach.cluster.timeout, Duration::from_secs(10));
    assert_eq!(settings.compression, CompressionChoice::Auto);
    assert_eq!(settings.selection, Selection::Present);
    assert_eq!((settings.stop, settings.existing), (StopAfter::Push, Existing::Skip));
    assert_eq!(settings.transfer.jobs.get(), 3);
    assert_eq!(settings.reach.requests.retries, 5);
    assert_eq!(settings.search.max_depth, 8);
    assert_eq!(settings.search.links, Links::Stay);
    assert_eq!(settings.reach.requests.timeout, None);
    assert_eq!(settings.notices, []);
}

#[test]
fn a_flag_goes_before_the_environment() {
    let pairs = [(URL, "env.example"), (USER, "env-user"), (PASSWORD, "env-password")];
    let from_flags = with("-r flag.example -u flag-user -t flag-token x", &pairs, "").unwrap();
    assert!(matches!(&from_flags.reach.place, Place::Given(r) if r.origin.host() == "flag.example"));
    assert_eq!(
        given(from_flags),
        (Some("flag-user".to_owned()), "flag-token".to_owned(), GivenKind::Token, "--token")
    );
    let from_environment = with("x", &pairs, "").unwrap();
    assert!(matches!(&from_environment.reach.place, Place::Given(r) if r.given_by == URL));
    let login = given(from_environment);
    assert_eq!(
        login,
        (Some("env-user".to_owned()), "env-password".to_owned(), GivenKind::Password, PASSWORD)
    );
    assert_eq!(given(with("-u me x", &pairs, "").unwrap()).0.as_deref(), Some("me"));
}

#[test]
fn the_cluster_of_a_flag_goes_before_that_of_the_environment() {
    let pairs = [("IDPBUILDER_NAME", "env"), ("KUBECONFIG", "/a:/b"), ("HOME", "/home/u")];
    let query = with("x", &pairs, "").unwrap().reach.cluster;
    assert_eq!(query.name.as_deref(), Some("env"));
    assert_eq!(query.kubeconfig.environment.as_deref(), Some(OsStr::new("/a:/b")));
    let query = with("--name flag --kubeconfig /c x", &pairs, "").unwrap().reach.cluster;
    assert_eq!(query.name.as_deref(), Some("flag"));
    assert_eq!(query.kubeconfig.given.as_deref(), Some(Path::new("/c")));
    let query = with("--context kind-dev2 x", &pairs, "").unwrap().reach.cluster;
    assert_eq!((query.name, query.context.as_deref()), (None, Some("kind-dev2")));
}

#[test]
fn a_watch_stays_with_the_cluster_that_it_found() {
    let mut reach = with("x", &[], "").unwrap().reach;
    let found = ClusterFacts { name: "dev".to_owned(), context: "kind-dev".to_owned() };
    reach.stays_with(None);
    assert_eq!(reach.cluster.context, None);
    reach.stays_with(Some(&found));
    assert_eq!(reach.cluster.context.as_deref(), Some("kind-dev"));
}

#[test]
fn standard_input_is_a_tar_or_a_password() {
    let error = with("-u me --password-stdin -", &[], "secret\n").unwrap_err();
    assert!(matches!(error, UsageError::StdinTwice), "{error}");
    assert_eq!(settings("- -").search.sources, [Spec::Stdin]);
}

#[test]
fn half_a_login_is_an_error() {
    assert!(matches!(error("-u me x"), UsageError::UserAlone { given: "--username" }));
    assert!(matches!(error("-p secret x"), UsageError::PasswordAlone { given: "--password" }));
    let stdin = with("--password-stdin x", &[], "secret\n").unwrap_err();
    assert!(matches!(stdin, UsageError::PasswordAlone { given: "--password-stdin" }));
    let from_environment = with("x", &[(USER, "me")], "").unwrap_err();
    assert!(matches!(from_environment, UsageError::UserAlone { given: USER }));
    let both = with("-u me x", &[(PASSWORD, "a"), (TOKEN, "b")], "").unwrap_err();
    assert!(matches!(both, UsageError::PasswordAndToken { .. }));
}

#[test]
fn a_token_may_stand_alone() {
    let login = given(with("x", &[(TOKEN, "token")], "").unwrap());
    assert_eq!(login, (None, "token".to_owned(), GivenKind::Token, TOKEN));
}

#[test]
fn a_login_of_its_own_leaves_the_secret_unread() {
    for line in ["-u me -p secret x", "--auth docker x", "--auth none x"] {
        assert_eq!(settings(line).reach.cluster.login, ClusterLogin::Skip, "{line}");
    }
    assert_eq!(settings("--auth cluster x").reach.cluster.login, ClusterLogin::Read);
    assert!(matches!(error("--auth docker -t a x"), UsageError::AuthBesideLogin { auth: "docker", .. }));
}

#[test]
fn a_password_on_standard_input_is_its_first_line() {
    for (stdin, password) in [
        ("secret\n", "secret"),
        ("secret", "secret"),
        ("secret\r\n", "secret"),
        (" two words \nmore\n", " two words "),
    ] {
        let login = given(with("-u me --password-stdin x", &[], stdin).unwrap());
        assert_eq!(login.1, password, "{stdin:?}");
    }
    for stdin in ["", "\n", "\r\n"] {
        let error = with("-u me --password-stdin x", &[], stdin).unwrap_err();
        assert!(matches!(error, UsageError::StdinEmpty), "{stdin:?}");
    }
    let long = "x".repeat(70_000);
    let error = with("-u me --password-stdin x", &[], &long).unwrap_err();
    assert!(matches!(error, UsageError::StdinTooLong { .. }));
}

#[test]
fn standard_input_is_left_alone_unless_it_was_asked_for() {
    struct Untouched;
    impl io::Read for Untouched {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("standard input was read")
        }
    }
    let Command::Push(args) = command("-u me -p secret x") else { panic!("no push") };
    let around = &mut Surroundings { environment: &environment(&[]), probe: &Empty, stdin: &mut Untouched };
    assert!(Settings::of(*args, around).is_ok());
}

#[test]
fn a_password_among_the_arguments_is_warned_of() {
    let notices = settings("-u me -p secret x").notices;
    assert!(matches!(notices.as_slice(), [Notice::Warning(text)] if text.contains("--password-stdin")));
}

#[test]
fn plain_http_is_said_outright() {
    let origin = |line: &str| match settings(line).reach.place {
        Place::Given(registry) => registry.origin.to_string(),
        Place::Cluster => panic!("no registry: {line}"),
    };
    assert_eq!(origin("-r localhost:5000 --plain-http x"), "http://localhost:5000");
    assert_eq!(origin("-r http://localhost --plain-http x"), "http://localhost");
    assert_eq!(origin("-r localhost:5000 --insecure x"), "https://localhost:5000");
    assert!(matches!(error("-r http://localhost x"), UsageError::PlainHttpMissing { .. }));
    assert!(matches!(error("-r https://r.example --plain-http x"), UsageError::PlainHttpForHttps { .. }));
    assert!(matches!(error("--plain-http x"), UsageError::PlainHttpWithoutRegistry));
}

#[test]
fn a_registry_path_takes_the_place_of_an_owner() {
    let Place::Given(registry) = settings("-r r.example/team x").reach.place else { panic!("no registry") };
    assert_eq!(registry.path.unwrap().as_str(), "team");
    assert!(matches!(error("-r r.example/team --owner me x"), UsageError::TwoOwners { .. }));
}

#[test]
fn choices_become_values() {
    let settings = settings(
        "--dry-run --force --fail-fast --compression none --platform linux/arm64 --keep-path --follow \
         --chunk-size 16MiB --timeout 2m --include *.tar x",
    );
    assert_eq!((settings.stop, settings.existing), (StopAfter::Plan, Existing::Replace));
    assert_eq!(settings.on_failure, OnFailure::Stop);
    assert_eq!(settings.compression, CompressionChoice::These(Compression::None));
    assert!(matches!(settings.selection, Selection::Only(_)));
    assert_eq!(settings.names.path, PathPart::Whole);
    assert_eq!(settings.search.links, Links::Follow);
    assert_eq!(settings.reach.requests.chunk.map(NonZeroU64::get), Some(16 << 20));
    assert_eq!(settings.reach.requests.timeout, Some(Duration::from_mins(2)));
    assert_eq!(settings.search.include.len(), 1);
    assert!(matches!(error("--include [ x"), UsageError::Glob { .. }));
}

#[test]
fn without_a_source_the_folder_is_searched() {
    assert_eq!(settings("").search.sources, [Spec::Folder { path: ".".into() }]);
    assert_eq!(settings("--path images").search.sources, [Spec::Folder { path: "images".into() }]);
    assert!(matches!(error("--path /"), UsageError::Word(_)));
    assert_eq!(settings("a.tar a.tar").search.sources.len(), 1);
}

#[test]
fn a_list_needs_no_login_and_no_plain_http() {
    let Command::List(args) = command("list -r http://r.example/team x") else { panic!("no list") };
    let around = Surroundings { environment: &environment(&[]), probe: &Empty, stdin: &mut io::empty() };
    let settings = ListSettings::of(*args, &around).unwrap();
    assert!(matches!(settings.place, Place::Given(registry) if registry.origin.authority() == "r.example"));
}

#[test]
fn a_registry_of_the_environment_that_is_none_matters_where_it_is_chosen() {
    let broken = [(URL, "ftp://x")];
    assert!(with("-r flag.example x", &broken, "").is_ok());
    let refused = with("x", &broken, "").unwrap_err();
    assert!(matches!(refused, UsageError::EnvironmentValue { variable: URL, .. }), "{refused:?}");
    assert!(listed_with("list -r r.example x", &broken).is_ok());
    assert!(listed_with("list x", &broken).is_err());
}

fn listed(line: &str) -> Result<ListSettings, UsageError> {
    listed_with(line, &[])
}

fn listed_with(line: &str, pairs: &[(&str, &str)]) -> Result<ListSettings, UsageError> {
    let Command::List(args) = command(line) else { panic!("no list: {line}") };
    let around = Surroundings { environment: &environment(pairs), probe: &Empty, stdin: &mut io::empty() };
    ListSettings::of(*args, &around)
}

#[test]
fn all_tagged_images_are_a_source_of_their_own() {
    let sources = |line| with(line, &[], "").unwrap().search.sources;
    assert_eq!(sources("--all-tagged"), [Spec::AllTagged]);
    let web = Spec::Engine { reference: "web:1".into(), kind: EngineKind::Any };
    assert_eq!(sources("--all-tagged web:1"), [web, Spec::AllTagged]);
}

#[test]
fn a_list_of_tagged_images_needs_a_registry() {
    assert!(matches!(listed("list --all-tagged"), Err(UsageError::AllTaggedWithoutRegistry)));
    let settings = listed("list --all-tagged --registry r.example:5000").unwrap();
    assert_eq!(settings.search.sources, [Spec::AllTagged]);
}
