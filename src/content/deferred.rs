use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::{Blob, ContentError};
use crate::oci::Digest;

/// Blobs by what their users know them by.
pub type Parts = HashMap<Digest, Blob>;

type Fetch = dyn Fn(&CancellationToken) -> Result<Parts, ContentError> + Send + Sync;

/// Blobs that cost so much to get that none is got before one of them is read: the export of an engine.
/// Whoever reads first gets all of them, and the others wait for it.
pub struct Deferred {
    /// What errors call the whole.
    name: String,
    fetch: Box<Fetch>,
    /// A failure is kept, too: it would be the same for the next blob.
    parts: OnceLock<Result<Parts, Arc<ContentError>>>,
}

impl Deferred {
    /// `fetch` is called at most once, and may block its thread until the token is cancelled.
    #[must_use]
    pub fn new(
        name: String,
        fetch: impl Fn(&CancellationToken) -> Result<Parts, ContentError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { name, fetch: Box::new(fetch), parts: OnceLock::new() })
    }

    /// A blob that is known to have `len` bytes.
    #[must_use]
    pub fn part(self: &Arc<Self>, key: Digest, len: u64) -> Blob {
        Blob::Deferred(Part { whole: Arc::clone(self), key, len })
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One blob of a `Deferred`.
#[derive(Debug, Clone)]
pub struct Part {
    whole: Arc<Deferred>,
    key: Digest,
    len: u64,
}

impl Part {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The blob itself. Blocks the thread until it is there.
    pub(super) fn blob(&self) -> Result<&Blob, ContentError> {
        self.blob_unless(&CancellationToken::new())
    }

    /// The blob itself. Blocks the thread until it is there; whoever is first may give it up for all.
    pub(super) fn blob_unless(&self, cancel: &CancellationToken) -> Result<&Blob, ContentError> {
        match self.whole.parts.get_or_init(|| (self.whole.fetch)(cancel).map_err(Arc::new)) {
            Err(error) => Err(ContentError::Deferred(Arc::clone(error))),
            Ok(parts) => match parts.get(&self.key) {
                Some(blob) if blob.len() == self.len => Ok(blob),
                _ => Err(ContentError::Changed { path: self.whole.name.clone().into() }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use bytes::Bytes;

    use super::*;
    use crate::oci::sha256;

    fn counted(contents: &'static [&'static str]) -> (Arc<Deferred>, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let deferred = Deferred::new("podman:web".to_owned(), move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            let part =
                |content: &&'static str| (sha256(content.as_bytes()), Blob::Memory(Bytes::from(*content)));
            Ok(contents.iter().map(part).collect())
        });
        (deferred, calls)
    }

    #[test]
    fn nothing_is_got_before_a_byte_is_read_and_then_all_at_once() {
        let (deferred, calls) = counted(&["one", "three"]);
        let one = deferred.part(sha256(b"one"), 3);
        let three = deferred.part(sha256(b"three"), 5);
        assert_eq!((one.len(), three.len()), (3, 5));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        assert_eq!(one.read_all(9).unwrap(), "one");
        assert_eq!(three.read_all(9).unwrap(), "three");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn readers_on_many_threads_wait_for_one_fetch() {
        let (deferred, calls) = counted(&["one"]);
        let one = deferred.part(sha256(b"one"), 3);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(one.read_all(9).unwrap(), "one"));
            }
        });
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_part_that_is_not_what_was_known_of_it_is_changed() {
        let (deferred, _) = counted(&["one"]);
        for part in [deferred.part(sha256(b"one"), 4), deferred.part(sha256(b"two"), 3)] {
            let error = part.read_at(0, &mut [0; 1]).unwrap_err();
            assert_eq!(error.to_string(), "`podman:web` changed while it was read");
        }
    }

    #[test]
    fn a_failure_is_told_to_all_readers() {
        let deferred =
            Deferred::new("podman:web".to_owned(), |_| Err(ContentError::NotRegular { path: "x".into() }));
        for _ in 0..2 {
            let error = deferred.part(sha256(b"one"), 3).ready(&CancellationToken::new()).unwrap_err();
            assert_eq!(error.to_string(), "`x` is not a regular file");
        }
    }
}
