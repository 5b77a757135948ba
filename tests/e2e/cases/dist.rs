//! The plugin as krew installs it from the archive of a release.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::kit::{Push, Servers, output, pulled, testdata};

#[path = "../../../examples/dist/package/mod.rs"]
#[expect(dead_code, reason = "the example and the tests without servers use all of it")]
mod package;

use package::{Platform, archive, entries, krew, licences, sums};

cases![
    kubectl_pushes_by_the_plugin_that_krew_made_of_the_archive,
    the_installer_makes_names_by_which_kubectl_and_docker_find_the_program,
];

/// The archive of this build of the program, in a folder with what describes it.
fn release(folder: &Path) -> Result<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let platform = Platform::of(&triple)?;
    let entries = entries(root, &platform, fs::read(Push::BINARY)?, licences::text(root, &triple)?)?;
    let file = folder.join(platform.archive());
    fs::write(&file, archive::pack(platform.packing(), &entries, 0)?)?;
    let sums = sums(folder)?;
    fs::write(folder.join("SHA256SUMS"), sums.iter().map(package::Sum::line).collect::<String>())?;
    let manifest = krew::rendered(include_str!("../../../krew-manifest.yaml"), &sums)?;
    let manifest: Value = serde_saphyr::from_str(&manifest)?;
    let labels = serde_json::json!({ "os": platform.os, "arch": platform.arch });
    let platforms = manifest["spec"]["platforms"].as_array().context("no platforms")?;
    let ours = platforms.iter().find(|one| one["selector"]["matchLabels"] == labels);
    Ok((file, ours.context("no such platform")?.clone()))
}

/// The files that the manifest names in a folder of krew's, and a link in its `bin`, which is on PATH.
fn install_as_krew_does(archive: &Path, manifest: &Value, krew: &Path) -> Result<PathBuf> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("no text in the manifest");
    let sum = output(Command::new("sha256sum").arg(archive))?;
    ensure!(sum.starts_with(&text(&manifest["sha256"])?), "{sum} is not in the manifest");
    let (unpacked, store, bin) = (krew.join("unpacked"), krew.join("store/v0"), krew.join("bin"));
    for folder in [&unpacked, &store, &bin] {
        fs::create_dir_all(folder)?;
    }
    output(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&unpacked))?;
    for file in manifest["files"].as_array().context("no files")? {
        let from = text(&file["from"])?;
        fs::rename(unpacked.join(&from), store.join(text(&file["to"])?).join(&from))?;
    }
    symlink(store.join(text(&manifest["bin"])?), bin.join("kubectl-idpbuilder_push"))?;
    Ok(bin)
}

fn kubectl(servers: &Servers, bin: &Path, home: &Path) -> Command {
    let mut command = Command::new(servers.api.kubectl_path());
    command.env_clear().env("HOME", home).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("KUBECONFIG", servers.api.kubeconfig()).stdin(Stdio::null()).current_dir(home);
    command
}

fn kubectl_pushes_by_the_plugin_that_krew_made_of_the_archive(servers: &Servers) -> Result<()> {
    let (folder, home) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (archive, manifest) = release(folder.path())?;
    let bin = install_as_krew_does(&archive, &manifest, &folder.path().join("krew"))?;
    let listed = output(kubectl(servers, &bin, home.path()).args(["plugin", "list"]))?;
    ensure!(listed.contains("kubectl-idpbuilder_push") && !listed.contains("warning"), "{listed}");
    let mut push = kubectl(servers, &bin, home.path());
    let pushed = output(push.args(["idpbuilder-push", "--as", "krewed:1"]).arg(testdata("valid-image.tar")))?;
    let reference = format!("{}/giteaadmin/krewed:1@sha256:", servers.ingress.registry());
    ensure!(pushed.starts_with(&reference) && pushed.lines().count() == 1, "{pushed}");
    pulled(&servers.gitea.admin(), "giteaadmin/krewed", "1")?;
    let help = output(kubectl(servers, &bin, home.path()).args(["idpbuilder-push", "--help"]))?;
    ensure!(help.contains("\nUsage: kubectl idpbuilder-push [OPTIONS]"), "{help}");
    Ok(())
}

fn the_installer_makes_names_by_which_kubectl_and_docker_find_the_program(servers: &Servers) -> Result<()> {
    let (folder, home) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (archive, _) = release(folder.path())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
    let mut install = Command::new(script);
    install.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path());
    let said = output(install.arg("--archive").arg(archive))?;
    let bin = home.path().join(".local/bin");
    ensure!(said.starts_with(&format!("installed idpbuilder-push v{}", env!("CARGO_PKG_VERSION"))), "{said}");
    let completed =
        output(kubectl(servers, &bin, home.path()).args(["__complete", "idpbuilder-push", "--plain"]))?;
    ensure!(completed.starts_with("--plain-http\t"), "{completed}");
    let version = output(kubectl(servers, &bin, home.path()).args(["idpbuilder-push", "version"]))?;
    ensure!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let mut helper = Command::new(bin.join("docker-credential-idpbuilder"));
    helper.env_clear().env("HOME", home.path()).env("KUBECONFIG", servers.api.kubeconfig());
    let known = output(helper.arg("list"))?;
    ensure!(known.contains(&servers.ingress.registry()), "{known}");
    Ok(())
}
