//! The program as docker's credential helper: other tools push with the cluster's login.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::kit::{Gitea, Push, Ran, Servers, localbuild, output, pulled, testdata};

cases![
    the_helper_has_the_clusters_login_for_its_registry_alone,
    the_helper_tells_a_user_without_rights_which_right_is_missing,
    skopeo_pushes_by_the_helper,
];

const FILE: &str = "docker-credential-idpbuilder";

fn helper(folder: &Path) -> Result<Push> {
    let link = folder.join(FILE);
    if !link.exists() {
        symlink(Push::BINARY, &link)?;
    }
    Push::called_as(&link)
}

fn asked(push: Push, verb: &str, server: &str) -> Result<Ran> {
    let input = push.home().join("asked");
    fs::write(&input, server)?;
    push.arg(verb).input(&input)?.run()
}

fn the_helper_has_the_clusters_login_for_its_registry_alone(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = || Ok::<_, anyhow::Error>(helper(folder.path())?.kubeconfig(servers.api.kubeconfig()));
    let registry = servers.ingress.registry();
    let ran = asked(cluster()?, "get", &registry)?.exits(0)?;
    let login: Value = serde_json::from_str(&ran.stdout)?;
    let expected =
        json!({ "ServerURL": registry, "Username": Gitea::ADMIN, "Secret": servers.gitea.password });
    ensure!(login == expected && ran.stderr.is_empty(), "{ran:?}");
    let ran = asked(cluster()?, "list", "")?.exits(0)?;
    let list: Value = serde_json::from_str(&ran.stdout)?;
    ensure!(list == json!({ format!("https://{registry}"): Gitea::ADMIN }), "{list}");
    let ran = asked(cluster()?, "get", "https://index.docker.io/v1/")?.exits(1)?;
    ensure!(ran.stdout == "credentials not found in native keychain\n" && ran.stderr.is_empty(), "{ran:?}");
    Ok(())
}

fn the_helper_tells_a_user_without_rights_which_right_is_missing(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let helper = helper(folder.path())?.kubeconfig(servers.api.developer_kubeconfig());
    let ran = asked(helper, "get", &servers.ingress.registry())?.exits(1)?;
    ensure!(ran.stdout.lines().count() == 1 && ran.stdout.contains("gitea-credential"), "{ran:?}");
    Ok(())
}

/// skopeo asks the machine where a name is, so that the registry is on `localhost`.
fn skopeo_pushes_by_the_helper(servers: &Servers) -> Result<()> {
    let ingress = &servers.ingress;
    let build = json!({ "protocol": "https", "host": "localhost", "ingressHost": "localhost",
        "port": ingress.port.to_string(), "usePathRouting": true,
        "selfSignedCert": ingress.certificate.pem, "staticPassword": false });
    servers.api.apply(&[localbuild("helped", &build)])?;
    let home = tempfile::tempdir()?;
    helper(home.path())?;
    fs::create_dir(home.path().join(".docker"))?;
    let registry = format!("localhost:{}", ingress.port);
    let config = json!({ "credHelpers": { &registry: "idpbuilder" } });
    fs::write(home.path().join(".docker/config.json"), config.to_string())?;
    let owner = Gitea::ADMIN.to_lowercase();
    let mut skopeo = Command::new("skopeo");
    skopeo.env_clear().env("HOME", home.path()).env("KUBECONFIG", servers.api.kubeconfig_named("helped")?);
    skopeo.env("PATH", format!("{}:/usr/bin:/bin", home.path().display())).stdin(Stdio::null());
    skopeo.args(["--insecure-policy", "copy", "--dest-tls-verify=false"]);
    skopeo.arg(format!("oci-archive:{}", testdata("skopeo-oci.tar").display()));
    output(skopeo.arg(format!("docker://{registry}/{owner}/by-skopeo:1"))).context("skopeo did not push")?;
    pulled(&servers.gitea.admin(), &format!("{owner}/by-skopeo"), "1").map(drop)
}
