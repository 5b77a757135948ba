use std::io::{self, Read};

use super::codec::Codec;
use crate::event::Meter;
use crate::port::UnpackError;
use crate::source::magic::Outer;

/// Bytes that are read at once.
const INPUT: usize = 128 * 1024;
/// Members or frames in a row that hold nothing: pzstd puts one before each of its frames, and nobody
/// needs many.
const MAX_EMPTY: usize = 1_000;

/// A stream as it comes, or what a compressed one unpacks to, member by member.
pub(super) struct Unpacker<R> {
    input: Input<R>,
    outer: Option<Outer>,
    codec: Option<Codec>,
    /// Whether the member that is under way has given anything.
    filled: bool,
    /// Members without content, since the last with some.
    empty: usize,
}

/// Why a stream gave no more.
#[derive(Debug)]
pub(super) enum UnpackerError {
    Read(io::Error),
    Unpack(UnpackError),
}

impl From<UnpackError> for UnpackerError {
    fn from(error: UnpackError) -> Self {
        Self::Unpack(error)
    }
}

impl<R: Read> Unpacker<R> {
    /// Looks at the first bytes of `input`. `meter` counts what is read.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub(super) fn new(input: R, meter: Meter) -> Result<Self, UnpackerError> {
        let mut input = Input { reader: input, meter, buffer: vec![0; INPUT], start: 0, end: 0, over: false };
        input.fill().map_err(UnpackerError::Read)?;
        let outer = Outer::of(input.held());
        Ok(Self { input, outer, codec: None, filled: true, empty: 0 })
    }

    pub(super) fn outer(&self) -> Option<Outer> {
        self.outer
    }

    /// Fills `output` as far as there is content.
    ///
    /// # Errors
    /// When the input cannot be read, or is damaged.
    pub(super) fn fill(&mut self, output: &mut [u8]) -> Result<usize, UnpackerError> {
        let mut filled = 0;
        while let Some(rest) = output.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let given = match self.outer {
                Some(outer) => self.unpack(outer, rest)?,
                None => self.input.take(rest).map_err(UnpackerError::Read)?,
            };
            match given {
                0 => break,
                n => filled += n,
            }
        }
        Ok(filled)
    }

    /// Zero only at the end of the content.
    fn unpack(&mut self, outer: Outer, output: &mut [u8]) -> Result<usize, UnpackerError> {
        loop {
            let Some(codec) = &mut self.codec else {
                if !self.begin(outer)? {
                    return Ok(0);
                }
                continue;
            };
            if self.input.held().is_empty() {
                self.input.fill().map_err(UnpackerError::Read)?;
            }
            let step = codec.step(self.input.held(), output)?;
            self.input.drop_front(step.taken);
            self.filled |= step.given > 0;
            if step.ended {
                self.end(outer)?;
            } else if step.given == 0 && step.taken == 0 {
                return Err(self.stuck(outer).into());
            }
            if step.given > 0 {
                return Ok(step.given);
            }
        }
    }

    /// Begins the next member; false at the end of the input. Zeros between members are padding: xz has
    /// them by its specification, gzip on tapes.
    fn begin(&mut self, outer: Outer) -> Result<bool, UnpackerError> {
        loop {
            let zeros = self.input.held().iter().take_while(|byte| **byte == 0).count();
            self.input.drop_front(zeros);
            if !self.input.held().is_empty() {
                break;
            }
            if !self.input.fill().map_err(UnpackerError::Read)? {
                return Ok(false);
            }
        }
        self.codec = Some(Codec::new(outer)?);
        self.filled = false;
        Ok(true)
    }

    fn end(&mut self, outer: Outer) -> Result<(), UnpackError> {
        self.codec = None;
        self.empty = if self.filled { 0 } else { self.empty + 1 };
        if self.empty > MAX_EMPTY {
            return Err(UnpackError::Empty { codec: outer.name(), limit: MAX_EMPTY });
        }
        Ok(())
    }

    fn stuck(&self, outer: Outer) -> UnpackError {
        let codec = outer.name();
        if self.input.held().is_empty() {
            return UnpackError::Truncated { codec };
        }
        UnpackError::Corrupt { codec, reason: "it leads nowhere".to_owned() }
    }
}

/// Bytes that were read and not used yet.
struct Input<R> {
    reader: R,
    meter: Meter,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    over: bool,
}

impl<R: Read> Input<R> {
    fn held(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn drop_front(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(self.end);
    }

    /// Reads anew once all is used; a pipe gives less than a buffer at a time. False at the end.
    fn fill(&mut self) -> io::Result<bool> {
        (self.start, self.end) = (0, 0);
        while let Some(rest) = self.buffer.get_mut(self.end..).filter(|rest| !rest.is_empty() && !self.over) {
            match self.reader.read(rest) {
                Ok(0) => self.over = true,
                Ok(n) => {
                    self.end = self.end.saturating_add(n);
                    self.meter.advance(n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end > 0)
    }

    fn take(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if self.held().is_empty() && !self.fill()? {
            return Ok(0);
        }
        let held = self.held();
        let n = held.len().min(output.len());
        if let (Some(to), Some(from)) = (output.get_mut(..n), held.get(..n)) {
            to.copy_from_slice(from);
        }
        self.drop_front(n);
        Ok(n)
    }
}
