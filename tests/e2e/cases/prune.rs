//! What pushes leave behind on a real Gitea, and what becomes of it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::kit::{Gitea, Ingress, Push, Ran, Servers, digest_of, localbuild, pulled};

cases![
    what_no_tag_and_no_workload_needs_is_deleted,
    an_index_that_is_left_behind_goes_with_its_parts,
    every_kind_of_workload_keeps_what_it_names,
    a_user_who_may_not_look_at_workloads_is_told,
    path_routing_lists_and_deletes,
];

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn blob(layout: &Path, media_type: &str, bytes: &[u8]) -> Result<Value> {
    let digest = digest_of(bytes);
    let file = layout.join("blobs").join(digest.replace(':', "/"));
    fs::create_dir_all(file.parent().context("no folder")?)?;
    fs::write(file, bytes)?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
}

/// An image of two layers: one that all of them share, and one of its own. What a workload names by digest is
/// in use under every name, so that no two cases may have the same.
fn image(layout: &Path, own: &str) -> Result<Value> {
    let config = json!({ "architecture": "amd64", "os": "linux", "author": own,
        "rootfs": { "type": "layers", "diff_ids": [digest_of(b"shared"), digest_of(own.as_bytes())] } });
    let layer = |text: &str| blob(layout, "application/vnd.oci.image.layer.v1.tar", text.as_bytes());
    let config = blob(layout, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes())?;
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config,
        "layers": [layer("shared")?, layer(own)?] });
    blob(layout, MANIFEST, manifest.to_string().as_bytes())
}

/// Pushes the one that is described, and returns its digest.
fn push(push: Push, layout: &Path, named: &Value) -> Result<String> {
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let index = json!({ "schemaVersion": 2, "manifests": [named] });
    fs::write(layout.join("index.json"), index.to_string())?;
    push.arg(layout).run()?.exits(0)?;
    Ok(named["digest"].as_str().context("no digest")?.to_owned())
}

/// Pushes images of these contents under one name, one after another.
fn pushed(servers: &Servers, name: &str, contents: &[&str]) -> Result<Vec<String>> {
    let layout = tempfile::tempdir()?;
    let digests = contents.iter().map(|own| {
        let to = Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--as", name]);
        push(to, layout.path(), &image(layout.path(), own)?)
    });
    digests.collect()
}

fn prune(servers: &Servers, name: &str, flags: &[&str]) -> Result<Ran> {
    let program = Push::new()?.args(["prune", name]).kubeconfig(servers.api.kubeconfig());
    program.args(flags).run()
}

/// Which of the digests the registry still serves.
fn there(servers: &Servers, repository: &str, digests: &[String]) -> Result<Vec<bool>> {
    let head = |digest: &String| {
        let path = format!("/v2/{repository}/manifests/{digest}");
        Ok(servers.gitea.admin().send("HEAD", &path, "Accept: */*\r\n", &[])?.status == 200)
    };
    digests.iter().map(head).collect()
}

/// An object in the namespace `default` whose pods run this image.
fn workload(kind: (&str, &str), name: &str, image: &str) -> Value {
    let (version, kind) = kind;
    let pod = json!({ "containers": [{ "name": "c", "image": image }], "restartPolicy":
        if matches!(kind, "Job" | "CronJob") { "Never" } else { "Always" } });
    let labels = json!({ "run": name });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    let selected = json!({ "selector": { "matchLabels": labels }, "template": template });
    let spec = match kind {
        "Pod" => pod,
        "Job" => json!({ "template": template }),
        "CronJob" => {
            json!({ "schedule": "0 0 * * *", "jobTemplate": { "spec": { "template": template } } })
        }
        "StatefulSet" => {
            let mut spec = selected;
            spec["serviceName"] = json!(name);
            spec
        }
        _ => selected,
    };
    json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": "default" }, "spec": spec })
}

fn what_no_tag_and_no_workload_needs_is_deleted(servers: &Servers) -> Result<()> {
    let digests = pushed(servers, "pruned:dev", &["one", "two", "three"])?;
    let image = format!("{}/giteaadmin/pruned@{}", servers.ingress.registry(), digests[0]);
    servers.api.apply(&[workload(("v1", "Pod"), "pinned", &image)])?;
    let ran = prune(servers, "pruned", &["--keep", "0", "--yes"])?.exits(0)?;
    let expected = format!("{}/giteaadmin/pruned@{}", servers.ingress.registry(), digests[1]);
    ensure!(ran.references() == [expected], "{ran:?}");
    let ran = ran.says(&["1 tagged, 1 in use (pod default/pinned)"])?;
    ensure!(!ran.stderr.contains("may not list"), "{}", ran.stderr);
    ensure!(there(servers, "giteaadmin/pruned", &digests)? == [true, false, true]);
    let admin = servers.gitea.admin();
    ensure!(pulled(&admin, "giteaadmin/pruned", "dev")?.digest == digests[2]);
    pulled(&admin, "giteaadmin/pruned", &digests[0])?;
    // What was deleted can be pushed again.
    pushed(servers, "pruned:dev", &["two"])?;
    pulled(&admin, "giteaadmin/pruned", "dev").map(drop)
}

