use bytes::Bytes;
use oci_spec::image::{Descriptor, ImageManifestBuilder, MediaType, SCHEMA_VERSION};

use super::Manifest;

/// Why parts do not make a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not make a manifest: {reason}")]
pub struct ComposeError {
    pub reason: String,
}

/// An OCI image manifest of a configuration and its layers, always in the same bytes.
///
/// # Errors
/// When the parts do not fit a manifest.
pub fn compose(config: Descriptor, layers: Vec<Descriptor>) -> Result<Manifest, ComposeError> {
    let failed = |reason: String| ComposeError { reason };
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let raw = serde_json::to_vec(&manifest).map_err(|error| failed(error.to_string()))?;
    Manifest::from_bytes(Bytes::from(raw)).map_err(|error| failed(error.to_string()))
}
