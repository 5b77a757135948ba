//! Images of local engines: which engine is meant, and that nothing is exported needlessly.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::kit::{
    Distribution, Docker29, Dockerd, Podman, Push, Ran, Relay, Servers, digest_of, image, pulled, testdata,
};

cases![
    docker_exports_the_same_image_once,
    podman_exports_the_same_image_once,
    docker_29_exports_the_same_image_once_and_its_digest_survives,
    docker_29_keeps_the_index_of_an_image_with_several_platforms,
    docker_29_has_one_platform_of_an_index,
    docker_29_has_layers_that_are_not_packed,
    of_an_image_with_one_new_layer_only_that_is_sent,
    a_registry_that_lacks_a_known_image_gets_it,
    an_image_is_pushed_by_its_id,
    an_engine_is_found_by_dockers_context,
    different_images_of_one_name_in_two_engines_are_refused,
    an_image_that_is_nowhere_is_told_with_what_is_near,
    all_images_that_are_named_for_the_cluster_are_pushed,
    a_list_asks_an_engine_for_no_export,
];

/// A user whose cache stays from push to push.
struct User<'a> {
    registry: &'a Distribution,
    cache: tempfile::TempDir,
}

impl<'a> User<'a> {
    fn of(registry: &'a Distribution) -> Result<Self> {
        Ok(Self { registry, cache: tempfile::tempdir()? })
    }

    fn to(&self, registry: &Distribution) -> Result<Push> {
        let push = Push::new()?.env("XDG_CACHE_HOME", self.cache.path());
        Ok(push.args(["--registry", &registry.registry(), "--plain-http", "--auth", "none"]))
    }

    fn docker(&self, host: &str, image: &str) -> Result<Ran> {
        self.to(self.registry)?.env("DOCKER_HOST", host).arg(image).run()?.exits(0)
    }
}

fn docker_exports_the_same_image_once(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "once:dev")?;
    let relay = Relay::before(&servers.docker.host())?;
    let user = User::of(&servers.distribution)?;
    let first = user.docker(&relay.host(), "once:dev")?;
    let second = user.docker(&relay.host(), "once:dev")?;
    ensure!(first.stdout == second.stdout, "{} became {}", first.stdout, second.stdout);
    ensure!(relay.exports() == 1, "{} exports", relay.exports());
    let image = pulled(&servers.distribution.endpoint(), "once", "dev")?;
    ensure!(image.diff_ids()?.len() == 4);
    Ok(())
}

fn podman_exports_the_same_image_once(servers: &Servers) -> Result<()> {
    let podman = Podman::start()?;
    podman.load(&testdata("podman-docker.tar"))?;
    let relay = Relay::before(&podman.host())?;
    let user = User::of(&servers.distribution)?;
    let push = || {
        let push = user.to(&servers.distribution)?.env("CONTAINER_HOST", relay.host());
        push.args(["--as", "by-podman:1", "web:1.0"]).run()?.exits(0)
    };
    let (first, second) = (push()?, push()?);
    ensure!(first.stdout == second.stdout, "{} became {}", first.stdout, second.stdout);
    ensure!(relay.exports() == 1, "{} exports", relay.exports());
    pulled(&servers.distribution.endpoint(), "by-podman", "1").map(drop)
}

fn docker_29_exports_the_same_image_once_and_its_digest_survives(servers: &Servers) -> Result<()> {
    let docker = Docker29::start()?;
    docker.import(&image::layer(1, 100_000)?, "imported:1")?;
    let relay = Relay::before(&docker.host())?;
    let user = User::of(&servers.distribution)?;
    let first = user.docker(&relay.host(), "imported:1")?;
    let second = user.docker(&relay.host(), "imported:1")?;
    ensure!(first.stdout == second.stdout, "{} became {}", first.stdout, second.stdout);
    ensure!(relay.exports() == 1, "{} exports", relay.exports());
    let image = pulled(&servers.distribution.endpoint(), "imported", "1")?;
    ensure!(image.digest == docker.id("imported:1")?, "{} was pushed", image.digest);
    Ok(())
}

