//! Where images are pushed to.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::kit::{Endpoint, Gitea, Ingress, IngressSettings, Server, Speaks, built, free_port};

const GO_MOD: &str = include_str!("../../tests/servers/distribution/go.mod");

/// A registry, and nginx before it, which counts.
pub(crate) enum Registry {
    Distribution { _server: Server, folder: TempDir, port: u16, ingress: Ingress },
    Gitea { server: Gitea, ingress: Ingress },
}

/// How a client gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// As fast as it is: past nginx, where a registry does not stand behind it anyway.
    Timed,
    Counted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    PlainHttp,
    /// HTTPS, with a certificate that nobody signed.
    Unchecked,
}

/// What a run sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) requests: u32,
    /// Heads and bodies.
    pub(crate) sent_kib: u32,
}

impl Registry {
    /// Distribution v3 on a memory file system.
    pub(crate) fn distribution() -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let mut named = tempfile::Builder::new();
        named.prefix("bench-registry-");
        let folder = if memory.is_dir() { named.tempdir_in(memory)? } else { named.tempdir()? };
        let port = free_port()?;
        let storage = folder.path().join("storage");
        let configuration = folder.path().join("config.yml");
        fs::write(
            &configuration,
            format!(
                "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n\
                 storage:\n  filesystem:\n    rootdirectory: {}\n\
                 http:\n  addr: 127.0.0.1:{port}\n  secret: bench\n",
                storage.display()
            ),
        )?;
        let binary = built("registry", "github.com/distribution/distribution/v3", GO_MOD)?.join("registry");
        let mut command = Command::new(binary);
        command.arg("serve").arg(&configuration).env("OTEL_TRACES_EXPORTER", "none");
        let server = Server::start("registry", &mut command, folder.path())?
            .ready(Duration::from_secs(20), || Endpoint::local(port).answers("/v2/"))?;
        let settings = IngressSettings {
            gitea_names: vec!["127.0.0.1"],
            body_limit: "0",
            speaks: Speaks::Http,
            ..IngressSettings::default()
        };
        let ingress = Ingress::start(port, &settings)?;
        Ok(Self::Distribution { _server: server, folder, port, ingress })
    }

    /// The real Gitea behind the ingress.
    pub(crate) fn gitea() -> Result<Self> {
        let server = Gitea::start()?;
        let settings = IngressSettings { body_limit: "0", ..IngressSettings::default() };
        let ingress = Ingress::start(server.port, &settings)?;
        Ok(Self::Gitea { server, ingress })
    }

    /// Host and port.
    pub(crate) fn address(&self, route: Route) -> String {
        match (self, route) {
            (Self::Distribution { port, .. }, Route::Timed) => format!("127.0.0.1:{port}"),
            (Self::Distribution { ingress, .. }, Route::Counted) => format!("127.0.0.1:{}", ingress.port),
            (Self::Gitea { ingress, .. }, _) => format!("localhost:{}", ingress.port),
        }
    }

    /// Where nothing was pushed to yet. Gitea frees no blob at once, so that there each run has a place of its own.
    pub(crate) fn empty(&self, run: &str) -> Result<String> {
        match self {
            Self::Distribution { folder, .. } => {
                let content = folder.path().join("storage/docker");
                if content.exists() {
                    fs::remove_dir_all(content)?;
                }
                Ok("bench/web".to_owned())
            }
            Self::Gitea { .. } => Ok(format!("{}/web-{run}", Gitea::ADMIN.to_lowercase())),
        }
    }

    pub(crate) fn trust(&self) -> Trust {
        match self {
            Self::Distribution { .. } => Trust::PlainHttp,
            Self::Gitea { .. } => Trust::Unchecked,
        }
    }

    /// Writes the login to where all clients look for it.
    pub(crate) fn log_in(&self, home: &Path) -> Result<()> {
        let Self::Gitea { server, .. } = self else { return Ok(()) };
        let login = STANDARD.encode(format!("{}:{}", Gitea::ADMIN, server.token));
        let address = self.address(Route::Timed);
        let folder = home.join(".docker");
        fs::create_dir(&folder)?;
        let logins = serde_json::json!({ "auths": { address: { "auth": login } } });
        Ok(fs::write(folder.join("config.json"), logins.to_string())?)
    }

    /// What passed nginx while `run` ran.
    pub(crate) fn count<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<(T, Counted)> {
        let (Self::Distribution { ingress, .. } | Self::Gitea { ingress, .. }) = self;
        let before = ingress.requests("/")?.len();
        let done = run()?;
        // The log has a request when its answer is sent, which can be after the client has it.
        sleep(Duration::from_millis(100));
        let requests = ingress.requests("/")?;
        let requests = requests.get(before..).context("the log of nginx became shorter")?;
        let bytes: u64 = requests.iter().map(|request| request.bytes).sum();
        let counted =
            Counted { requests: u32::try_from(requests.len())?, sent_kib: u32::try_from(bytes / 1024)? };
        Ok((done, counted))
    }
}
