use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Mutex, OnceCell};
use zeroize::Zeroizing;

use super::config::Config;
use super::given::refuse_control_characters;
use super::{helper, key};
use crate::oci::Repository;
use crate::port::{Credential, Identity, Keychain, KeychainError, Origin, Secret};

/// No config is read beyond this many bytes.
const FILE_LIMIT: u64 = 1024 * 1024;
const VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// Where saved logins are looked for, in this order.
#[derive(Debug, Clone, Default)]
pub struct LoginPlaces {
    /// `$DOCKER_AUTH_CONFIG`: a config itself, as GitLab's runners hand it out.
    pub docker_auth_config: Option<Secret>,
    /// `$DOCKER_CONFIG`: the folder of docker's `config.json`, in the place of `.docker`.
    pub docker_config: Option<PathBuf>,
    /// `$REGISTRY_AUTH_FILE`: a file in the place of Podman's own.
    pub registry_auth_file: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`: the folder of `containers/auth.json`. Without it, on Linux,
    /// `/run/containers/UID/auth.json`.
    pub runtime_dir: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`: the folder of the other `containers/auth.json`, in the place of `.config`.
    pub config_home: Option<PathBuf>,
    /// The folder of `.docker` and `.config`.
    pub home: Option<PathBuf>,
    /// `$PATH`, for helpers.
    pub path: Option<OsString>,
}

/// The logins of `docker login` and `podman login`. The first config that has one wins. Within a config it
/// is a helper for the one registry (`credHelpers`), else that for all (`credsStore`), else what the
/// config holds itself (`auths`), also where the helper has none; of its entries, the one that says most
/// of the repository's name.
///
/// The crate `docker_credential` decodes the entries of `auths`. The rest is ours, because the crate lets
/// an entry win over `credsStore`, unlike docker, ignores which port and scheme a key names, knows no keys
/// of repositories, and has no limits; see `entry`, `key` and `helper`.
///
/// Each config is read once, and each helper asked once for a registry: it may ask the user.
pub struct SavedLogins {
    stores: Vec<Store>,
    path: Option<OsString>,
    limit: Duration,
    answers: Mutex<HashMap<(String, String), Option<Identity>>>,
}

/// One config.
struct Store {
    place: Place,
    config: OnceCell<Option<Config>>,
}

enum Place {
    Variable(Secret),
    /// Nothing is said where it is not there.
    File(PathBuf),
    /// Somebody said that it is there.
    NamedFile(PathBuf),
}

impl SavedLogins {
    #[must_use]
    pub fn new(places: LoginPlaces) -> Self {
        let path = places.path.clone();
        let stores =
            stores(places).into_iter().map(|place| Store { place, config: OnceCell::new() }).collect();
        Self { stores, path, limit: helper::LIMIT, answers: Mutex::default() }
    }

    async fn ask_helper(
        &self,
        store: &Store,
        config: &Config,
        origin: &Origin,
    ) -> Result<Option<Credential>, KeychainError> {
        let Some(name) = config.helper(origin).filter(|name| !helper::is_ours(name)) else {
            return Ok(None);
        };
        if !helper::is_name(name) {
            return Err(store.refused(format!("`{}` is no name of a credential helper", name.escape_debug())));
        }
        let server = key::server_url(origin);
        let asked = (name.to_owned(), server.clone());
        let mut answers = self.answers.lock().await;
        let identity = if let Some(identity) = answers.get(&asked) {
            identity.clone()
        } else {
            let identity = helper::get(name, &server, self.path.as_deref(), self.limit).await?;
            answers.insert(asked, identity.clone());
            identity
        };
        identity
            .map(|identity| bound(identity, origin, format!("credential helper docker-credential-{name}")))
            .transpose()
    }
}

