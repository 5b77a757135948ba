//! What a registry holds is read back, also where its disk has lost or spoilt something.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::kit::{Distribution, Pulled, Push, Servers, image, pulled, testdata};

cases![
    what_was_pushed_to_gitea_is_as_it_should_be,
    a_layer_that_gitea_lost_is_named_and_sent_again_by_force,
    a_manifest_that_gitea_lost_is_named_and_sent_again_by_force,
    what_gitea_keeps_damaged_is_named_and_sent_again_once_it_is_deleted,
    a_layer_that_distribution_only_remembers_is_named_and_sent_again_by_force,
];

/// An archive of an image with a layer that no other trial has.
fn archive(name: &str, seed: u64) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("image.tar");
    image::docker_archive(&file, &format!("{name}:1"), &[image::layer(seed, 50_000)?])?;
    Ok((folder, file))
}

/// `push` or `verify` of it, for the cluster.
fn of(servers: &Servers, file: &PathBuf, words: &[&str]) -> Result<Push> {
    Ok(Push::new()?.args(words).kubeconfig(servers.api.kubeconfig()).arg(file))
}

fn layer(image: &Pulled) -> Result<String> {
    Ok(image.layers()[0]["digest"].as_str().context("no layer")?.to_owned())
}

fn what_was_pushed_to_gitea_is_as_it_should_be(servers: &Servers) -> Result<()> {
    for (name, file) in
        [("packed", "oci-layout"), ("both", "multi-platform-layout"), ("saved", "valid-image.tar")]
    {
        let target = format!("verified-{name}:1");
        let run =
            |words: &[&str]| of(servers, &testdata(file), words)?.args(["--as", &target]).run()?.exits(0);
        let pushed = run(&["push"])?;
        for words in [&["verify"][..], &["verify", "--deep"]] {
            ensure!(run(words)?.stdout == pushed.stdout, "{name}");
        }
        let reference = pushed.references();
        let verify = Push::new()?.args(["verify", "--deep"]).kubeconfig(servers.api.kubeconfig());
        ensure!(verify.args(&reference).run()?.exits(0)?.references() == reference, "{name}");
    }
    Ok(())
}

fn a_layer_that_gitea_lost_is_named_and_sent_again_by_force(servers: &Servers) -> Result<()> {
    let (_folder, file) = archive("lost-layer", 7_101)?;
    of(servers, &file, &["push"])?.run()?.exits(0)?;
    let layer = layer(&pulled(&servers.gitea.admin(), "giteaadmin/lost-layer", "1")?)?;
    fs::remove_file(servers.gitea.file_of(&layer)?)?;
    of(servers, &file, &["verify"])?.run()?.exits(8)?.says(&["missing: layer", &layer, "--force"])?;
    of(servers, &file, &["push", "--force"])?.run()?.exits(0)?;
    of(servers, &file, &["verify", "--deep"])?.run()?.exits(0).map(drop)
}

fn a_manifest_that_gitea_lost_is_named_and_sent_again_by_force(servers: &Servers) -> Result<()> {
    let (_folder, file) = archive("lost-manifest", 7_102)?;
    of(servers, &file, &["push"])?.run()?.exits(0)?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/lost-manifest", "1")?;
    fs::remove_file(servers.gitea.file_of(&image.digest)?)?;
    of(servers, &file, &["verify"])?.run()?.exits(8)?.says(&["is not in the registry"])?;
    of(servers, &file, &["push", "--force"])?.run()?.exits(0)?;
    of(servers, &file, &["verify", "--deep"])?.run()?.exits(0).map(drop)
}

fn what_gitea_keeps_damaged_is_named_and_sent_again_once_it_is_deleted(servers: &Servers) -> Result<()> {
    let (_folder, file) = archive("damaged", 7_103)?;
    of(servers, &file, &["push"])?.run()?.exits(0)?;
    let layer = layer(&pulled(&servers.gitea.admin(), "giteaadmin/damaged", "1")?)?;
    let stored = servers.gitea.file_of(&layer)?;
    let whole = fs::read(&stored)?;
    let mut other = whole.clone();
    *other.last_mut().context("an empty layer")? ^= 1;
    for damaged in [other.as_slice(), &whole[..whole.len() / 2], &[]] {
        fs::write(&stored, damaged)?;
        of(servers, &file, &["verify"])?.run()?.exits(0)?;
        let verify =
            || of(servers, &file, &["verify", "--deep"])?.run()?.exits(8)?.says(&["damaged: layer", &layer]);
        verify()?;
        of(servers, &file, &["push", "--force"])?.run()?.exits(0)?;
        verify()?;
        fs::remove_file(&stored)?;
        of(servers, &file, &["push", "--force"])?.run()?.exits(0)?;
        of(servers, &file, &["verify", "--deep"])?.run()?.exits(0)?;
    }
    Ok(())
}

fn a_layer_that_distribution_only_remembers_is_named_and_sent_again_by_force(_: &Servers) -> Result<()> {
    let distribution = Distribution::start_3_with_cache()?;
    let (_folder, file) = archive("remembered", 7_104)?;
    let place = ["--registry", &distribution.registry(), "--plain-http", "--auth", "none"];
    let run = |words: &[&str]| Push::new()?.args(words).args(place).arg(&file).run();
    run(&["push"])?.exits(0)?;
    let layer = layer(&pulled(&distribution.endpoint(), "remembered", "1")?)?;
    fs::remove_file(distribution.file_of(&layer)?)?;
    run(&["verify", "--deep"])?.exits(8)?.says(&["damaged: layer", &layer])?;
    run(&["push", "--force"])?.exits(0)?;
    run(&["verify", "--deep"])?.exits(0).map(drop)
}
