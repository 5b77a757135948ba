//! Clusters that were made with other options, and the nodes' view of what was pushed.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::kit::{
    Certificate, Containerd, Ingress, IngressSettings, KubeApi, Push, Servers, Speaks, describe_cluster,
    digest_of, image, localbuild, pulled, testdata,
};

cases![
    path_routing_is_pushed_to_by_the_short_name,
    path_routing_is_pushed_to_by_the_long_name,
    an_http_cluster_needs_no_flag,
    a_users_own_authority_is_trusted,
    a_layer_over_the_ingresss_limit_arrives,
    a_node_pulls_and_unpacks_what_was_pushed,
    a_node_unpacks_every_form_of_a_layer_of_many_blocks,
];

/// A second cluster in the same API: its context is the only one in the kubeconfig.
fn other_cluster(servers: &Servers, name: &str, build: &serde_json::Value) -> Result<Push> {
    servers.api.apply(&[localbuild(name, build)])?;
    Ok(Push::new()?.kubeconfig(servers.api.kubeconfig_named(name)?))
}

fn path_routed(servers: &Servers, name: &str) -> Result<Push> {
    let build = json!({ "protocol": "https", "host": Ingress::HOST, "ingressHost": Ingress::HOST,
        "port": servers.ingress.port.to_string(), "usePathRouting": true,
        "selfSignedCert": servers.ingress.certificate.pem, "staticPassword": false });
    other_cluster(servers, name, &build)
}

fn path_routing_is_pushed_to_by_the_short_name(servers: &Servers) -> Result<()> {
    let push = path_routed(servers, "paths")?.args(["--as", "short:1"]).arg(testdata("valid-image.tar"));
    let ran = push.run()?.exits(0)?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/short", "1")?;
    let registry = format!("{}:{}", Ingress::HOST, servers.ingress.port);
    ensure!(ran.references() == [format!("{registry}/giteaadmin/short:1@{}", image.digest)]);
    Ok(())
}

fn path_routing_is_pushed_to_by_the_long_name(servers: &Servers) -> Result<()> {
    let push = path_routed(servers, "long-paths")?.args(["--as", "gitea/giteaadmin/long:1"]);
    push.arg(testdata("valid-image.tar")).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "giteaadmin/long", "1").map(drop)
}

fn an_http_cluster_needs_no_flag(servers: &Servers) -> Result<()> {
    let settings = IngressSettings { speaks: Speaks::Http, ..IngressSettings::default() };
    let ingress = Ingress::start(servers.gitea.port, &settings)?;
    let build = json!({ "protocol": "http", "host": Ingress::HOST, "ingressHost": Ingress::HOST,
        "port": ingress.port.to_string(), "usePathRouting": false, "staticPassword": false });
    let push = other_cluster(servers, "plain", &build)?.args(["--as", "plain:1"]);
    push.arg(testdata("valid-image.tar")).run()?.exits(0)?.says(&["plain HTTP"])?;
    pulled(&servers.gitea.admin(), "giteaadmin/plain", "1").map(drop)
}

/// `idpbuilder create` with a certificate of the user's own: what the secret has is its authority.
fn a_users_own_authority_is_trusted(servers: &Servers) -> Result<()> {
    let (certificate, authority) = Certificate::of_an_authority(Ingress::HOST)?;
    let settings = IngressSettings { certificate: Some(certificate), ..IngressSettings::default() };
    let mut ingress = Ingress::start(servers.gitea.port, &settings)?;
    ingress.certificate.pem = authority;
    let api = KubeApi::start()?;
    describe_cluster(&api, &servers.gitea, &ingress)?;
    let push = Push::new()?.kubeconfig(api.kubeconfig()).args(["--as", "own-authority:1"]);
    push.arg(testdata("valid-image.tar")).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "giteaadmin/own-authority", "1").map(drop)
}

fn a_layer_over_the_ingresss_limit_arrives(servers: &Servers) -> Result<()> {
    const SIZE: u64 = 1100 << 20;
    let folder = tempfile::tempdir()?;
    let blobs = folder.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let keep = |bytes: &[u8]| -> Result<String> {
        let digest = digest_of(bytes);
        std::fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
        Ok(digest)
    };
    let layer = zeros_digest(SIZE);
    File::create(blobs.join(layer.trim_start_matches("sha256:")))?.set_len(SIZE)?;
    let config = json!({ "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [layer] } })
    .to_string();
    let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(),
            "digest": keep(config.as_bytes())? },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "size": SIZE, "digest": layer }] })
    .to_string();
    let index = json!({ "schemaVersion": 2, "manifests": [{ "size": manifest.len(),
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": keep(manifest.as_bytes())? }] });
    File::create(folder.path().join("index.json"))?.write_all(index.to_string().as_bytes())?;
    std::fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--as", "huge:1"]);
    push.arg(folder.path()).run()?.exits(0)?;
    let path = format!("/v2/giteaadmin/huge/blobs/{layer}");
    let head = servers.gitea.admin().send("HEAD", &path, "", &[])?.expect(200)?;
    ensure!(head.header("content-length") == Some(SIZE.to_string().as_str()));
    Ok(())
}

fn zeros_digest(size: u64) -> String {
    use std::fmt::Write as _;
    let block = vec![0; 1 << 20];
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    (0..size >> 20).for_each(|_| context.update(&block));
    let mut text = "sha256:".to_owned();
    for byte in context.finish().as_ref() {
        write!(text, "{byte:02x}").ok();
    }
    text
}

fn a_node_pulls_and_unpacks_what_was_pushed(servers: &Servers) -> Result<()> {
    let node = Containerd::start(&servers.ingress)?;
    for (archive, name) in [
        ("valid-image.tar", "node-packed:1"),
        ("docker-hybrid-packed.tar", "node-exact:1"),
        ("multi-platform-layout", "node-index:1"),
    ] {
        let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--as", name]);
        let ran = push.arg(testdata(archive)).run()?.exits(0)?;
        for reference in ran.references() {
            node.pull(reference, &servers.gitea.password)?;
        }
    }
    Ok(())
}

/// Blocks that are packed, and such as are stored since they do not shrink.
fn a_node_unpacks_every_form_of_a_layer_of_many_blocks(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("forms.tar");
    let text = "a line of a file, and another one like it\n".repeat(30_000);
    let mut whole = tar::Builder::new(Vec::new());
    for (name, content) in [("text", text.into_bytes()), ("noise", image::layer(77, 900_000)?)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        whole.append_data(&mut header, name, content.as_slice())?;
    }
    image::docker_archive(&archive, "forms:1", &[whole.into_inner()?])?;
    let node = Containerd::start(&servers.ingress)?;
    for form in ["auto", "gzip", "gzip:6", "zstd", "zstd:9", "none"] {
        let name = format!("forms:{}", form.replace(':', "-"));
        let push = Push::new()?.kubeconfig(servers.api.kubeconfig());
        let ran =
            push.args(["--no-cache", "--as", &name, "--compression", form]).arg(&archive).run()?.exits(0)?;
        for reference in ran.references() {
            node.pull(reference, &servers.gitea.password)?;
        }
    }
    Ok(())
}
