use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::http::over_socket;
use super::process::{Server, built};

/// The Docker 29 line, which keeps images in containerd's store: layers as they came, and indexes.
pub(crate) struct Docker29 {
    // In this order: what uses the other stops first.
    _dockerd: Server,
    _containerd: Server,
    folder: TempDir,
}

impl Docker29 {
    pub(crate) fn start() -> Result<Self> {
        let dockerd =
            built("dockerd", "github.com/moby/moby/v2", include_str!("../../servers/dockerd/go.mod"))?;
        let folder = tempfile::Builder::new().prefix("e2e-docker29-").tempdir()?;
        let containerd = containerd(folder.path())?;
        let at = |name: &str| folder.path().join(name);
        let mut command = Command::new(dockerd.join("dockerd"));
        command
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("-p")
            .arg(at("pid"));
        command.arg("--containerd").arg(at("containerd.sock"));
        command.arg("-H").arg(format!("unix://{}", at("docker.sock").display()));
        command.args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=native"]);
        let socket = at("docker.sock");
        let dockerd = Server::start("dockerd", &mut command, folder.path())?
            .ready(Duration::from_mins(1), || {
                over_socket(&socket, "GET", "/_ping", &[]).is_ok_and(|answer| answer.status == 200)
            })?;
        Ok(Self { _dockerd: dockerd, _containerd: containerd, folder })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Loads an archive of `docker save`, or an OCI archive.
    pub(crate) fn load(&self, archive: &[u8]) -> Result<()> {
        over_socket(&self.socket(), "POST", "/images/load?quiet=1", archive)?.expect(200).map(drop)
    }

    /// An image of one layer, which the engine packs.
    pub(crate) fn import(&self, layer: &[u8], name: &str) -> Result<()> {
        let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let path = format!("/images/create?fromSrc=-&repo={repository}&tag={tag}");
        over_socket(&self.socket(), "POST", &path, layer)?.expect(200).map(drop)
    }

    /// The digest of an image's manifest or index.
    pub(crate) fn id(&self, name: &str) -> Result<String> {
        let answer = over_socket(&self.socket(), "GET", &format!("/images/{name}/json"), &[])?.expect(200)?;
        Ok(answer.json()?["Id"].as_str().unwrap_or_default().to_owned())
    }
}

fn containerd(folder: &Path) -> Result<Server> {
    let (root, socket) = (folder.display(), folder.join("containerd.sock"));
    let config = folder.join("containerd.toml");
    fs::write(
        &config,
        format!(
            "version = 2\nroot = '{root}/containerd'\nstate = '{root}/containerd-state'\n\
             disabled_plugins = ['io.containerd.grpc.v1.cri']\n[grpc]\naddress = '{}'\n",
            socket.display()
        ),
    )?;
    let mut command = Command::new("containerd");
    command.arg("--config").arg(&config);
    Server::start("containerd", &mut command, folder)?.ready(Duration::from_secs(20), || socket.exists())
}
