//! Step 4: what became of each image.

use std::time::Duration;

use crate::oci::{Digest, MediaType, Platform};
use crate::plan::PlanError;
use crate::port::{RegistryError, SourceName};

/// Why one image was not pushed. The others go on.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The image's bytes could not be read or packed.
    #[error("could not pack layer {diff_id}")]
    Pack { diff_id: Digest, source: crate::pack::PackError },
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// What became of an image under one target.
#[derive(Debug, Clone)]
pub enum Status {
    Pushed,
    /// The registry had this manifest under this tag.
    Exists,
    /// A dry run: it would be pushed.
    Planned,
    Failed(std::sync::Arc<ImageError>),
    Cancelled,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerCounts {
    pub total: usize,
    pub uploaded: usize,
    pub existing: usize,
    pub mounted: usize,
}

/// How long the parts took, added up over everything that the image waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    pub pack: Duration,
    pub upload: Duration,
    pub manifest: Duration,
}

/// One image and target tag.
#[derive(Debug, Clone)]
pub struct ImageOutcome {
    pub source: SourceName,
    /// `host/owner/name:tag`
    pub reference: String,
    /// Of the manifest; absent when it was not known, as for a plan whose layers are not packed.
    pub digest: Option<Digest>,
    pub media_type: Option<MediaType>,
    pub platforms: Vec<Platform>,
    pub status: Status,
    /// Bytes of all blobs and manifests, as far as they are known.
    pub size: u64,
    pub layers: LayerCounts,
    pub bytes_sent: u64,
    pub retries: u64,
    pub duration: Duration,
    pub phases: Phases,
}

/// The answer of a run.
#[derive(Debug, Clone, Default)]
pub struct PushReport {
    pub images: Vec<ImageOutcome>,
    pub bytes_sent: u64,
    pub duration: Duration,
}

/// The run as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All pushed, present already, or planned.
    Done,
    SomeFailed,
    Cancelled,
}

impl PushReport {
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.images.iter().any(|image| matches!(image.status, Status::Cancelled)) {
            return Verdict::Cancelled;
        }
        if self.images.iter().any(|image| matches!(image.status, Status::Failed(_))) {
            return Verdict::SomeFailed;
        }
        Verdict::Done
    }

    /// The errors of all images that failed, in the order of the report.
    pub fn errors(&self) -> impl Iterator<Item = (&ImageOutcome, &ImageError)> {
        self.images.iter().filter_map(|image| match &image.status {
            Status::Failed(error) => Some((image, &**error)),
            _ => None,
        })
    }
}