fn an_index_that_is_left_behind_goes_with_its_parts(servers: &Servers) -> Result<()> {
    let layout = tempfile::tempdir()?;
    let mut digests = Vec::new();
    for own in ["indexed one", "indexed two"] {
        let parts = [image(layout.path(), own)?, image(layout.path(), &format!("{own}, and more"))?];
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": parts });
        let index = blob(layout.path(), INDEX, index.to_string().as_bytes())?;
        let to = Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--as", "indexed:dev"]);
        digests.push(push(to, layout.path(), &index)?);
        digests.extend(parts.iter().filter_map(|part| Some(part["digest"].as_str()?.to_owned())));
    }
    prune(servers, "indexed", &["--keep", "1", "--yes"])?.exits(0)?;
    ensure!(there(servers, "giteaadmin/indexed", &digests)? == [true; 6]);
    let ran = prune(servers, "indexed", &["--keep", "0", "--yes"])?.exits(0)?;
    ensure!(ran.references().len() == 3, "{ran:?}");
    ensure!(there(servers, "giteaadmin/indexed", &digests)? == [false, false, false, true, true, true]);
    ensure!(pulled(&servers.gitea.admin(), "giteaadmin/indexed", "dev")?.children.len() == 2);
    Ok(())
}

fn every_kind_of_workload_keeps_what_it_names(servers: &Servers) -> Result<()> {
    let kinds = [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
    ];
    let contents = ["0", "1", "2", "3", "4", "5", "6", "7", "8"].map(|n| format!("kind {n}"));
    let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
    let digests = pushed(servers, "kinds:dev", &contents)?;
    let objects = kinds.iter().zip(&digests).map(|(kind, digest)| {
        let name = format!("kinds-{}", kind.1.to_lowercase());
        // Another host: the same content under another name of the registry.
        workload(*kind, &name, &format!("gitea.example/giteaadmin/kinds@{digest}"))
    });
    servers.api.apply(&objects.collect::<Vec<_>>())?;
    let ran = prune(servers, "kinds", &["--keep", "0", "--yes", "-o", "table"])?.exits(0)?;
    for (_, kind) in kinds {
        let kind = kind.to_lowercase();
        ensure!(ran.stdout.contains(&format!("in use by {kind} default/kinds-{kind}")), "{}", ran.stdout);
    }
    let there = there(servers, "giteaadmin/kinds", &digests)?;
    ensure!(there == [true, true, true, true, true, true, true, false, true], "{there:?}");
    Ok(())
}

fn a_user_who_may_not_look_at_workloads_is_told(servers: &Servers) -> Result<()> {
    pushed(servers, "unseen:dev", &["unseen one", "unseen two"])?;
    let program = Push::new()?.args(["prune", "unseen", "--keep", "0", "--yes"]);
    let program = program.kubeconfig(servers.api.developer_kubeconfig());
    let ran = program.args(["-u", Gitea::ADMIN, "-p", &servers.gitea.password]).run()?.exits(0)?;
    let ran =
        ran.says(&["this user may not list pods, deployments, statefulsets", "is not known to be in use"])?;
    ensure!(ran.references().len() == 1, "{ran:?}");
    Ok(())
}

fn path_routing_lists_and_deletes(servers: &Servers) -> Result<()> {
    let digests = pushed(servers, "routed:dev", &["routed one", "routed two"])?;
    pushed(servers, "giteaadmin/below/routed:dev", &["below one", "below two"])?;
    let build = json!({ "protocol": "https", "host": Ingress::HOST, "ingressHost": Ingress::HOST,
        "port": servers.ingress.port.to_string(), "usePathRouting": true,
        "selfSignedCert": servers.ingress.certificate.pem, "staticPassword": false });
    servers.api.apply(&[localbuild("pruned-paths", &build)])?;
    let prune = |name: &str| -> Result<Ran> {
        let program = Push::new()?.args(["prune", name, "--keep", "0", "--yes"]);
        program.kubeconfig(servers.api.kubeconfig_named("pruned-paths")?).run()
    };
    prune("gitea/giteaadmin/routed")?.exits(0)?;
    ensure!(there(servers, "giteaadmin/routed", &digests)? == [false, true]);
    // The ingress takes the name's own slash for one of the path.
    prune("giteaadmin/below/routed")?.exits(7)?.says(&["With path routing"]).map(drop)
}
