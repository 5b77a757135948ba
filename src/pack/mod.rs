//! Bytes in, packed bytes out.

use crate::content::ContentError;
use crate::oci::Digest;

/// Why a layer could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("layer has digest {found}, the image says {expected}")]
    DiffIdMismatch { expected: Digest, found: Digest },
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Digest(#[from] crate::oci::UnsupportedDigest),
}
