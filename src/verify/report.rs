use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::blobs::{BlobKey, BlobState};
use super::walk::Seen;
use super::{Subject, blobs};
use crate::oci::{Digest, MediaType};
use crate::port::{HeldBlob, RegistryError, SourceError, SourceName};
use crate::report::ImageError;

/// What something in the registry is to its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Manifest,
    Config,
    Layer,
}

/// One thing that is not as it should be. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Nothing stands under the name.
    Absent,
    /// Another image stands there: its manifest or its configuration is another one. What was found is no
    /// single image where it has no configuration.
    Other {
        part: Part,
        expected: Digest,
        found: Option<Digest>,
    },
    Missing {
        part: Part,
        digest: Digest,
        size: u64,
    },
    /// What comes is not what its digest says. `size` is what it should be, where that is known.
    Damaged {
        part: Part,
        digest: Digest,
        size: Option<u64>,
        found: HeldBlob,
    },
    /// Its bytes are those of its digest, and make no image.
    Unreadable {
        digest: Digest,
        reason: String,
    },
}

/// How an image stands in the registry.
#[derive(Debug, Clone)]
pub enum Standing {
    Same,
    Missing,
    /// The name stands for another image.
    Different,
    Damaged,
    /// It could not be found out.
    Failed(Arc<ImageError>),
    Cancelled,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    pub manifests: usize,
    pub blobs: usize,
    /// Bytes that they should have in all.
    pub bytes: u64,
}

/// One image and name.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Absent for what was named in the registry itself.
    pub source: Option<SourceName>,
    /// `host/owner/name:tag`, or `host/owner/name@digest` for what was named so; empty when the source failed
    /// before it had a name.
    pub reference: String,
    /// What stands under the name; absent where nothing does.
    pub digest: Option<Digest>,
    pub media_type: Option<MediaType>,
    pub standing: Standing,
    pub differences: Vec<Difference>,
    pub checked: Checked,
}

/// The answer of a verification.
#[derive(Debug, Clone, Default)]
pub struct VerifyReport {
    pub images: Vec<Verified>,
    pub duration: Duration,
}

impl Verified {
    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.source, self.reference.as_str()) {
            (Some(source), "") => source.to_string(),
            _ => self.reference.clone(),
        }
    }
}

impl VerifyReport {
    pub(super) fn new(subjects: Vec<Subject>, seen: Vec<Seen>, states: &HashMap<BlobKey, BlobState>) -> Self {
        let images = subjects.into_iter().zip(seen).map(|(subject, seen)| verified(subject, seen, states));
        Self { images: images.collect(), ..Self::default() }
    }

    pub(super) fn with_failed_sources(mut self, failed: Vec<(SourceName, SourceError)>) -> Self {
        self.images.extend(failed.into_iter().map(|(source, error)| Verified {
            source: Some(source),
            reference: String::new(),
            digest: None,
            media_type: None,
            standing: Standing::Failed(Arc::new(ImageError::Source(error))),
            differences: Vec::new(),
            checked: Checked::default(),
        }));
        self
    }

    pub(super) fn lasting(self, duration: Duration) -> Self {
        Self { duration, ..self }
    }
}

fn verified(subject: Subject, seen: Seen, states: &HashMap<BlobKey, BlobState>) -> Verified {
    let Seen { digest: root, media_type, manifests, parts, mut differences, mut failure } = seen;
    let mut checked = Checked { manifests, ..Checked::default() };
    for (part, descriptor) in parts {
        checked.blobs += 1;
        checked.bytes = checked.bytes.saturating_add(descriptor.size());
        let (digest, size) = (descriptor.digest().clone(), descriptor.size());
        match states.get(&blobs::key(&subject.repository, &descriptor)) {
            Some(Ok(blobs::Held::Whole)) | None => {}
            Some(Ok(blobs::Held::Missing)) => differences.push(Difference::Missing { part, digest, size }),
            Some(Ok(blobs::Held::Damaged(found))) => {
                let (size, found) = (Some(size), found.clone());
                differences.push(Difference::Damaged { part, digest, size, found });
            }
            Some(Err(error)) => failure = failure.or_else(|| Some(Arc::clone(error))),
        }
    }
    Verified {
        source: subject.source,
        reference: subject.reference,
        digest: root,
        media_type,
        standing: standing(&differences, failure),
        differences,
        checked,
    }
}

/// What was found counts before what could not be found out.
fn standing(differences: &[Difference], failure: Option<Arc<ImageError>>) -> Standing {
    let any = |of: fn(&Difference) -> bool| differences.iter().any(of);
    if any(|difference| matches!(difference, Difference::Other { .. })) {
        return Standing::Different;
    }
    if any(|difference| matches!(difference, Difference::Damaged { .. } | Difference::Unreadable { .. })) {
        return Standing::Damaged;
    }
    match failure {
        _ if !differences.is_empty() => Standing::Missing,
        None => Standing::Same,
        Some(error) => match &*error {
            ImageError::Registry(RegistryError::Cancelled) => Standing::Cancelled,
            _ => Standing::Failed(error),
        },
    }
}
