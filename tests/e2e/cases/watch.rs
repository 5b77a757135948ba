//! Images of real engines that change while they are watched.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::kit::{Dockerd, Podman, Push, Servers, image, pulled};

cases![
    an_image_that_docker_tags_anew_is_pushed_again,
    a_watch_outlives_a_restart_of_docker,
    an_image_that_podman_loads_anew_is_pushed_again,
    an_image_that_is_tagged_for_the_cluster_is_pushed_when_it_comes,
    images_of_manifests_are_pushed_again_when_either_changes,
];

/// Archives of three images with one name.
fn archives(name: &str) -> Result<(TempDir, [PathBuf; 3])> {
    let folder = tempfile::tempdir()?;
    let files = [1, 2, 3].map(|seed| folder.path().join(format!("{seed}.tar")));
    for (seed, file) in (1..).zip(&files) {
        image::docker_archive(file, name, &[image::layer(seed, 100_000)?])?;
    }
    Ok((folder, files))
}

fn watch(servers: &Servers, image: &str) -> Result<Push> {
    Ok(Push::new()?.arg("watch").kubeconfig(servers.api.kubeconfig()).arg(image))
}

fn an_image_that_docker_tags_anew_is_pushed_again(servers: &Servers) -> Result<()> {
    let (folder, [first, second, third]) = archives("watch-built:1")?;
    servers.docker.load(&first, "watch-built:1", "watched:dev")?;
    let ran_for = folder.path().join("ran");
    let watch = watch(servers, "watched:dev")?.env("DOCKER_HOST", servers.docker.host());
    let command = ["--on-push", "sh", "-c", "echo $IDPBUILDER_PUSH_IMAGE >> \"$0\""];
    let mut watch = watch.args(command).arg(&ran_for).start()?;
    watch.answers(1)?;
    servers.docker.load(&second, "watch-built:1", "watched:dev")?;
    watch.answers(2)?;
    servers.docker.load(&second, "watch-built:1", "watched:dev")?;
    servers.docker.load(&third, "watch-built:1", "watched:dev")?;
    watch.answers(3)?;
    // The command runs after the answer, and a watch that is stopped meanwhile ends it.
    let began = Instant::now();
    while fs::read_to_string(&ran_for).map_or(0, |text| text.lines().count()) < 3 {
        ensure!(began.elapsed() < Duration::from_secs(20), "the command did not run");
        sleep(Duration::from_millis(20));
    }
    let ran = watch.interrupt()?.exits(0)?.says(&[": 3 pushes, 0 failed, "])?;
    ensure!(fs::read_to_string(ran_for)? == ran.stdout, "{ran:?}");
    let stored = pulled(&servers.gitea.admin(), "giteaadmin/watched", "dev")?;
    ensure!(ran.references().last().is_some_and(|last| last.ends_with(&stored.digest)), "{ran:?}");
    Ok(())
}

fn a_watch_outlives_a_restart_of_docker(servers: &Servers) -> Result<()> {
    let mut engine = Dockerd::start()?;
    let (_folder, [first, second, _]) = archives("watch-restart:1")?;
    engine.load(&first, "watch-restart:1", "outlived:dev")?;
    let mut watch = watch(servers, "outlived:dev")?.env("DOCKER_HOST", engine.host()).start()?;
    watch.answers(1)?;
    engine.restart()?;
    engine.load(&second, "watch-restart:1", "outlived:dev")?;
    watch.answers(2)?;
    watch.interrupt()?.exits(0)?.says(&[": 2 pushes, 0 failed, "]).map(drop)
}

fn an_image_that_podman_loads_anew_is_pushed_again(servers: &Servers) -> Result<()> {
    let podman = Podman::start()?;
    let (_folder, [first, second, _]) = archives("localhost/watch-podman:1")?;
    podman.load(&first)?;
    let mut watch = watch(servers, "podman:watch-podman:1")?.env("CONTAINER_HOST", podman.host()).start()?;
    watch.answers(1)?;
    podman.load(&second)?;
    watch.answers(2)?;
    watch.interrupt()?.exits(0)?.says(&[": 2 pushes, 0 failed, "]).map(drop)
}

fn an_image_that_is_tagged_for_the_cluster_is_pushed_when_it_comes(servers: &Servers) -> Result<()> {
    let docker = Dockerd::start()?;
    let (_folder, [first, second, _]) = archives("watch-tagged:1")?;
    let named = |name: &str| format!("{}/giteaadmin/{name}", servers.ingress.registry());
    docker.load(&first, "watch-tagged:1", "not-for-the-cluster:1")?;
    docker.tag("watch-tagged:1", &named("watched-a"), "1")?;
    let mut watch = watch(servers, "--all-tagged")?.env("DOCKER_HOST", docker.host()).start()?;
    watch.answers(1)?;
    docker.load(&second, "watch-tagged:1", "not-for-the-cluster:1")?;
    docker.tag("watch-tagged:1", &named("watched-b"), "1")?;
    watch.answers(3)?;
    let ran = watch.interrupt()?.exits(0)?.says(&[": 2 pushes, 0 failed, "])?;
    for name in ["watched-a", "watched-b"] {
        let stored = pulled(&servers.gitea.admin(), &format!("giteaadmin/{name}"), "1")?;
        let pushed = format!("{}:1@{}", named(name), stored.digest);
        ensure!(ran.references().get(1..).is_some_and(|last| last.contains(&pushed.as_str())), "{ran:?}");
    }
    Ok(())
}

fn images_of_manifests_are_pushed_again_when_either_changes(servers: &Servers) -> Result<()> {
    let (folder, [first, second, third]) = archives("watch-deployed:1")?;
    let load = |archive, name| servers.docker.load(archive, "watch-deployed:1", name);
    let pod = |image: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {{containers: [{{name: a, image: '{image}'}}]}}\n"
        )
    };
    let named = |name: &str| format!("{}/giteaadmin/{name}", servers.ingress.registry());
    let (one, two) = (named("watch-one:1"), named("watch-two:1"));
    load(&first, "watch-one:1")?;
    load(&second, "watch-two:1")?;
    let manifests = folder.path().join("pods.yaml");
    fs::write(&manifests, pod(&one))?;
    let watch = Push::new()?.arg("watch").kubeconfig(servers.api.kubeconfig());
    let watch = watch.env("DOCKER_HOST", servers.docker.host()).arg("--from-manifests").arg(&manifests);
    let mut watch = watch.start()?;
    watch.answers(1)?;
    load(&third, "watch-one:1")?;
    watch.answers(2)?;
    fs::write(&manifests, pod(&one) + &pod(&two))?;
    watch.answers(4)?;
    let ran = watch.interrupt()?.exits(0)?.says(&[": 3 pushes, 0 failed, "])?;
    for (reference, name) in [(&one, "watch-one"), (&two, "watch-two")] {
        let stored = pulled(&servers.gitea.admin(), &format!("giteaadmin/{name}"), "1")?;
        let pushed = format!("{reference}@{}", stored.digest);
        ensure!(ran.references().get(2..).is_some_and(|last| last.contains(&pushed.as_str())), "{ran:?}");
    }
    Ok(())
}
