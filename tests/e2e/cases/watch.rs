//! Images of real engines that change while they are watched.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::kit::{Dockerd, Podman, Push, Servers, image, pulled};

cases![
    an_image_that_docker_tags_anew_is_pushed_again,
    a_watch_outlives_a_restart_of_docker,
    an_image_that_podman_loads_anew_is_pushed_again,
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
