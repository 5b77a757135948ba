use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::transport::closed;
use crate::event::Meter;
use crate::oci::{Digest, Hasher, JSON_LIMIT, UnsupportedDigest};
use crate::port::NetworkFault;

/// Content that ends at the same byte so often ends there: the way is not cut so exactly.
const SAME_END: u32 = 3;

/// Takes the body of an answer while it comes, so that it may be of any size. A request that is sent
/// again begins it anew.
pub(super) struct Received {
    /// More bytes than this are not taken.
    limit: u64,
    meter: Meter,
    state: Mutex<State>,
}

struct State {
    into: Sink,
    size: u64,
    /// Where the body was cut last, and how often in a row.
    cut: (u64, u32),
}

enum Sink {
    Memory(BytesMut),
    /// Bytes are hashed and let go.
    Hash {
        fresh: Box<Hasher>,
        hasher: Box<Hasher>,
    },
}

impl Received {
    /// Keeps a document.
    pub(super) fn document() -> Self {
        Self::new(Sink::Memory(BytesMut::new()), JSON_LIMIT, Meter::default())
    }

    /// Hashes a blob of `size` bytes. Of a longer one the rest is not read.
    pub(super) fn blob(digest: &Digest, size: u64, meter: &Meter) -> Result<Self, UnsupportedDigest> {
        let hasher = Hasher::of(digest)?;
        let sink = Sink::Hash { fresh: Box::new(hasher.clone()), hasher: Box::new(hasher) };
        Ok(Self::new(sink, size, meter.clone()))
    }

    fn new(into: Sink, limit: u64, meter: Meter) -> Self {
        Self { limit, meter, state: Mutex::new(State { into, size: 0, cut: (0, 0) }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads to the end, to the first byte too many, or to where the content ends time after time.
    pub(super) async fn fill(&self, mut body: Incoming, stall: Duration) -> Result<(), NetworkFault> {
        self.begin();
        while self.size() <= self.limit {
            let frame = timeout(stall, body.frame()).await;
            match frame.map_err(|_| NetworkFault::Stalled { after: stall })? {
                None => break,
                Some(Ok(frame)) => self.take(&frame.into_data().unwrap_or_default()),
                Some(Err(_)) if self.cut_here_again() => break,
                Some(Err(error)) => return Err(closed(&error)),
            }
        }
        Ok(())
    }

    fn begin(&self) {
        let mut state = self.state();
        state.size = 0;
        match &mut state.into {
            Sink::Memory(bytes) => bytes.clear(),
            Sink::Hash { fresh, hasher } => hasher.clone_from(fresh),
        }
        self.meter.rewind_to(0);
    }

    fn take(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.size = state.size.saturating_add(bytes.len() as u64);
        match &mut state.into {
            Sink::Memory(kept) => kept.extend_from_slice(bytes),
            Sink::Hash { hasher, .. } => hasher.update(bytes),
        }
        self.meter.advance(bytes.len() as u64);
    }

    fn cut_here_again(&self) -> bool {
        let mut state = self.state();
        let times = if state.cut.0 == state.size { state.cut.1 + 1 } else { 1 };
        state.cut = (state.size, times);
        times >= SAME_END
    }

    /// Bytes that came.
    pub(super) fn size(&self) -> u64 {
        self.state().size
    }

    /// Whether there was more than may be taken.
    pub(super) fn is_too_long(&self) -> bool {
        self.size() > self.limit
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self.state.into_inner().unwrap_or_else(PoisonError::into_inner).into {
            Sink::Memory(bytes) => bytes.freeze(),
            Sink::Hash { .. } => Bytes::new(),
        }
    }

    /// Of the bytes that came. `None` for a document, which is kept instead.
    pub(super) fn digest(&self) -> Option<Digest> {
        match &self.state().into {
            Sink::Memory(_) => None,
            Sink::Hash { hasher, .. } => Some(Hasher::clone(hasher).finish()),
        }
    }
}