fn stores(places: LoginPlaces) -> Vec<Place> {
    let LoginPlaces { docker_auth_config, docker_config, registry_auth_file, .. } = places;
    let below = |folder: &Option<PathBuf>, name: &str| folder.as_ref().map(|folder| folder.join(name));
    let mut stores: Vec<Place> = docker_auth_config.into_iter().map(Place::Variable).collect();
    let docker = docker_config.or_else(|| below(&places.home, ".docker"));
    stores.extend(docker.map(|folder| Place::File(folder.join("config.json"))));
    if let Some(file) = registry_auth_file {
        stores.push(Place::NamedFile(file));
        return stores;
    }
    let config_home = places.config_home.or_else(|| below(&places.home, ".config"));
    let in_folder = |folder: PathBuf| folder.join("containers").join("auth.json");
    let runtime = places.runtime_dir.map(in_folder).or_else(below_run);
    stores.extend([runtime, config_home.map(in_folder)].into_iter().flatten().map(Place::File));
    stores
}

/// Podman's file where there is no `$XDG_RUNTIME_DIR`. Its folder may be closed to this user, and nobody said
/// that it is there.
#[cfg(target_os = "linux")]
fn below_run() -> Option<PathBuf> {
    Some(file_of(rustix::process::getuid().as_raw())).filter(|path| path.exists())
}

#[cfg(target_os = "linux")]
fn file_of(user: u32) -> PathBuf {
    PathBuf::from(format!("/run/containers/{user}/auth.json"))
}

/// There Podman has no file but that in the home.
#[cfg(not(target_os = "linux"))]
const fn below_run() -> Option<PathBuf> {
    None
}

#[async_trait]
impl Keychain for SavedLogins {
    async fn credential(
        &self,
        origin: &Origin,
        repository: Option<&Repository>,
    ) -> Result<Option<Credential>, KeychainError> {
        for store in &self.stores {
            let Some(config) = store.config.get_or_try_init(|| store.read()).await? else { continue };
            if let Some(credential) = self.ask_helper(store, config, origin).await? {
                return Ok(Some(credential));
            }
            let found = config.identity(origin, repository).map_err(|reason| store.refused(reason))?;
            if let Some((key, identity)) = found {
                let source = format!("{} (entry `{}`)", store.name(), key.escape_debug());
                return bound(identity, origin, source).map(Some);
            }
        }
        Ok(None)
    }
}

fn bound(identity: Identity, origin: &Origin, source: String) -> Result<Credential, KeychainError> {
    refuse_control_characters(&identity, &source)?;
    Ok(Credential { origin: origin.clone(), identity, source, second: None })
}

impl Store {
    fn name(&self) -> String {
        match &self.place {
            Place::Variable(_) => VARIABLE.to_owned(),
            Place::File(path) | Place::NamedFile(path) => path.display().to_string(),
        }
    }

    fn refused(&self, reason: String) -> KeychainError {
        KeychainError::Config { path: self.name(), reason }
    }

    /// `None` for a file that is not there and need not be.
    async fn read(&self) -> Result<Option<Config>, KeychainError> {
        let bytes = match &self.place {
            Place::Variable(text) => Ok(Zeroizing::new(text.expose().as_bytes().to_vec())),
            Place::File(path) | Place::NamedFile(path) => read_bounded(path).await,
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if self.may_lack(&error) => return Ok(None),
            Err(source) => return Err(KeychainError::Read { path: self.name(), source }),
        };
        if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_LIMIT) {
            return Err(self.refused("it is larger than 1 MiB".to_owned()));
        }
        let config = Config::parse(&bytes).map_err(|reason| self.refused(reason))?;
        if let (true, Place::File(path) | Place::NamedFile(path)) = (config.has_entries(), &self.place) {
            warn_if_open(path).await;
        }
        Ok(Some(config))
    }

    fn may_lack(&self, error: &io::Error) -> bool {
        matches!(self.place, Place::File(_))
            && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
    }
}

async fn read_bounded(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).await?.take(FILE_LIMIT + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// docker and Podman write the file for its owner alone.
async fn warn_if_open(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = tokio::fs::metadata(path).await;
        if found.is_ok_and(|file| file.permissions().mode() & 0o004 != 0) {
            tracing::warn!(path = %path.display(), "every user of this machine can read the logins in this file");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests;
