use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::select::{Asked, tried};
use super::sockets::EngineSockets;
use super::{Learned, client};
use crate::source::spec::EngineKind;

/// The engines of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engines {
    /// What each calls itself, and where it listens.
    pub answering: Vec<(String, String)>,
    /// The other places, each with why nothing came from there. Sockets that are not there share a line.
    pub silent: Vec<String>,
}

/// The names of all images in the engines that answer.
pub async fn image_names(sockets: &EngineSockets) -> BTreeSet<String> {
    let asked = Learned::default().endpoints(EngineKind::Any, sockets).await.into_iter();
    let names = join_all(asked.map(|endpoint| async move { client::names(&endpoint).await })).await;
    // What Docker has no name for is listed as `<none>:<none>`.
    names.into_iter().flatten().flatten().filter(|name| !name.contains('<')).collect()
}

/// Asks every place where a push looks for images.
pub async fn engines(sockets: &EngineSockets) -> Engines {
    let endpoints = Learned::default().endpoints(EngineKind::Any, sockets).await;
    let asked = endpoints.into_iter().map(|endpoint| async move {
        let answer = client::product(&endpoint).await;
        (endpoint, answer)
    });
    let (mut answering, mut silent) = (Vec::new(), Vec::new());
    for (endpoint, answer) in join_all(asked).await {
        match answer {
            Ok(product) => answering.push((product, endpoint.name)),
            Err(silence) => silent.push(Asked { endpoint, answer: Err(silence) }),
        }
    }
    Engines { answering, silent: tried(&silent) }
}
