//! What kubectl makes of the program when it completes a line.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::kit::{Push, Servers, output, testdata};

cases![
    kubectl_completes_flags_values_and_contexts_of_the_plugin,
    kubectl_completes_images_of_the_engine_and_archives,
];

/// kubectl on a machine where the plugin is linked under both names, the second by its own command.
fn kubectl(servers: &Servers, home: &Path) -> Result<Command> {
    let bin = home.join("bin");
    std::fs::create_dir(&bin)?;
    let plugin = bin.join("kubectl-idpbuilder_push");
    std::os::unix::fs::symlink(Push::BINARY, &plugin)?;
    let install = Push::called_as(&plugin)?.args(["completion", "kubectl", "--install"]).arg(&bin);
    let ran = install.run()?.exits(0)?;
    ensure!(ran.stdout.contains("add ") && ran.stderr.is_empty(), "{ran:?}");
    ensure!(std::fs::read_link(bin.join("kubectl_complete-idpbuilder_push"))? == plugin);
    let mut command = Command::new(servers.api.kubectl_path());
    command.env_clear().env("HOME", home).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("KUBECONFIG", servers.api.kubeconfig()).env("DOCKER_HOST", servers.docker.host());
    command.stdin(Stdio::null()).current_dir(home).args(["__complete", "idpbuilder-push"]);
    Ok(command)
}

/// The words that the shell gets, and the directive behind them.
fn completed(servers: &Servers, words: &[&str]) -> Result<Vec<String>> {
    let home = tempfile::tempdir()?;
    let mut kubectl = kubectl(servers, home.path())?;
    std::fs::copy(testdata("valid-image.tar"), home.path().join("web.tar"))?;
    let text = output(kubectl.args(words))?;
    Ok(text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect())
}

fn kubectl_completes_flags_values_and_contexts_of_the_plugin(servers: &Servers) -> Result<()> {
    for (words, expected) in [
        (&["--plain"][..], &["--plain-http", ":4"][..]),
        (&["-o", ""], &["name", "table", "json", "yaml", ":36"]),
        (&["--output=j"], &["json", ":36"]),
        (&["--context", ""], &["kind-localdev", ":4"]),
        (&["doctor", "--name", ""], &["localdev", ":4"]),
        (&["ver"], &["verify", "version", ":0"]),
    ] {
        let shown = completed(servers, words)?;
        ensure!(shown == expected, "{words:?}: {shown:?}");
    }
    Ok(())
}

fn kubectl_completes_images_of_the_engine_and_archives(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "webcompleted:dev")?;
    let shown = completed(servers, &["webc"])?;
    ensure!(shown == ["webcompleted:dev", ":0"], "{shown:?}");
    let shown = completed(servers, &["web.t"])?;
    ensure!(shown == ["web.tar", ":0"], "{shown:?}");
    Ok(())
}
