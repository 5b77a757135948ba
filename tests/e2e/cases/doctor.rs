//! `doctor` on a cluster: green where all is well, and right about each thing that is broken on purpose.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::kit::{Gitea, Ingress, IngressSettings, Push, Ran, Servers, credential, localbuild};

cases![
    doctor_is_green_on_a_cluster_and_leaves_nothing_behind,
    doctor_leaves_nothing_in_a_plain_registry,
    doctor_names_a_kubeconfig_that_is_not_there,
    doctor_names_a_context_that_is_not_there,
    doctor_names_an_api_that_is_down,
    doctor_names_a_localbuild_that_is_not_there,
    doctor_names_a_right_to_the_secret_that_is_missing,
    doctor_names_a_password_that_has_drifted,
    doctor_names_a_login_that_fits_no_more,
    doctor_names_the_certificate_of_another_cluster,
    doctor_names_a_port_that_nobody_listens_on,
    doctor_names_a_user_who_may_only_read,
];

fn doctor(kubeconfig: PathBuf) -> Result<Push> {
    Ok(Push::new()?.kubeconfig(kubeconfig).args(["doctor", "-o", "json"]))
}

/// The checks of a run by their names and what became of them.
fn report(ran: &Ran) -> Result<Value> {
    Ok(serde_json::from_str(&ran.stdout)?)
}

fn check<'a>(report: &'a Value, name: &str) -> Result<&'a Value> {
    let checks = report["checks"].as_array().context("no checks")?;
    checks.iter().find(|check| check["name"] == name).with_context(|| format!("no check of {name}"))
}

/// Fails unless the check `failed` is the one that failed, with this code, and those before it are well.
fn only_failed(ran: &Ran, failed: &str, code: &str) -> Result<Value> {
    let report = report(ran)?;
    let checks = report["checks"].as_array().context("no checks")?;
    let names: Vec<&Value> =
        checks.iter().filter(|check| check["status"] == "failed").map(|check| &check["name"]).collect();
    ensure!(names == [failed], "{names:?} failed:\n{}", ran.stdout);
    let error = &check(&report, failed)?["error"];
    ensure!(error["code"] == code, "{error}");
    ensure!(error["hints"].as_array().is_some_and(|hints| !hints.is_empty()), "{error}");
    Ok(report)
}

fn waits(report: &Value, names: &[&str], ground: &str) -> Result<()> {
    for name in names {
        let check = check(report, name)?;
        ensure!(check["status"] == "skipped" && check["message"] == format!("waits for {ground}"), "{check}");
    }
    Ok(())
}

fn is(report: &Value, status: &str, names: &[&str]) -> Result<()> {
    for name in names {
        let check = check(report, name)?;
        // Not every resolver knows the name; then a push says so and goes on.
        ensure!(check["status"] == status || (*name == "name" && check["status"] == "warning"), "{check}");
    }
    Ok(())
}

fn doctor_is_green_on_a_cluster_and_leaves_nothing_behind(servers: &Servers) -> Result<()> {
    let push = doctor(servers.api.kubeconfig())?.env("DOCKER_HOST", servers.docker.host());
    let ran = push.run()?.exits(0)?;
    let report = report(&ran)?;
    let before = ["kubeconfig", "context", "api", "localbuild", "secret", "certificate", "name", "tcp"];
    let behind = ["tls", "registry", "login", "write", "body-limit", "engines", "clock"];
    is(&report, "ok", &[&before[..], &behind[..]].concat())?;
    // What others push and delete meanwhile may keep the list of versions from being read.
    let unread = u64::from(check(&report, "space")?["status"] == "skipped");
    ensure!(report["summary"]["failed"] == 0 && report["summary"]["skipped"] == unread, "{}", ran.stdout);
    ensure!(check(&report, "tls")?["message"] == "the server shows the cluster's certificate");

    let requests = servers.ingress.requests("/giteaadmin/idpbuilder-push-doctor/")?;
    let methods: Vec<&str> = requests.iter().map(|request| request.method.as_str()).collect();
    // The first POST is answered with a challenge.
    ensure!(methods.ends_with(&["POST", "DELETE"]), "{methods:?}");
    let packages =
        servers.gitea.admin().get("/api/v1/packages/giteaAdmin?limit=50&q=idpbuilder-push-doctor")?;
    ensure!(packages.expect(200)?.json()? == json!([]));
    let tags = servers.gitea.admin().get("/v2/giteaadmin/idpbuilder-push-doctor/tags/list")?;
    tags.expect(404).map(drop)
}

fn doctor_leaves_nothing_in_a_plain_registry(servers: &Servers) -> Result<()> {
    let place = ["--plain-http", "-r", &servers.distribution.registry(), "--auth", "none"];
    Push::new()?.args(["doctor"]).args(place).run()?.exits(0)?;
    let catalogue = servers.distribution.endpoint().get("/v2/_catalog?n=1000")?.expect(200)?.json()?;
    ensure!(!catalogue.to_string().contains("doctor"), "{catalogue}");
    Ok(())
}

fn doctor_names_a_kubeconfig_that_is_not_there(_: &Servers) -> Result<()> {
    let ran = doctor("/no/such/kubeconfig".into())?.run()?.exits(5)?;
    let report = only_failed(&ran, "kubeconfig", "NO_KUBECONFIG")?;
    waits(&report, &["context", "secret", "tls", "write", "clock"], "kubeconfig")
}

