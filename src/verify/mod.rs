//! Beside the push: whether the registry holds what it should, read back from the registry itself.
//!
//! A tag is compared with its source: by the manifest where that is known, else, for layers that a push
//! packs, by the configuration, which names them unpacked. Then everything that the manifest leads to is
//! asked for, and with [`Depth::Digests`] read.

mod blobs;
mod compare;
mod report;
mod walk;

use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::discover::discover;
use crate::event::Events;
use crate::job::{Job, RunError, World};
use crate::oci::{Descriptor, Digest, Repository, Tag};
use crate::plan::{self, DOCKER_HUB, PlanError, RegistryHost};
use crate::port::{Content, FoundImage, ManifestName, RegistryContent, RegistryError, SourceName};

pub use report::{Checked, Difference, Part, Standing, Verified, VerifyReport};

use walk::Seen;

/// How far it is looked into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// Manifests are read, of everything else the size is asked for.
    #[default]
    Sizes,
    /// Every byte is read and hashed.
    Digests,
}

/// An image that is named in the registry itself, without a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldReference {
    pub registry: RegistryHost,
    pub repository: Repository,
    pub name: ManifestName,
    /// What the name has to stand for, where that was said, too.
    pub digest: Option<Digest>,
}

/// What is looked at besides the images of the sources, how far, and by whom it is read.
#[derive(Clone)]
pub struct Check {
    pub references: Vec<HeldReference>,
    pub depth: Depth,
    pub content: Arc<dyn RegistryContent>,
}

/// What a manifest should be.
enum Expected {
    Manifest(Digest),
    /// An image whose layers the registry may have in any packed form.
    Config {
        digest: Digest,
        layers: usize,
    },
    Anything,
}

/// One name in the registry, and what should stand there.
struct Subject {
    source: Option<SourceName>,
    /// `host/owner/name:tag`, or `host/owner/name@digest` for what has no other name.
    reference: String,
    repository: Repository,
    name: ManifestName,
    expected: Expected,
    /// Manifests that refer to the image, which should be there, too.
    referrers: Vec<Descriptor>,
}

/// Looks at the images of all sources under their targets, and at the references of `check`.
///
/// # Errors
/// As `plan`, for runs that cannot go on. What is different is a value in the report.
pub async fn verify(
    check: &Check,
    job: &Job,
    world: &World,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<VerifyReport, RunError> {
    let began = Instant::now();
    let found = tokio::select! {
        found = discover(job, world, events) => found?,
        () = cancel.cancelled() => return Err(RunError::Cancelled),
    };
    let subjects = subjects(found.images, &check.references, job, events)?;
    let jobs = job.limits.jobs.get();
    let seen = stream::iter(&subjects).map(|subject| walk::see(subject, &*check.content)).buffered(jobs);
    let seen: Vec<Seen> =
        seen.collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>().map_err(fatal)?;
    let states = blobs::all(&subjects, &seen, check, world, (jobs, events)).await;
    Ok(VerifyReport::new(subjects, seen, &states).with_failed_sources(found.failed).lasting(began.elapsed()))
}

fn fatal(error: RegistryError) -> RunError {
    PlanError::Registry(error).into()
}

fn subjects(
    images: Vec<FoundImage>,
    references: &[HeldReference],
    job: &Job,
    events: &Events,
) -> Result<Vec<Subject>, PlanError> {
    let addressed = plan::address(images, job, events)?;
    let of_sources = addressed.into_iter().map(|one| {
        let (expected, referrers) = expected(&one.image.content);
        Subject {
            reference: one.target.to_string(),
            source: Some(one.image.source),
            repository: one.target.repository,
            name: ManifestName::Tag(one.target.tag),
            expected,
            referrers,
        }
    });
    Ok(of_sources.chain(references.iter().map(Subject::held)).collect())
}

fn expected(content: &Content) -> (Expected, Vec<Descriptor>) {
    match content {
        Content::Exact(tree) => {
            let referrers = tree.referrers.iter().map(|referrer| referrer.manifest.descriptor().clone());
            (Expected::Manifest(tree.manifest.digest().clone()), referrers.collect())
        }
        Content::Unpacked { config, layers, .. } => {
            let digest = crate::oci::sha256(config);
            (Expected::Config { digest, layers: layers.len() }, Vec::new())
        }
    }
}

impl Subject {
    fn held(held: &HeldReference) -> Self {
        let HeldReference { registry, repository, name, digest } = held;
        let (tag, named) = match name {
            ManifestName::Tag(tag) => (format!(":{tag}"), None),
            ManifestName::Digest(digest) => (format!("@{digest}"), Some(digest.clone())),
        };
        Self {
            source: None,
            reference: format!("{}/{repository}{tag}", registry.0),
            repository: repository.clone(),
            name: name.clone(),
            expected: named.or_else(|| digest.clone()).map_or(Expected::Anything, Expected::Manifest),
            referrers: Vec::new(),
        }
    }
}

impl HeldReference {
    /// Reads a word that names an image of `registry`: `host/owner/name[:TAG][@DIGEST]`. `None` for a word
    /// that names something else.
    #[must_use]
    pub fn read(word: &str, registry: &RegistryHost) -> Option<Self> {
        let path = word.strip_prefix(&registry.0)?.strip_prefix('/')?;
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest.parse::<Digest>().ok()?)),
            None => (path, None),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse::<Tag>().ok()?)),
            None => (path, None),
        };
        let is_official = registry.0 == DOCKER_HUB && !repository.contains('/');
        let repository = format!("{}{repository}", if is_official { "library/" } else { "" });
        let (name, digest) = match (tag, digest) {
            (Some(tag), digest) => (ManifestName::Tag(tag), digest),
            (None, Some(digest)) => (ManifestName::Digest(digest), None),
            (None, None) => (ManifestName::Tag(Tag::latest()), None),
        };
        Some(Self { registry: registry.clone(), repository: repository.parse().ok()?, name, digest })
    }
}

#[cfg(test)]
mod tests;
