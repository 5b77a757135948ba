use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::port::{Scheme, Secret};

fn folder(config: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

#[cfg(unix)]
fn add_helper(folder: &TempDir, name: &str, script: &str) {
    let path = folder.path().join(format!("docker-credential-{name}"));
    crate::child::tests::write_program(&path, script);
}

async fn ask(folder: &TempDir, registry: &str) -> Result<Option<Credential>, KeychainError> {
    ask_places(in_folder(folder), registry, None).await
}

fn in_folder(folder: &TempDir) -> LoginPlaces {
    LoginPlaces {
        docker_config: Some(folder.path().to_owned()),
        path: Some(folder.path().as_os_str().to_owned()),
        ..LoginPlaces::default()
    }
}

async fn ask_places(
    places: LoginPlaces,
    registry: &str,
    repository: Option<&str>,
) -> Result<Option<Credential>, KeychainError> {
    let repository: Option<Repository> = repository.map(|repository| repository.parse().unwrap());
    let origin = Origin::parse(Scheme::Https, registry).unwrap();
    SavedLogins::new(places).credential(&origin, repository.as_ref()).await
}

/// Writes `containers/auth.json` below a folder, as Podman does.
fn podman(folder: &Path, auths: &Value) {
    fs::create_dir_all(folder.join("containers")).unwrap();
    fs::write(folder.join("containers/auth.json"), json!({ "auths": auths }).to_string()).unwrap();
}

fn entry(login: &str) -> Value {
    json!({ "auth": STANDARD.encode(login) })
}

fn username(credential: Option<Credential>) -> Option<String> {
    match credential?.identity {
        Identity::Password { username, .. } => Some(username),
        other => panic!("{other:?}"),
    }
}

async fn reason(config: &Value) -> String {
    match ask(&folder(config), "r.example").await {
        Err(KeychainError::Config { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_is_bound_to_the_origin_that_asked() {
    let folder = folder(&json!({ "auths": { "https://r.example:8443/v1/": entry("u:p") } }));
    let credential = ask(&folder, "r.example:8443").await.unwrap().unwrap();
    assert_eq!(credential.origin, Origin::new(Scheme::Https, "r.example", 8443));
    let expected = Identity::Password { username: "u".into(), password: Secret::new("p".into()) };
    assert_eq!((credential.identity, credential.second), (expected, None));
    assert!(credential.source.ends_with("config.json (entry `https://r.example:8443/v1/`)"));
    for other in ["r.example", "x.r.example:8443", "example:8443"] {
        assert_eq!(ask(&folder, other).await.unwrap(), None, "{other}");
    }
}

#[tokio::test]
async fn of_several_spellings_the_exact_one_comes_first_and_empty_ones_do_not_count() {
    let (exact, other) = (entry("exact:p"), entry("other:p"));
    let auths = json!({ "https://r.example": other, "r.example": exact });
    assert_eq!(
        username(ask(&folder(&json!({ "auths": auths })), "r.example").await.unwrap()).unwrap(),
        "exact"
    );
    let auths = json!({ "https://r.example": other, "r.example": {} });
    assert_eq!(
        username(ask(&folder(&json!({ "auths": auths })), "r.example").await.unwrap()).unwrap(),
        "other"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_registrys_helper_comes_before_the_store_and_the_store_before_the_entry() {
    let login = |name: &str| format!(r#"echo '{{"Username":"{name}","Secret":"made-up"}}'"#);
    let auths = json!({ "own.example": entry("entry:p"), "stored.example": entry("entry:p") });
    let mut config =
        json!({ "auths": auths, "credsStore": "store", "credHelpers": { "https://own.example": "own" } });
    let folder = folder(&config);
    add_helper(&folder, "own", &login("own"));
    add_helper(&folder, "store", &login("store"));
    assert_eq!(username(ask(&folder, "own.example").await.unwrap()).unwrap(), "own");
    let stored = ask(&folder, "stored.example").await.unwrap().unwrap();
    assert_eq!(stored.source, "credential helper docker-credential-store");
    assert_eq!(username(Some(stored)).unwrap(), "store");

    add_helper(&folder, "store", "echo 'credentials not found in native keychain'; exit 1");
    assert_eq!(username(ask(&folder, "stored.example").await.unwrap()).unwrap(), "entry");
    assert_eq!(ask(&folder, "none.example").await.unwrap(), None);

    config["credsStore"] = json!("");
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    assert_eq!(username(ask(&folder, "stored.example").await.unwrap()).unwrap(), "entry");
}

#[cfg(unix)]
#[tokio::test]
async fn a_helper_that_is_broken_never_falls_to_the_entry() {
    let config = json!({ "auths": { "r.example": entry("u:p") }, "credsStore": "store" });
    let folder = folder(&config);
    assert!(matches!(ask(&folder, "r.example").await, Err(KeychainError::HelperMissing { .. })));
    add_helper(&folder, "store", "exit 1");
    assert!(matches!(ask(&folder, "r.example").await, Err(KeychainError::HelperFailed { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn docker_hub_is_asked_for_by_its_old_url() {
    let folder = folder(&json!({ "credHelpers": { "docker.io": "echo" } }));
    add_helper(&folder, "echo", r#"read server; echo "{\"Username\":\"$server\",\"Secret\":\"s\"}""#);
    let found = ask(&folder, "registry-1.docker.io").await.unwrap();
    assert_eq!(username(found).unwrap(), "https://index.docker.io/v1/");
}

#[tokio::test]
async fn no_config_is_no_login() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(ask(&empty, "r.example").await.unwrap(), None);
    assert_eq!(ask_places(LoginPlaces::default(), "r.example", None).await.unwrap(), None);
    assert_eq!(ask(&folder(&json!({})), "r.example").await.unwrap(), None);
    assert_eq!(
        ask(&folder(&json!({ "auths": null, "credHelpers": null })), "r.example").await.unwrap(),
        None
    );
}

#[tokio::test]
async fn the_folder_that_is_named_hides_that_of_the_home() {
    let (named, home) = (folder(&json!({})), tempfile::tempdir().unwrap());
    fs::create_dir(home.path().join(".docker")).unwrap();
    let config = json!({ "auths": { "r.example": entry("home:p") } });
    fs::write(home.path().join(".docker/config.json"), config.to_string()).unwrap();
    let mut places = LoginPlaces { home: Some(home.path().to_owned()), ..LoginPlaces::default() };
    let found = ask_places(places.clone(), "r.example", None).await.unwrap();
    assert_eq!(username(found).unwrap(), "home");
    places.docker_config = Some(named.path().to_owned());
    assert_eq!(ask_places(places, "r.example", None).await.unwrap(), None);
}

#[tokio::test]
async fn the_places_have_an_order() {
    let (docker, runtime, home) =
        (folder(&json!({})), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    podman(&home.path().join(".config"), &json!({ "r.example": entry("home:p") }));
    let mut places = LoginPlaces {
        runtime_dir: Some(runtime.path().to_owned()),
        home: Some(home.path().to_owned()),
        ..in_folder(&docker)
    };
    let asked = async |places: &LoginPlaces| {
        username(ask_places(places.clone(), "r.example", None).await.unwrap()).unwrap()
    };
    assert_eq!(asked(&places).await, "home");
    podman(runtime.path(), &json!({ "r.example": entry("runtime:p") }));
    assert_eq!(asked(&places).await, "runtime");
    places.registry_auth_file = Some(home.path().join("auth.json"));
    fs::write(
        home.path().join("auth.json"),
        json!({ "auths": { "r.example": entry("named:p") } }).to_string(),
    )
    .unwrap();
    assert_eq!(asked(&places).await, "named");
    let config = json!({ "auths": { "r.example": entry("docker:p") } }).to_string();
    fs::write(docker.path().join("config.json"), config).unwrap();
    assert_eq!(asked(&places).await, "docker");
    let config = json!({ "auths": { "r.example": entry("variable:p") } }).to_string();
    places.docker_auth_config = Some(Secret::new(config));
    assert_eq!(asked(&places).await, "variable");
}

#[tokio::test]
async fn the_folder_of_configs_hides_that_of_the_home() {
    let (configs, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    podman(&home.path().join(".config"), &json!({ "r.example": entry("home:p") }));
    podman(configs.path(), &json!({}));
    let places = LoginPlaces {
        config_home: Some(configs.path().to_owned()),
        home: Some(home.path().to_owned()),
        ..LoginPlaces::default()
    };
    assert_eq!(ask_places(places, "r.example", None).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_that_is_named_must_be_there_and_hides_podmans_own() {
    let runtime = tempfile::tempdir().unwrap();
    podman(runtime.path(), &json!({ "r.example": entry("u:p") }));
    let places = LoginPlaces {
        registry_auth_file: Some(runtime.path().join("none.json")),
        runtime_dir: Some(runtime.path().to_owned()),
        ..LoginPlaces::default()
    };
    let error = ask_places(places, "r.example", None).await.unwrap_err();
    assert!(matches!(error, KeychainError::Read { path, .. } if path.ends_with("none.json")));
}

#[tokio::test]
async fn the_key_that_says_most_of_the_repository_wins() {
    let auths = json!({
        "r.example": entry("all:p"),
        "r.example/team": entry("team:p"),
        "r.example/team/app": entry("app:p"),
        "r.example/empty": {},
    });
    let folder = folder(&json!({ "auths": auths }));
    for (repository, expected) in [
        (None, "all"),
        (Some("team"), "team"),
        (Some("team/web"), "team"),
        (Some("team/app"), "app"),
        (Some("team/app/x"), "app"),
        (Some("teams/app"), "all"),
        (Some("empty/web"), "all"),
    ] {
        let found = ask_places(in_folder(&folder), "r.example", repository).await.unwrap().unwrap();
        if expected == "app" {
            assert!(found.source.ends_with("config.json (entry `r.example/team/app`)"), "{}", found.source);
        }
        assert_eq!(username(Some(found)).unwrap(), expected, "{repository:?}");
    }
}

#[tokio::test]
async fn a_config_in_the_environment_is_named_by_its_variable() {
    let places = |text: &str| LoginPlaces {
        docker_auth_config: Some(Secret::new(text.to_owned())),
        ..LoginPlaces::default()
    };
    let auths = json!({ "auths": { "r.example": entry("u:p") } });
    let found = ask_places(places(&auths.to_string()), "r.example", None).await.unwrap().unwrap();
    assert_eq!(found.source, "DOCKER_AUTH_CONFIG (entry `r.example`)");
    let error = ask_places(places("made-up"), "r.example", None).await.unwrap_err();
    assert_eq!(error.to_string(), "`DOCKER_AUTH_CONFIG` is not a docker config: line 1, column 1");
}

#[cfg(unix)]
#[tokio::test]
async fn a_helper_is_asked_once_for_a_registry() {
    let folder = folder(&json!({ "credsStore": "count" }));
    let log = folder.path().join("log");
    add_helper(
        &folder,
        "count",
        &format!(r#"echo asked >> '{}'; echo '{{"Username":"u","Secret":"s"}}'"#, log.display()),
    );
    let logins = SavedLogins::new(in_folder(&folder));
    let origin = Origin::new(Scheme::Https, "r.example", 443);
    for repository in ["a/x", "a/y"] {
        let found = logins.credential(&origin, Some(&repository.parse().unwrap())).await.unwrap();
        assert_eq!(username(found).unwrap(), "u");
    }
    assert_eq!(fs::read_to_string(log).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn a_broken_config_is_refused_without_quoting_it() {
    for (config, expected) in [
        (json!({ "auths": { "r.example": "made-up" } }), "line 1"),
        (json!({ "auths": { "r.example": { "auth": "made-up" } } }), "entry `r.example`: `auth` is not"),
        (json!({ "auths": { "r.example": entry("made-up") } }), "entry `r.example`: `auth` is not"),
        (json!({ "credsStore": "../../made.up" }), "no name of a credential helper"),
    ] {
        let reason = reason(&config).await;
        assert!(reason.contains(expected) && !reason.contains("made-up"), "{reason}");
    }
    let folder = folder(&json!({}));
    fs::write(folder.path().join("config.json"), "{\"auths\":").unwrap();
    assert!(ask(&folder, "r.example").await.is_err());
}

#[tokio::test]
async fn a_config_without_content_has_no_logins() {
    let folder = folder(&json!({}));
    for text in ["", " \r\n\t\n"] {
        fs::write(folder.path().join("config.json"), text).unwrap();
        assert_eq!(ask(&folder, "r.example").await.unwrap(), None, "{text:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_runtime_folder_podmans_file_is_below_run() {
    assert_eq!(file_of(1000), Path::new("/run/containers/1000/auth.json"));
    let own = file_of(rustix::process::getuid().as_raw());
    assert_eq!(below_run(), Some(own.clone()).filter(|path| path.exists()));
    let places = LoginPlaces { runtime_dir: Some("/r".into()), ..LoginPlaces::default() };
    let stores = stores(places);
    let [Place::File(file)] = stores.as_slice() else { panic!() };
    assert_eq!(file, Path::new("/r/containers/auth.json"));
}

#[tokio::test]
async fn a_config_beyond_the_limit_is_refused() {
    assert_eq!(reason(&json!({ "x": "x".repeat(1024 * 1024) })).await, "it is larger than 1 MiB");
}

#[tokio::test]
async fn control_characters_in_a_login_are_refused() {
    for login in ["u\r\n:p", "u:p\n", "u:\0"] {
        let refused = ask(&folder(&json!({ "auths": { "r.example": entry(login) } })), "r.example").await;
        assert!(matches!(refused, Err(KeychainError::ControlCharacter { .. })), "{login:?}");
    }
}
