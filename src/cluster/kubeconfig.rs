use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, KubeconfigError, NamedContext};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

use super::{ClusterError, Kubeconfig};

mod pod;
mod server;

pub(super) use server::uri;

/// No kubeconfig is read beyond this many bytes. A kind context takes 6 KiB.
pub(super) const FILE_LIMIT: u64 = 1024 * 1024;

/// The kubeconfig files as one document, and what the choice of a context needs of it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) document: kube::config::Kubeconfig,
    /// The files that it was read from, for messages.
    pub(super) shown: String,
    pub(super) contexts: Vec<Context>,
    pub(super) current: Option<String>,
    pub(super) basis: Basis,
}

/// What a kubeconfig was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    Files,
    /// The service account of the pod that this runs in: its only context is the pod's own cluster.
    Pod,
}

impl Loaded {
    pub(super) fn context_names(&self) -> Vec<String> {
        self.contexts.iter().map(|context| context.name.clone()).collect()
    }
}

/// A context of the kubeconfig, with what can be known of it without contacting anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) name: String,
    pub(super) cluster: String,
    /// The URL of its API server, with a scheme; empty when the kubeconfig has none.
    pub(super) server: String,
    pub(super) user: String,
    /// The program that its user logs in with.
    pub(super) plugin: Option<String>,
}

impl Context {
    /// Whether it may be contacted unasked: kind's own by name, or an API server on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.name.starts_with("kind-") || self.is_loopback()
    }

    pub(super) fn is_loopback(&self) -> bool {
        let Ok(url) = Url::parse(&self.server) else { return false };
        match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

/// Reads and merges the kubeconfig files: `--kubeconfig`, else the list of `$KUBECONFIG`, else
/// `~/.kube/config`, else the service account of a pod. Of a list, files that are not there are passed over,
/// as kubectl does.
///
/// # Errors
/// `NoKubeconfig` when there is none; `Kubeconfig` for one that cannot be read or is none, and for the
/// file of `--kubeconfig` that is not there.
pub(super) fn load(places: &Kubeconfig) -> Result<Loaded, ClusterError> {
    if let Some(given) = &places.given {
        let document = read(given)?.ok_or_else(|| refused(given, "it does not exist".to_owned()))?;
        return Ok(loaded(document, shown(given, places), Basis::Files));
    }
    let tried = searched(places);
    let (mut document, mut files) = (kube::config::Kubeconfig::default(), Vec::new());
    for path in &tried {
        if let Some(next) = read(path)? {
            document = document.merge(next).map_err(|error| refused(path, error.to_string()))?;
            files.push(shown(path, places));
        }
    }
    if !files.is_empty() {
        return Ok(loaded(document, files.join(", "), Basis::Files));
    }
    let of_pod = places.pod.as_ref().and_then(|pod| Some((pod::document(pod)?, shown(&pod.folder, places))));
    let (document, shown) = of_pod.ok_or(ClusterError::NoKubeconfig { tried })?;
    Ok(loaded(document, shown, Basis::Pod))
}

/// The contexts that a kubeconfig has, each with the name of its cluster.
///
/// # Errors
/// When there is no kubeconfig, or it cannot be read.
pub fn contexts(places: &Kubeconfig) -> Result<Vec<(String, String)>, ClusterError> {
    let contexts = load(places)?.contexts.into_iter();
    Ok(contexts.map(|context| (context.name, context.cluster)).collect())
}

fn searched(places: &Kubeconfig) -> Vec<PathBuf> {
    let listed = places.environment.iter().flat_map(std::env::split_paths);
    let listed: Vec<_> = listed.filter(|path| !path.as_os_str().is_empty()).collect();
    let home = places.home.as_ref().map(|home| home.join(".kube").join("config"));
    if listed.is_empty() { home.into_iter().collect() } else { listed }
}

fn shown(path: &Path, places: &Kubeconfig) -> String {
    let in_home = places.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
    in_home.map_or_else(|| path.display().to_string(), |rest| format!("~/{}", rest.display()))
}

fn refused(path: &Path, reason: String) -> ClusterError {
    ClusterError::Kubeconfig { path: path.to_owned(), reason }
}

/// `None` for a file that is not there.
fn read(path: &Path) -> Result<Option<kube::config::Kubeconfig>, ClusterError> {
    let unreadable = |error: std::io::Error| refused(path, error.to_string());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_LIMIT) {
        return Err(refused(path, "it is larger than 1 MiB".to_owned()));
    }
    let mut document = parse(&bytes).map_err(|reason| refused(path, reason))?;
    if let Some(folder) = path.parent() {
        resolve(&mut document, folder);
    }
    Ok(Some(document))
}

