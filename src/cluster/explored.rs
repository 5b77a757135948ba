use super::{Cluster, ClusterError};

/// What finding a cluster needs, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Kubeconfig,
    /// A context that may be asked.
    Context,
    /// An answer of its API that lets us in.
    Api,
    /// The one Localbuild, with a registry in it.
    Localbuild,
    /// The login.
    Secret,
}

/// Where the way to the cluster ended, and why.
#[derive(Debug)]
pub struct Halt {
    pub at: Stage,
    pub error: ClusterError,
}

/// The way to the cluster: what was seen on it, and where it led.
#[derive(Debug)]
pub struct Explored {
    pub sights: Sights,
    pub outcome: Result<Cluster, Halt>,
}

/// What was seen before the end, wherever that was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sights {
    /// The files that were read, and how many contexts they have.
    pub kubeconfig: Option<(String, usize)>,
    /// The context that was named, or those of this machine in the order in which they are asked.
    pub contexts: Vec<String>,
    /// The URL of the API server whose Localbuild was taken.
    pub server: Option<String>,
    /// The Localbuild, and the registry's address as it says it.
    pub localbuild: Option<(String, String)>,
}

impl Halt {
    pub(super) fn at(at: Stage) -> impl FnOnce(ClusterError) -> Self {
        move |error| Self { at, error }
    }

    /// An end of the search among contexts: their APIs gave no answer, or not the one that was hoped for.
    pub(super) fn of_search(error: ClusterError) -> Self {
        let at = match error {
            ClusterError::Context { .. }
            | ClusterError::Unreachable { .. }
            | ClusterError::Unauthenticated { .. }
            | ClusterError::PluginSilent { .. }
            | ClusterError::PluginFailed { .. }
            | ClusterError::PluginUnasked { .. }
            | ClusterError::Api { .. } => Stage::Api,
            _ => Stage::Localbuild,
        };
        Self { at, error }
    }
}
