use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::http::Endpoint;
use super::process::{Server, built, free_port};

const GO_MOD: &str = include_str!("../../servers/distribution/go.mod");

/// The reference registry: plain HTTP, no login.
pub(crate) struct Distribution {
    _server: Server,
    _folder: TempDir,
    pub(crate) port: u16,
}

impl Distribution {
    /// The version that tests/servers/distribution pins.
    pub(crate) fn start_3() -> Result<Self> {
        let folder = built("registry", "github.com/distribution/distribution/v3", GO_MOD)?;
        Self::start("registry", Command::new(folder.join("registry")))
    }

    /// Debian's 2.8, which differs in what an upload's POST may carry.
    pub(crate) fn start_2() -> Result<Self> {
        Self::start("docker-registry", Command::new("docker-registry"))
    }

    fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-distribution-").tempdir()?;
        let port = free_port()?;
        let root = folder.path().join("storage");
        let configuration = folder.path().join("config.yml");
        let storage = format!("storage:\n  filesystem:\n    rootdirectory: {}\n", root.display());
        fs::write(
            &configuration,
            format!("version: 0.1\n{storage}http:\n  addr: 127.0.0.1:{port}\n  secret: e2e\n"),
        )?;
        command.arg("serve").arg(&configuration).env("OTEL_TRACES_EXPORTER", "none");
        let server = Server::start(name, &mut command, folder.path())?
            .ready(Duration::from_secs(20), || Endpoint::local(port).answers("/v2/"))?;
        Ok(Self { _server: server, _folder: folder, port })
    }

    pub(crate) fn registry(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::local(self.port)
    }
}
