//! Where the cluster's registry is, how it is trusted, and who the owner is.
//!
//! [`find`] asks a Kubernetes API, once and in sequence; nothing else is ever contacted, and no object
//! is kept beyond the values of [`Cluster`].

mod answer;
mod error;

pub use answer::{Cluster, Kubeconfig, Login, Query, Routing, SecretName, Trust};
pub use error::ClusterError;