/// Aliases are bounded by the YAML reader, which counts what they expand to.
pub(super) fn parse(bytes: &[u8]) -> Result<kube::config::Kubeconfig, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let read = kube::config::Kubeconfig::from_yaml(text).map_err(|error| match error {
        // The reader's own message quotes lines of the file, and they may hold a key or a token.
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("it is not a kubeconfig (line {}, column {})", at.line(), at.column()),
            None => "it is not a kubeconfig".to_owned(),
        },
        error => error.to_string(),
    });
    let mut document = read?;
    unset_empty(&mut document);
    Ok(document)
}

/// Paths in a kubeconfig are relative to its folder; a plugin without a slash is looked up on PATH.
fn resolve(document: &mut kube::config::Kubeconfig, folder: &Path) {
    let join = |path: &mut Option<String>| {
        let joined = path.as_ref().filter(|path| Path::new(path).is_relative()).map(|path| folder.join(path));
        if let Some(joined) = joined.and_then(|joined| joined.into_os_string().into_string().ok()) {
            *path = Some(joined);
        }
    };
    for cluster in document.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        join(&mut cluster.certificate_authority);
    }
    for user in document.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        join(&mut user.client_certificate);
        join(&mut user.client_key);
        join(&mut user.token_file);
        if let Some(exec) = &mut user.exec
            && exec.command.as_ref().is_some_and(|command| command.contains(std::path::is_separator))
        {
            join(&mut exec.command);
        }
    }
}

/// Takes empty values for unset, as kubectl does: where files are merged, an empty value of the first does
/// not hide that of the next.
fn unset_empty(document: &mut kube::config::Kubeconfig) {
    for value in [&mut document.current_context, &mut document.kind, &mut document.api_version] {
        *value = value.take().filter(|value| !value.is_empty());
    }
    document.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()).for_each(filled);
    document.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()).for_each(filled);
}

/// Drops the fields that are empty. Line breaks in base64 come from block scalars, and Go reads past them.
fn filled<T: Serialize + DeserializeOwned>(section: &mut T) {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&*section) else { return };
    fields.retain(|name, value| {
        let Value::String(text) = value else { return true };
        if name.ends_with("-data") {
            text.retain(|character| !matches!(character, '\r' | '\n'));
        }
        !text.is_empty()
    });
    if let Ok(kept) = serde_json::from_value(Value::Object(fields)) {
        *section = kept;
    }
}

pub(super) fn loaded(document: kube::config::Kubeconfig, shown: String, basis: Basis) -> Loaded {
    let contexts = document.contexts.iter().filter_map(|named| context(&document, named)).collect();
    let current = document.current_context.clone();
    Loaded { document, shown, contexts, current, basis }
}

fn context(document: &kube::config::Kubeconfig, named: &NamedContext) -> Option<Context> {
    let context = named.context.as_ref()?;
    let cluster = document.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let cluster = cluster.and_then(|named| named.cluster.as_ref());
    let user = context.user.clone().unwrap_or_default();
    let login = document.auth_infos.iter().find(|login| login.name == user);
    let login = login.and_then(|named| named.auth_info.as_ref());
    Some(Context {
        name: named.name.clone(),
        cluster: context.cluster.clone(),
        server: cluster.map(|cluster| server::address(cluster, login)).unwrap_or_default(),
        plugin: login.and_then(plugin),
        user,
    })
}

/// The old `auth-provider` counts too: kube runs a program for some of them.
fn plugin(login: &AuthInfo) -> Option<String> {
    let exec = login.exec.as_ref().map(|exec| exec.command.clone().unwrap_or_default());
    exec.or_else(|| login.auth_provider.as_ref().map(|provider| provider.name.clone()))
}

#[cfg(test)]
mod tests;
