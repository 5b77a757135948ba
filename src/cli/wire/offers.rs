//! What a word of the command line may be completed to, as far as adapters know.

use std::time::Duration;

use super::sources::sockets;
use crate::cli::environment::Environment;
use crate::cluster::{self, Kubeconfig};
use crate::source;

/// A user waits for it with a key pressed.
const ENGINES: Duration = Duration::from_millis(200);

/// Names of contexts, each with that of its cluster; nothing where the kubeconfig cannot be read.
pub(in crate::cli) fn contexts(places: &Kubeconfig) -> Vec<(String, String)> {
    cluster::contexts(places).unwrap_or_default()
}

/// Names of the images in the local engines, as far as these answer at once.
pub(in crate::cli) async fn image_names(environment: &Environment) -> Vec<String> {
    let sockets = sockets(environment);
    let names = tokio::time::timeout(ENGINES, source::image_names(&sockets)).await;
    names.map(|names| names.into_iter().collect()).unwrap_or_default()
}
