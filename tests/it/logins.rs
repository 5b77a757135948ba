//! Logins that docker and Podman saved, as the whole program finds them.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::folder;
use crate::kit::image::{Image, docker_archive};
use crate::kit::program::Program;
use crate::kit::registry::{Login, Registry, Scope, User};

/// What each team writes below its own name, and reads elsewhere.
fn teams(login: Login) -> Registry {
    let user = |name: &str| User::new(name, &format!("{name}-made-up")).writes_only(&format!("{name}/"));
    Registry::distribution().login(login).user(user("blue")).user(user("red")).start()
}

fn entry(user: &str) -> Value {
    json!({ "auth": STANDARD.encode(format!("{user}:{user}-made-up")) })
}

/// One archive with an image for each of the names.
fn archive(names: &[String]) -> TempDir {
    let folder = folder();
    let images: Vec<Image> =
        (1..).zip(names).map(|(seed, name)| Image::new(name).layer(seed, 5000)).collect();
    docker_archive(&folder.path().join("app.tar"), &images);
    folder
}

fn of_both_teams(registry: &Registry) -> TempDir {
    archive(&["blue/web:1", "red/api:1"].map(|name| format!("{}/{name}", registry.address())))
}

fn podman(program: &Program, auths: &Value) {
    let folder = program.home().join(".config/containers");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("auth.json"), json!({ "auths": auths }).to_string()).unwrap();
}

fn push(registry: &Registry, folder: &Path) -> Program {
    Program::push_to(registry).args(["-v"]).arg(folder.join("app.tar"))
}

#[test]
fn images_of_one_run_have_the_logins_of_their_namespaces() {
    for login in [Login::Basic, Login::Bearer] {
        let registry = teams(login);
        let folder = of_both_teams(&registry);
        let program = push(&registry, folder.path());
        let address = registry.address();
        podman(
            &program,
            &json!({ format!("{address}/blue"): entry("blue"), format!("{address}/red"): entry("red") }),
        );
        let ran = program.run().exits(0);
        assert!(registry.manifest("blue/web", "1").is_some() && registry.manifest("red/api", "1").is_some());
        assert!(ran.stderr.contains("/blue`)") && ran.stderr.contains("/red`)"), "{ran}");
        assert!(!ran.stderr.contains("made-up"), "{ran}");
        registry.assert_orderly();
    }
}

#[test]
fn the_login_of_another_namespace_is_not_taken() {
    let registry = teams(Login::Bearer);
    let folder = of_both_teams(&registry);
    let program = push(&registry, folder.path());
    let address = registry.address();
    podman(&program, &json!({ format!("{address}/blue"): entry("blue") }));
    program.run().exits(4).says(&["wants a login (401)"]);
    assert_eq!(registry.repositories(), ["blue/web"]);
}

#[test]
fn a_login_that_is_refused_is_named_by_file_and_key() {
    let registry = teams(Login::Bearer);
    let folder = archive(&[format!("{}/blue/web:1", registry.address())]);
    let program = push(&registry, folder.path());
    let key = format!("{}/blue", registry.address());
    podman(&program, &json!({ &key: { "auth": STANDARD.encode("blue:stale-made-up") } }));
    let ran = program.run().exits(4);
    let told = format!("auth.json (entry `{key}`)");
    ran.says(&["refused the credentials of user \"blue\" (401)", &told, "docker login"]);
}

#[test]
fn an_identity_token_is_exchanged() {
    let user = User::new("blue", "p").access_token("made-up-token", Scope::Write);
    let registry = Registry::distribution().login(Login::Bearer).user(user).start();
    let folder = archive(&["web:1".to_owned()]);
    let program = push(&registry, folder.path());
    podman(&program, &json!({ registry.address(): { "identitytoken": "made-up-token" } }));
    program.run().exits(0);
    assert!(registry.manifest("web", "1").is_some());
    registry.assert_orderly();
}

#[test]
fn a_config_in_the_environment_comes_before_the_files() {
    let registry = teams(Login::Basic);
    let folder = archive(&[format!("{}/blue/web:1", registry.address())]);
    let config = json!({ "auths": { registry.address(): entry("blue") } });
    let program = push(&registry, folder.path()).env("DOCKER_AUTH_CONFIG", config.to_string());
    podman(&program, &json!({ registry.address(): entry("red") }));
    program.run().exits(0).says(&["DOCKER_AUTH_CONFIG (entry `127.0.0.1:"]);
    registry.assert_orderly();
}

#[test]
fn the_owner_is_the_user_of_the_saved_login() {
    let registry = Registry::gitea().start();
    let folder = archive(&["web:1".to_owned()]);
    let config = json!({ "auths": { registry.address(): {
        "username": crate::kit::registry::USER, "password": crate::kit::registry::PASSWORD,
    } } });
    let file = folder.path().join("auth.json");
    fs::write(&file, config.to_string()).unwrap();
    let address = registry.address();
    let program = Program::new().args(["push", "--registry", &address, "--plain-http"]);
    program.env("REGISTRY_AUTH_FILE", &file).arg(folder.path().join("app.tar")).run().exits(0);
    assert!(registry.manifest("giteaadmin/web", "1").is_some());
    registry.assert_orderly();
}
