//! Who may push, and what is trusted, when flags say it and no cluster is asked.

use anyhow::{Result, ensure};

use crate::kit::{Gitea, Ingress, IngressSettings, Push, Servers, pulled, testdata};

cases![
    an_unknown_certificate_is_refused,
    insecure_takes_any_certificate_and_says_so,
    a_ca_file_makes_the_certificate_known,
    the_certificate_of_another_cluster_is_refused,
    a_wrong_password_is_a_failed_login,
    a_token_that_may_only_read_is_a_refusal,
    an_organisation_is_pushed_to,
    the_command_of_the_first_plan_works_as_written,
];

/// The administrator at this registry; no kubeconfig is there to help.
fn push_to(servers: &Servers, registry: &str, name: &str) -> Result<Push> {
    let login = ["--registry", registry, "--username", Gitea::ADMIN, "--password", &servers.gitea.password];
    Ok(Push::new()?.args(login).args(["--as", name]).arg(testdata("valid-image.tar")))
}

fn an_unknown_certificate_is_refused(servers: &Servers) -> Result<()> {
    let ran = push_to(servers, &servers.ingress.registry(), "unknown:1")?
        .run()?
        .exits(6)?
        .says(&["certificate"])?;
    ensure!(!ran.stderr.contains(&servers.gitea.password), "the password is in the standard error");
    Ok(())
}

fn insecure_takes_any_certificate_and_says_so(servers: &Servers) -> Result<()> {
    let registry = on_localhost(servers);
    push_to(servers, &registry, "insecure:1")?.arg("--insecure").run()?.exits(0)?.says(&["certificate"])?;
    pulled(&servers.gitea.admin(), "giteaadmin/insecure", "1").map(drop)
}

fn a_ca_file_makes_the_certificate_known(servers: &Servers) -> Result<()> {
    let push = push_to(servers, &servers.ingress.registry(), "known:1")?;
    push.arg("--ca-file").arg(servers.ingress.ca_file()).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "giteaadmin/known", "1").map(drop)
}

fn the_certificate_of_another_cluster_is_refused(servers: &Servers) -> Result<()> {
    let other = Ingress::start(servers.gitea.port, &IngressSettings::default())?;
    let push =
        push_to(servers, &other.registry(), "other:1")?.arg("--ca-file").arg(servers.ingress.ca_file());
    push.run()?.exits(6)?.says(&["certificate"])?;
    ensure!(other.requests("/")?.is_empty(), "a request was sent all the same");
    Ok(())
}

/// `*.localhost` is this machine without DNS, also where no certificate is checked.
fn on_localhost(servers: &Servers) -> String {
    format!("gitea.localhost:{}", servers.ingress.port)
}

fn a_wrong_password_is_a_failed_login(servers: &Servers) -> Result<()> {
    let registry = on_localhost(servers);
    let login = ["--registry", &registry, "--username", Gitea::ADMIN, "--password", "wrong", "--insecure"];
    Push::new()?.args(login).arg(testdata("valid-image.tar")).run()?.exits(4)?.says(&["401"]).map(drop)
}

fn a_token_that_may_only_read_is_a_refusal(servers: &Servers) -> Result<()> {
    servers.gitea.user("reader", "reader's password")?;
    let token = servers.gitea.access_token("reader", "reader's password", "read:package")?;
    let registry = on_localhost(servers);
    let login = ["--registry", &registry, "--username", "reader", "--password", &token, "--insecure"];
    Push::new()?.args(login).arg(testdata("valid-image.tar")).run()?.exits(7).map(drop)
}

fn an_organisation_is_pushed_to(servers: &Servers) -> Result<()> {
    servers.gitea.organisation("platform")?;
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--owner", "platform"]);
    push.arg(testdata("valid-image.tar")).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "platform/web", "1.0").map(drop)
}

fn the_command_of_the_first_plan_works_as_written(servers: &Servers) -> Result<()> {
    servers.gitea.user("gitea_admin", "the password before")?;
    servers.gitea.set_password("gitea_admin", "gitea_password")?;
    let settings = IngressSettings { port: Some(8443), ..IngressSettings::default() };
    let _ingress = Ingress::start(servers.gitea.port, &settings)?;
    let folder = tempfile::tempdir()?;
    let idpbuilder = folder.path().join("idpbuilder");
    std::os::unix::fs::symlink(Push::BINARY, &idpbuilder)?;
    std::fs::copy(testdata("valid-image.tar"), folder.path().join("test-image.tar"))?;
    let command = "push --registry gitea.localhost:8443 --username gitea_admin --password gitea_password --insecure ./test-image.tar";
    Push::called_as(&idpbuilder)?.args(command.split(' ')).current_dir(folder.path()).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "gitea_admin/web", "1.0").map(drop)
}
