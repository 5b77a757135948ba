use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::content::{Blob, ContentError};
use crate::event::Events;
use crate::oci::{Descriptor, Digest, JsonError, Manifest, ManifestError, Platform, Tag};

pub use crate::pack::Encoding;

/// A layer that has no descriptor yet.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Digest of the unpacked bytes, from the configuration.
    pub diff_id: Digest,
    pub encoding: Encoding,
    pub blob: Blob,
}

/// A manifest with everything that it needs: pushed children first, byte for byte.
#[derive(Debug, Clone)]
pub struct ImageTree {
    pub manifest: Manifest,
    /// Configuration and layers of an image manifest that are present; a foreign layer may be absent.
    pub blobs: Vec<(Descriptor, Blob)>,
    /// Manifests of an index.
    pub children: Vec<Arc<ImageTree>>,
    /// At the root alone: what the source has besides that refers to this image or to a part of it by
    /// `subject`, such as signatures. Each stands behind its subject.
    pub referrers: Vec<Arc<ImageTree>>,
}

impl ImageTree {
    /// The same tree with those of `referrers` that refer to it or to one another.
    #[must_use]
    pub fn referred_by(self: Arc<Self>, referrers: &[Arc<Self>]) -> Arc<Self> {
        let referrers = Self::referring([&*self], referrers);
        if referrers.is_empty() && self.referrers.is_empty() {
            return self;
        }
        Arc::new(Self { referrers, ..Self::clone(&self) })
    }

    /// Those that refer to a part of the trees, or to one that does; each behind its subject.
    pub fn referring<'a>(
        trees: impl IntoIterator<Item = &'a Self>,
        among: &'a [Arc<Self>],
    ) -> Vec<Arc<Self>> {
        if among.is_empty() {
            return Vec::new();
        }
        let mut by_subject: HashMap<&Digest, Vec<&Arc<Self>>> = HashMap::new();
        for referrer in among {
            if let Some(subject) = referrer.manifest.subject() {
                by_subject.entry(subject.digest()).or_default().push(referrer);
            }
        }
        let (mut seen, mut open) = (HashSet::new(), VecDeque::new());
        for tree in trees {
            tree.parts(&mut seen, &mut open);
        }
        let mut found = Vec::new();
        while let Some(part) = open.pop_front() {
            for referrer in by_subject.remove(part).unwrap_or_default() {
                referrer.parts(&mut seen, &mut open);
                found.push(Arc::clone(referrer));
            }
        }
        found
    }

    /// Adds the digests of all manifests of the tree that are not seen yet.
    fn parts<'a>(&'a self, seen: &mut HashSet<&'a Digest>, open: &mut VecDeque<&'a Digest>) {
        if seen.insert(self.manifest.digest()) {
            open.push_back(self.manifest.digest());
            for child in &self.children {
                child.parts(seen, open);
            }
        }
    }
}

/// What an image is made of.
#[derive(Debug, Clone)]
pub enum Content {
    /// Goes up byte for byte; all digests are known.
    Exact(Arc<ImageTree>),
    /// A `docker save` image: the configuration and its layers, to be packed into an OCI manifest.
    Unpacked {
        config: Bytes,
        layers: Vec<Layer>,
        /// The same image byte for byte with its uncompressed layers, where the source has it so.
        exact: Option<Arc<ImageTree>>,
    },
}

/// A name that a source gives its image; naming turns it into a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Suggested {
    /// A whole reference as the source has it: `myapp:dev`, `docker.io/library/nginx:1.27`.
    Reference(String),
    /// A tag alone (`org.opencontainers.image.ref.name` of docker); the name is the fallback.
    Tag(Tag),
}

/// What a source is called in messages and the report: `docker-archive:app.tar:myapp:dev`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(pub String);

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One image that a source has.
#[derive(Debug, Clone)]
pub struct FoundImage {
    pub source: SourceName,
    /// The names that the source gives it, best first; all of them become targets.
    pub suggested: Vec<Suggested>,
    /// The name when there is none: the file's or folder's stem, already without suffixes. Empty where
    /// the source has nothing to be named after.
    pub fallback: String,
    pub content: Content,
    /// Platforms present, from configuration or index; attestations are left out.
    pub platforms: Vec<Platform>,
    /// What the user should know: an index that lacks platforms, foreign layers, ignored names.
    pub notes: Vec<String>,
}

