use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::client::Silence;
use super::select::Chosen;
use super::sockets::{Endpoint, EngineSockets};
use crate::oci::Digest;
use crate::port::FoundImage;
use crate::source::spec::EngineKind;

/// How long a place that could not be asked is left alone.
const LEFT_ALONE: Duration = Duration::from_mins(1);

/// What one run has learned of the engines, shared by its sources: where they are, which of them cannot be
/// asked, so that none is waited for again and again, and what was had, so that an image of many names is
/// exported once.
#[derive(Debug, Default)]
pub struct Learned(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    endpoints: HashMap<EngineKind, Vec<Endpoint>>,
    /// By the names of places, with when it was heard.
    silent: HashMap<String, (Instant, Silence)>,
    /// By the places' names and the images' ids.
    images: HashMap<(String, Digest), FoundImage>,
}

impl Learned {
    /// The places to ask.
    pub(super) async fn endpoints(&self, kind: EngineKind, sockets: &EngineSockets) -> Vec<Endpoint> {
        let known = self.inside().endpoints.get(&kind).cloned();
        if let Some(known) = known {
            return known;
        }
        let sockets = sockets.clone();
        let found = spawn_blocking(move || sockets.endpoints(kind)).await.unwrap_or_default();
        self.inside().endpoints.insert(kind, found.clone());
        found
    }

    /// Why a place need not be asked again.
    pub(super) fn silence(&self, endpoint: &Endpoint) -> Option<Silence> {
        let inside = self.inside();
        let (since, silence) = inside.silent.get(&endpoint.name)?;
        (since.elapsed() < LEFT_ALONE).then(|| silence.clone())
    }

    /// Remembers that a place could not be asked, unless that is heard at once the next time, too.
    pub(super) fn heard<T>(&self, endpoint: &Endpoint, answer: &Result<T, Silence>) {
        if let Err(silence @ Silence::Failed(_)) = answer {
            self.inside().silent.insert(endpoint.name.clone(), (Instant::now(), silence.clone()));
        }
    }

    /// The image, where this run had it before under any name.
    pub(super) fn image(&self, chosen: &Chosen) -> Option<FoundImage> {
        self.inside().images.get(&key(chosen)?).cloned()
    }

    pub(super) fn keep(&self, chosen: &Chosen, image: &FoundImage) {
        if let Some(key) = key(chosen) {
            self.inside().images.insert(key, image.clone());
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(chosen: &Chosen) -> Option<(String, Digest)> {
    Some((chosen.endpoint.name.clone(), chosen.here.image.id.clone()?))
}
