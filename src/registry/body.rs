use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, channel};

use super::pace::Pace;
use crate::content::{Blob, ContentError};
use crate::event::{Event, Events, Meter};
use crate::oci::{Digest, Hasher, UnsupportedDigest};
use crate::port::Hashed;

/// Bytes a frame. From 64 KiB on they all cost the same.
const FRAME: usize = 128 * 1024;
/// Frames that are read ahead of the network.
const AHEAD: usize = 2;

/// Why a blob cannot be sent, whatever the registry says.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceFault {
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("content has digest {found}, expected {expected}")]
    Digest { expected: Digest, found: Digest },
}

/// Hashes a blob on its way, over all chunks and attempts: each byte once. The last frame leaves only
/// when the whole blob has been seen and is what its digest says.
pub(super) struct Checked {
    expected: Digest,
    size: u64,
    seen: Mutex<Seen>,
}

struct Seen {
    /// None where the content is known to be what its digest says.
    hasher: Option<Hasher>,
    to: u64,
}

impl Checked {
    pub(super) fn new(expected: &Digest, size: u64, hashed: Hashed) -> Result<Arc<Self>, UnsupportedDigest> {
        let by = match hashed {
            Hashed::Already => None,
            Hashed::OnTheWay => Some(Hasher::of(expected)?),
        };
        let seen = Mutex::new(Seen { hasher: by, to: 0 });
        Ok(Arc::new(Self { expected: expected.clone(), size, seen }))
    }

    /// `bytes` stand at `offset` of the blob. What was seen already is passed over.
    fn pass(&self, offset: u64, bytes: &[u8]) -> Result<(), SourceFault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { hasher: Some(hasher), to } = &mut *seen else { return Ok(()) };
        let known = usize::try_from(to.saturating_sub(offset)).unwrap_or(usize::MAX);
        if offset <= *to
            && let Some(new) = bytes.get(known..)
        {
            hasher.update(new);
            *to += new.len() as u64;
        }
        if *to < self.size {
            return Ok(());
        }
        let found = hasher.clone().finish();
        if found == self.expected {
            return Ok(());
        }
        Err(SourceFault::Digest { expected: self.expected.clone(), found })
    }
}

/// A part of a blob, to be sent.
#[derive(Clone)]
pub(super) struct Part<'a> {
    pub(super) blob: &'a Blob,
    pub(super) range: Range<u64>,
    pub(super) checked: &'a Arc<Checked>,
    pub(super) pace: &'a Arc<Pace>,
    pub(super) meter: &'a Meter,
    /// Hears when the last byte of the blob is out and the registry has not answered yet.
    pub(super) events: &'a Events,
}

/// What is known of a body from outside while it is being sent.
#[derive(Debug, Default)]
pub(super) struct Sending {
    done: AtomicBool,
    fault: Mutex<Option<SourceFault>>,
}

impl Sending {
    /// Whether the last byte was taken.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    pub(super) fn take_fault(&self) -> Option<SourceFault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body of a request, of a length that is known.
#[derive(Debug)]
pub(super) struct Payload {
    source: Source,
    left: u64,
    sending: Arc<Sending>,
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    /// Frames from a reading thread.
    Read {
        frames: Receiver<Result<Bytes, SourceFault>>,
        meter: Meter,
        out: Option<(Events, Digest)>,
    },
}

impl Payload {
    pub(super) fn bytes(bytes: Bytes) -> Self {
        let sending = Arc::new(Sending::default());
        sending.done.store(bytes.is_empty(), Ordering::Release);
        Self { left: bytes.len() as u64, source: Source::Whole(Some(bytes)), sending }
    }

    /// Starts to read. The thread ends with the body.
    pub(super) fn part(part: &Part<'_>) -> Self {
        let (sender, frames) = channel(AHEAD);
        let (blob, checked, range) = (part.blob.clone(), Arc::clone(part.checked), part.range.clone());
        let pace = Arc::clone(part.pace);
        let left = range.end - range.start;
        tokio::task::spawn_blocking(move || {
            let mut offset = range.start;
            while offset < range.end {
                let end = range.end.min(offset + pace.frame(FRAME) as u64);
                let frame = frame(&blob, offset..end, &checked);
                offset += frame.as_ref().map_or(range.end, |bytes| bytes.len() as u64);
                pace.wait(frame.as_ref().map_or(0, Bytes::len));
                if sender.blocking_send(frame).is_err() {
                    break;
                }
            }
        });
        part.meter.rewind_to(part.range.start);
        let sending = Arc::new(Sending::default());
        sending.done.store(left == 0, Ordering::Release);
        let ends = part.range.end == part.checked.size;
        let out = ends.then(|| (part.events.clone(), part.checked.expected.clone()));
        Self { source: Source::Read { frames, meter: part.meter.clone(), out }, left, sending }
    }