/// An image that was looked at and not read: what a list says of it.
#[derive(Debug, Clone)]
pub struct Outline {
    pub source: SourceName,
    /// As of a `FoundImage`, and so is the fallback.
    pub suggested: Vec<Suggested>,
    pub fallback: String,
    pub platforms: Vec<Platform>,
    pub notes: Vec<String>,
    /// Bytes, as its place counts them; absent where it does not.
    pub size: Option<u64>,
    /// Absent where not all of them are known.
    pub layers: Option<usize>,
}

/// Something that was looked at and is no image, or cannot be pushed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub path: PathBuf,
    pub reason: String,
}

/// What a source had.
#[derive(Debug, Default)]
pub struct Found {
    pub images: Vec<FoundImage>,
    /// Where images that were never read are not to be read.
    pub outlines: Vec<Outline>,
    pub skipped: Vec<Skipped>,
    /// What it names and cannot give. The rest goes on.
    pub failed: Vec<(SourceName, SourceError)>,
}

/// A place where images are.
#[async_trait]
pub trait Source: Send + Sync {
    /// What it is called in messages and in the report.
    fn name(&self) -> SourceName;

    /// Finds its images without extracting anything.
    ///
    /// # Errors
    /// When a source that was named is not there or is damaged. Faults of single files below a
    /// searched folder are `Skipped`.
    async fn find(&self, events: &Events) -> Result<Found, SourceError>;
}

/// Why what is compressed cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    #[error("its {codec} content ends too early")]
    Truncated { codec: &'static str },
    #[error("its {codec} content is damaged: {reason}")]
    Corrupt { codec: &'static str, reason: String },
    /// `limit` in bytes.
    #[error("its {codec} content needs a window or dictionary of more than {} MiB", limit >> 20)]
    Memory { codec: &'static str, limit: u64 },
    #[error("its {codec} content has more than {limit} empty parts in a row")]
    Empty { codec: &'static str, limit: usize },
}

/// An engine that has an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnginePlace {
    /// What names the image there: `podman:myapp:dev`.
    pub source: String,
    /// `unix:///run/podman/podman.sock`, `docker context colima`.
    pub engine: String,
    /// The first 12 digits of the image's id, and when it was made; empty where the engine does not say.
    pub id: String,
    pub created: String,
}

/// Why a source has no image to give.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("`{}` does not exist", path.display())]
    NotFound { path: PathBuf, near: Vec<String> },
    #[error("could not read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` holds no image: {reason}", path.display())]
    NotAnImage { path: PathBuf, reason: String },
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    /// A blob of a layout, whose place is outside of it. `name` is the blob's in the layout.
    #[error("`{name}` of `{}` links out of it, to `{target}`", path.display())]
    LinksOut { path: PathBuf, name: String, target: String },
    #[error("`{}`: {entry}", path.display())]
    Json { path: PathBuf, entry: String, source: JsonError },
    #[error("`{}`: {entry}", path.display())]
    Manifest { path: PathBuf, entry: String, source: ManifestError },
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("could not unpack `{}`", path.display())]
    Unpack { path: PathBuf, source: UnpackError },
    /// Of what is spooled, `limit` in bytes.
    #[error("`{}` holds more than {} GiB", path.display(), limit >> 30)]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("`{}` has no image named `{name}`", path.display())]
    NameNotFound { path: PathBuf, name: String, names: Vec<String> },
    #[error("{source_name} has no image for {wanted}")]
    PlatformNotFound { source_name: String, wanted: String, present: Vec<String> },
    #[error("image `{reference}` is in no local engine")]
    NotInEngine { reference: String, tried: Vec<String>, near: Vec<String> },
    #[error("`{reference}` is not the same image in all local engines that have it")]
    SeveralEngines { reference: String, places: Vec<EnginePlace> },
    #[error("no image of a local engine is named for {registry}")]
    NoneTagged { registry: String, tried: Vec<String> },
    #[error("the container engine at {engine} failed")]
    Engine { engine: String, reason: String },
    /// It answered, and said why it cannot.
    #[error("the container engine at {engine} could not export the image")]
    EngineRefused { engine: String, reason: String },
    #[error("no image found under `{}`", path.display())]
    NothingFound { path: PathBuf, skipped: Vec<Skipped> },
    /// Manifests.
    #[error("`{}` refers to no image of this registry or of a local engine", path.display())]
    NothingNamed { path: PathBuf, skipped: Vec<Skipped> },
}