/// A layout of one image as a tar that `docker load` takes, without some of its blobs: in its index the image
/// has a name.
fn tar_of(layout: &Path, name: &str, without: &[String]) -> Result<Vec<u8>> {
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    index["manifests"][0]["annotations"] = json!({ "io.containerd.image.name": name });
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_path_with_name(layout.join("oci-layout"), "oci-layout")?;
    for blob in fs::read_dir(layout.join("blobs/sha256"))? {
        let blob = blob?;
        let hex = blob.file_name().to_string_lossy().into_owned();
        if !without.iter().any(|digest| digest.ends_with(&hex)) {
            tar.append_path_with_name(blob.path(), format!("blobs/sha256/{hex}"))?;
        }
    }
    let bytes = index.to_string().into_bytes();
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "index.json", bytes.as_slice())?;
    Ok(tar.into_inner()?)
}

fn docker_29_keeps_the_index_of_an_image_with_several_platforms(servers: &Servers) -> Result<()> {
    let docker = Docker29::start()?;
    docker.load(&tar_of(&testdata("multi-platform-layout"), "docker.io/library/both:1", &[])?)?;
    let relay = Relay::before(&docker.host())?;
    let user = User::of(&servers.distribution)?;
    let push = |platform: &str| {
        let push = user.to(&servers.distribution)?.env("DOCKER_HOST", relay.host());
        push.args(["--as", "both:29", "--platform", platform, "both:1"]).run()?.exits(0)
    };
    push("all")?;
    let index = pulled(&servers.distribution.endpoint(), "both", "29")?;
    ensure!(index.children.len() == 2 && index.digest == docker.id("both:1")?);
    push("linux/arm64")?;
    let image = pulled(&servers.distribution.endpoint(), "both", "29")?;
    ensure!(index.children.iter().any(|child| child.digest == image.digest));
    ensure!(relay.exports() == 1, "{} exports", relay.exports());
    Ok(())
}

/// The digest of a platform's manifest in a layout of one index.
fn manifest_for(layout: &Path, architecture: &str) -> Result<String> {
    let read = |path: &Path| -> Result<serde_json::Value> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    let top = read(&layout.join("index.json"))?;
    let digest = top["manifests"][0]["digest"].as_str().unwrap_or_default().replace(':', "/");
    let index = read(&layout.join("blobs").join(digest))?;
    let manifests = index["manifests"].as_array().cloned().unwrap_or_default();
    let mut found = manifests.iter().filter(|one| one["platform"]["architecture"] == architecture);
    Ok(found.next().and_then(|one| one["digest"].as_str()).context("no such platform")?.to_owned())
}

fn docker_29_has_one_platform_of_an_index(servers: &Servers) -> Result<()> {
    let docker = Docker29::start()?;
    let layout = testdata("multi-platform-layout");
    let amd64 = manifest_for(&layout, "amd64")?;
    docker.load(&tar_of(&layout, "docker.io/library/half:1", &[amd64])?)?;
    let user = User::of(&servers.distribution)?;
    user.docker(&docker.host(), "half:1")?.says(&["linux/arm64", "linux/amd64"])?;
    let image = pulled(&servers.distribution.endpoint(), "half", "1")?;
    ensure!(image.children.is_empty() && image.diff_ids()?.len() == image.layers().len());
    Ok(())
}

fn docker_29_has_layers_that_are_not_packed(servers: &Servers) -> Result<()> {
    let docker = Docker29::start()?;
    docker.load(&fs::read(testdata("valid-image.tar"))?)?;
    let relay = Relay::before(&docker.host())?;
    let user = User::of(&servers.distribution)?;
    for compression in ["gzip", "gzip", "none", "none"] {
        let push = user.to(&servers.distribution)?.env("DOCKER_HOST", relay.host());
        push.args(["--as", "plain:29", "--compression", compression, "web:1.0"]).run()?.exits(0)?;
        let image = pulled(&servers.distribution.endpoint(), "plain", "29")?;
        ensure!(image.diff_ids()?.len() == 4);
        ensure!((compression == "none") == (image.digest == docker.id("web:1.0")?));
    }
    // The third push sends layers as they stand, which none before it did.
    ensure!(relay.exports() == 2, "{} exports", relay.exports());
    Ok(())
}

