use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::Gitea;
use super::ingress::Ingress;
use super::process::{Server, output};

/// Debian's containerd as a node of the cluster has it: it pulls by the name that pods use, through a `hosts.toml`.
pub(crate) struct Containerd {
    _server: Server,
    folder: TempDir,
}

impl Containerd {
    pub(crate) fn start(ingress: &Ingress) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-containerd-").tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let config = at("config.toml");
        let root = folder.path().display();
        fs::write(
            &config,
            format!(
                "version = 2\nroot = '{root}/root'\nstate = '{root}/state'\n\
                 disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.snapshotter.v1.btrfs', \
                 'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.zfs', \
                 'io.containerd.snapshotter.v1.aufs']\n[grpc]\naddress = '{root}/containerd.sock'\n"
            ),
        )?;
        let hosts = at("hosts").join(ingress.registry());
        fs::create_dir_all(&hosts)?;
        fs::write(hosts.join("hosts.toml"), hosts_toml(ingress))?;
        let mut command = Command::new("containerd");
        command.arg("--config").arg(&config);
        let server = Server::start("containerd", &mut command, folder.path())?
            .ready(Duration::from_secs(20), || ctr(folder.path(), &["version"]).is_ok())?;
        Ok(Self { _server: server, folder })
    }

    /// Pulls and unpacks, which compares every layer with its diff id.
    pub(crate) fn pull(&self, reference: &str, password: &str) -> Result<String> {
        let user = format!("{}:{password}", Gitea::ADMIN);
        let hosts = self.folder.path().join("hosts").display().to_string();
        let arguments =
            ["images", "pull", "--snapshotter", "native", "--hosts-dir", &hosts, "--user", &user, reference];
        ctr(self.folder.path(), &arguments)
    }
}

/// Connects to the ingress by a name that this machine resolves, as kind's nodes do by the service's address.
fn hosts_toml(ingress: &Ingress) -> String {
    let (name, port) = (ingress.registry(), ingress.port);
    format!(
        "server = 'https://{name}'\n[host.'https://localhost:{port}']\n\
         capabilities = ['pull', 'resolve']\nskip_verify = true\n"
    )
}

fn ctr(folder: &Path, arguments: &[&str]) -> Result<String> {
    output(Command::new("ctr").arg("-a").arg(folder.join("containerd.sock")).args(arguments))
}
