//! The servers are what the other trials take them for.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::kit::{Endpoint, Gitea, Servers, digest_of, output, pulled, testdata};

cases![
    gitea_gives_its_administrator_a_token,
    the_ingress_shows_a_certificate_like_idpbuilders,
    the_cluster_names_its_registry,
    a_developer_finds_the_cluster_and_reads_no_secret,
    docker_loads_and_tags_an_archive,
    what_a_registry_holds_can_be_pulled_back,
    what_skopeo_sends_through_the_ingress_arrives_at_gitea,
];

fn gitea_gives_its_administrator_a_token(servers: &Servers) -> Result<()> {
    let gitea = &servers.gitea;
    let challenge = Endpoint::local(gitea.port).get("/v2/")?.expect(401)?;
    ensure!(challenge.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer realm=")));
    Endpoint::basic(gitea.port, Gitea::ADMIN, &gitea.password).get("/v2/token")?.expect(200)?;
    Endpoint::basic(gitea.port, Gitea::ADMIN, "wrong").get("/v2/token")?.expect(401).map(drop)
}

fn the_ingress_shows_a_certificate_like_idpbuilders(servers: &Servers) -> Result<()> {
    let ca_file = servers.ingress.ca_file();
    let text = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(ca_file).output()?;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for part in
        ["Issuer: O = cnoe.io", "Subject: O = cnoe.io", "CA:TRUE", "prime256v1", "DNS:*.cnoe.localtest.me"]
    {
        ensure!(text.contains(part), "`{part}` is not in\n{text}");
    }
    Ok(())
}

fn the_cluster_names_its_registry(servers: &Servers) -> Result<()> {
    let localbuild: Value =
        serde_json::from_str(&servers.api.kubectl(&["get", "localbuild", "localdev", "-o", "json"])?)?;
    ensure!(localbuild["spec"]["buildCustomization"]["port"] == servers.ingress.port.to_string());
    ensure!(localbuild["status"]["gitea"]["adminUserSecretNameecret"] == "gitea-credential");
    Ok(())
}

fn a_developer_finds_the_cluster_and_reads_no_secret(servers: &Servers) -> Result<()> {
    let kubeconfig = servers.api.developer_kubeconfig();
    let own = kubeconfig.to_string_lossy();
    servers.api.kubectl(&["--kubeconfig", &own, "get", "localbuilds"])?;
    let refused =
        servers.api.kubectl(&["--kubeconfig", &own, "get", "secret", "-n", "gitea", "gitea-credential"]);
    ensure!(refused.is_err_and(|error| error.to_string().contains("cannot get resource \"secrets\"")));
    Ok(())
}

fn docker_loads_and_tags_an_archive(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "loaded:dev")
}

/// Sent by hand, so that the reader is known to work before the program's uploads are judged by it.
fn what_a_registry_holds_can_be_pulled_back(servers: &Servers) -> Result<()> {
    let registry = servers.distribution.endpoint();
    let config =
        b"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    let session = registry.send("POST", "/v2/by/hand/blobs/uploads/", "", &[])?.expect(202)?;
    let location = session.header("location").unwrap_or_default();
    let path = location.split_once("/v2/").map(|(_, path)| format!("/v2/{path}")).unwrap_or_default();
    let digest = digest_of(config);
    registry.send("PUT", &format!("{path}&digest={digest}"), "", config)?.expect(201)?;
    let manifest = serde_json::json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len() },
        "layers": [] });
    let content_type = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    registry
        .send("PUT", "/v2/by/hand/manifests/1", content_type, manifest.to_string().as_bytes())?
        .expect(201)?;
    let pulled = pulled(&registry, "by/hand", "1")?;
    ensure!(
        pulled.manifest == manifest && pulled.blobs.contains_key(&digest) && pulled.diff_ids()?.is_empty()
    );
    Ok(())
}

fn what_skopeo_sends_through_the_ingress_arrives_at_gitea(servers: &Servers) -> Result<()> {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]);
    skopeo.args(["--dest-creds", &format!("{}:{}", Gitea::ADMIN, servers.gitea.password)]);
    skopeo.arg(format!("oci:{}:1.0", testdata("oci-layout").display()));
    output(skopeo.arg(format!("docker://localhost:{}/giteaadmin/by-skopeo:1", servers.ingress.port)))?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/by-skopeo", "1")?;
    ensure!(image.layers().len() == 4 && image.diff_ids()?.len() == 4);
    ensure!(
        servers.ingress.requests("/giteaadmin/by-skopeo/")?.iter().any(|request| request.method == "PUT")
    );
    Ok(())
}