fn of_an_image_with_one_new_layer_only_that_is_sent(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("image.tar");
    let relay = Relay::before(&servers.docker.host())?;
    let user = User::of(&servers.distribution)?;
    let base = [image::layer(40, 3_000_000)?, image::layer(41, 1_000_000)?];
    for (round, seed) in [42, 43].into_iter().enumerate() {
        let top = image::layer(seed, 200_000)?;
        let layers = [base[0].clone(), base[1].clone(), top.clone()];
        image::docker_archive(&archive, "delta:dev", &layers)?;
        servers.docker.load(&archive, "delta:dev", "delta:dev")?;
        let ran = user.to(&servers.distribution)?.env("DOCKER_HOST", relay.host());
        let ran = ran.args(["--output", "json", "delta:dev"]).run()?.exits(0)?;
        let report: serde_json::Value = serde_json::from_str(&ran.stdout)?;
        let sent = report["images"][0]["layers"]["uploaded"].as_u64();
        ensure!(sent == Some(if round == 0 { 3 } else { 1 }), "{report}");
        let image = pulled(&servers.distribution.endpoint(), "delta", "dev")?;
        ensure!(image.diff_ids()?.last() == Some(&digest_of(&top)));
    }
    ensure!(relay.exports() == 2, "{} exports", relay.exports());
    Ok(())
}

fn a_registry_that_lacks_a_known_image_gets_it(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "moved:dev")?;
    let relay = Relay::before(&servers.docker.host())?;
    let user = User::of(&servers.distribution)?;
    user.docker(&relay.host(), "moved:dev")?;
    let other = Distribution::start_2()?;
    user.to(&other)?.env("DOCKER_HOST", relay.host()).arg("moved:dev").run()?.exits(0)?;
    let (here, there) = (
        pulled(&servers.distribution.endpoint(), "moved", "dev")?,
        pulled(&other.endpoint(), "moved", "dev")?,
    );
    ensure!(here.digest == there.digest && here.blobs == there.blobs);
    ensure!(relay.exports() == 2, "{} exports", relay.exports());
    Ok(())
}

fn an_image_is_pushed_by_its_id(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("docker-legacy-multi.tar"), "team/api:2.1", "by-id:dev")?;
    let id = servers.docker.id("by-id:dev")?;
    let user = User::of(&servers.distribution)?;
    let hex = id.trim_start_matches("sha256:");
    for (tag, reference) in [("1", id.as_str()), ("2", hex), ("3", hex.get(..12).unwrap_or_default())] {
        let push = user.to(&servers.distribution)?.env("DOCKER_HOST", servers.docker.host());
        push.args(["--as", &format!("by-id:{tag}"), &format!("docker-daemon:{reference}")])
            .run()?
            .exits(0)?;
        pulled(&servers.distribution.endpoint(), "by-id", tag)?;
    }
    Ok(())
}

fn an_engine_is_found_by_dockers_context(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "context:dev")?;
    let config = tempfile::tempdir()?;
    let id = digest_of(b"somewhere");
    let meta = config.path().join("contexts/meta").join(id.trim_start_matches("sha256:"));
    fs::create_dir_all(&meta)?;
    let endpoint = json!({ "Name": "somewhere", "Metadata": {},
        "Endpoints": { "docker": { "Host": servers.docker.host(), "SkipTLSVerify": false } } });
    fs::write(meta.join("meta.json"), endpoint.to_string())?;
    fs::write(config.path().join("config.json"), json!({ "currentContext": "somewhere" }).to_string())?;
    let user = User::of(&servers.distribution)?;
    for context in ["somewhere", ""] {
        let push = user.to(&servers.distribution)?.env("DOCKER_HOST", "").env("DOCKER_CONTEXT", context);
        push.env("DOCKER_CONFIG", config.path()).arg("context:dev").run()?.exits(0)?;
    }
    let push = user.to(&servers.distribution)?.env("DOCKER_HOST", "").env("DOCKER_CONTEXT", "other");
    let ran = push.env("DOCKER_CONFIG", config.path()).arg("context:dev").run()?.exits(3)?;
    ran.says(&["docker context other: there is no such context"]).map(drop)
}

