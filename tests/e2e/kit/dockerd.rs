use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::http::over_socket;
use super::process::Server;

/// Debian's Docker 20.10 on a socket of its own, without a network; it needs root.
pub(crate) struct Dockerd {
    server: Option<Server>,
    folder: TempDir,
}

impl Dockerd {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-dockerd-").tempdir()?;
        let mut engine = Self { server: None, folder };
        engine.restart()?;
        Ok(engine)
    }

    /// Stops it where it runs, and starts it with the images that it has.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.server = None;
        let at = |name: &str| self.folder.path().join(name);
        let socket = at("docker.sock");
        let mut command = Command::new("/usr/sbin/dockerd");
        command
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("-p")
            .arg(at("pid"));
        command.arg("-H").arg(format!("unix://{}", socket.display()));
        command.args(["--iptables=false", "--bridge=none", "--storage-driver=vfs"]);
        let server = Server::start("dockerd", &mut command, self.folder.path())?
            .ready(Duration::from_mins(1), || {
                over_socket(&socket, "GET", "/_ping", &[]).is_ok_and(|answer| answer.status == 200)
            })?;
        self.server = Some(server);
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Loads what `docker save` wrote, and tags one of its images anew.
    pub(crate) fn load(&self, archive: &Path, image: &str, tag: &str) -> Result<()> {
        let (name, version) = tag.split_once(':').unwrap_or((tag, "latest"));
        over_socket(&self.socket(), "POST", "/images/load?quiet=1", &fs::read(archive)?)?.expect(200)?;
        self.tag(image, name, version)
    }

    pub(crate) fn tag(&self, image: &str, name: &str, version: &str) -> Result<()> {
        let path = format!("/images/{image}/tag?repo={name}&tag={version}");
        over_socket(&self.socket(), "POST", &path, &[])?.expect(201).map(drop)
    }

    /// The digest of an image's configuration.
    pub(crate) fn id(&self, name: &str) -> Result<String> {
        let answer = over_socket(&self.socket(), "GET", &format!("/images/{name}/json"), &[])?.expect(200)?;
        Ok(answer.json()?["Id"].as_str().unwrap_or_default().to_owned())
    }
}
