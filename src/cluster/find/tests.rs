use serde_json::{Value, json};

use super::super::Kubeconfig;
use super::*;
use crate::port::{Identity, Keychain as _, Origin, Secret};

use fake::{Answers, Api as Fake, CERTIFICATE, CREDENTIAL, Dead, File, INGRESS, LOCALBUILDS, NODES};

mod contexts;
mod fake;
mod workloads;

const DENIED: &str =
    "secrets \"gitea-credential\" is forbidden: User \"dev\" cannot get resource \"secrets\"";

fn query(file: &File) -> Query {
    Query {
        kubeconfig: Kubeconfig { given: Some(file.path()), ..Kubeconfig::default() },
        context: None,
        name: None,
        secret: None,
        login: Login::Read,
        timeout: Duration::from_secs(10),
    }
}

fn customization() -> Value {
    json!({ "protocol": "https", "host": "cnoe.localtest.me", "ingressHost": "cnoe.localtest.me",
        "port": "8443", "usePathRouting": false })
}

fn pem() -> (String, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    (made.pem(), made.der().to_vec())
}

async fn found_with(answers: Answers) -> Result<Cluster, ClusterError> {
    let api = Fake::start(answers).await;
    find(&query(&File::new("kind-localdev").of("kind-localdev", &api))).await
}

#[tokio::test]
async fn a_cluster_is_found_without_a_flag() {
    let (pem, der) = pem();
    let api = Fake::start(Answers::cluster(&customization()).secret(CERTIFICATE, &[("ca.crt", &pem)])).await;
    let cluster = find(&query(&File::new("kind-localdev").of("kind-localdev", &api))).await.unwrap();
    let registry = Origin::new(Scheme::Https, "gitea.cnoe.localtest.me", 8443);
    assert_eq!((cluster.name.as_str(), cluster.context.as_str()), ("localdev", "kind-localdev"));
    assert_eq!((&cluster.registry, cluster.routing), (&registry, super::super::Routing::SubDomain));
    assert_eq!(cluster.trust, Trust::Pinned(der));
    assert_eq!(cluster.owner.as_deref(), Some("giteaAdmin"));
    assert_eq!(cluster.body_limit, Some(512 << 20));
    assert_eq!(cluster.nodes[0].architecture().to_string(), "arm64");
    assert_eq!(cluster.notes, []);
    let credential = cluster.credential(&registry, None).await.unwrap().unwrap();
    let password =
        |text: &str| Identity::Password { username: "giteaAdmin".into(), password: Secret::new(text.into()) };
    assert_eq!(credential.identity, password("made-up"));
    assert_eq!(credential.second, Some(password("made-up-too")));
    assert_eq!(cluster.credential(&Origin::new(Scheme::Https, "other", 8443), None).await.unwrap(), None);
}

#[tokio::test]
async fn requests_say_who_asks_and_read_secrets_by_name() {
    let api = Fake::start(Answers::cluster(&customization())).await;
    find(&query(&File::new("kind-localdev").of("kind-localdev", &api))).await.unwrap();
    let seen = api.seen();
    assert!(seen.iter().all(|head| head.contains("user-agent: idpbuilder-push/")), "{seen:?}");
    assert!(seen.iter().all(|head| head.contains("authorization: bearer made-up")), "{seen:?}");
    let listed = seen.iter().filter(|head| head.contains("/secrets ") || head.contains("/secrets?"));
    assert_eq!(listed.count(), 0);
}

#[tokio::test]
async fn an_api_behind_tls_is_asked_with_the_kubeconfigs_authority() {
    let api = Fake::start_tls(Answers::cluster(&customization())).await;
    let file = File::new("kind-localdev").of("kind-localdev", &api);
    assert_eq!(find(&query(&file)).await.unwrap().name, "localdev");
    let stranger = File::new("kind-localdev").context("kind-localdev", &api.server);
    let Err(ClusterError::Unreachable { reason, .. }) = find(&query(&stranger)).await else { panic!() };
    assert!(reason.contains("certificate"), "{reason}");
}

