//! Where the login comes from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::testdata;
use crate::kit::program::{Program, Ran, assert_ran};
use crate::kit::registry::{Fault, Login, Match, PASSWORD, Registry, Scope, USER, User};

/// A Gitea with a user for each place that a login can come from; their passwords are their names twice.
fn gitea() -> Registry {
    let users = ["flag", "stdin", "environment", "entry", "helper", "store"];
    let settings = Registry::gitea();
    users.iter().fold(settings, |settings, name| settings.user(User::new(name, &twice(name)))).start()
}

fn twice(name: &str) -> String {
    format!("{name}-{name}")
}

fn push(registry: &Registry) -> Program {
    let flags = ["--plain-http", "--progress", "none", "-l", "warn", "--registry"];
    Program::new().args(flags).arg(registry.address())
}

/// Who it was pushed as: images go below the user.
fn pushed_as(registry: &Registry, push: Program) -> String {
    let ran = push.arg(testdata("skopeo-oci.tar")).run().exits(0);
    registry.assert_orderly();
    let (_, below) = ran.stdout.split_once('/').unwrap();
    below.split('/').next().unwrap().to_owned()
}

fn refused(push: Program, code: i32) -> Ran {
    push.current_dir(&testdata("")).arg("./skopeo-oci.tar").run().exits(code)
}

/// Writes docker's config into the home.
fn with_config(program: Program, config: &Value) -> Program {
    let folder = program.home().join(".docker");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("config.json");
    fs::write(&file, config.to_string()).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    program
}

fn entry(name: &str) -> Value {
    json!({ "auth": STANDARD.encode(format!("{name}:{}", twice(name))) })
}

/// Puts `docker-credential-NAME` on PATH, which answers with the login of that name.
fn with_helper(program: Program, name: &str) -> Program {
    let folder = program.home().join("helpers");
    fs::create_dir_all(&folder).unwrap();
    let answer = json!({ "ServerURL": "elsewhere", "Username": name, "Secret": twice(name) });
    let script = folder.join(format!("docker-credential-{name}"));
    fs::write(&script, format!("#!/bin/sh\n[ \"$1\" = get ] && cat >/dev/null && echo '{answer}'\n"))
        .unwrap();
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    program.env("PATH", path)
}

#[test]
fn a_login_may_be_given_by_flags() {
    let registry = gitea();
    let flags = push(&registry).args(["--username", "flag", "--password", "flag-flag"]);
    let ran = flags.arg(testdata("skopeo-oci.tar")).run().exits(0);
    ran.says(&["warning: --password shows the password to every user of this machine"]);
    registry.assert_orderly();
}

#[test]
fn a_login_may_be_given_on_standard_input() {
    let registry = gitea();
    assert_eq!(pushed_as(&registry, push(&registry).login("stdin", "stdin-stdin\n")), "stdin");
}

#[test]
fn a_login_may_be_given_by_the_environment() {
    let registry = gitea();
    let push = Program::new().args(["--plain-http"]).env("IDPBUILDER_REGISTRY_URL", registry.address());
    let push = push.env("IDPBUILDER_REGISTRY_USERNAME", "environment");
    let push = push.env("IDPBUILDER_REGISTRY_PASSWORD", "environment-environment");
    assert_eq!(pushed_as(&registry, push), "environment");
}

#[test]
fn a_user_name_of_a_flag_goes_with_a_password_of_the_environment() {
    let registry = gitea();
    let push = push(&registry).args(["-u", "flag"]).env("IDPBUILDER_REGISTRY_PASSWORD", "flag-flag");
    assert_eq!(pushed_as(&registry, push), "flag");
}

#[test]
fn a_token_is_the_password_beside_a_user_name() {
    let user = User::new("bot", "made-up").access_token("a-token", Scope::Write);
    let registry = Registry::gitea().user(user).start();
    let push = push(&registry).args(["-u", "bot", "--token", "a-token"]);
    assert_eq!(pushed_as(&registry, push), "bot");
}

#[test]
fn a_token_alone_is_enough_for_gitea_with_an_owner() {
    let user = User::new("bot", "made-up").access_token("a-token", Scope::Write);
    let registry = Registry::gitea().user(user).start();
    let push = push(&registry).args(["--owner", "bot", "--token", "a-token"]);
    assert_eq!(pushed_as(&registry, push), "bot");
}

#[test]
fn a_login_of_docker_is_found() {
    let registry = gitea();
    for key in [registry.address(), format!("http://{}", registry.address())] {
        let push = with_config(push(&registry), &json!({ "auths": { key: entry("entry") } }));
        assert_eq!(pushed_as(&registry, push), "entry");
    }
}

