use std::path::{Path, PathBuf};

use super::address::{Address, TlsFiles};
use super::context;
use crate::source::shown::{shown, shown_path};
use crate::source::spec::EngineKind;

/// More machines of Podman than these are not asked.
const MAX_MACHINES: usize = 16;

/// Where engines listen; the command line reads it from the environment.
#[derive(Debug, Clone, Default)]
pub struct EngineSockets {
    /// `DOCKER_HOST`: where it is given, no other place is asked for Docker.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`, the same unless `docker_host` is given.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`: the folder of docker's `config.json` and of its contexts, else `.docker` below
    /// `home`.
    pub docker_config: Option<PathBuf>,
    /// With `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`: the folder of `ca.pem`, `cert.pem` and `key.pem` for
    /// `docker_host`.
    pub docker_certificates: Option<PathBuf>,
    /// `CONTAINER_HOST`: where it is given, no other place is asked for Podman.
    pub container_host: Option<String>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    pub home: Option<PathBuf>,
}

/// A place where an engine may listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) engine: Engine,
    /// What messages call it: `unix:///var/run/docker.sock`, `docker context colima`.
    pub(super) name: String,
    /// Where it is, or why it cannot be asked.
    pub(super) address: Result<Address, String>,
    pub(super) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Docker,
    Podman,
}

impl Engine {
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Docker => "docker-daemon",
            Self::Podman => "podman",
        }
    }
}

/// Which of several engines of one kind is the one that the user's other tools mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The engine that `docker build` builds in.
    Own,
    Other,
}

impl EngineSockets {
    /// The places to ask, each socket once. Reads docker's config and looks at the sockets, and so blocks
    /// the thread.
    pub(super) fn endpoints(&self, kind: EngineKind) -> Vec<Endpoint> {
        let mut all = Vec::new();
        if kind != EngineKind::Podman {
            all.extend(self.docker());
        }
        if kind != EngineKind::Docker {
            all.extend(self.podman());
        }
        once(all)
    }

    fn docker(&self) -> Vec<Endpoint> {
        if let Some(host) = filled(self.docker_host.as_deref()) {
            let tls = self.docker_certificates.as_deref().map(TlsFiles::of);
            return vec![given(Engine::Docker, host, tls)];
        }
        let folder = self.docker_folder();
        match filled(self.docker_context.as_deref()) {
            Some(context::DEFAULT) => {
                return vec![Endpoint {
                    standing: Standing::Own,
                    ..socket(Engine::Docker, default_socket())
                }];
            }
            Some(name) => return vec![of_context(folder.as_deref(), name)],
            None => {}
        }
        let mut all = Vec::new();
        match folder.as_deref().map_or(Ok(None), context::current) {
            Ok(Some(name)) => all.push(of_context(folder.as_deref(), &name)),
            Ok(None) => {}
            Err(reason) => all.push(Endpoint {
                engine: Engine::Docker,
                name: "docker's current context".to_owned(),
                address: Err(reason),
                standing: Standing::Own,
            }),
        }
        all.extend(self.docker_sockets().into_iter().map(|path| socket(Engine::Docker, path)));
        // Without a context the first socket is the one that docker's own tools take.
        if let Some(first) = all.first_mut() {
            first.standing = Standing::Own;
        }
        all
    }

    fn docker_folder(&self) -> Option<PathBuf> {
        self.docker_config.clone().or_else(|| self.home.as_ref().map(|home| home.join(".docker")))
    }

    fn docker_sockets(&self) -> Vec<PathBuf> {
        let below_home = [
            ".docker/run/docker.sock",
            ".docker/desktop/docker.sock",
            ".colima/default/docker.sock",
            ".config/colima/default/docker.sock",
            ".rd/docker.sock",
            ".orbstack/run/docker.sock",
        ];
        let mut all = vec![default_socket()];
        all.extend(self.runtime_folders().iter().map(|dir| dir.join("docker.sock")));
        all.extend(self.home.iter().flat_map(|home| below_home.map(|path| home.join(path))));
        all
    }

    fn podman(&self) -> Vec<Endpoint> {
        if let Some(host) = filled(self.container_host.as_deref()) {
            return vec![given(Engine::Podman, host, None)];
        }
        let mut all: Vec<PathBuf> =
            self.runtime_folders().iter().map(|dir| dir.join("podman/podman.sock")).collect();
        all.push(PathBuf::from("/run/podman/podman.sock"));
        all.extend(self.home.iter().flat_map(|home| machines(home)));
        all.into_iter().map(|path| socket(Engine::Podman, path)).collect()
    }

    /// Where this user's sockets are; a shell that `su` or `sudo` opened does not have the variable.
    fn runtime_folders(&self) -> Vec<PathBuf> {
        match &self.runtime_dir {
            Some(dir) => vec![dir.clone()],
            None => own_runtime_folder().into_iter().collect(),
        }
    }
}

fn filled(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such folder, so the shape is an Option")]
fn own_runtime_folder() -> Option<PathBuf> {
    Some(PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw())))
}

#[cfg(not(unix))]
fn own_runtime_folder() -> Option<PathBuf> {
    None
}

fn default_socket() -> PathBuf {
    PathBuf::from(if cfg!(windows) { "//./pipe/docker_engine" } else { "/var/run/docker.sock" })
}

/// The sockets of `podman machine`: one in a folder for each, and one for the machine that is the default.
fn machines(home: &Path) -> Vec<PathBuf> {
    let folder = home.join(".local/share/containers/podman/machine");
    let mut names: Vec<PathBuf> = folder
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .take(MAX_MACHINES)
        .collect();
    names.sort();
    names.insert(0, folder);
    names
        .into_iter()
        .map(|dir| dir.join("podman.sock"))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect()
}

fn given(engine: Engine, host: &str, tls: Option<Result<TlsFiles, String>>) -> Endpoint {
    let address = tls.transpose().and_then(|tls| Address::parse(host, tls));
    Endpoint { engine, name: shown(host), address, standing: Standing::Own }
}

fn of_context(folder: Option<&Path>, name: &str) -> Endpoint {
    let address = match folder {
        Some(folder) => context::address(folder, name),
        None => Err("the folder of docker's contexts is not known: HOME is not set".to_owned()),
    };
    let name = format!("docker context {}", shown(name));
    Endpoint { engine: Engine::Docker, name, address, standing: Standing::Own }
}

fn socket(engine: Engine, path: PathBuf) -> Endpoint {
    let name = format!("unix://{}", shown_path(&path));
    Endpoint { engine, name, address: Ok(Address::Socket(path)), standing: Standing::Other }
}

/// Each engine once, whatever links lead to its socket.
fn once(all: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut kept: Vec<Endpoint> = Vec::new();
    for endpoint in all {
        let same = |there: &&mut Endpoint| match (&there.address, &endpoint.address) {
            (Ok(there), Ok(here)) => there.is_same(here),
            _ => false,
        };
        match kept.iter_mut().find(same) {
            // A socket of Podman that docker's tools use as well is Podman all the same.
            Some(there) if endpoint.engine == Engine::Podman => there.engine = Engine::Podman,
            Some(_) => {}
            None => kept.push(endpoint),
        }
    }
    kept
}

#[cfg(test)]
mod tests;
