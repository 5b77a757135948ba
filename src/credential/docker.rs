use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use crate::port::{Credential, Identity, Keychain, KeychainError, Origin};

use super::entry::{self, Entry};
use super::given::refuse_control_characters;
use super::helper;

/// No config is read beyond this many bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// Where docker's config and its helpers are looked for.
#[derive(Debug, Clone, Default)]
pub struct DockerPlaces {
    /// `$DOCKER_CONFIG`: the folder of `config.json`.
    pub config_dir: Option<PathBuf>,
    /// The folder of `.docker/config.json`.
    pub home: Option<PathBuf>,
    /// `$PATH`.
    pub path: Option<OsString>,
}

/// The logins of `docker login`: a helper for the one registry (`credHelpers`), else that for all
/// (`credsStore`), else what the config holds itself (`auths`), also where the helper has none.
///
/// The crate `docker_credential` decodes the entries of `auths`. The rest is ours, because the crate lets
/// an entry win over `credsStore`, unlike docker, ignores which port and scheme a key names, and has no
/// limits; see `entry` and `helper`.
#[derive(Debug, Clone)]
pub struct DockerConfig {
    file: Option<PathBuf>,
    path: Option<OsString>,
    limit: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    auths: Option<BTreeMap<String, Entry>>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
}

impl DockerConfig {
    #[must_use]
    pub fn new(places: DockerPlaces) -> Self {
        let DockerPlaces { config_dir, home, path } = places;
        let folder = config_dir.or_else(|| home.map(|home| home.join(".docker")));
        Self { file: folder.map(|folder| folder.join("config.json")), path, limit: helper::LIMIT }
    }

    /// A file of the same form under another name: Podman's `auth.json`. Its keys for single repositories
    /// are left out, since a login here is for a registry.
    #[must_use]
    pub fn at(file: PathBuf, path: Option<OsString>) -> Self {
        Self { file: Some(file), path, limit: helper::LIMIT }
    }

    async fn ask_helper(
        &self,
        file: &Path,
        config: &Config,
        origin: &Origin,
    ) -> Result<Option<Credential>, KeychainError> {
        let Some(name) = config.helper(origin) else { return Ok(None) };
        if !helper::is_name(name) {
            let reason = format!("`{}` is no name of a credential helper", name.escape_debug());
            return Err(KeychainError::Config { path: file.display().to_string(), reason });
        }
        let server = entry::server_url(origin);
        let identity = helper::get(name, &server, self.path.as_deref(), self.limit).await?;
        identity
            .map(|identity| bound(identity, origin, format!("credential helper docker-credential-{name}")))
            .transpose()
    }
}

#[async_trait]
impl Keychain for DockerConfig {
    async fn credential(&self, origin: &Origin) -> Result<Option<Credential>, KeychainError> {
        let Some(file) = &self.file else { return Ok(None) };
        let Some(config) = read(file).await? else { return Ok(None) };
        if let Some(credential) = self.ask_helper(file, &config, origin).await? {
            return Ok(Some(credential));
        }
        let Some((key, identity)) = config.identity(file, origin)? else { return Ok(None) };
        warn_if_open(file).await;
        let source = format!("{} (entry `{}`)", file.display(), key.escape_debug());
        bound(identity, origin, source).map(Some)
    }
}

impl Config {
    fn helper(&self, origin: &Origin) -> Option<&str> {
        let own = self.cred_helpers.iter().flatten().find(|(key, _)| entry::names(key, origin));
        let helper = own.map(|(_, helper)| helper).filter(|helper| !helper.is_empty());
        helper.or(self.creds_store.as_ref().filter(|store| !store.is_empty())).map(String::as_str)
    }

    /// The key that is the registry's name as it stands comes first, then the other spellings of it.
    fn identity(&self, file: &Path, origin: &Origin) -> Result<Option<(&str, Identity)>, KeychainError> {
        let exact = origin.authority();
        let mut entries: Vec<_> =
            self.auths.iter().flatten().filter(|(key, _)| entry::names(key, origin)).collect();
        entries.sort_by_key(|(key, _)| **key != exact);
        for (key, entry) in entries {
            let identity = entry.identity().map_err(|reason| KeychainError::Config {
                path: file.display().to_string(),
                reason: format!("entry `{}`: {reason}", key.escape_debug()),
            })?;
            if let Some(identity) = identity {
                return Ok(Some((key, identity)));
            }
        }
        Ok(None)
    }
}

fn bound(identity: Identity, origin: &Origin, source: String) -> Result<Credential, KeychainError> {
    refuse_control_characters(&identity, &source)?;
    Ok(Credential { origin: origin.clone(), identity, source, second: None })
}

/// `None` for a file that is not there.
async fn read(path: &Path) -> Result<Option<Config>, KeychainError> {
    let bytes = match read_bounded(path).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeychainError::Read { path: path.display().to_string(), source }),
    };
    let refused = |reason| KeychainError::Config { path: path.display().to_string(), reason };
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_LIMIT) {
        return Err(refused("it is larger than 1 MiB".to_owned()));
    }
    // The parser's own message quotes values, and they may be passwords.
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| refused(format!("line {}, column {}", error.line(), error.column())))
}

async fn read_bounded(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).await?.take(FILE_LIMIT + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// docker writes the file for its owner alone.
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
