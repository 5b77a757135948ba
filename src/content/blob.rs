use std::io;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::deferred::Part;
use super::{ContentError, FileRange};

/// The bytes of one blob, wherever they stand. Cheap to clone; every reader starts at its own offset.
#[derive(Debug, Clone)]
pub enum Blob {
    /// A slice of an open file: a layer of a tar, or a whole file of a layout.
    Range(FileRange),
    /// Small content held in memory: a configuration, a packed layer of a few kilobytes.
    Memory(Bytes),
    /// Got when it is first read, with all that belongs to it.
    Deferred(Part),
}

impl Blob {
    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Range(range) => range.len(),
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Deferred(part) => part.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gets what is not there yet, until `cancel` gives it up. A reader would wait for it just as well, but
    /// not everybody who reads may wait, and none can be stopped. Blocks the thread.
    ///
    /// # Errors
    /// When it cannot be got, is given up, or is not what was known of it.
    pub fn ready(&self, cancel: &CancellationToken) -> Result<(), ContentError> {
        match self {
            Self::Range(_) | Self::Memory(_) => Ok(()),
            Self::Deferred(part) => part.blob_unless(cancel).map(drop),
        }
    }

    /// Whether `ready` has something to do.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        matches!(self, Self::Deferred(_))
    }

    /// Fills `buffer` from `offset` (in bytes from the start of the blob) and returns how many bytes
    /// were read; zero only at the end of the blob or for an empty buffer.
    ///
    /// # Errors
    /// When the file cannot be read, ended early, or is no longer the file that was opened.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, ContentError> {
        match self {
            Self::Range(range) => range.read_at(offset, buffer),
            Self::Deferred(part) => part.blob()?.read_at(offset, buffer),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.get(start..).unwrap_or_default();
                let n = rest.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..n), rest.get(..n)) {
                    to.copy_from_slice(from);
                }
                Ok(n)
            }
        }
    }

    /// The whole blob, refused when it is longer than `limit` bytes. For JSON, never for layers.
    ///
    /// # Errors
    /// `TooLarge` beyond `limit`, else as `read_at`.
    pub fn read_all(&self, limit: u64) -> Result<Bytes, ContentError> {
        let len = self.len();
        if len > limit {
            return Err(ContentError::TooLarge { len, limit });
        }
        if let Self::Memory(bytes) = self {
            return Ok(bytes.clone());
        }
        let mut buffer = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_at(filled as u64, rest)? {
                0 => break,
                n => filled += n,
            }
        }
        buffer.truncate(filled);
        Ok(Bytes::from(buffer))
    }

    /// Checks that the bytes are still those that were found: for content that is not what it should be.
    ///
    /// # Errors
    /// As `SourceFile::check_unchanged`.
    pub fn check_unchanged(&self) -> Result<(), ContentError> {
        match self {
            Self::Range(range) => range.source().check_unchanged(),
            Self::Memory(_) => Ok(()),
            Self::Deferred(part) => part.blob()?.check_unchanged(),
        }
    }

    /// A sequential reader from `offset` to the end.
    #[must_use]
    pub fn reader(&self, offset: u64) -> BlobReader {
        BlobReader { blob: self.clone(), offset }
    }
}

/// `std::io::Read` over a blob.
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    offset: u64,
}

impl io::Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.blob.read_at(self.offset, buffer).map_err(io::Error::other)?;
        self.offset += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn memory_is_read_from_any_offset() {
        let blob = Blob::Memory(Bytes::from_static(b"hello"));
        let mut rest = String::new();
        blob.reader(2).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "llo");
        assert_eq!(blob.read_at(99, &mut [0; 4]).unwrap(), 0);
    }

    #[test]
    fn a_blob_over_the_limit_is_not_read() {
        let blob = Blob::Memory(Bytes::from_static(b"hello"));
        assert!(matches!(blob.read_all(4), Err(ContentError::TooLarge { len: 5, limit: 4 })));
    }
}
