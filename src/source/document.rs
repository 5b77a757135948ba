use std::cell::Cell;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::shown::shown;
use crate::content::Blob;
use crate::oci::{Descriptor, Hasher, JSON_LIMIT};
use crate::port::SourceError;

/// All documents of one source together, in bytes: they are held in memory.
const TOTAL_LIMIT: u64 = 32 * 1024 * 1024;

/// Reads the small documents of one source: manifests, indexes, configurations. Bounded one by one, and
/// all together.
#[derive(Debug)]
pub(super) struct Documents {
    /// What errors call the source.
    path: PathBuf,
    left: Cell<u64>,
}

impl Documents {
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), left: Cell::new(TOTAL_LIMIT) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes of a document; `name` is what errors call it.
    ///
    /// # Errors
    /// `Damaged` when it is larger than 4 MiB, or all together are larger than 32 MiB.
    pub(super) fn read(&self, name: &str, blob: &Blob) -> Result<Bytes, SourceError> {
        let len = blob.len();
        if len > JSON_LIMIT {
            return Err(self.damaged(&format!("`{}` has {len} bytes, more than 4 MiB", shown(name))));
        }
        let left = self.left.get().checked_sub(len);
        self.left.set(left.ok_or_else(|| self.damaged("its manifests have more than 32 MiB"))?);
        Ok(blob.read_all(JSON_LIMIT)?)
    }

    /// As `read`, for a document whose digest is known: it is checked.
    ///
    /// # Errors
    /// As `read`, and `Damaged` when the bytes are others.
    pub(super) fn read_exact(&self, descriptor: &Descriptor, blob: &Blob) -> Result<Bytes, SourceError> {
        let digest = descriptor.digest();
        let bytes = self.read(digest.as_ref(), blob)?;
        let mut hasher = Hasher::of(digest).map_err(|error| self.damaged(&error.to_string()))?;
        hasher.update(&bytes);
        let found = hasher.finish();
        if found != *digest {
            return Err(self.damaged(&format!("the content of `{digest}` has digest `{found}`")));
        }
        Ok(bytes)
    }

    pub(super) fn damaged(&self, reason: &str) -> SourceError {
        SourceError::Damaged { path: self.path.clone(), reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_bounded_alone_and_with_the_others() {
        let documents = Documents::of(Path::new("x.tar"));
        let large = Blob::Memory(Bytes::from(vec![b' '; 4 * 1024 * 1024]));
        let larger = Blob::Memory(Bytes::from(vec![b' '; 4 * 1024 * 1024 + 1]));
        assert!(documents.read("c", &larger).is_err());
        for _ in 0..8 {
            documents.read("c", &large).unwrap();
        }
        assert!(documents.read("c", &large).is_err());
    }
}
