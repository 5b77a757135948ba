//! Facts at human pace, for whoever shows them. Bytes do not travel as events: a `Meter` is sampled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::oci::Digest;
use crate::outcome::ImageOutcome;
use crate::port::{Skipped, SourceName};

/// Bytes of one transfer that have been acknowledged or are on the wire, shared with the screen.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    /// Where the transfer stands, in bytes from the start of the blob; goes back on a retry.
    position: AtomicU64,
    /// All bytes sent, repeated ones included.
    sent: AtomicU64,
    retries: AtomicU64,
}

impl Meter {
    /// Counts `bytes` more that went to the network.
    pub fn advance(&self, bytes: u64) {
        self.0.position.fetch_add(bytes, Ordering::Relaxed);
        self.0.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Sets the position back (or forward) to what the registry has.
    pub fn rewind_to(&self, position: u64) {
        self.0.position.store(position, Ordering::Relaxed);
    }

    pub fn count_retry(&self) {
        self.0.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes from the start of the blob.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.0.position.load(Ordering::Relaxed)
    }

    /// Bytes sent in all.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn retries(&self) -> u64 {
        self.0.retries.load(Ordering::Relaxed)
    }
}

/// How a blob was dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobOutcome {
    Uploaded,
    Mounted,
    Present,
    /// Read back from the registry and found whole.
    Read,
}

/// One fact.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something was looked at and left out, and why.
    Skipped(Skipped),
    /// The user should know, and nothing has failed.
    Note(String),
    Warning(String),
    /// An archive that is compressed, or comes on standard input, is written to a temporary file. `size` is
    /// how many bytes are to be read, where that is known; `meter` counts them.
    SpoolStarted {
        source: SourceName,
        size: Option<u64>,
        meter: Meter,
    },
    SpoolFinished {
        source: SourceName,
    },
    ImageFound {
        source: SourceName,
    },
    /// Sizes are in bytes; `unknown` counts layers whose digest is not known before they are packed.
    Planned {
        images: usize,
        present: usize,
        blobs: usize,
        bytes: u64,
        unknown: usize,
    },
    ImageStarted {
        image: usize,
        source: SourceName,
        reference: String,
    },
    PackStarted {
        diff_id: Digest,
        size: u64,
        meter: Meter,
    },
    PackFinished {
        diff_id: Digest,
        digest: Digest,
        size: u64,
    },
    BlobStarted {
        digest: Digest,
        size: u64,
        meter: Meter,
    },
    /// All bytes are out and the registry has not answered yet.
    BlobStoring {
        digest: Digest,
    },
    BlobFinished {
        digest: Digest,
        size: u64,
        outcome: BlobOutcome,
    },
    BlobFailed {
        digest: Digest,
    },
    /// The next attempt begins after `wait`.
    Retrying {
        subject: String,
        reason: String,
        wait: Duration,
        attempt: u32,
    },
    ManifestPut {
        reference: String,
        digest: Digest,
    },
    ImageFinished(Box<ImageOutcome>),
}

/// Where facts go. Cheap to clone; sending never waits and never fails.
#[derive(Debug, Clone, Default)]
pub struct Events(Option<UnboundedSender<Event>>);

impl Events {
    /// Facts, and the one consumer that gets them.
    #[must_use]
    pub fn channel() -> (Self, UnboundedReceiver<Event>) {
        let (sender, receiver) = unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// For callers that do not watch.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    pub fn emit(&self, event: Event) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(event);
        }
    }

    pub fn note(&self, text: impl Into<String>) {
        self.emit(Event::Note(text.into()));
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.emit(Event::Warning(text.into()));
    }
}
