use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::walk::Seen;
use super::{Check, Depth, Subject};
use crate::event::{BlobOutcome, Event, Events, Meter};
use crate::job::World;
use crate::oci::{Descriptor, Digest, Repository};
use crate::port::{HeldBlob, RegistryError};
use crate::report::ImageError;

/// One blob of one repository, and the size that it should have.
pub(super) type BlobKey = (Repository, Digest, u64);

pub(super) type BlobState = Result<Held, Arc<ImageError>>;

/// How a blob stands in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    Whole,
    Missing,
    Damaged(HeldBlob),
}

pub(super) fn key(repository: &Repository, descriptor: &Descriptor) -> BlobKey {
    (repository.clone(), descriptor.digest().clone(), descriptor.size())
}

/// Looks at the blobs of all images, each once.
pub(super) async fn all(
    subjects: &[Subject],
    seen: &[Seen],
    check: &Check,
    world: &World,
    (at_once, events): (usize, &Events),
) -> HashMap<BlobKey, BlobState> {
    let mut known = HashSet::new();
    let parts = subjects.iter().zip(seen).flat_map(|(subject, seen)| {
        seen.parts.iter().map(|(_, descriptor)| (&subject.repository, descriptor))
    });
    let wanted: Vec<_> = parts.filter(|(repository, blob)| known.insert(key(repository, blob))).collect();
    stream::iter(wanted)
        .map(|(repository, descriptor)| async move {
            let state = one(repository, descriptor, check, world, events).await;
            (key(repository, descriptor), state.map_err(|error| Arc::new(ImageError::Registry(error))))
        })
        .buffer_unordered(at_once)
        .collect()
        .await
}

/// A registry that denies a blob, or gives it another size, is asked for its bytes before it is believed:
/// some answer HEAD with less than they know.
async fn one(
    repository: &Repository,
    descriptor: &Descriptor,
    check: &Check,
    world: &World,
    events: &Events,
) -> Result<Held, RegistryError> {
    if check.depth == Depth::Sizes
        && world.reader.blob(repository, descriptor.digest()).await? == Some(descriptor.size())
    {
        return Ok(Held::Whole);
    }
    let (digest, size, meter) = (descriptor.digest().clone(), descriptor.size(), Meter::default());
    let tell = |event| {
        if check.depth == Depth::Digests {
            events.emit(event);
        }
    };
    tell(Event::BlobStarted { digest: digest.clone(), size, meter: meter.clone() });
    let held = match check.content.held_blob(repository, descriptor, &meter).await {
        Ok(Some(held)) if held.size == size && held.digest == digest => Ok(Held::Whole),
        Ok(Some(held)) => Ok(Held::Damaged(held)),
        Ok(None) => Ok(Held::Missing),
        Err(error) => Err(error),
    };
    tell(match held {
        Ok(Held::Whole) => Event::BlobFinished { digest, size, outcome: BlobOutcome::Read },
        _ => Event::BlobFailed { digest },
    });
    held
}
