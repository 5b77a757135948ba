//! What the guides in docs/ promise of a cluster, with their own text.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::kit::{Push, Servers, pulled, testdata};

cases![a_service_account_pushes_with_the_rights_of_the_guide, a_login_of_its_own_pushes_without_a_cluster,];

const GUIDE: &str = include_str!("../../../docs/in-cluster-ci.md");

/// The block of YAML that has this in it.
fn block(part: &str) -> Result<&'static str> {
    let mut blocks = GUIDE.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(part)).with_context(|| format!("no block has {part}"))
}

fn a_service_account_pushes_with_the_rights_of_the_guide(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).map(|()| path)
    };
    let (rights, api) = (file("rights.yaml", block("ServiceAccount")?)?, &servers.api);
    api.kubectl(&["create", "namespace", "ci"])?;
    api.kubectl(&["apply", "-f", &rights.to_string_lossy()])?;
    let token = file("token", &api.kubectl(&["create", "token", "pusher", "-n", "ci"])?)?;
    let query = |path: &str| api.kubectl(&["config", "view", "--raw", "-o", &format!("jsonpath={path}")]);
    let server = query("{.clusters[0].cluster.server}")?;
    let authority = query(r"{.clusters[0].cluster.certificate-authority-data}")?;
    // What Kubernetes mounts into a pod is here in a folder.
    let kubeconfig = block("tokenFile")?
        .replace("https://kubernetes.default.svc", &server)
        .replace("certificate-authority: ", "certificate-authority-data: ")
        .replace("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", &authority)
        .replace("/var/run/secrets/kubernetes.io/serviceaccount/token", &token.to_string_lossy());
    let kubeconfig = file("config", &kubeconfig)?;
    let push = |flags: &[&str]| -> Result<Push> {
        let push = Push::new()?.arg("--kubeconfig").arg(&kubeconfig).args(flags);
        Ok(push.args(["--as", "from-pod:1"]).arg(testdata("valid-image.tar")))
    };
    push(&["--context", "in-cluster", "--name", "localdev"])?
        .run()?
        .exits(0)?
        .says(&["may not list nodes"])?;
    pulled(&servers.gitea.admin(), "giteaadmin/from-pod", "1").map(drop)
}

fn a_login_of_its_own_pushes_without_a_cluster(servers: &Servers) -> Result<()> {
    servers.gitea.user("ci", "password of ci")?;
    let token = servers.gitea.access_token("ci", "password of ci", "write:package")?;
    let certificate =
        ["-n", "default", "get", "secret", "idpbuilder-cert", "-o", "jsonpath={.data.ca\\.crt}"];
    ensure!(GUIDE.contains(&certificate[..5].join(" ")), "the guide reads it otherwise");
    ensure!(!servers.api.kubectl(&certificate)?.is_empty(), "the secret has no certificate");
    let push = Push::new()?.env("IDPBUILDER_REGISTRY_USERNAME", "ci").env("IDPBUILDER_REGISTRY_TOKEN", token);
    let push = push.args(["--registry", &servers.ingress.registry()]).arg("--ca-file");
    push.arg(servers.ingress.ca_file()).arg(testdata("valid-image.tar")).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "ci/web", "1.0").map(drop)
}
