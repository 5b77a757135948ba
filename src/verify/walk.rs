use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::{Difference, Part, Subject, compare};
use crate::oci::{Children, Descriptor, Digest, Manifest, ManifestError, MediaType, is_foreign, sha256};
use crate::port::{HeldBlob, ManifestName, RegistryContent, RegistryError};
use crate::report::ImageError;

/// An image leads to no more manifests, and to no more configurations and layers, than this.
const MOST_MANIFESTS: usize = 10_000;
const MOST_PARTS: usize = 100_000;

/// What stands under a name, and what that leads to.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) digest: Option<Digest>,
    pub(super) media_type: Option<MediaType>,
    /// How many were read.
    pub(super) manifests: usize,
    /// Configurations and layers that have to be there.
    pub(super) parts: Vec<(Part, Descriptor)>,
    pub(super) differences: Vec<Difference>,
    /// What kept a manifest below the first from being read.
    pub(super) failure: Option<Arc<ImageError>>,
}

/// Reads the manifest under the name, and all manifests that it leads to.
///
/// # Errors
/// When the registry cannot be asked at all. What it refuses for this name is part of what is seen.
pub(super) async fn see(subject: &Subject, content: &dyn RegistryContent) -> Result<Seen, RegistryError> {
    let mut seen = Seen::default();
    match content.held_manifest(&subject.repository, &subject.name).await {
        Ok(None) => seen.differences.push(Difference::Absent),
        Ok(Some(held)) => match compare::root(&held, &subject.name, &subject.expected) {
            Ok((digest, manifest)) => {
                seen.digest = Some(digest);
                seen.media_type = Some(manifest.descriptor().media_type().clone());
                Walk { subject, content, known: HashSet::new(), open: VecDeque::new(), seen: &mut seen }
                    .from(manifest)
                    .await;
            }
            Err((digest, difference)) => {
                seen.digest = Some(digest);
                seen.differences.push(difference);
            }
        },
        Err(error @ RegistryError::Refused { .. }) => {
            seen.failure = Some(Arc::new(ImageError::Registry(error)));
        }
        Err(error) => return Err(error),
    }
    Ok(seen)
}

struct Walk<'a> {
    subject: &'a Subject,
    content: &'a dyn RegistryContent,
    known: HashSet<Digest>,
    open: VecDeque<Descriptor>,
    seen: &'a mut Seen,
}

impl Walk<'_> {
    async fn from(mut self, root: Manifest) {
        self.known.insert(root.digest().clone());
        self.open.extend(self.subject.referrers.iter().cloned());
        self.enter(&root);
        while let Some(descriptor) = self.open.pop_front() {
            if !self.known.insert(descriptor.digest().clone()) {
                continue;
            }
            if self.known.len() > MOST_MANIFESTS || self.seen.parts.len() > MOST_PARTS {
                let (digest, reason) = (root.digest().clone(), "it leads to too much".to_owned());
                self.seen.differences.push(Difference::Unreadable { digest, reason });
                return;
            }
            if let Some(manifest) = self.read(&descriptor).await {
                self.enter(&manifest);
            }
        }
    }

    /// Foreign layers are nobody's to store.
    fn enter(&mut self, manifest: &Manifest) {
        self.seen.manifests += 1;
        match manifest.children() {
            Children::Image { config, layers, .. } => {
                self.seen.parts.push((Part::Config, (**config).clone()));
                let layers = layers.iter().filter(|layer| !is_foreign(layer)).cloned();
                self.seen.parts.extend(layers.map(|layer| (Part::Layer, layer)));
            }
            Children::Index { manifests, .. } => self.open.extend(manifests.iter().cloned()),
        }
    }

    /// The manifest that is listed; why there is none is noted.
    async fn read(&mut self, descriptor: &Descriptor) -> Option<Manifest> {
        let name = ManifestName::Digest(descriptor.digest().clone());
        let difference = match self.content.held_manifest(&self.subject.repository, &name).await {
            Ok(Some(held)) => match Manifest::parse(descriptor.clone(), held.raw.clone()) {
                Ok(manifest) => return Some(manifest),
                Err(error) => unlike(descriptor, &held.raw, &error),
            },
            Ok(None) => {
                let (digest, size) = (descriptor.digest().clone(), descriptor.size());
                Difference::Missing { part: Part::Manifest, digest, size }
            }
            Err(error) => {
                self.seen.failure.get_or_insert_with(|| Arc::new(ImageError::Registry(error)));
                return None;
            }
        };
        self.seen.differences.push(difference);
        None
    }
}

fn unlike(descriptor: &Descriptor, raw: &[u8], error: &ManifestError) -> Difference {
    let digest = descriptor.digest().clone();
    match error {
        ManifestError::SizeMismatch { .. } | ManifestError::DigestMismatch { .. } => {
            let found = match error {
                ManifestError::DigestMismatch { found, .. } => found.clone(),
                _ => sha256(raw),
            };
            let found = HeldBlob { size: raw.len() as u64, digest: found };
            Difference::Damaged { part: Part::Manifest, digest, size: Some(descriptor.size()), found }
        }
        error => Difference::Unreadable { digest, reason: error.to_string() },
    }
}
