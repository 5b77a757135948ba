use std::time::Duration;

use crate::cli::environment::Environment;
use crate::cluster::{self, ClusterError, Kubeconfig, Login, Query};
use crate::port::Credential;

/// The longest wait for one answer of the Kubernetes API.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The login that a push without a flag would take; `None` on a machine without a cluster of idpbuilder's.
///
/// # Errors
/// When there may be one, and it cannot be asked or has no login that can be read.
pub(in crate::cli) async fn cluster_login(
    environment: &Environment,
) -> Result<Option<Credential>, ClusterError> {
    let query = Query {
        kubeconfig: Kubeconfig {
            given: None,
            environment: environment.kubeconfig.clone(),
            home: environment.home.clone(),
            // Most clusters that pods run in are not idpbuilder's, and without a right there that cannot be told.
            pod: None,
        },
        context: None,
        name: environment.cluster.clone(),
        secret: None,
        login: Login::Read,
        timeout: TIMEOUT,
    };
    match cluster::find(&query).await {
        Ok(cluster) => Ok(cluster.credential),
        Err(ClusterError::NoKubeconfig { .. } | ClusterError::NoCluster { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
