//! Beside the push: deletes the versions that pushes left behind under their digests alone.
//!
//! [`look`] reads what there is and decides, [`delete`] deletes what was decided. Between the two somebody
//! may be asked, and [`Plan::still`] then holds the first look against a second one.

mod decide;
mod delete;
mod look;

use std::collections::HashMap;
use std::sync::Arc;

use crate::oci::{Digest, ManifestError, Repository};
use crate::port::RegistryError;

pub use decide::{Fate, Version, Why, decide};
pub use delete::delete;
pub use look::look;

/// Why nothing of one image is deleted: what its tags need is not known.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("`{reference}` has no manifest that can be read")]
    Manifest { reference: String, source: ManifestError },
    /// It was listed, and is not there.
    #[error("the manifest of `{reference}` is not there")]
    Vanished { reference: String },
    /// The bytes under a digest are others than it says.
    #[error("`{reference}` holds {found}")]
    Digest { reference: String, found: Digest },
}

/// An untagged version, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untagged {
    pub repository: Repository,
    pub digest: Digest,
    /// RFC 3339, in the server's own words.
    pub created: String,
    /// Bytes of its manifest, configuration and layers; of an index alone, its manifest's.
    pub size: u64,
    children: Vec<Digest>,
    blobs: Vec<(Digest, u64)>,
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Plan {
    pub doomed: Vec<Untagged>,
    pub kept: Vec<(Untagged, Why)>,
    /// Images of which nothing is deleted.
    pub failed: Vec<(Repository, Arc<PruneError>)>,
    /// Images that were looked at.
    pub images: usize,
    /// Kinds of workloads that could not be looked at.
    pub unseen: Vec<String>,
    /// Blobs that tags need, and what else stays without being listed.
    needed: Vec<(Digest, u64)>,
}

impl Plan {
    /// About how many bytes the images take that were looked at: what several of them need counts once.
    #[must_use]
    pub fn stored(&self) -> u64 {
        let untagged = self.doomed.iter().chain(self.kept.iter().map(|(version, _)| version));
        let all = untagged.flat_map(|version| &version.blobs).chain(&self.needed);
        let blobs: HashMap<&Digest, u64> = all.map(|(digest, size)| (digest, *size)).collect();
        blobs.values().fold(0, |sum, size| sum.saturating_add(*size))
    }

    /// About how many bytes nothing needs any more once all is deleted: of other owners' images, and of
    /// images that were not looked at, nothing is known.
    #[must_use]
    pub fn freed(&self) -> u64 {
        let stays = self.kept.iter().flat_map(|(version, _)| &version.blobs).chain(&self.needed);
        freed(self.doomed.iter(), stays)
    }

    /// The same without what a second look no longer finds doomed. What only the second look dooms stays.
    #[must_use]
    pub fn still(self, again: Self) -> Self {
        let is_in = |versions: &[Untagged], wanted: &Untagged| {
            versions
                .iter()
                .any(|version| version.repository == wanted.repository && version.digest == wanted.digest)
        };
        let (doomed, spared): (Vec<_>, Vec<_>) =
            again.doomed.into_iter().partition(|version| is_in(&self.doomed, version));
        let spared = spared.into_iter().flat_map(|version| version.blobs);
        let needed = again.needed.into_iter().chain(spared).collect();
        Self { doomed, needed, ..again }
    }

    /// What is told where nothing is to be deleted yet.
    #[must_use]
    pub fn report(&self) -> PruneReport {
        let planned = self.doomed.iter().map(|version| (version.clone(), Outcome::Planned));
        PruneReport {
            versions: planned.chain(self.outcomes_kept()).collect(),
            failed: self.failed.clone(),
            images: self.images,
            freed: self.freed(),
        }
    }

    fn outcomes_kept(&self) -> impl Iterator<Item = (Untagged, Outcome)> {
        self.kept.iter().map(|(version, why)| (version.clone(), Outcome::Kept(why.clone())))
    }
}

/// Bytes of the blobs that only the first name.
fn freed<'a>(
    gone: impl Iterator<Item = &'a Untagged>,
    stays: impl Iterator<Item = &'a (Digest, u64)>,
) -> u64 {
    let mut blobs: HashMap<&Digest, u64> =
        gone.flat_map(|version| &version.blobs).map(|(digest, size)| (digest, *size)).collect();
    for (digest, _) in stays {
        blobs.remove(digest);
    }
    blobs.values().fold(0, |sum, size| sum.saturating_add(*size))
}

/// What became of an untagged version.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It would be deleted.
    Planned,
    Deleted,
    /// It was to be deleted, and was not there any more.
    Gone,
    Kept(Why),
    Failed(Arc<RegistryError>),
    /// Not tried: the run was stopped, or could not go on.
    Left,
}

/// The answer of a run.
#[derive(Debug, Clone, Default)]
pub struct PruneReport {
    pub versions: Vec<(Untagged, Outcome)>,
    /// Images of which nothing was deleted, since what they need could not be read.
    pub failed: Vec<(Repository, Arc<PruneError>)>,
    pub images: usize,
    /// About how many bytes nothing needs any more, or would not. Gitea frees them when it cleans up.
    pub freed: u64,
}

#[cfg(test)]
mod tests;
