use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::oci::Platform;
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
    /// For one request to the API.
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
}

/// Whether the secret is needed: with a login from flags it is not even read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    Read,
    Skip,
}

/// A secret by namespace and name.
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
    pub notes: Vec<String>,
}

#[async_trait]
impl Keychain for Cluster {
    /// The cluster's login goes to the cluster's own registry and nowhere else.
    async fn credential(&self, origin: &Origin) -> Result<Option<Credential>, KeychainError> {
        Ok(self.credential.clone().filter(|credential| credential.origin == *origin))
    }
}