fn different_images_of_one_name_in_two_engines_are_refused(servers: &Servers) -> Result<()> {
    let podman = Podman::start()?;
    podman.load(&testdata("podman-docker.tar"))?;
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "web:1.0")?;
    let push = |source: &str| {
        let push = Push::new()?.env("DOCKER_HOST", servers.docker.host());
        let push = push.env("CONTAINER_HOST", podman.host());
        let registry = servers.distribution.registry();
        push.args(["--registry", &registry, "--plain-http", "--auth", "none", "--as", "which:1", source])
            .run()
    };
    push("web:1.0")?.exits(3)?.says(&["docker-daemon:web:1.0", "podman:web:1.0"])?;
    push("docker-daemon:web:1.0")?.exits(0)?;
    push("podman:web:1.0")?.exits(0).map(drop)
}

fn an_image_that_is_nowhere_is_told_with_what_is_near(servers: &Servers) -> Result<()> {
    let podman = Podman::start()?;
    podman.load(&testdata("podman-docker.tar"))?;
    let push = User::of(&servers.distribution)?.to(&servers.distribution)?;
    let push = push.env("CONTAINER_HOST", podman.host()).arg("localhost/wbe:1.0");
    push.run()?.exits(3)?.says(&["has no such image", "no such socket", "localhost/web:1.0"]).map(drop)
}

fn all_images_that_are_named_for_the_cluster_are_pushed(servers: &Servers) -> Result<()> {
    let docker = Dockerd::start()?;
    let registry = servers.ingress.registry();
    docker.load(&testdata("docker-legacy-multi.tar"), "web:1.0", "other:1")?;
    let push = || {
        Push::new()?
            .kubeconfig(servers.api.kubeconfig())
            .env("DOCKER_HOST", docker.host())
            .arg("--all-tagged")
            .run()
    };
    push()?.exits(3)?.says(&["docker tag", &registry])?;
    for name in ["tagged-a", "tagged-b"] {
        docker.tag("web:1.0", &format!("{registry}/giteaadmin/{name}"), "1")?;
    }
    let ran = push()?.exits(0)?;
    ensure!(ran.references().len() == 2, "{}", ran.stdout);
    for name in ["tagged-a", "tagged-b"] {
        pulled(&servers.gitea.admin(), &format!("giteaadmin/{name}"), "1")?;
    }
    Ok(())
}

fn a_list_asks_an_engine_for_no_export(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "listed:dev")?;
    let (podman, docker) = (Podman::start()?, Docker29::start()?);
    podman.load(&testdata("podman-docker.tar"))?;
    docker.import(&image::layer(1, 100_000)?, "listed:29")?;
    docker.load(&tar_of(&testdata("multi-platform-layout"), "docker.io/library/both:1", &[])?)?;
    for (host, variable, name, layers, platforms) in [
        (servers.docker.host(), "DOCKER_HOST", "listed:dev", json!(4), 1),
        (podman.host(), "CONTAINER_HOST", "web:1.0", json!(4), 1),
        (docker.host(), "DOCKER_HOST", "listed:29", json!(1), 1),
        (docker.host(), "DOCKER_HOST", "both:1", json!(null), 2),
    ] {
        let relay = Relay::before(&host)?;
        let list = Push::new()?.env(variable, relay.host()).args(["list", "-o", "json", name]);
        let list: serde_json::Value = serde_json::from_str(&list.run()?.exits(0)?.stdout)?;
        let image = &list["images"][0];
        ensure!(relay.exports() == 0 && image["layers"]["total"] == layers, "{name}: {list}");
        ensure!(image["platforms"].as_array().is_some_and(|all| all.len() == platforms), "{name}: {list}");
    }
    Ok(())
}