    pub(super) fn sending(&self) -> Arc<Sending> {
        Arc::clone(&self.sending)
    }

    pub(super) fn len(&self) -> u64 {
        self.left
    }
}

fn frame(blob: &Blob, range: Range<u64>, checked: &Checked) -> Result<Bytes, SourceFault> {
    let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut buffer = vec![0; wanted];
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match blob.read_at(range.start + filled as u64, rest)? {
            0 => break,
            n => filled += n,
        }
    }
    buffer.truncate(filled);
    if let Err(wrong) = checked.pass(range.start, &buffer) {
        // A file that has changed since says more than two digests.
        blob.check_unchanged()?;
        return Err(wrong);
    }
    Ok(Bytes::from(buffer))
}

impl Payload {
    fn took(&mut self, bytes: &Bytes) {
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if let Source::Read { meter, .. } = &self.source {
            meter.advance(bytes.len() as u64);
        }
        if self.left > 0 {
            return;
        }
        self.sending.done.store(true, Ordering::Release);
        if let Source::Read { out: Some((events, digest)), .. } = &self.source {
            events.emit(Event::BlobStoring { digest: digest.clone() });
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let next = match &mut self.source {
            Source::Whole(bytes) => bytes.take().map(Ok),
            Source::Read { frames, .. } => ready!(frames.poll_recv(cx)),
        };
        match next {
            Some(Ok(bytes)) if !bytes.is_empty() => {
                self.took(&bytes);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(fault)) => {
                *self.sending.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                Poll::Ready(Some(Err(std::io::Error::other("the source cannot be read"))))
            }
            Some(Ok(_)) | None => Poll::Ready(Some(Err(std::io::Error::other("the source ended early")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::content::{FilePool, FileRange, SourceFile};
    use crate::oci::sha256;

    fn memory(content: &[u8]) -> Blob {
        Blob::Memory(Bytes::copy_from_slice(content))
    }

    async fn sent(blob: &Blob, digest: &Digest, range: Range<u64>) -> (Option<Bytes>, Arc<Sending>) {
        let checked = Checked::new(digest, blob.len(), Hashed::OnTheWay).unwrap();
        let pace = Arc::new(Pace::default());
        let (meter, events) = (Meter::default(), Events::none());
        let part = Part { blob, range, checked: &checked, pace: &pace, meter: &meter, events: &events };
        let payload = Payload::part(&part);
        let sending = payload.sending();
        (payload.collect().await.ok().map(http_body_util::Collected::to_bytes), sending)
    }

    #[tokio::test]
    async fn a_part_is_sent_whole() {
        let content = vec![7; 300_000];
        let (bytes, sending) = sent(&memory(&content), &sha256(&content), 5..299_999).await;
        assert_eq!(bytes.unwrap(), content[5..299_999]);
        assert!(sending.is_done());
    }

    #[tokio::test]
    async fn the_last_frame_of_wrong_content_never_leaves() {
        let content = vec![7; 300_000];
        let (bytes, sending) = sent(&memory(&content), &sha256(b"other"), 0..300_000).await;
        assert_eq!(bytes, None);
        assert!(!sending.is_done());
        assert!(matches!(sending.take_fault(), Some(SourceFault::Digest { .. })));
    }

    #[tokio::test]
    async fn a_file_that_changed_is_told_from_one_that_was_always_wrong() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"content").unwrap();
        let source = SourceFile::open(file.path(), &FilePool::new(1)).unwrap();
        std::fs::write(file.path(), b"other content").unwrap();
        let (blob, digest) = (Blob::Range(FileRange::whole(source)), sha256(b"content"));
        let (bytes, sending) = sent(&blob, &digest, 0..7).await;
        assert_eq!(bytes, None);
        let fault = sending.take_fault();
        assert!(matches!(fault, Some(SourceFault::Content(ContentError::Changed { .. }))), "{fault:?}");
    }

    #[test]
    fn bytes_are_hashed_once_however_often_they_are_sent() {
        let content = b"0123456789";
        let checked = Checked::new(&sha256(content), 10, Hashed::OnTheWay).unwrap();
        checked.pass(0, b"0123").unwrap();
        checked.pass(0, b"0123").unwrap();
        checked.pass(2, b"234567").unwrap();
        checked.pass(8, b"89").unwrap();
        assert_eq!(checked.seen.lock().unwrap().to, 10);
    }
}
