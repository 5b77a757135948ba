//! What is not a plain tar in a file: standard input, and archives that are compressed as a whole. Both are
//! written once into a temporary file without a name, which is then a tar like any other. The codecs are
//! in this process: no program of the PATH is run.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

mod codec;
mod unpacker;

#[cfg(test)]
mod tests;

use super::layout::read_error;
use super::magic::{self, Outer};
use super::shown::shown_path;
use super::tar::looks_like_tar;
use crate::content::{Blob, ContentError, FileRange, SourceFile, SpoolDir};
use crate::event::{Event, Events, Meter};
use crate::port::{SourceError, SourceName};
use unpacker::{Unpacker, UnpackerError};

/// Bytes that are written at once.
const PART: usize = 1024 * 1024;
/// How often a pipe is looked at before somebody writes into it.
#[cfg(unix)]
const PIPE_POLL: Duration = Duration::from_millis(50);

/// How much may be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of one archive.
    pub(super) content: u64,
    /// Bytes that are left free on the disk.
    pub(super) reserve: u64,
    /// How long somebody is waited for who writes into a pipe.
    pub(super) writer: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { content: 64 << 30, reserve: 16 << 20, writer: Duration::from_secs(10) }
    }
}

/// Writes streams into temporary files.
pub(super) struct Spooler<'a> {
    pub(super) spools: &'a SpoolDir,
    pub(super) events: &'a Events,
    /// Cancelled when nobody waits for the outcome any more.
    pub(super) left: &'a CancellationToken,
    pub(super) bounds: Bounds,
}

impl Spooler<'_> {
    /// The file itself, or what it unpacks to where it is compressed.
    ///
    /// # Errors
    /// When it is damaged, holds no tar, or there is no room for what it unpacks to.
    pub(super) fn unpacked(
        &self,
        file: &Arc<SourceFile>,
        shown: &Path,
    ) -> Result<Arc<SourceFile>, SourceError> {
        if Outer::of(&magic::first_block(file)?).is_none() {
            return Ok(Arc::clone(file));
        }
        let meter = Meter::default();
        let _told = Told::begin(self.events, shown, Some(file.len()), &meter);
        let unpacker = Unpacker::new(reader(file), meter).map_err(|error| of(error, shown))?;
        let spooled = self.spool(unpacker, shown)?;
        file.check_unchanged()?;
        Ok(spooled)
    }

    /// All of standard input: as it is where it is a file that is read from its start.
    ///
    /// # Errors
    /// As for `unpacked`, and when it cannot be read.
    pub(super) fn input(&self, input: &File, shown: &Path) -> Result<Arc<SourceFile>, SourceError> {
        let mut input = input;
        let meta = input.metadata().map_err(|source| read_error(shown, source))?;
        if meta.is_file() && input.stream_position().is_ok_and(|position| position == 0) {
            let file = input.try_clone().map_err(|source| read_error(shown, source))?;
            return self.unpacked(&SourceFile::from_spool(file, shown)?, shown);
        }
        self.streamed(input, shown)
    }

    /// All that comes, which is no file.
    ///
    /// # Errors
    /// As for `unpacked`, and when it cannot be read.
    pub(super) fn streamed(&self, input: impl Read, shown: &Path) -> Result<Arc<SourceFile>, SourceError> {
        let meter = Meter::default();
        let _told = Told::begin(self.events, shown, None, &meter);
        let unpacker = Unpacker::new(input, meter).map_err(|error| of(error, shown))?;
        self.spool(unpacker, shown)
    }

    fn spool(&self, mut unpacker: Unpacker<impl Read>, shown: &Path) -> Result<Arc<SourceFile>, SourceError> {
        let mut spool = self.spools.spool();
        let mut part = vec![0; PART];
        let mut written = 0;
        loop {
            let filled = unpacker.fill(&mut part).map_err(|error| of(error, shown))?;
            let bytes = part.get(..filled).unwrap_or_default();
            if written == 0 {
                check_start(bytes, unpacker.outer(), shown)?;
            }
            self.check_room(written, bytes.len() as u64, shown)?;
            let failed = |source| ContentError::Spool { dir: self.spools.path().to_owned(), source };
            spool.write_all(bytes).map_err(failed)?;
            written += bytes.len() as u64;
            if filled < part.len() {
                return Ok(spool.finish_file(shown)?);
            }
            if self.left.is_cancelled() {
                return Err(read_error(shown, std::io::ErrorKind::Interrupted.into()));
            }
        }
    }

    /// Stops before the disk is full: other programs would fail too.
    fn check_room(&self, written: u64, next: u64, shown: &Path) -> Result<(), SourceError> {
        let Bounds { content, reserve, .. } = self.bounds;
        let needed = written.saturating_add(next);
        if needed > content {
            return Err(SourceError::TooLarge { path: shown.to_owned(), limit: content });
        }
        match self.spools.free() {
            Some(free) if free < next.saturating_add(reserve) => {
                Err(SourceError::Content(ContentError::NoRoom {
                    dir: self.spools.path().to_owned(),
                    // What is written would be free again.
                    needed: needed.saturating_add(reserve),
                    free: free.saturating_add(written),
                }))
            }
            _ => Ok(()),
        }
    }
}