#[tokio::test]
async fn an_api_whose_address_has_no_scheme_is_asked() {
    for api in [
        Fake::start(Answers::cluster(&customization())).await,
        Fake::start_tls(Answers::cluster(&customization())).await,
    ] {
        let api = api.without_scheme();
        let file = File::new("kind-localdev").of("kind-localdev", &api);
        assert_eq!(find(&query(&file)).await.unwrap().name, "localdev");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_asked_is_told() {
    let file = File::new("kind-localdev").context("kind-localdev", "ftp://127.0.0.1");
    let Err(ClusterError::Context { reason, .. }) = find(&query(&file)).await else { panic!() };
    assert!(reason.contains("neither http nor https"), "{reason}");
}

#[tokio::test]
async fn in_a_pod_its_service_account_asks_its_own_cluster() {
    let api = Fake::start_tls(Answers::cluster(&customization())).await;
    let (folder, pod) = api.as_of_a_pod();
    let in_pod = |name: Option<&str>, context: Option<&str>| Query {
        kubeconfig: Kubeconfig { pod: Some(pod.clone()), ..Kubeconfig::default() },
        context: context.map(str::to_owned),
        name: name.map(str::to_owned),
        ..query(&File::new(""))
    };
    let cluster = find(&in_pod(None, None)).await.unwrap();
    assert_eq!((cluster.name.as_str(), cluster.context.as_str()), ("localdev", "in-cluster"));
    let seen = api.seen();
    assert!(seen.iter().all(|head| head.contains("authorization: bearer made-up")), "{seen:?}");
    assert!(find(&in_pod(None, Some("in-cluster"))).await.is_ok());
    let other = find(&in_pod(None, Some("kind-x"))).await;
    assert!(matches!(other, Err(ClusterError::ContextNotFound { .. })), "{other:?}");
    let other = find(&in_pod(Some("other"), None)).await;
    assert!(matches!(other, Err(ClusterError::NoCluster { .. })), "{other:?}");
    std::fs::remove_file(folder.path().join("token")).unwrap();
    let none = find(&in_pod(None, None)).await;
    assert!(matches!(none, Err(ClusterError::NoKubeconfig { .. })), "{none:?}");
}

#[tokio::test]
async fn in_a_pod_a_kubeconfig_comes_before_its_service_account() {
    let (api, own) =
        (Fake::start(Answers::cluster(&customization())).await, Fake::start_tls(Answers::default()).await);
    let file = File::new("kind-localdev").of("kind-localdev", &api);
    let (_folder, pod) = own.as_of_a_pod();
    let environment = Some(file.path().into());
    let kubeconfig = Kubeconfig { environment, pod: Some(pod), ..Kubeconfig::default() };
    assert_eq!(find(&Query { kubeconfig, ..query(&file) }).await.unwrap().context, "kind-localdev");
    assert_eq!(own.seen(), [""; 0]);
}

#[tokio::test]
async fn path_routing_leaves_the_host_as_it_is() {
    let mut customization = customization();
    customization["usePathRouting"] = json!(true);
    let ingress = INGRESS.replace("my-gitea-custom", "my-gitea-path-oci-root");
    let annotations = json!({ "nginx.ingress.kubernetes.io/proxy-body-size": "0" });
    let answers = Answers::cluster(&customization)
        .object(&ingress, &json!({ "metadata": { "annotations": annotations } }));
    let cluster = found_with(answers).await.unwrap();
    assert_eq!(cluster.registry.authority(), "cnoe.localtest.me:8443");
    assert_eq!((cluster.routing, cluster.body_limit), (super::super::Routing::Path, None));
}

#[tokio::test]
async fn plain_http_has_nothing_to_trust() {
    let mut customization = customization();
    customization["protocol"] = json!("http");
    customization["port"] = json!(8080);
    let cluster = found_with(Answers::cluster(&customization)).await.unwrap();
    assert_eq!(cluster.registry.to_string(), "http://gitea.cnoe.localtest.me:8080");
    assert_eq!((cluster.trust, cluster.notes), (Trust::Plain, vec![]));
    customization["host"] = json!("cnoe.example");
    let refused = found_with(Answers::cluster(&customization)).await;
    assert!(matches!(refused, Err(ClusterError::PlainHttp { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_missing_right_to_the_secret_names_user_and_secret() {
    let answers = Answers::cluster(&customization()).refusal(CREDENTIAL, 403, DENIED);
    let error = found_with(answers).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "user \"dev\" may not get secrets gitea/gitea-credential (context \"kind-localdev\")"
    );
}

#[tokio::test]
async fn rights_that_are_useful_are_done_without_and_noted() {
    let (pem, der) = pem();
    let mut customization = customization();
    customization["selfSignedCert"] = json!(pem);
    let answers = Answers::cluster(&customization)
        .refusal(CERTIFICATE, 403, DENIED)
        .refusal(INGRESS, 403, DENIED)
        .refusal(NODES, 403, DENIED);
    let cluster = found_with(answers).await.unwrap();
    assert_eq!(cluster.trust, Trust::Pinned(der));
    assert_eq!((cluster.body_limit, cluster.nodes.len()), (Some(1 << 30), 0));
    assert_eq!(cluster.notes.len(), 2, "{:?}", cluster.notes);
}

#[tokio::test]
async fn the_certificate_is_looked_for_where_copies_of_it_are() {
    let (pem, der) = pem();
    let answers = Answers::cluster(&customization());
    let by_host = json!({ "data": { "cnoe.localtest.me": pem } });
    for answers in [
        answers.clone().object("/api/v1/namespaces/argocd/configmaps/argocd-tls-certs-cm", &by_host),
        answers.clone().secret(
            "/api/v1/namespaces/ingress-nginx/secrets/idpbuilder-cert",
            &[("tls.crt", &pem), ("tls.key", "k")],
        ),
        answers
            .clone()
            .secret(CERTIFICATE, &[("ca.crt", "garbage")])
            .object("/api/v1/namespaces/argocd/configmaps/argocd-tls-certs-cm", &by_host),
    ] {
        assert_eq!(found_with(answers).await.unwrap().trust, Trust::Pinned(der.clone()));
    }
    let cluster = found_with(answers.secret(CERTIFICATE, &[("ca.crt", "garbage")])).await.unwrap();
    assert_eq!(cluster.trust, Trust::System);
    assert!(cluster.notes[0].text.contains("no certificate in it"), "{:?}", cluster.notes);
}

#[tokio::test]
async fn a_secret_that_is_nowhere_lists_where_it_was_looked_for() {
    let answers = Answers::cluster(&customization()).without(CREDENTIAL);
    let Err(ClusterError::SecretNotFound { looked_for, .. }) = found_with(answers.clone()).await else {
        panic!()
    };
    let names: Vec<_> = looked_for.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["gitea/gitea-credential", "gitea/gitea-admin-secret"]);
    let old = CREDENTIAL.replace("gitea-credential", "gitea-admin-secret");
    let answers = answers.secret(&old, &[("username", "u"), ("password", "p")]);
    assert_eq!(found_with(answers).await.unwrap().owner.as_deref(), Some("u"));
}

#[tokio::test]
async fn with_a_login_from_elsewhere_no_secret_is_read() {
    let api = Fake::start(Answers::cluster(&customization())).await;
    let file = File::new("kind-localdev").of("kind-localdev", &api);
    let cluster = find(&Query { login: Login::Skip, ..query(&file) }).await.unwrap();
    assert_eq!((cluster.credential, cluster.owner), (None, None));
    assert!(!api.seen().iter().any(|head| head.contains("credential")));
}

#[tokio::test]
async fn a_cluster_without_the_definition_is_none_of_idpbuilders() {
    let Err(ClusterError::NoCluster { context: None, contexts, .. }) = found_with(Answers::default()).await
    else {
        panic!()
    };
    assert_eq!(contexts, ["kind-localdev"]);
    let api = Fake::start(Answers::default()).await;
    let file = File::new("x").of("prod", &api);
    let named = find(&Query { context: Some("prod".into()), ..query(&file) }).await;
    assert!(matches!(named, Err(ClusterError::NoCluster { context: Some(_), .. })), "{named:?}");
}

#[tokio::test]
async fn a_login_that_the_api_refuses_is_named() {
    let answers = Answers::default().refusal(LOCALBUILDS, 401, "Unauthorized");
    let Err(ClusterError::Unauthenticated { context, reason }) = found_with(answers).await else { panic!() };
    assert_eq!((context.as_str(), reason.as_str()), ("kind-localdev", "Unauthorized"));
}

#[tokio::test]
async fn an_api_that_fails_is_quoted() {
    let answers = Answers::default().refusal(LOCALBUILDS, 500, "etcdserver: no leader");
    let Err(ClusterError::Api { reason, .. }) = found_with(answers).await else { panic!() };
    assert_eq!(reason, "500 for localbuilds.idpbuilder.cnoe.io: etcdserver: no leader");
    let answers = Answers::default().object(LOCALBUILDS, &json!({ "items": 5 }));
    assert!(matches!(found_with(answers).await, Err(ClusterError::Api { .. })));
}

#[tokio::test]
async fn an_old_cluster_is_found_by_giteas_configuration() {
    let configuration = "/api/v1/namespaces/gitea/secrets/my-gitea-inline-config";
    let answers = Answers::cluster(&Value::Null);
    let section = "DOMAIN=x\nROOT_URL=https://gitea.cnoe.localtest.me:8443/\n";
    let cluster = found_with(answers.clone().secret(configuration, &[("server", section)])).await.unwrap();
    assert_eq!(cluster.registry.authority(), "gitea.cnoe.localtest.me:8443");
    let nowhere = found_with(answers).await;
    assert!(matches!(nowhere, Err(ClusterError::Localbuild { .. })), "{nowhere:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_plugin_is_run_only_for_a_context_that_was_named() {
    let api = Fake::start(Answers::cluster(&customization())).await;
    let file = File::new("kind-localdev").with_plugin("kind-localdev", &api);
    let (login, ran) = (file.folder().join("login"), file.folder().join("ran"));
    let script = format!("touch {}\necho '{{\"status\":{{\"token\":\"of-the-plugin\"}}}}'", ran.display());
    crate::child::tests::write_program(&login, &script);
    for name in [None, Some("localdev".to_owned())] {
        let unasked = find(&Query { name, ..query(&file) }).await;
        assert!(matches!(unasked, Err(ClusterError::PluginUnasked { .. })), "{unasked:?}");
    }
    assert!(!ran.exists() && api.seen().is_empty());
    find(&Query { context: Some("kind-localdev".into()), ..query(&file) }).await.unwrap();
    assert!(api.seen()[0].contains("authorization: bearer of-the-plugin"));
}

#[tokio::test]
async fn the_way_to_the_cluster_ends_where_something_is_missing() {
    let item = |port: &str| {
        let mut customization = customization();
        customization["port"] = json!(port);
        Answers::cluster(&customization)
    };
    let whole = Answers::cluster(&customization());
    for (answers, expected) in [
        (Answers::default().refusal(LOCALBUILDS, 401, "Unauthorized"), Stage::Api),
        (Answers::default().refusal(LOCALBUILDS, 500, "no leader"), Stage::Api),
        (Answers::default().refusal(LOCALBUILDS, 403, DENIED), Stage::Localbuild),
        (Answers::default(), Stage::Localbuild),
        (item("x"), Stage::Localbuild),
        (whole.clone().without(CREDENTIAL), Stage::Secret),
        (whole.clone().refusal(CREDENTIAL, 403, DENIED), Stage::Secret),
        (whole.clone().refusal(CREDENTIAL, 500, "no leader"), Stage::Secret),
    ] {
        let api = Fake::start(answers).await;
        let file = File::new("kind-localdev").of("kind-localdev", &api);
        let Explored { sights, outcome } = explore(&query(&file)).await;
        assert_eq!(outcome.unwrap_err().at, expected);
        assert_eq!(sights.kubeconfig.map(|(_, contexts)| contexts), Some(1));
        assert_eq!(sights.contexts, ["kind-localdev"]);
        assert_eq!(sights.localbuild.is_some(), expected == Stage::Secret);
    }
    let file = File::new("x");
    let unknown = Query { context: Some("x".into()), ..query(&file) };
    assert_eq!(explore(&unknown).await.outcome.unwrap_err().at, Stage::Context);
    let nowhere = Kubeconfig { given: Some("/no/such/kubeconfig".into()), ..Kubeconfig::default() };
    let nowhere = Query { kubeconfig: nowhere, ..unknown };
    let Explored { sights, outcome } = explore(&nowhere).await;
    assert_eq!((outcome.unwrap_err().at, sights), (Stage::Kubeconfig, Sights::default()));
}

#[tokio::test]
async fn what_is_seen_on_the_way_to_the_cluster_is_told() {
    let api = Fake::start(Answers::cluster(&customization())).await;
    let file = File::new("kind-localdev").of("kind-localdev", &api);
    let Explored { sights, outcome } = explore(&query(&file)).await;
    assert_eq!(outcome.unwrap().name, "localdev");
    assert_eq!(sights.server.as_deref(), Some(api.server.as_str()));
    let registry = "https://gitea.cnoe.localtest.me:8443";
    assert_eq!(sights.localbuild, Some(("localdev".to_owned(), registry.to_owned())));
}

const PODS: &str = "/api/v1/pods?limit=50";
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments?limit=50";
