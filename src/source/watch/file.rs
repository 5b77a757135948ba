use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use crate::event::Events;
use crate::oci::{Digest, sha256};
use crate::port::{
    Content, Fingerprint, Found, FoundImage, Sight, Snapshot, Source, SourceError, SourceName, Watched,
};
use crate::source::open::{Places, open};
use crate::source::spec::Spec;

/// How often the file system is asked. Its own events would come sooner by less than this, and not at all
/// from network file systems and from the folders that virtual machines share.
const POLL: Duration = Duration::from_millis(200);
/// How long a file has to stay as it is before it is read.
const SETTLE: Duration = Duration::from_millis(300);
/// How often what could not be read is read again though it looks as before: the blobs of a layout may
/// come after its index.
const AGAIN: Duration = Duration::from_secs(2);

/// A file or a layout, asked for its size, times and identity.
pub(super) struct FileWatch {
    spec: Spec,
    places: Places,
    events: Events,
    /// What tells of a change: the file itself, and the documents of a layout.
    paths: Vec<PathBuf>,
    seen: Option<Seen>,
}

/// How the paths looked when they were last read.
struct Seen {
    marks: Vec<Option<Mark>>,
    read: Read,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Whole,
    Unready,
}

/// What the file system says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    len: u64,
    modified: Option<SystemTime>,
    identity: Identity,
}

/// Device, inode and the seconds and nanoseconds of the last change, which no program can set back.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Identity = ();

impl FileWatch {
    pub(super) fn new(spec: Spec, places: Places, events: Events) -> Self {
        let paths = match &spec {
            Spec::Archive { path, .. } | Spec::Layout { path, .. } | Spec::Folder { path } => {
                vec![path.clone(), path.join("index.json"), path.join("oci-layout")]
            }
            Spec::Engine { .. } | Spec::AllTagged | Spec::Manifests { .. } | Spec::Stdin => Vec::new(),
        };
        Self { spec, places, events, paths, seen: None }
    }

    /// Waits until the paths look other than when they were read, and have looked so for a while.
    async fn settled(&self) -> Vec<Option<Mark>> {
        let before = self.seen.as_ref().map(|seen| &seen.marks);
        loop {
            let marks = marks(&self.paths).await;
            if before == Some(&marks) {
                sleep(POLL).await;
                continue;
            }
            sleep(SETTLE).await;
            if self::marks(&self.paths).await == marks {
                return marks;
            }
        }
    }

    async fn due(&self) -> Vec<Option<Mark>> {
        match &self.seen {
            Some(Seen { marks, read: Read::Unready }) if marks.iter().skip(1).any(Option::is_some) => {
                timeout(AGAIN, self.settled()).await.unwrap_or_else(|_| marks.clone())
            }
            _ => self.settled().await,
        }
    }
}

#[async_trait]
impl Watched for FileWatch {
    async fn next(&mut self) -> Sight {
        loop {
            let marks = self.due().await;
            let source = open(self.spec.clone(), &self.places);
            let found = source.find(&self.events).await;
            // What was written to meanwhile is read again, when it has come to rest.
            if self::marks(&self.paths).await != marks {
                continue;
            }
            let read = if found.is_ok() { Read::Whole } else { Read::Unready };
            self.seen = Some(Seen { marks, read });
            return sight(source.name(), found);
        }
    }
}

async fn marks(paths: &[PathBuf]) -> Vec<Option<Mark>> {
    let mut marks = Vec::with_capacity(paths.len());
    for path in paths {
        marks.push(mark(path).await);
    }
    marks
}

/// Of what a link leads to. `None` where nothing is, or nothing that may be looked at.
async fn mark(path: &Path) -> Option<Mark> {
    let meta = tokio::fs::metadata(path).await.ok()?;
    Some(Mark { len: meta.len(), modified: meta.modified().ok(), identity: identity(&meta) })
}

#[cfg(unix)]
fn identity(meta: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Identity {}

fn sight(name: SourceName, found: Result<Found, SourceError>) -> Sight {
    match found {
        Ok(found) => Sight::Ready(Snapshot {
            fingerprint: fingerprint(&found.images),
            source: Arc::new(Seized { name, images: found.images }),
        }),
        Err(error) => Sight::Unready(error),
    }
}

/// Names, digests, and what refers to the image: a configuration names its layers by what they unpack to.
fn fingerprint(images: &[FoundImage]) -> Fingerprint {
    let of = |image: &FoundImage| {
        let (digest, referrers) = match &image.content {
            Content::Exact(tree) => (tree.manifest.digest().clone(), tree.referrers.as_slice()),
            Content::Unpacked { config, .. } => (sha256(config), [].as_slice()),
        };
        let referrers: Vec<&Digest> = referrers.iter().map(|one| one.manifest.digest()).collect();
        format!("{digest} {:?} {referrers:?}\n", image.suggested)
    };
    Fingerprint(images.iter().map(of).collect())
}

/// The images that a look found, so that a push reads no other ones than were seen.
struct Seized {
    name: SourceName,
    images: Vec<FoundImage>,
}

#[async_trait]
impl Source for Seized {
    fn name(&self) -> SourceName {
        self.name.clone()
    }

    async fn find(&self, _: &Events) -> Result<Found, SourceError> {
        Ok(Found { images: self.images.clone(), ..Found::default() })
    }
}
