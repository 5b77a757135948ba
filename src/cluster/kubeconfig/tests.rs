use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;

use super::*;

const KIND: &str = "\
apiVersion: v1
kind: Config
current-context: kind-localdev
clusters:
- name: kind-localdev
  cluster: {server: 'https://127.0.0.1:6443', certificate-authority: ca.crt}
users:
- name: kind-localdev
  user: {client-certificate: /abs/client.crt, client-key: client.key}
contexts:
- name: kind-localdev
  context: {cluster: kind-localdev, user: kind-localdev}
";

const CLOUD: &str = "\
current-context: prod-eks
clusters:
- name: eks
  cluster: {server: 'https://ABC.eks.example'}
- name: kind-localdev
  cluster: {server: 'https://10.0.0.1'}
users:
- name: aws
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token]}}
- name: own
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/login}}
contexts:
- name: prod-eks
  context: {cluster: eks, user: aws}
- name: own
  context: {cluster: eks, user: own}
";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn given(folder: &TempDir, name: &str) -> Kubeconfig {
    Kubeconfig { given: Some(folder.path().join(name)), ..Kubeconfig::default() }
}

fn listed(folder: &TempDir, names: &[&str]) -> Kubeconfig {
    let paths = names.iter().map(|name| folder.path().join(name));
    Kubeconfig { environment: Some(std::env::join_paths(paths).unwrap()), ..Kubeconfig::default() }
}

