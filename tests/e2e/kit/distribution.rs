use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::http::Endpoint;
use super::process::{Server, built, free_port};

const GO_MOD: &str = include_str!("../../servers/distribution/go.mod");

/// The reference registry: plain HTTP, and no login unless it is said otherwise.
pub(crate) struct Distribution {
    _server: Server,
    folder: TempDir,
    pub(crate) port: u16,
}

/// bcrypt of [`Distribution::PASSWORD`].
const HTPASSWD: &str = "dev:$2y$05$abcdefghijklmnopqrstuupNZbhxYdC58esayGQAPkXUkZfWQoYFG\n";

impl Distribution {
    pub(crate) const USER: &str = "dev";
    pub(crate) const PASSWORD: &str = "made-up";

    /// The version that tests/servers/distribution pins.
    pub(crate) fn start_3() -> Result<Self> {
        let folder = built("registry", "github.com/distribution/distribution/v3", GO_MOD)?;
        Self::start("registry", Command::new(folder.join("registry")), None, "")
    }

    /// The same as its image is configured: it remembers which blobs it has.
    pub(crate) fn start_3_with_cache() -> Result<Self> {
        let folder = built("registry", "github.com/distribution/distribution/v3", GO_MOD)?;
        let cache = "  cache:\n    blobdescriptor: inmemory\n";
        Self::start("registry", Command::new(folder.join("registry")), None, cache)
    }

    /// Debian's 2.8, which differs in what an upload's POST may carry.
    pub(crate) fn start_2() -> Result<Self> {
        Self::start("docker-registry", Command::new("docker-registry"), None, "")
    }

    /// The same with a login by password file, for [`Self::USER`].
    pub(crate) fn start_2_with_login() -> Result<Self> {
        Self::start("docker-registry", Command::new("docker-registry"), Some(HTPASSWD), "")
    }

    fn start(name: &'static str, mut command: Command, passwords: Option<&str>, cache: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-distribution-").tempdir()?;
        let port = free_port()?;
        let root = folder.path().join("storage");
        let configuration = folder.path().join("config.yml");
        let storage = format!("storage:\n  filesystem:\n    rootdirectory: {}\n", root.display());
        let auth = match passwords {
            None => String::new(),
            Some(passwords) => {
                let file = folder.path().join("htpasswd");
                fs::write(&file, passwords)?;
                format!("auth:\n  htpasswd:\n    realm: e2e\n    path: {}\n", file.display())
            }
        };
        fs::write(
            &configuration,
            format!("version: 0.1\n{storage}{cache}{auth}http:\n  addr: 127.0.0.1:{port}\n  secret: e2e\n"),
        )?;
        command.arg("serve").arg(&configuration).env("OTEL_TRACES_EXPORTER", "none");
        let server = Server::start(name, &mut command, folder.path())?
            .ready(Duration::from_secs(20), || Self::endpoint_at(port, passwords).answers("/v2/"))?;
        Ok(Self { _server: server, folder, port })
    }

    /// Where the content of a digest is stored.
    pub(crate) fn file_of(&self, digest: &str) -> Result<PathBuf> {
        let hash = digest.strip_prefix("sha256:").context("no sha256 digest")?;
        let below = format!("storage/docker/registry/v2/blobs/sha256/{}/{hash}/data", &hash[..2]);
        Ok(self.folder.path().join(below))
    }

    pub(crate) fn registry(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::local(self.port)
    }

    /// As [`Self::USER`].
    pub(crate) fn endpoint_with_login(&self) -> Endpoint {
        Endpoint::basic(self.port, Self::USER, Self::PASSWORD)
    }

    fn endpoint_at(port: u16, passwords: Option<&str>) -> Endpoint {
        match passwords {
            None => Endpoint::local(port),
            Some(_) => Endpoint::basic(port, Self::USER, Self::PASSWORD),
        }
    }
}
