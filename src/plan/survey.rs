use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::foresight::{Foresight, config_descriptor};
use super::{Presence, Target};
use crate::content::Blob;
use crate::oci::{Descriptor, Digest, Repository};
use crate::port::{Content, FoundImage, ImageTree, ManifestName, RegistryError, RegistryReader};

/// What a target's tag points to, or why the registry does not tell: that concerns this target alone.
pub(super) type Current = Result<Option<Descriptor>, RegistryError>;

/// What every target tag points to now.
///
/// # Errors
/// The first that is no refusal, whatever else is still asked.
pub(super) async fn manifests(
    targets: impl Iterator<Item = Target>,
    reader: &dyn RegistryReader,
    at_once: usize,
) -> Result<HashMap<Target, Current>, RegistryError> {
    stream::iter(targets)
        .map(|target| async move {
            let name = ManifestName::Tag(target.tag.clone());
            match reader.manifest(&target.repository, &name).await {
                Err(error) if !is_refusal(&error) => Err(error),
                answer => Ok((target, answer)),
            }
        })
        .buffer_unordered(at_once)
        .try_collect()
        .await
}

/// Which of the blobs whose digests and sizes are known are there.
pub(super) async fn blobs(
    wanted: HashMap<(Repository, Digest), u64>,
    reader: &dyn RegistryReader,
    at_once: usize,
) -> Result<HashMap<(Repository, Digest), Presence>, RegistryError> {
    stream::iter(wanted)
        .map(|((repository, digest), size)| async move {
            let presence = match reader.blob(&repository, &digest).await {
                Ok(found) => Presence::of(found, size),
                // It concerns one image, whose own step will hear it again.
                Err(error) if is_refusal(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            Ok(Some(((repository, digest), presence)))
        })
        .buffer_unordered(at_once)
        .try_filter_map(|known| async { Ok(known) })
        .try_collect()
        .await
}

/// Which of the manifests are not known to be there.
pub(super) async fn missing(
    wanted: HashSet<(Repository, Digest)>,
    reader: &dyn RegistryReader,
    at_once: usize,
) -> Result<HashSet<(Repository, Digest)>, RegistryError> {
    stream::iter(wanted)
        .map(|(repository, digest)| async move {
            match reader.manifest(&repository, &ManifestName::Digest(digest.clone())).await {
                Ok(Some(_)) => Ok(None),
                Err(error) if !is_refusal(&error) => Err(error),
                _ => Ok(Some((repository, digest))),
            }
        })
        .buffer_unordered(at_once)
        .try_filter_map(|missing| async { Ok(missing) })
        .try_collect()
        .await
}

/// Everything that refers to an image, where it would be.
pub(super) fn referrers(
    tree: &ImageTree,
    repository: &Repository,
) -> impl Iterator<Item = (Repository, Digest)> {
    let digests = tree.referrers.iter().map(|referrer| referrer.manifest.digest().clone());
    digests.map(|digest| (repository.clone(), digest))
}

fn is_refusal(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Refused { .. })
}

/// A blob whose digest is known before anything is packed.
pub(super) struct KnownBlob {
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
    /// Whether it has neither to be packed nor exported first.
    pub(super) at_hand: bool,
}

impl From<&Descriptor> for KnownBlob {
    fn from(descriptor: &Descriptor) -> Self {
        Self { digest: descriptor.digest().clone(), size: descriptor.size(), at_hand: false }
    }
}

/// The blobs of an image whose digests are known before anything is packed.
pub(super) fn known_blobs(image: &FoundImage, foresight: &Foresight) -> Vec<KnownBlob> {
    if let Some(tree) = foresight.exact(image) {
        let mut blobs = Vec::new();
        for tree in std::iter::once(tree).chain(tree.referrers.iter().map(|referrer| &**referrer)) {
            collect(tree, &mut blobs);
        }
        return blobs;
    }
    let Content::Unpacked { config, layers, .. } = &image.content else { return Vec::new() };
    let known = layers.iter().filter_map(|layer| Some(KnownBlob::from(&foresight.layer(layer)?)));
    let config = KnownBlob { at_hand: true, ..KnownBlob::from(&config_descriptor(config)) };
    std::iter::once(config).chain(known).collect()
}

fn collect(tree: &ImageTree, blobs: &mut Vec<KnownBlob>) {
    let known = |(known, blob): &(Descriptor, Blob)| KnownBlob {
        at_hand: !blob.is_deferred(),
        ..KnownBlob::from(known)
    };
    blobs.extend(tree.blobs.iter().map(known));
    for child in &tree.children {
        collect(child, blobs);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use async_trait::async_trait;
    use bytes::Bytes;
    use tokio::sync::Barrier;

    use super::*;
    use crate::oci::{Tag, sha256};
    use crate::plan::RegistryHost;
    use crate::port::{Document, TagLister};

    /// Fails the first question, and never answers the others.
    #[derive(Default)]
    struct Broken(AtomicBool);

    impl Broken {
        async fn answer<T>(&self) -> Result<T, RegistryError> {
            if self.0.swap(true, Ordering::Relaxed) {
                return pending().await;
            }
            Err(RegistryError::Cancelled)
        }
    }

    #[async_trait]
    impl TagLister for Broken {
        async fn tags(&self, _: &Repository) -> Vec<Tag> {
            pending().await
        }
    }

    #[async_trait]
    impl RegistryReader for Broken {
        async fn manifest(&self, _: &Repository, _: &ManifestName) -> Current {
            self.answer().await
        }

        async fn blob(&self, _: &Repository, _: &Digest) -> Result<Option<u64>, RegistryError> {
            self.answer().await
        }

        async fn document(
            &self,
            _: &Repository,
            _: Document,
            _: &Descriptor,
        ) -> Result<Option<Bytes>, RegistryError> {
            pending().await
        }

        fn best_unasked(&self, _: u64) -> bool {
            false
        }
    }

    fn repository() -> Repository {
        "o/web".parse().unwrap()
    }

    fn digests() -> HashSet<(Repository, Digest)> {
        ["a", "b", "c"].map(|text| (repository(), sha256(text.as_bytes()))).into()
    }

    #[tokio::test]
    async fn the_first_error_that_ends_the_run_is_not_kept_back_by_other_answers() {
        let target = |tag: &str| Target {
            registry: RegistryHost("r".into()),
            repository: repository(),
            tag: tag.parse().unwrap(),
        };
        let targets = ["1", "2", "3"].map(target).into_iter();
        assert!(manifests(targets, &Broken::default(), 3).await.is_err());
        let sized = digests().into_iter().map(|known| (known, 1)).collect();
        assert!(blobs(sized, &Broken::default(), 3).await.is_err());
        assert!(missing(digests(), &Broken::default(), 3).await.is_err());
    }

    /// Answers when it was asked three questions at once: one yes, one no, and one refusal.
    struct Together {
        all: Barrier,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl TagLister for Together {
        async fn tags(&self, _: &Repository) -> Vec<Tag> {
            pending().await
        }
    }

    #[async_trait]
    impl RegistryReader for Together {
        async fn manifest(&self, _: &Repository, name: &ManifestName) -> Current {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed);
            self.all.wait().await;
            match (turn, name) {
                (0, ManifestName::Digest(digest)) => Ok(Some(Descriptor::new("x".into(), 1, digest.clone()))),
                (1, _) => Ok(None),
                _ => Err(RegistryError::Refused {
                    refusal: crate::port::Refusal::Denied,
                    status: 403,
                    subject: "x".into(),
                    message: String::new(),
                }),
            }
        }

        async fn blob(&self, _: &Repository, _: &Digest) -> Result<Option<u64>, RegistryError> {
            pending().await
        }

        async fn document(
            &self,
            _: &Repository,
            _: Document,
            _: &Descriptor,
        ) -> Result<Option<Bytes>, RegistryError> {
            pending().await
        }

        fn best_unasked(&self, _: u64) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn manifests_are_asked_for_together_and_those_that_are_denied_are_missing() {
        let reader = Together { all: Barrier::new(3), asked: AtomicUsize::new(0) };
        let missing = missing(digests(), &reader, 3).await.unwrap();
        assert_eq!(missing.len(), 2);
    }
}