#[test]
fn another_folder_may_hold_dockers_config() {
    let registry = gitea();
    let config = json!({ "auths": { registry.address(): entry("entry") } });
    let push = push(&registry);
    let folder = push.home().join("elsewhere");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    assert_eq!(pushed_as(&registry, push.env("DOCKER_CONFIG", folder)), "entry");
}

#[test]
fn a_helper_of_the_registry_goes_before_that_of_all_and_both_before_entries() {
    let registry = gitea();
    let address = registry.address();
    let all = json!({ "auths": { &address: entry("entry") }, "credsStore": "store", "credHelpers": { &address: "helper" } });
    let helped =
        |config: &Value| with_helper(with_helper(with_config(push(&registry), config), "helper"), "store");
    assert_eq!(pushed_as(&registry, helped(&all)), "helper");
    let store = json!({ "auths": { &address: entry("entry") }, "credsStore": "store" });
    assert_eq!(pushed_as(&registry, helped(&store)), "store");
}

#[test]
fn flags_go_before_the_environment_and_that_before_docker() {
    let registry = gitea();
    let config = json!({ "auths": { registry.address(): entry("entry") } });
    let push = || {
        let push = with_config(push(&registry), &config);
        push.env("IDPBUILDER_REGISTRY_USERNAME", "environment")
            .env("IDPBUILDER_REGISTRY_PASSWORD", "environment-environment")
    };
    assert_eq!(pushed_as(&registry, push()), "environment");
    assert_eq!(pushed_as(&registry, push().args(["-u", "flag", "-p", "flag-flag"])), "flag");
}

#[test]
fn auth_none_sends_no_login() {
    let registry = Registry::distribution().start();
    let config = json!({ "auths": { registry.address(): entry("entry") } });
    let push = with_config(push(&registry).args(["--auth", "none"]), &config);
    push.arg(testdata("skopeo-oci.tar")).run().exits(0);
    assert!(registry.requests().iter().all(|entry| entry.header("authorization").is_none()));
    registry.assert_orderly();
}

#[test]
fn a_login_for_another_registry_is_not_sent() {
    let registry = gitea();
    let config = json!({ "auths": { "127.0.0.1": entry("entry"), "127.0.0.1:1": entry("entry") } });
    refused(with_config(push(&registry), &config).args(["--owner", "entry"]), 4);
    assert!(
        !registry
            .requests()
            .iter()
            .any(|entry| { entry.header("authorization").is_some_and(|value| value.starts_with("Basic")) })
    );
}

#[test]
fn half_a_login_is_a_usage_error() {
    let registry = gitea();
    let user = refused(push(&registry).args(["--username", "flag"]), 2);
    let password = refused(push(&registry).env("IDPBUILDER_REGISTRY_PASSWORD", "made-up"), 2);
    assert_eq!(registry.requests().len(), 0);
    assert_ran!(format!("{user}\n{password}"));
}

#[test]
fn nothing_on_standard_input_is_a_usage_error() {
    let registry = gitea();
    assert_ran!(refused(push(&registry).args(["-u", "stdin", "--password-stdin"]), 2));
}

#[test]
fn a_wrong_password_is_told_with_where_it_came_from() {
    let registry = gitea();
    let given = refused(push(&registry).login("flag", "wrong"), 4);
    let config = json!({ "auths": { registry.address(): { "username": "entry", "password": "wrong" } } });
    let docker = refused(with_config(push(&registry), &config), 4);
    registry.assert_orderly();
    assert_ran!(format!("{given}\n{docker}"));
}

#[test]
fn a_login_that_is_missing_is_told_with_how_to_give_it() {
    let registry = Registry::distribution().login(Login::Basic).user(User::new("me", "made-up")).start();
    let ran = refused(push(&registry), 4);
    assert_eq!(super::writes(&registry), 0, "{:#?}", registry.lines());
    assert_ran!(ran);
}

#[test]
fn a_registry_with_tokens_takes_a_password_too() {
    for login in [Login::Basic, Login::Bearer] {
        let registry = Registry::distribution().login(login).user(User::new("me", "made-up")).start();
        let push = push(&registry).login("me", "made-up").args(["--owner", "me"]);
        assert_eq!(pushed_as(&registry, push), "me");
    }
}

#[test]
fn a_token_that_ends_within_a_push_is_asked_for_anew() {
    let registry =
        Registry::distribution().login(Login::Bearer).token_uses(9).user(User::new("me", "made-up"));
    let registry = registry.start();
    let push = push(&registry).login("me", "made-up").args(["--owner", "me"]);
    assert_eq!(pushed_as(&registry, push), "me");
}

#[test]
fn the_owner_must_be_known_where_there_is_no_user_name() {
    let user = User::new("bot", "made-up").access_token("a-token", Scope::Write);
    let registry = Registry::gitea().user(user).start();
    assert_ran!(refused(push(&registry).args(["--token", "a-token"]), 2));
}

