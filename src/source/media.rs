use crate::oci::{Descriptor, MediaType};

const ATTESTATION: &str = "vnd.docker.reference.type";

/// Whether an entry of an index is an attestation of buildkit.
pub(super) fn is_attestation(entry: &Descriptor) -> bool {
    let annotated = entry.annotations().as_ref().is_some_and(|all| all.contains_key(ATTESTATION));
    annotated || entry.platform().as_ref().is_some_and(|platform| platform.os().to_string() == "unknown")
}

/// Whether a media type is that of a manifest or an index, of the spec or of Docker.
pub(super) fn is_manifest(media_type: &MediaType) -> bool {
    matches!(media_type, MediaType::ImageManifest | MediaType::ImageIndex)
        || matches!(
            media_type.as_ref(),
            "application/vnd.docker.distribution.manifest.v2+json"
                | "application/vnd.docker.distribution.manifest.list.v2+json"
        )
}

/// Whether a media type is that of Docker's first manifests.
pub(super) fn is_schema_1(media_type: &MediaType) -> bool {
    media_type.as_ref().contains("docker.distribution.manifest.v1")
}

/// Whether a configuration is that of an image that runs.
pub(super) fn is_image_config(media_type: &MediaType) -> bool {
    matches!(media_type, MediaType::ImageConfig)
        || media_type.as_ref() == "application/vnd.docker.container.image.v1+json"
}

/// Whether a media type is that of a layer as it is unpacked, of the spec or of Docker.
pub(super) fn is_plain_tar(media_type: &MediaType) -> bool {
    matches!(media_type, MediaType::ImageLayer)
        || media_type.as_ref() == "application/vnd.docker.image.rootfs.diff.tar"
}
