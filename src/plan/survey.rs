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

/// The blobs of an image whose digests are known before anything is packed.
pub(super) fn known_digests(image: &FoundImage, foresight: &Foresight) -> Vec<Digest> {
    if let Some(tree) = foresight.exact(image) {
        let mut digests = Vec::new();
        for tree in std::iter::once(tree).chain(tree.referrers.iter().map(|referrer| &**referrer)) {
            collect(tree, &mut digests);
        }
        return digests;
    }
    let Content::Unpacked { config, layers, .. } = &image.content else { return Vec::new() };
    let mut digests = vec![config_descriptor(config).digest().clone()];
    digests.extend(layers.iter().filter_map(|layer| Some(foresight.layer(layer)?.digest().clone())));
    digests
}

fn collect(tree: &ImageTree, digests: &mut Vec<Digest>) {
    digests.extend(tree.blobs.iter().map(|(descriptor, _)| descriptor.digest().clone()));
    for child in &tree.children {
        collect(child, digests);
    }
}
