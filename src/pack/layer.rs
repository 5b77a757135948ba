use std::collections::VecDeque;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError};

use super::block;
use super::crew::{Crew, Lent, Patience};
use super::form::{Encoder, Encoding, Form};
use crate::content::{Blob, ContentError, Spool, SpoolDir};
use crate::oci::{Descriptor, Digest, Hasher, UnsupportedDigest};

/// A layer before it is packed.
#[derive(Debug, Clone)]
pub struct Unpacked {
    pub blob: Blob,
    /// Digest of the tar. It is checked when the tar passes, not for bytes that are packed already.
    pub diff_id: Digest,
}

/// A layer that a registry can take.
#[derive(Debug, Clone)]
pub struct Packed {
    pub descriptor: Box<Descriptor>,
    pub blob: Blob,
}

/// Why a layer could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("layer has digest {found}, the image's configuration says {expected}")]
    DiffIdMismatch { expected: Digest, found: Digest },
    #[error("a block of {block} bytes was not packed: {reason}")]
    Encoder { block: usize, reason: String },
    #[error("the threads that pack are gone")]
    CrewLost,
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Digest(#[from] UnsupportedDigest),
    #[error("cancelled")]
    Cancelled,
}

/// Where packing is done, and where what comes out is kept.
#[derive(Debug, Clone, Copy)]
pub struct Workshop<'a> {
    pub crew: &'a Crew,
    pub spools: &'a SpoolDir,
}

/// Packs one layer. `advance` hears of every block of input, in bytes, and may stop the work. Blocks
/// the thread.
///
/// # Errors
/// `DiffIdMismatch` when the tar is not the one of the configuration; nothing of it is kept.
pub fn pack(
    layer: &Unpacked,
    form: Form,
    workshop: Workshop<'_>,
    advance: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Packed, PackError> {
    let mut input = Input { blob: &layer.blob, offset: 0, seen: hasher(layer, form)?, advance };
    let (digest, blob) = match form {
        Form::Packed(encoder) => {
            let mut line = Line::new(encoder, workshop);
            while let Some(lent) = line.fill(&mut input)? {
                line.begin(lent)?;
            }
            layer.check(input.seen.finish())?;
            line.finish()?
        }
        Form::AsIs(encoding) => {
            let mut buffer = vec![0; AS_IS];
            while input.next(&mut buffer)? > 0 {}
            let found = input.seen.finish();
            if encoding == Encoding::Tar {
                layer.check(found.clone())?;
            }
            (found, layer.blob.clone())
        }
    };
    let descriptor = Box::new(Descriptor::new(form.media_type(), blob.len(), digest));
    Ok(Packed { descriptor, blob })
}

/// Bytes that are read at once where they are only hashed.
const AS_IS: usize = 128 * 1024;

fn hasher(layer: &Unpacked, form: Form) -> Result<Hasher, UnsupportedDigest> {
    match form {
        Form::Packed(_) | Form::AsIs(Encoding::Tar) => Hasher::of(&layer.diff_id),
        Form::AsIs(_) => Ok(Hasher::sha256()),
    }
}

impl Unpacked {
    /// A file that changed is told from one that was always wrong.
    fn check(&self, found: Digest) -> Result<(), PackError> {
        if found == self.diff_id {
            return Ok(());
        }
        self.blob.check_unchanged()?;
        Err(PackError::DiffIdMismatch { expected: self.diff_id.clone(), found })
    }
}

/// The layer as it is read: once, hashed on the way.
struct Input<'a> {
    blob: &'a Blob,
    offset: u64,
    seen: Hasher,
    advance: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

impl Input<'_> {
    /// Fills the buffer as far as the layer goes; 0 at its end.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, PackError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.blob.read_at(self.offset + filled as u64, rest)? {
                0 => break,
                n => filled += n,
            }
        }
        self.seen.update(buffer.get(..filled).unwrap_or_default());
        self.offset += filled as u64;
        match (self.advance)(filled as u64) {
            ControlFlow::Break(()) => Err(PackError::Cancelled),
            ControlFlow::Continue(()) => Ok(filled),
        }
    }
}

/// The blocks of a layer that are being packed, in the order in which they are written.
struct Line<'a> {
    encoder: Encoder,
    workshop: Workshop<'a>,
    in_work: VecDeque<Receiver<Result<Lent, PackError>>>,
    hasher: Hasher,
    spool: Spool,
    begun: bool,
}

impl<'a> Line<'a> {
    fn new(encoder: Encoder, workshop: Workshop<'a>) -> Self {
        Self {
            encoder,
            workshop,
            in_work: VecDeque::new(),
            hasher: Hasher::sha256(),
            spool: workshop.spools.spool(),
            begun: false,
        }
    }

    /// The next block of the layer, `None` at its end. An empty layer still is one block: no bytes at all
    /// would be no stream.
    fn fill(&mut self, input: &mut Input<'_>) -> Result<Option<Lent>, PackError> {
        let mut lent = self.room()?;
        let block = &mut lent.block.input;
        block.resize(block::size(self.encoder), 0);
        let filled = input.next(block)?;
        block.truncate(filled);
        Ok((filled > 0 || !self.begun).then_some(lent))
    }

    /// Memory for one block more. Who has blocks in work frees them first: that never waits for another
    /// layer, so that layers that are packed at once cannot wait for each other.
    fn room(&mut self) -> Result<Lent, PackError> {
        while !self.in_work.is_empty() {
            match self.workshop.crew.lend(Patience::Now) {
                Some(lent) => return Ok(lent),
                None => self.write_oldest()?,
            }
        }
        self.workshop.crew.lend(Patience::Wait).ok_or(PackError::CrewLost)
    }

    fn begin(&mut self, lent: Lent) -> Result<(), PackError> {
        self.begun = true;
        self.in_work.push_back(self.workshop.crew.begin(self.encoder, lent));
        // What is done already need not lie there.
        while let Some(answer) = self.in_work.front() {
            match answer.try_recv() {
                Ok(packed) => {
                    self.in_work.pop_front();
                    self.write(&packed?.block.output)?;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(PackError::CrewLost),
            }
        }
        Ok(())
    }

    fn write_oldest(&mut self) -> Result<(), PackError> {
        let Some(answer) = self.in_work.pop_front() else { return Ok(()) };
        let packed = answer.recv().map_err(|_| PackError::CrewLost)??;
        self.write(&packed.block.output)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.hasher.update(bytes);
        let dir = self.workshop.spools.path();
        self.spool
            .write_all(bytes)
            .map_err(|source| ContentError::Spool { dir: dir.to_owned(), source }.into())
    }

    fn finish(mut self) -> Result<(Digest, Blob), PackError> {
        while !self.in_work.is_empty() {
            self.write_oldest()?;
        }
        let blob = self.spool.finish(Path::new("packed layer"))?;
        Ok((self.hasher.finish(), blob))
    }
}

#[cfg(test)]
mod tests;
