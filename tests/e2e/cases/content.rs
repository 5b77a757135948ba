//! What arrives is what was there, and it is sent once.

use std::fs;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::kit::{Push, Servers, digest_of, image, pulled, testdata};

cases![
    every_tools_archive_arrives,
    digests_of_packed_content_are_kept,
    an_index_arrives_with_both_platforms,
    the_second_push_sends_nothing,
    a_layer_over_a_hundred_megabytes_arrives_whole,
    four_pushes_at_once_share_their_layers,
    a_tar_that_is_no_image_is_refused,
    a_damaged_archive_is_refused,
];

/// To the cluster, under a name of the trial's own.
fn push_as(servers: &Servers, name: &str) -> Result<Push> {
    Ok(Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--as", name]))
}

fn every_tools_archive_arrives(servers: &Servers) -> Result<()> {
    for tool in ["docker-hybrid", "docker-hybrid-packed", "podman-docker", "podman-oci", "skopeo-oci"] {
        let push = push_as(servers, &format!("{tool}:1"))?.arg(testdata(&format!("{tool}.tar")));
        push.run()?.exits(0).context(tool)?;
        let image = pulled(&servers.gitea.admin(), &format!("giteaadmin/{tool}"), "1").context(tool)?;
        ensure!(image.diff_ids()?.len() == image.layers().len(), "{tool}: config and manifest disagree");
    }
    Ok(())
}

fn digest_in_index(layout: &str) -> Result<String> {
    let index: Value = serde_json::from_slice(&fs::read(testdata(layout).join("index.json"))?)?;
    Ok(index["manifests"][0]["digest"].as_str().context("no digest in index.json")?.to_owned())
}

fn digests_of_packed_content_are_kept(servers: &Servers) -> Result<()> {
    push_as(servers, "kept:1")?.arg(testdata("oci-layout")).run()?.exits(0)?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/kept", "1")?;
    ensure!(image.digest == digest_in_index("oci-layout")?);
    Ok(())
}

fn an_index_arrives_with_both_platforms(servers: &Servers) -> Result<()> {
    push_as(servers, "both:1")?.arg(testdata("multi-platform-layout")).run()?.exits(0)?;
    let index = pulled(&servers.gitea.admin(), "giteaadmin/both", "1")?;
    ensure!(index.digest == digest_in_index("multi-platform-layout")?);
    ensure!(index.children.len() == 2 && index.children.iter().all(|child| !child.layers().is_empty()));
    Ok(())
}

fn the_second_push_sends_nothing(servers: &Servers) -> Result<()> {
    let cache = tempfile::tempdir()?;
    let push = || -> Result<_> {
        let push = push_as(servers, "twice:1")?.env("XDG_CACHE_HOME", cache.path());
        push.arg(testdata("valid-image.tar")).run()?.exits(0)
    };
    let first = push()?;
    let before = servers.ingress.requests("/giteaadmin/twice/")?.len();
    let second = push()?;
    ensure!(first.stdout == second.stdout, "{} became {}", first.stdout, second.stdout);
    let requests = servers.ingress.requests("/giteaadmin/twice/")?.split_off(before);
    let reads = requests.iter().all(|request| ["GET", "HEAD"].contains(&request.method.as_str()));
    let bytes: u64 = requests.iter().map(|request| request.bytes).sum();
    ensure!(!requests.is_empty() && reads && bytes < 16_384, "{requests:?}");
    Ok(())
}

fn a_layer_over_a_hundred_megabytes_arrives_whole(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("large.tar");
    let layer = image::layer(1, 120_000_000)?;
    image::docker_archive(&archive, "large:1", std::slice::from_ref(&layer))?;
    push_as(servers, "large:1")?.arg(&archive).run()?.exits(0)?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/large", "1")?;
    ensure!(image.diff_ids()? == [digest_of(&layer)]);
    let packed = image.blobs.values().map(Vec::len).max();
    ensure!(packed > Some(100_000_000), "the layer came back with {packed:?} bytes");
    Ok(())
}

fn four_pushes_at_once_share_their_layers(servers: &Servers) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let shared = [image::layer(10, 4_000_000)?, image::layer(11, 2_000_000)?];
    let push = |number: u64| -> Result<()> {
        let archive = folder.path().join(format!("{number}.tar"));
        let [first, second] = shared.clone();
        image::docker_archive(&archive, "shared:1", &[first, image::layer(20 + number, 1_000_000)?, second])?;
        push_as(servers, &format!("shared-{number}:1"))?.arg(&archive).run()?.exits(0)?;
        let image = pulled(&servers.gitea.admin(), &format!("giteaadmin/shared-{number}"), "1")?;
        ensure!(image.layers().len() == 3);
        Ok(())
    };
    thread::scope(|scope| {
        let pushes: Vec<_> = (0..4).map(|number| scope.spawn(move || push(number))).collect();
        pushes.into_iter().try_for_each(|push| push.join().map_err(|_| anyhow!("a push panicked"))?)
    })
}

fn a_tar_that_is_no_image_is_refused(servers: &Servers) -> Result<()> {
    let push = push_as(servers, "invalid:1")?.arg(testdata("invalid-image.tar"));
    push.run()?.exits(3)?.says(&["invalid-image.tar"]).map(drop)
}

fn a_damaged_archive_is_refused(servers: &Servers) -> Result<()> {
    let push = push_as(servers, "damaged:1")?.arg(testdata("damaged-image.tar"));
    push.run()?.exits(3)?.says(&["damaged-image.tar"]).map(drop)
}
