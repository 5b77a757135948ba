//! What became known of cluster, registry and login on connecting; screen, report and advice show it.

use std::net::SocketAddr;

/// Where a run goes and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The one whose own registry it is; absent for any other registry.
    pub(super) cluster: Option<ClusterFacts>,
    pub(super) registry: RegistryFacts,
    pub(super) auth: AuthFacts,
}

impl Facts {
    /// The same, with the address that the registry was connected to.
    pub(super) fn connected_to(mut self, address: Option<SocketAddr>) -> Self {
        self.registry.address = address.map(|address| address.to_string());
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterFacts {
    pub(super) name: String,
    pub(super) context: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RegistryFacts {
    /// `HOST[:PORT]` as it stands in references.
    pub(super) host: String,
    /// `IP:PORT` that was connected to last; absent through a proxy.
    pub(super) address: Option<String>,
    pub(super) tls: TlsFacts,
    /// What named the registry: `localbuild/localdev`, `--registry`, `IDPBUILDER_REGISTRY_URL`.
    pub(super) source: String,
    /// Bytes of the largest body that the ingress takes, where it is known.
    pub(super) body_limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsFacts {
    /// The cluster's own certificate and no other.
    Pinned,
    /// An authority that the cluster names.
    ClusterAuthority,
    CaFile,
    System,
    Insecure,
    Plain,
}

impl TlsFacts {
    /// The word for it in the report.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::ClusterAuthority => "cluster-authority",
            Self::CaFile => "ca-file",
            Self::System => "system",
            Self::Insecure => "insecure",
            Self::Plain => "plain-http",
        }
    }

    /// What the header says of it.
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Self::Pinned => "certificate pinned",
            Self::ClusterAuthority => "certificate checked with the cluster's authority",
            Self::CaFile => "certificate checked with --ca-file",
            Self::System => "certificate checked",
            Self::Insecure => "certificate NOT checked",
            Self::Plain => "plain HTTP",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuthFacts {
    pub(super) source: AuthSource,
    pub(super) username: Option<String>,
}

/// Where the login came from, told apart where the advice differs; never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AuthSource {
    /// A secret of the cluster, `NAMESPACE/NAME`.
    Cluster {
        secret: String,
    },
    /// A flag or a variable of the environment, by its name.
    Given {
        by: &'static str,
        kind: super::settings::GivenKind,
    },
    /// A docker config or its helper, as it calls itself.
    Docker {
        name: String,
    },
    None,
}

impl std::fmt::Display for AuthSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cluster { secret } => write!(f, "secret/{secret}"),
            Self::Given { by, .. } => f.write_str(by),
            Self::Docker { name } => f.write_str(name),
            Self::None => f.write_str("none"),
        }
    }
}