/// The first block of the tar that a compressed file unpacks to; less where it holds less.
///
/// # Errors
/// When it is damaged before that, or unpacks to something else.
pub(super) fn start(file: &Arc<SourceFile>, shown: &Path) -> Result<Vec<u8>, SourceError> {
    let failed = |error| of(error, shown);
    let mut block = vec![0; 512];
    let mut unpacker = Unpacker::new(reader(file), Meter::default()).map_err(failed)?;
    let filled = unpacker.fill(&mut block).map_err(failed)?;
    block.truncate(filled);
    check_start(&block, unpacker.outer(), shown)?;
    Ok(block)
}

/// What is read of a pipe.
type Piped = Box<dyn Read>;

/// A pipe that was named as a file, as a shell makes one of `<(docker save myapp)`; nothing for the rest.
/// Waits for who writes into it.
///
/// # Errors
/// When it cannot be opened, or nobody writes.
#[cfg(unix)]
pub(super) fn pipe(path: &Path, spooler: &Spooler<'_>) -> Result<Option<Piped>, SourceError> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    if !path.metadata().is_ok_and(|meta| meta.file_type().is_fifo()) {
        return Ok(None);
    }
    let failed = |source| read_error(path, source);
    // Else it would wait for somebody who writes without an end, and nothing could stop it.
    let opened = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let mut file = opened.map_err(failed)?;
    let first = first_byte(&mut file, path, spooler)?;
    let flags = fcntl_getfl(&file).map_err(|error| failed(error.into()))?;
    fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK)).map_err(|error| failed(error.into()))?;
    Ok(Some(Box::new(std::io::Cursor::new(first).chain(file))))
}

/// Waits until somebody writes, and returns the byte that told of it, if that took one: to a reader that does
/// not wait, a pipe without a writer is at its end.
#[cfg(unix)]
fn first_byte(pipe: &mut File, path: &Path, spooler: &Spooler<'_>) -> Result<Vec<u8>, SourceError> {
    use std::io::ErrorKind::{Interrupted, WouldBlock};

    let patience = spooler.bounds.writer;
    let begun = std::time::Instant::now();
    let mut byte = [0];
    loop {
        match pipe.read(&mut byte) {
            Ok(0) if spooler.left.is_cancelled() => return Err(read_error(path, Interrupted.into())),
            Ok(0) if begun.elapsed() >= patience => {
                let reason =
                    format!("it is a pipe, and nobody wrote into it for {} seconds", patience.as_secs());
                return Err(SourceError::NotAnImage { path: path.to_owned(), reason });
            }
            Ok(0) => std::thread::sleep(PIPE_POLL),
            Ok(_) => return Ok(byte.to_vec()),
            Err(error) if error.kind() == WouldBlock => return Ok(Vec::new()),
            Err(error) if error.kind() == Interrupted => {}
            Err(error) => return Err(read_error(path, error)),
        }
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "other systems have pipes with names, so the shape is a Result")]
pub(super) fn pipe(_: &Path, _: &Spooler<'_>) -> Result<Option<Piped>, SourceError> {
    Ok(None)
}

fn reader(file: &Arc<SourceFile>) -> impl Read + use<> {
    Blob::Range(FileRange::whole(Arc::clone(file))).reader(0)
}

/// What is no tar is refused before it is written. Content of less than a block is left to who indexes it.
fn check_start(start: &[u8], outer: Option<Outer>, shown: &Path) -> Result<(), SourceError> {
    let block = start.get(..512);
    let reason = match (outer, Outer::of(start)) {
        (Some(_), Some(inner)) => inner.refusal(),
        (Some(outer), None) if block.is_some_and(|block| !looks_like_tar(block)) => {
            format!("what {} unpacks to is no tar", outer.name())
        }
        (None, None) if block.is_some_and(|block| !looks_like_tar(block)) => "it is no tar".to_owned(),
        _ => return Ok(()),
    };
    Err(SourceError::NotAnImage { path: shown.to_owned(), reason })
}

fn of(error: UnpackerError, shown: &Path) -> SourceError {
    match error {
        UnpackerError::Read(source) => read_error(shown, source),
        UnpackerError::Unpack(source) => SourceError::Unpack { path: shown.to_owned(), source },
    }
}

/// Tells that a stream is read, and when that is over, however it ends.
struct Told<'a> {
    events: &'a Events,
    source: SourceName,
}

impl<'a> Told<'a> {
    fn begin(events: &'a Events, shown: &Path, size: Option<u64>, meter: &Meter) -> Self {
        let source = SourceName(shown_path(shown));
        events.emit(Event::SpoolStarted { source: source.clone(), size, meter: meter.clone() });
        Self { events, source }
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.events.emit(Event::SpoolFinished { source: self.source.clone() });
    }
}
