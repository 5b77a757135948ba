use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Fate, Plan, PruneError, Untagged, Version, decide};
use crate::oci::{Children, Digest, Manifest, Repository};
use crate::port::{
    Images, InUse, ManifestName, NetworkFault, PackageVersion, Packages, Refusal, RegistryError,
};

/// Manifests that are read at once.
const AT_ONCE: usize = 4;

/// Lists the versions, reads their manifests, and decides. Writes nothing.
///
/// # Errors
/// When the versions cannot be listed, or the login fails. An image whose manifests cannot be read is a
/// value in the plan, and nothing of it is deleted.
pub async fn look(
    packages: &dyn Packages,
    wanted: &Images,
    keep: usize,
    in_use: &InUse,
) -> Result<Plan, RegistryError> {
    let mut images: BTreeMap<Repository, Vec<PackageVersion>> = BTreeMap::new();
    for version in packages.versions(wanted).await? {
        images.entry(version.repository.clone()).or_default().push(version);
    }
    let mut plan = Plan { images: images.len(), unseen: in_use.unseen.clone(), ..Plan::default() };
    for (repository, versions) in images {
        match read(packages, versions).await {
            Ok(read) => sort(&mut plan, read, keep, in_use),
            Err(PruneError::Registry(error)) if concerns_all(&error) => return Err(error),
            Err(error) => plan.failed.push((repository, Arc::new(error))),
        }
    }
    Ok(plan)
}

/// Whether the next image would fail of the same.
pub(super) fn concerns_all(error: &RegistryError) -> bool {
    match error {
        RegistryError::Refused { refusal, .. } => *refusal == Refusal::Denied,
        // Not understood: a manifest that is too large, for instance.
        RegistryError::Network { source: NetworkFault::Answer { .. }, .. } => false,
        RegistryError::Unauthorized { .. }
        | RegistryError::Realm { .. }
        | RegistryError::Network { .. }
        | RegistryError::Exhausted { .. }
        | RegistryError::Keychain(_)
        | RegistryError::Cancelled => true,
        _ => false,
    }
}

/// A version with what its manifest says.
struct Read {
    listed: PackageVersion,
    version: Version,
    blobs: Vec<(Digest, u64)>,
}

async fn read(packages: &dyn Packages, versions: Vec<PackageVersion>) -> Result<Vec<Read>, PruneError> {
    stream::iter(versions).map(|listed| read_one(packages, listed)).buffered(AT_ONCE).try_collect().await
}

async fn read_one(packages: &dyn Packages, listed: PackageVersion) -> Result<Read, PruneError> {
    let reference = || match &listed.name {
        ManifestName::Tag(tag) => format!("{}:{tag}", listed.repository),
        ManifestName::Digest(digest) => format!("{}@{digest}", listed.repository),
    };
    let bytes = packages.manifest(&listed.repository, &listed.name).await?;
    let bytes = bytes.ok_or_else(|| PruneError::Vanished { reference: reference() })?;
    let manifest = Manifest::from_bytes(bytes)
        .map_err(|source| PruneError::Manifest { reference: reference(), source })?;
    let found = manifest.digest();
    if matches!(&listed.name, ManifestName::Digest(digest) if digest != found) {
        return Err(PruneError::Digest { reference: reference(), found: found.clone() });
    }
    let (version, blobs) = described(&listed, &manifest);
    Ok(Read { listed, version, blobs })
}

fn described(listed: &PackageVersion, manifest: &Manifest) -> (Version, Vec<(Digest, u64)>) {
    let own = manifest.descriptor();
    let mut blobs = vec![(own.digest().clone(), own.size())];
    let (mut children, mut config) = (Vec::new(), None);
    match manifest.children() {
        Children::Image { config: of, layers, .. } => {
            let named = std::iter::once(&**of).chain(layers);
            blobs.extend(named.map(|blob| (blob.digest().clone(), blob.size())));
            config = Some(of.digest().clone());
        }
        Children::Index { manifests, .. } => {
            children = manifests.iter().map(|child| child.digest().clone()).collect();
        }
    }
    let version = Version {
        name: listed.name.clone(),
        number: listed.number,
        digest: own.digest().clone(),
        children,
        subject: manifest.subject().map(|subject| subject.digest().clone()),
        config,
    };
    (version, blobs)
}

fn sort(plan: &mut Plan, read: Vec<Read>, keep: usize, in_use: &InUse) {
    let versions: Vec<Version> = read.iter().map(|read| read.version.clone()).collect();
    for (read, fate) in read.into_iter().zip(decide(&versions, keep, in_use)) {
        let Read { listed, version, blobs } = read;
        if matches!(listed.name, ManifestName::Tag(_)) {
            plan.needed.extend(blobs);
            continue;
        }
        let untagged = Untagged {
            repository: listed.repository,
            digest: version.digest,
            created: listed.created,
            size: blobs.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size)),
            children: version.children,
            blobs,
        };
        match fate {
            Fate::Delete => plan.doomed.push(untagged),
            Fate::Keep(why) => plan.kept.push((untagged, why)),
        }
    }
}
