//! Logins that docker and Podman saved.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::kit::{Distribution, Push, Servers, pulled, testdata};

cases![
    distribution_2_takes_the_login_of_a_docker_config,
    distribution_2_names_the_saved_login_that_it_refuses,
    gitea_takes_an_access_token_of_an_auth_file,
    gitea_takes_two_logins_in_one_run,
];

fn entry(user: &str, password: &str) -> Value {
    json!({ "auth": STANDARD.encode(format!("{user}:{password}")) })
}

/// Writes a file of logins into the home folder of a run.
fn saved(push: &Push, path: &str, auths: &Value) -> Result<PathBuf> {
    let file = push.home().join(path);
    fs::create_dir_all(file.parent().unwrap_or(push.home()))?;
    fs::write(&file, json!({ "auths": auths }).to_string())?;
    Ok(file)
}

fn push_to_distribution(distribution: &Distribution, password: &str) -> Result<Push> {
    let registry = distribution.registry();
    let push = Push::new()?.args(["--registry", &registry, "--plain-http", "--as", "web:1"]);
    saved(&push, ".docker/config.json", &json!({ registry: entry(Distribution::USER, password) }))?;
    Ok(push.arg(testdata("valid-image.tar")))
}

fn distribution_2_takes_the_login_of_a_docker_config(_: &Servers) -> Result<()> {
    let distribution = Distribution::start_2_with_login()?;
    push_to_distribution(&distribution, Distribution::PASSWORD)?.run()?.exits(0)?;
    pulled(&distribution.endpoint_with_login(), "web", "1").map(drop)
}

fn distribution_2_names_the_saved_login_that_it_refuses(_: &Servers) -> Result<()> {
    let distribution = Distribution::start_2_with_login()?;
    let ran = push_to_distribution(&distribution, "stale")?.run()?.exits(4)?;
    let key = format!(".docker/config.json (entry `{}`)", distribution.registry());
    ran.says(&["refused the credentials of user \"dev\" (401)", &key]).map(drop)
}

/// `gitea.localhost` behind the ingress, whose certificate no file vouches for here.
fn push_to_gitea(servers: &Servers, auths: impl Fn(&str) -> Value) -> Result<Push> {
    let registry = format!("gitea.localhost:{}", servers.ingress.port);
    let push = Push::new()?.args(["--registry", &registry, "--insecure", "-v"]);
    let file = saved(&push, "logins/auth.json", &auths(&registry))?;
    Ok(push.env("REGISTRY_AUTH_FILE", file))
}

fn gitea_takes_an_access_token_of_an_auth_file(servers: &Servers) -> Result<()> {
    servers.gitea.user("saver", "saver's password")?;
    let token = servers.gitea.access_token("saver", "saver's password", "write:package")?;
    let push = push_to_gitea(servers, |registry| json!({ registry: entry("saver", &token) }))?;
    let ran = push.args(["--as", "saved:1"]).arg(testdata("valid-image.tar")).run()?.exits(0)?;
    ensure!(!ran.stderr.contains(&token), "the token is in the standard error");
    pulled(&servers.gitea.admin(), "saver/saved", "1").map(drop)
}

fn gitea_takes_two_logins_in_one_run(servers: &Servers) -> Result<()> {
    for user in ["blue", "red"] {
        servers.gitea.user(user, &format!("{user}'s password"))?;
    }
    let push = push_to_gitea(servers, |registry| {
        let own = |user: &str| entry(user, &format!("{user}'s password"));
        json!({ format!("{registry}/blue"): own("blue"), format!("{registry}/red"): own("red") })
    })?;
    let registry = format!("gitea.localhost:{}", servers.ingress.port);
    let layout = push.home().join("layout");
    two_names(&layout, [&format!("{registry}/blue/web:1"), &format!("{registry}/red/web:1")])?;
    push.args(["--owner", "blue"]).arg(layout).run()?.exits(0)?.says(&["/blue`)", "/red`)"])?;
    pulled(&servers.gitea.admin(), "blue/web", "1")?;
    pulled(&servers.gitea.admin(), "red/web", "1").map(drop)
}

/// A layout with one image under two names.
fn two_names(folder: &std::path::Path, names: [&str; 2]) -> Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let add = |bytes: &[u8]| -> Result<String> {
        let digest = crate::kit::digest_of(bytes);
        fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
        Ok(digest)
    };
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let config_digest = add(config)?;
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "layers": [], "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len() } });
    let manifest = manifest.to_string();
    let digest = add(manifest.as_bytes())?;
    let listed = names.map(|name| {
        json!({ "mediaType": media_type, "digest": digest, "size": manifest.len(),
            "annotations": { "org.opencontainers.image.ref.name": name } })
    });
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    fs::write(folder.join("index.json"), json!({ "schemaVersion": 2, "manifests": listed }).to_string())?;
    Ok(())
}
