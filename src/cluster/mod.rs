//! Where the cluster's registry is, how it is trusted, and who the owner is.
//!
//! [`find`] asks a Kubernetes API, once and in sequence; nothing else is ever contacted, and no object
//! is kept beyond the values of [`Cluster`]. [`workloads`] asks the same API what runs. What they
//! ask for is in `request`, what they need the right to is [`RIGHTS`].

mod answer;
mod api;
mod certificate;
mod choose;
mod config;
mod endpoint;
mod error;
mod explored;
mod find;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod ingress;
mod kubeconfig;
mod localbuild;
mod nodes;
mod plugin;
mod request;
mod rights;
mod secret;
mod workloads;

pub use answer::{
    Cluster, Kubeconfig, Login, Note, Pod, Query, Routing, SecretName, SecretNameError, Topic, Trust,
};
pub use error::ClusterError;
pub use explored::{Explored, Halt, Sights, Stage};
pub use find::{explore, find};
pub use kubeconfig::contexts;
pub use rights::{Need, RIGHTS, Right};
pub use workloads::workloads;
