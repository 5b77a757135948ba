//! What became of one image. Told by an event as it happens, and kept in the report.

use std::sync::Arc;
use std::time::Duration;

use crate::oci::{ComposeError, Digest, MediaType, Platform};
use crate::port::{RegistryError, SourceError, SourceName};

/// Why one image was not pushed. The others go on.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The image's bytes could not be read or packed.
    #[error("could not pack layer {diff_id}")]
    Pack { diff_id: Digest, source: crate::pack::PackError },
    /// The registry lost a layer that somebody else had packed in another way.
    #[error("the registry has lost {expected}, and the layer becomes {found} here")]
    PackedOtherwise { expected: Digest, found: Digest },
    /// The layers do not make a manifest.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The source gave no image.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// What became of an image under one target.
#[derive(Debug, Clone)]
pub enum Status {
    Pushed,
    /// The registry had this manifest under this tag.
    Exists,
    /// A dry run: it would be pushed.
    Planned,
    Failed(Arc<ImageError>),
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
    /// `host/owner/name:tag`; empty when the source failed before it had a name.
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

impl ImageOutcome {
    /// Nothing is known of it but where it comes from.
    pub(crate) fn of(source: SourceName) -> Self {
        Self {
            source,
            reference: String::new(),
            digest: None,
            media_type: None,
            platforms: Vec::new(),
            status: Status::Planned,
            size: 0,
            layers: LayerCounts::default(),
            bytes_sent: 0,
            retries: 0,
            duration: Duration::ZERO,
            phases: Phases::default(),
        }
    }
}
