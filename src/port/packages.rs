use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;

use super::{ManifestName, RegistryError};
use crate::oci::{Digest, Repository};

/// Which images are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// All images of an owner, or those of one that begin with a path.
    Below(Repository),
    /// One image, `owner/name`.
    One(Repository),
}

/// One version of an image, as the registry lists it: a tag, or a manifest by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageVersion {
    pub repository: Repository,
    pub name: ManifestName,
    /// Grows with every version that is made, so that the larger one is the newer one.
    pub number: u64,
    /// RFC 3339, in the server's own words.
    pub created: String,
}

/// What became of a version that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Deleted,
    /// It was not there any more.
    Gone,
}

/// The versions that a registry keeps. Deleting one by its digest leaves every tag in place, also one that
/// came to point to it meanwhile.
#[async_trait]
pub trait Packages: Send + Sync {
    /// Every version of the images, or an error: a list with gaps would make tagged images look untagged.
    async fn versions(&self, images: &Images) -> Result<Vec<PackageVersion>, RegistryError>;

    /// The manifest's bytes, `None` where there is none.
    async fn manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Bytes>, RegistryError>;

    async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<Removed, RegistryError>;
}

/// What the workloads of a cluster run, by the digests of their images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InUse {
    /// Digest of a manifest, or of an image's configuration, and the first workload that names it.
    pub digests: HashMap<Digest, String>,
    /// Kinds of workloads that could not be looked at.
    pub unseen: Vec<String>,
}
