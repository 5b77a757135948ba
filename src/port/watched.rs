use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Source, SourceError};

/// What says whether a source still has what it had. Equal ones mean the same images under the same names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub String);

/// A source as it was when it was looked at.
#[derive(Clone)]
pub struct Snapshot {
    pub fingerprint: Fingerprint,
    /// Gives the images that were seen, where they were read to see them.
    pub source: Arc<dyn Source>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} {})", self.source.name(), self.fingerprint.0)
    }
}

/// What a look at a source showed.
#[derive(Debug)]
pub enum Sight {
    Ready(Snapshot),
    /// Nothing can be pushed now: it is not there, or not written to its end.
    Unready(SourceError),
}

/// A source that may change.
#[async_trait]
pub trait Watched: Send {
    /// Waits until there is something new to see; the first time, for what there is. What was seen may be
    /// what was there before. When the future is dropped, the next one sees what this one would have.
    async fn next(&mut self) -> Sight;
}
