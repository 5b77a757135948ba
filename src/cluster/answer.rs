use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use crate::oci::{Platform, Repository};
use crate::port::{Credential, Keychain, KeychainError, Origin};

/// What the user said about the cluster; `cli` fills it from flags and environment.
#[derive(Debug, Clone)]
pub struct Query {
    pub kubeconfig: Kubeconfig,
    /// `--context`.
    pub context: Option<String>,
    /// `--name N`: the context `kind-N`, and the Localbuild `N`.
    pub name: Option<String>,
    /// `--secret`, before all others.
    pub secret: Option<SecretName>,
    pub login: Login,
    /// For one request to the API. The first request to a context that nobody named has 2 s at the most.
    pub timeout: Duration,
}

/// Where kubeconfig files are looked for, in this order.
#[derive(Debug, Clone, Default)]
pub struct Kubeconfig {
    /// `--kubeconfig`.
    pub given: Option<PathBuf>,
    /// `$KUBECONFIG`: a list of paths that are merged.
    pub environment: Option<OsString>,
    /// The folder of `.kube/config`.
    pub home: Option<PathBuf>,
    /// Taken where none of the others is there, as kubectl does.
    pub pod: Option<Pod>,
}

/// What Kubernetes tells a pod of its own cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// `$KUBERNETES_SERVICE_HOST`: the address of the API server.
    pub host: String,
    /// `$KUBERNETES_SERVICE_PORT`.
    pub port: String,
    /// Where the service account's `token` and `ca.crt` are.
    pub folder: PathBuf,
}

/// Whether the secret is needed: with a login from flags it is not even read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    Read,
    Skip,
}

/// A secret by namespace and name, parsed from `NS/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName {
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Not two names of Kubernetes objects with a slash between them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no secret: expected NAMESPACE/NAME")]
pub struct SecretNameError {
    pub text: String,
}

impl SecretName {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Whether both can be names of objects (RFC 1123), and so can stand in a path as they are.
    pub(super) fn is_valid(&self) -> bool {
        is_object_name(&self.namespace) && is_object_name(&self.name)
    }
}

impl FromStr for SecretName {
    type Err = SecretNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .map(|(namespace, name)| Self::new(namespace, name))
            .filter(Self::is_valid)
            .ok_or_else(|| SecretNameError { text: text.escape_debug().to_string() })
    }
}

/// RFC 1123 as Kubernetes reads it: lower-case letters, digits, `-` and `.`, none of the latter two at an end.
pub(super) fn is_object_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()];
    name.len() <= 253
        && ends.iter().all(|end| end.is_some_and(inner))
        && name.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.')
}

/// How the ingress tells Gitea from its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// `gitea.<host>:<port>`.
    SubDomain,
    /// `<host>:<port>`, with or without `/gitea` in the path.
    Path,
}

/// How the registry is known to be the cluster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// `protocol: http`.
    Plain,
    /// The certificate that the ingress shows, in DER; it is also good as a root.
    Pinned(Vec<u8>),
    /// The user's own authority: further roots in DER, checked the normal way.
    Roots(Vec<Vec<u8>>),
    /// The cluster has none, or this user may not read it: the system's roots.
    System,
}

/// What the cluster says of its registry.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The Localbuild's name, such as `localdev`.
    pub name: String,
    /// The kubeconfig context, such as `kind-localdev`.
    pub context: String,
    pub registry: Origin,
    pub routing: Routing,
    pub trust: Trust,
    /// Bound to `registry`; absent with `Login::Skip`.
    pub credential: Option<Credential>,
    /// The user that owns what is pushed: the secret's `username` as it stands there.
    pub owner: Option<String>,
    /// Platforms of the nodes, without repeats; empty when this user may not list them.
    pub nodes: Vec<Platform>,
    /// Largest request body that the ingress takes, in bytes. 1024 MiB where it cannot be read; `None`
    /// where the annotation says that there is no limit (`0`).
    pub body_limit: Option<u64>,
    /// What the user should know, and nothing has failed: rights that are missing and what follows.
    pub notes: Vec<Note>,
}

/// Something that is not as it could be, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub about: Topic,
    pub text: String,
}

impl Note {
    pub(super) fn new(about: Topic, text: String) -> Self {
        Self { about, text }
    }
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A context that was passed over.
    Context,
    Localbuild,
    Certificate,
    Nodes,
    BodyLimit,
}

#[async_trait]
impl Keychain for Cluster {
    /// The cluster's login goes to the cluster's own registry and nowhere else.
    async fn credential(
        &self,
        origin: &Origin,
        _: Option<&Repository>,
    ) -> Result<Option<Credential>, KeychainError> {
        Ok(self.credential.clone().filter(|credential| credential.origin == *origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_by_namespace_and_name() {
        assert_eq!("gitea/gitea-credential".parse(), Ok(SecretName::new("gitea", "gitea-credential")));
        for text in ["", "gitea", "/x", "gitea/", "a/b/c", "Gitea/x", "gitea/..", "gitea/x?y", "gitea/x\n"] {
            assert!(text.parse::<SecretName>().is_err(), "{text:?}");
        }
    }
}
