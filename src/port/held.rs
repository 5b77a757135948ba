use async_trait::async_trait;
use bytes::Bytes;

use super::{ManifestName, RegistryError};
use crate::event::Meter;
use crate::oci::{Descriptor, Digest, Repository};

/// A manifest as the registry gives it out. Nothing of it is checked. Of one that is longer than any
/// manifest (`JSON_LIMIT`) not all is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldManifest {
    pub raw: Bytes,
    /// What the registry calls it, where it says so.
    pub said: Option<Digest>,
}

/// What came when a blob was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBlob {
    /// In bytes. Of a blob that is longer than it should be not all is read.
    pub size: u64,
    /// Of the bytes that came.
    pub digest: Digest,
}

/// Reads back what a registry holds. Retry is inside: content that ends too early at the same byte time
/// after time is content that ends there.
#[async_trait]
pub trait RegistryContent: Send + Sync {
    /// The bytes of a manifest (GET), `None` where there is none.
    async fn held_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<HeldManifest>, RegistryError>;

    /// Reads the blob that `descriptor` names and keeps none of it, `None` where this repository does not
    /// have it. `meter` counts its bytes.
    async fn held_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        meter: &Meter,
    ) -> Result<Option<HeldBlob>, RegistryError>;
}