fn reason(places: &Kubeconfig) -> String {
    match load(places) {
        Err(ClusterError::Kubeconfig { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_file_of_a_list_wins_and_later_ones_add() {
    let folder = folder(&[("kind", KIND), ("cloud", CLOUD)]);
    let loaded = load(&listed(&folder, &["kind", "missing", "cloud"])).unwrap();
    assert_eq!(loaded.current.as_deref(), Some("kind-localdev"));
    assert_eq!(loaded.context_names(), ["kind-localdev", "prod-eks", "own"]);
    assert_eq!(loaded.contexts[0].server, "https://127.0.0.1:6443");
    assert_eq!(loaded.contexts[1].plugin.as_deref(), Some("aws"));
    assert!(loaded.shown.contains("kind, ") && loaded.shown.ends_with("cloud"), "{}", loaded.shown);
}

#[test]
fn the_file_that_was_named_hides_the_list_and_the_list_hides_the_home() {
    let folder = folder(&[("kind", KIND), ("cloud", CLOUD)]);
    let places = Kubeconfig { home: Some("/nowhere".into()), ..listed(&folder, &["cloud"]) };
    assert_eq!(load(&places).unwrap().current.as_deref(), Some("prod-eks"));
    let places = Kubeconfig { given: Some(folder.path().join("kind")), ..places };
    assert_eq!(load(&places).unwrap().current.as_deref(), Some("kind-localdev"));
}

#[test]
fn an_empty_value_does_not_hide_that_of_the_next_file() {
    let empty = "apiVersion: ''\nkind: ''\ncurrent-context: ''\n";
    let folder = folder(&[("empty", empty), ("kind", KIND)]);
    let loaded = load(&listed(&folder, &["empty", "kind"])).unwrap();
    assert_eq!(loaded.current.as_deref(), Some("kind-localdev"));
    assert_eq!(load(&given(&folder, "empty")).unwrap().current, None);
}

#[test]
fn empty_values_of_a_cluster_and_a_user_are_unset() {
    let text = "\
clusters:
- name: c
  cluster: {server: 'https://h', certificate-authority: '', certificate-authority-data: '', proxy-url: '', tls-server-name: ''}
users:
- name: u
  user: {token: '', tokenFile: '', client-certificate: '', client-certificate-data: '', client-key: '', client-key-data: '', username: '', password: '', as: ''}
- name: v
  user: {token: made-up, as-groups: [''], as-user-extra: {k: ['']}}
";
    let folder = folder(&[("c", text)]);
    let document = load(&given(&folder, "c")).unwrap().document;
    let cluster = serde_json::to_value(document.clusters[0].cluster.as_ref().unwrap()).unwrap();
    assert_eq!(cluster, serde_json::json!({ "server": "https://h" }));
    let user = |at: usize| serde_json::to_value(document.auth_infos[at].auth_info.as_ref().unwrap()).unwrap();
    assert_eq!(user(0), serde_json::json!({}));
    let expected =
        serde_json::json!({ "token": "made-up", "as-groups": [""], "as-user-extra": { "k": [""] } });
    assert_eq!(user(1), expected);
}

#[test]
fn base64_may_be_broken_into_lines() {
    let text = "\
clusters:
- name: c
  cluster:
    server: https://h
    certificate-authority-data: |
      Q0Ey
      Q0Ez
users:
- name: u
  user: {client-certificate-data: \"Qw\\r\\n==\", client-key-data: \"S\\nw==\\n\", token: \"a\\nb\"}
";
    let folder = folder(&[("c", text)]);
    let document = load(&given(&folder, "c")).unwrap().document;
    let cluster = document.clusters[0].cluster.as_ref().unwrap();
    assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Q0EyQ0Ez"));
    let user = serde_json::to_value(document.auth_infos[0].auth_info.as_ref().unwrap()).unwrap();
    let expected = serde_json::json!({
        "client-certificate-data": "Qw==", "client-key-data": "Sw==", "token": "a\nb",
    });
    assert_eq!(user, expected);
}

#[test]
fn an_address_without_a_scheme_gets_the_one_that_kubectl_takes() {
    let text = "\
clusters:
- {name: plain, cluster: {server: '127.0.0.1:17001'}}
- {name: tls, cluster: {server: 'localhost:6443', certificate-authority: ca.crt}}
users:
- {name: u, user: {client-certificate: c.crt}}
contexts:
- {name: a, context: {cluster: plain, user: ''}}
- {name: b, context: {cluster: plain, user: u}}
- {name: c, context: {cluster: tls}}
";
    let folder = folder(&[("c", text)]);
    let contexts = load(&given(&folder, "c")).unwrap().contexts;
    let servers: Vec<&str> = contexts.iter().map(|context| context.server.as_str()).collect();
    assert_eq!(servers, ["http://127.0.0.1:17001", "https://127.0.0.1:17001", "https://localhost:6443"]);
    assert!(contexts.iter().all(Context::is_loopback));
}

#[test]
fn the_home_is_shown_as_a_tilde() {
    let home = folder(&[]);
    fs::create_dir(home.path().join(".kube")).unwrap();
    fs::write(home.path().join(".kube/config"), KIND).unwrap();
    let places = Kubeconfig { home: Some(home.path().to_owned()), ..Kubeconfig::default() };
    assert_eq!(load(&places).unwrap().shown, "~/.kube/config");
}

#[test]
fn none_at_all_names_what_was_tried() {
    let folder = folder(&[]);
    let Err(ClusterError::NoKubeconfig { tried }) = load(&listed(&folder, &["a", "b"])) else { panic!() };
    assert_eq!(tried, [folder.path().join("a"), folder.path().join("b")]);
    assert_eq!(reason(&given(&folder, "a")), "it does not exist");
}

#[test]
fn paths_are_relative_to_their_file() {
    let folder = folder(&[("kind", KIND), ("cloud", CLOUD)]);
    let at = |name: &str| Some(folder.path().join(name).display().to_string());
    let document = load(&listed(&folder, &["kind", "cloud"])).unwrap().document;
    assert_eq!(document.clusters[0].cluster.as_ref().unwrap().certificate_authority, at("ca.crt"));
    let users: Vec<_> = document.auth_infos.iter().map(|user| user.auth_info.as_ref().unwrap()).collect();
    assert_eq!(users[0].client_key, at("client.key"));
    assert_eq!(users[0].client_certificate.as_deref(), Some("/abs/client.crt"));
    assert_eq!(users[1].exec.as_ref().unwrap().command.as_deref(), Some("aws"));
    assert_eq!(users[2].exec.as_ref().unwrap().command, at("./bin/login"));
}

#[test]
fn a_file_beyond_the_limit_is_refused() {
    let folder = folder(&[("large", &"#".repeat(1024 * 1024 + 1))]);
    assert_eq!(reason(&given(&folder, "large")), "it is larger than 1 MiB");
}

#[test]
fn what_is_no_kubeconfig_is_refused_without_quoting_it() {
    let folder = folder(&[
        ("broken", "users:\n- name: u\n  user: {token: made-up-secret\n"),
        ("shape", "users:\n- name: u\n  user: made-up-secret\n"),
    ]);
    for name in ["broken", "shape"] {
        let reason = reason(&given(&folder, name));
        assert!(reason.contains("line") && !reason.contains("made-up"), "{reason}");
    }
    fs::write(folder.path().join("binary"), b"\xff\xfe\x00").unwrap();
    assert_eq!(reason(&given(&folder, "binary")), "it is not UTF-8");
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let folder = folder(&[("bomb", &bomb)]);
    assert!(reason(&given(&folder, "bomb")).starts_with("it is not a kubeconfig"));
}

#[test]
fn only_kinds_own_contexts_and_loopback_servers_are_local() {
    let context = |name: &str, server: &str| Context {
        name: name.to_owned(),
        cluster: String::new(),
        server: server.to_owned(),
        user: String::new(),
        plugin: None,
    };
    for (name, server) in [
        ("kind-x", "https://10.0.0.1"),
        ("minikube", "https://127.0.0.2:1"),
        ("k3d", "https://localhost:6443"),
        ("k3d", "https://[::1]:6443"),
    ] {
        assert!(context(name, server).is_local(), "{name} {server}");
    }
    for server in ["", "127.0.0.1", "https://127.0.0.1.example", "https://0.0.0.0:1", "https://localhost@h"] {
        assert!(!context("prod", server).is_local(), "{server}");
    }
}
