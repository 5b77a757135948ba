use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::http::over_socket;
use super::process::{Server, output};

/// Debian's Podman 4.3 with a store and a socket of its own.
pub(crate) struct Podman {
    _server: Server,
    folder: TempDir,
}

impl Podman {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-podman-").tempdir()?;
        let socket = folder.path().join("podman.sock");
        let mut command = podman(folder.path());
        command.args(["system", "service", "--time", "0"]).arg(format!("unix://{}", socket.display()));
        let server = Server::start("podman", &mut command, folder.path())?
            .ready(Duration::from_secs(30), || {
                over_socket(&socket, "GET", "/_ping", &[]).is_ok_and(|answer| answer.status == 200)
            })?;
        Ok(Self { _server: server, folder })
    }

    /// For `CONTAINER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}/podman.sock", self.folder.path().display())
    }

    pub(crate) fn load(&self, archive: &Path) -> Result<()> {
        output(podman(self.folder.path()).args(["load", "--quiet", "--input"]).arg(archive)).map(drop)
    }
}

fn podman(folder: &Path) -> Command {
    let mut command = Command::new("podman");
    command.arg("--root").arg(folder.join("store")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
    command.env("HOME", folder).env("XDG_RUNTIME_DIR", folder);
    command
}