#[test]
fn a_config_of_docker_that_is_broken_is_told_without_its_values() {
    let registry = gitea();
    let ran =
        with_config(push(&registry), &json!({ "auths": { registry.address(): { "auth": "c2VjcmV0" } } }));
    let ran = refused(ran, 4);
    assert!(!ran.stderr.contains("c2VjcmV0") && !ran.stderr.contains("secret"), "{ran}");
    assert_ran!(ran);
}

#[test]
fn a_helper_that_is_not_there_or_fails_is_told() {
    let registry = gitea();
    let config = json!({ "credsStore": "gone" });
    let gone = refused(with_config(push(&registry), &config), 4);
    let push = with_helper(with_config(push(&registry), &config), "gone");
    let script = push.home().join("helpers/docker-credential-gone");
    fs::write(script, "#!/bin/sh\necho the keyring is locked >&2\nexit 1\n").unwrap();
    let failed = refused(push, 4);
    assert_ran!(format!("{gone}\n{failed}"));
}

#[test]
fn a_helper_does_not_see_the_secrets_of_the_environment() {
    let registry = gitea();
    let push = with_helper(with_config(push(&registry), &json!({ "credsStore": "store" })), "store");
    let (script, seen) = (push.home().join("helpers/docker-credential-store"), push.home().join("seen"));
    let answer = json!({ "Username": "store", "Secret": twice("store") });
    fs::write(script, format!("#!/bin/sh\nenv >{}\ncat >/dev/null\necho '{answer}'\n", seen.display()))
        .unwrap();
    let folder = crate::kit::folder();
    let copy = folder.path().join("seen");
    std::os::unix::fs::symlink(&copy, &seen).unwrap();
    // A variable that is not used here, but is ours.
    let push = push.env("IDPBUILDER_REGISTRY_TOKEN", "").env("IDPBUILDER_REGISTRY_URL", "http://made-up");
    assert_eq!(pushed_as(&registry, push), "store");
    let seen = fs::read_to_string(copy).unwrap();
    assert!(
        !seen.contains("IDPBUILDER_REGISTRY_TOKEN") && !seen.contains("IDPBUILDER_REGISTRY_PASSWORD"),
        "{seen}"
    );
}

#[test]
fn a_right_that_is_missing_is_told_apart_from_a_login_that_is_wrong() {
    let reader = User::new("reader", "made-up").reads_only();
    let registry = Registry::gitea().user(reader).start();
    let own = refused(push(&registry).login("reader", "made-up"), 7);
    let others = refused(push(&registry).login("reader", "made-up").args(["--owner", USER]), 7);
    registry.assert_orderly();
    assert_ran!(format!("{own}\n{others}"));
}

#[test]
fn a_token_that_may_only_read_is_told_which_scope_it_lacks() {
    let user = User::new("bot", "made-up").access_token("a-token", Scope::Read);
    let registry = Registry::gitea().user(user).start();
    assert_ran!(refused(push(&registry).args(["-u", "bot", "--token", "a-token"]), 7));
    registry.assert_orderly();
}

#[test]
fn a_token_for_something_else_is_no_login() {
    let user = User::new("bot", "made-up").access_token("a-token", Scope::Nothing);
    let registry = Registry::gitea().user(user).start();
    let ran = refused(push(&registry).args(["-u", "bot", "--token", "a-token"]), 4);
    ran.says(&["refused the credentials of user \"bot\"", "write:package"]);
}

#[test]
fn a_login_is_refused_once_and_not_tried_again_and_again() {
    let registry = gitea();
    refused(push(&registry).login(USER, "wrong"), 4);
    let with_password = registry
        .requests()
        .iter()
        .filter(|entry| entry.header("authorization").is_some_and(|value| value.starts_with("Basic")))
        .count();
    assert!(with_password <= 2, "Gitea locks nobody out, others do: {:#?}", registry.lines());
}

#[test]
fn a_login_server_that_is_away_for_a_moment_is_waited_for() {
    let registry = Registry::distribution().login(Login::Bearer).user(User::new("me", "made-up")).start();
    registry.script(Match::any().path_contains("/token"), Fault::status(503));
    let push = push(&registry).login("me", "made-up").args(["--owner", "me", "--retry-max-wait", "10ms"]);
    assert_eq!(pushed_as(&registry, push), "me");
}

#[test]
fn the_administrator_of_gitea_logs_in_with_capitals_in_the_name() {
    let registry = Registry::gitea().start();
    assert_eq!(pushed_as(&registry, push(&registry).login(USER, PASSWORD)), "giteaadmin");
}