fn doctor_names_a_context_that_is_not_there(servers: &Servers) -> Result<()> {
    let ran = doctor(servers.api.kubeconfig())?.args(["--context", "kind-none"]).run()?.exits(5)?;
    let report = only_failed(&ran, "context", "NO_CONTEXT")?;
    is(&report, "ok", &["kubeconfig"])?;
    waits(&report, &["api", "secret", "tls"], "context")
}

fn doctor_names_an_api_that_is_down(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("kubeconfig");
    let text = fs::read_to_string(servers.api.kubeconfig())?;
    let is_server = |line: &&str| line.trim_start().starts_with("server:") || line.contains("\"server\"");
    let server = text.lines().find(is_server).context("no server")?;
    let port: String =
        server.rsplit_once(':').context("no port")?.1.chars().filter(char::is_ascii_digit).collect();
    fs::write(&path, text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", nobody()?)))?;
    let ran = doctor(path)?.run()?.exits(5)?;
    let report = only_failed(&ran, "api", "CLUSTER_UNREACHABLE")?;
    is(&report, "ok", &["kubeconfig", "context"])?;
    waits(&report, &["localbuild", "secret", "name"], "api")
}

fn doctor_names_a_localbuild_that_is_not_there(servers: &Servers) -> Result<()> {
    let kubeconfig = servers.api.kubeconfig_named("without-localbuild")?;
    let ran = doctor(kubeconfig)?.args(["--name", "without-localbuild"]).run()?.exits(5)?;
    let report = only_failed(&ran, "localbuild", "NO_CLUSTER")?;
    is(&report, "ok", &["kubeconfig", "context", "api"])?;
    waits(&report, &["secret", "name"], "localbuild")
}

fn doctor_names_a_right_to_the_secret_that_is_missing(servers: &Servers) -> Result<()> {
    let ran = doctor(servers.api.developer_kubeconfig())?.run()?.exits(5)?;
    let report = only_failed(&ran, "secret", "CLUSTER_FORBIDDEN")?;
    is(&report, "ok", &["localbuild", "certificate", "name", "tcp", "tls", "registry", "clock"])?;
    is(&report, "warning", &["body-limit"])?;
    waits(&report, &["login", "write"], "secret")
}

fn doctor_names_a_password_that_has_drifted(servers: &Servers) -> Result<()> {
    let secret = credential("doctor-drifted", Gitea::ADMIN, "the password before", &servers.gitea.token);
    servers.api.apply(&[secret])?;
    let ran = doctor(servers.api.kubeconfig())?.args(["--secret", "gitea/doctor-drifted"]).run()?.exits(0)?;
    let report = report(&ran)?;
    is(&report, "warning", &["login"])?;
    ensure!(check(&report, "login")?["warnings"].to_string().contains("drifted"), "{}", ran.stdout);
    is(&report, "ok", &["write"])?;
    ensure!(!ran.stdout.contains("the password before") && !ran.stdout.contains(&servers.gitea.token));
    Ok(())
}

fn doctor_names_a_login_that_fits_no_more(servers: &Servers) -> Result<()> {
    let secret = credential("doctor-stale", Gitea::ADMIN, "the password before", "0123456789abcdef");
    servers.api.apply(&[secret])?;
    let ran = doctor(servers.api.kubeconfig())?.args(["--secret", "gitea/doctor-stale"]).run()?.exits(4)?;
    let report = only_failed(&ran, "login", "AUTH_FAILED")?;
    is(&report, "ok", &["secret", "tls", "registry"])?;
    waits(&report, &["write"], "login")
}

/// The cluster that the kubeconfig knows, with its registry on another port.
fn moved(servers: &Servers, name: &str, port: u16) -> Result<Push> {
    let build = json!({ "protocol": "https", "host": Ingress::HOST, "ingressHost": Ingress::HOST,
        "port": port.to_string(), "usePathRouting": false, "staticPassword": false });
    servers.api.apply(&[localbuild(name, &build)])?;
    doctor(servers.api.kubeconfig_named(name)?)
}

fn doctor_names_the_certificate_of_another_cluster(servers: &Servers) -> Result<()> {
    let other = Ingress::start(servers.gitea.port, &IngressSettings::default())?;
    let ran = moved(servers, "doctor-other", other.port)?.run()?.exits(6)?;
    let report = only_failed(&ran, "tls", "CERTIFICATE_OTHER")?;
    is(&report, "ok", &["certificate", "name", "tcp"])?;
    waits(&report, &["registry", "login", "write", "clock"], "tls")?;
    ensure!(other.requests("/")?.is_empty(), "a request was sent all the same");
    Ok(())
}

fn doctor_names_a_port_that_nobody_listens_on(servers: &Servers) -> Result<()> {
    let ran = moved(servers, "doctor-gone", nobody()?)?.run()?.exits(6)?;
    let report = only_failed(&ran, "tcp", "UNREACHABLE")?;
    is(&report, "ok", &["secret", "certificate", "name"])?;
    waits(&report, &["tls", "registry", "write"], "tcp")
}

fn doctor_names_a_user_who_may_only_read(servers: &Servers) -> Result<()> {
    servers.gitea.user("doctor-reader", "reader's password")?;
    let token = servers.gitea.access_token("doctor-reader", "reader's password", "read:package")?;
    let login = ["--username", "doctor-reader", "--password", &token];
    let ran = doctor(servers.api.kubeconfig())?.args(login).run()?.exits(7)?;
    let report = only_failed(&ran, "write", "DENIED")?;
    is(&report, "ok", &["registry", "login"])
}

/// A port that was free a moment ago.
fn nobody() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
