use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::foresight::{Foresight, config_descriptor};
use super::{Presence, Target};
use crate::job::World;
use crate::oci::{Descriptor, Digest, Repository};
use crate::port::{Content, FoundImage, ImageTree, ManifestName, RegistryError};

/// What every target tag points to now.
pub(super) async fn manifests(
    targets: impl Iterator<Item = Target>,
    world: &World,
    at_once: usize,
) -> HashMap<Target, Result<Option<Descriptor>, RegistryError>> {
    stream::iter(targets)
        .map(|target| async move {
            let name = ManifestName::Tag(target.tag.clone());
            let answer = world.reader.manifest(&target.repository, &name).await;
            (target, answer)
        })
        .buffer_unordered(at_once)
        .collect()
        .await
}

/// Which of the blobs whose digests are known are there.
pub(super) async fn blobs(
    wanted: HashSet<(Repository, Digest)>,
    world: &World,
    at_once: usize,
) -> Result<HashMap<(Repository, Digest), Presence>, RegistryError> {
    stream::iter(wanted)
        .map(|(repository, digest)| async move {
            let presence = match world.reader.blob(&repository, &digest).await {
                Ok(Some(_)) => Presence::Present,
                Ok(None) => Presence::Absent,
                // It concerns one image, whose own step will hear it again.
                Err(RegistryError::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            Ok(Some(((repository, digest), presence)))
        })
        .buffer_unordered(at_once)
        .try_filter_map(|known| async { Ok(known) })
        .try_collect()
        .await
}

/// Whether the registry has everything that refers to an image.
pub(super) async fn has_referrers(
    tree: &ImageTree,
    repository: &Repository,
    world: &World,
) -> Result<bool, RegistryError> {
    for referrer in &tree.referrers {
        let name = ManifestName::Digest(referrer.manifest.digest().clone());
        if world.reader.manifest(repository, &name).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The blobs of an image whose digests are known before anything is packed, with their sizes in bytes.
pub(super) fn known_blobs(image: &FoundImage, foresight: &Foresight) -> Vec<(Digest, u64)> {
    if let Some(tree) = foresight.exact(image) {
        let mut digests = Vec::new();
        for tree in std::iter::once(tree).chain(tree.referrers.iter().map(|referrer| &**referrer)) {
            collect(tree, &mut digests);
        }
        return digests;
    }
    let Content::Unpacked { config, layers, .. } = &image.content else { return Vec::new() };
    let config = config_descriptor(config);
    let known = layers.iter().filter_map(|layer| foresight.layer(layer));
    std::iter::once(config).chain(known).map(|blob| (blob.digest().clone(), blob.size())).collect()
}

fn collect(tree: &ImageTree, digests: &mut Vec<(Digest, u64)>) {
    digests.extend(tree.blobs.iter().map(|(blob, _)| (blob.digest().clone(), blob.size())));
    for child in &tree.children {
        collect(child, digests);
    }
}
