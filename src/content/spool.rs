use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Blob, ContentError, FileRange, SourceFile};

/// Up to this size a spool stays in memory, so that small layers cost no file.
const IN_MEMORY: usize = 256 * 1024;

/// The folder for spools. Files in it have no name (they are unlinked when made), so that nothing is
/// left behind whatever ends the process.
#[derive(Debug, Clone)]
pub struct SpoolDir(PathBuf);

impl SpoolDir {
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Bytes that this user can still write there; `None` where the system does not say.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        self.there().and_then(free)
    }

    /// Whether a file can be made there. Leaves none behind.
    ///
    /// # Errors
    /// `Spool` when it cannot.
    pub fn try_out(&self) -> Result<(), ContentError> {
        let folder = self.there().unwrap_or(&self.0);
        let made = tempfile::tempfile_in(folder).map(drop);
        made.map_err(|source| ContentError::Spool { dir: self.0.clone(), source })
    }

    /// The folder, or the one that it will be made in with its first file.
    fn there(&self) -> Option<&Path> {
        self.0.ancestors().find(|folder| folder.is_dir())
    }

    /// Whether `needed` bytes can be written here. Where that cannot be told, writing them will. Blocks the
    /// thread.
    ///
    /// # Errors
    /// `NoRoom` with what is needed and what is free.
    pub fn check_room(&self, needed: u64) -> Result<(), ContentError> {
        match self.free() {
            Some(free) if free < needed => Err(ContentError::NoRoom { dir: self.0.clone(), needed, free }),
            _ => Ok(()),
        }
    }

    /// An empty spool.
    #[must_use]
    pub fn spool(&self) -> Spool {
        Spool { dir: self.clone(), held: Held::Memory(Vec::new()) }
    }
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(folder).ok()?;
    // Some file systems of users count nothing.
    (system.f_blocks > 0).then(|| system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// Makes a folder, and those above it, for this user alone.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File(File),
}

/// Bytes being written, to be read back as a blob.
#[derive(Debug)]
pub struct Spool {
    dir: SpoolDir,
    held: Held,
}

impl Spool {
    /// Ends writing. `shown` is what errors call the content.
    ///
    /// # Errors
    /// When the temporary file cannot be read back.
    pub fn finish(self, shown: &Path) -> Result<Blob, ContentError> {
        match self.held {
            Held::Memory(bytes) => Ok(Blob::Memory(Bytes::from(bytes))),
            Held::File(file) => Ok(Blob::Range(FileRange::whole(SourceFile::from_spool(file, shown)?))),
        }
    }

    /// As `finish`, but always a file: for content that is indexed as an archive.
    ///
    /// # Errors
    /// `Spool` when the temporary file cannot be made or written.
    pub fn finish_file(mut self, shown: &Path) -> Result<std::sync::Arc<SourceFile>, ContentError> {
        let dir = self.dir.0.clone();
        let file = self.file().map_err(|source| ContentError::Spool { dir, source })?;
        let file =
            file.try_clone().map_err(|source| ContentError::Open { path: shown.to_owned(), source })?;
        SourceFile::from_spool(file, shown)
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if let Held::Memory(bytes) = &self.held {
            make_private(&self.dir.0)?;
            let mut file = tempfile::tempfile_in(&self.dir.0)?;
            file.write_all(bytes)?;
            self.held = Held::File(file);
        }
        match &mut self.held {
            Held::File(file) => Ok(file),
            Held::Memory(_) => Err(io::Error::other("spool was not moved to a file")),
        }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.held {
            Held::Memory(held) if held.len() + bytes.len() <= IN_MEMORY => {
                held.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            _ => self.file()?.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_spool_moves_to_a_file_without_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = SpoolDir::new(dir.path().to_owned()).spool();
        let content: Vec<u8> = (0..=255).cycle().take(IN_MEMORY + 10).collect();
        for part in content.chunks(1000) {
            spool.write_all(part).unwrap();
        }
        let blob = spool.finish(Path::new("spool")).unwrap();
        assert!(matches!(blob, Blob::Range(_)));
        assert_eq!(blob.read_all(u64::MAX).unwrap(), content);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_looks_into_a_folder_that_a_spool_makes() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("cache");
        SpoolDir::new(made.clone()).spool().finish_file(Path::new("spool")).unwrap();
        assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn room_is_known_before_the_folder_is_made() {
        let dir = tempfile::tempdir().unwrap();
        assert!(SpoolDir::new(dir.path().join("not/yet")).free().is_some_and(|free| free > 0));
    }

    #[test]
    fn room_is_looked_for_before_it_is_used_up() {
        let dir = tempfile::tempdir().unwrap();
        let spools = SpoolDir::new(dir.path().join("not/there/yet"));
        spools.check_room(1).unwrap();
        let error = spools.check_room(u64::MAX).unwrap_err();
        assert!(matches!(error, ContentError::NoRoom { needed: u64::MAX, free, .. } if free > 0), "{error}");
    }

    #[test]
    fn a_small_spool_stays_in_memory() {
        let mut spool = SpoolDir::new("/nonexistent".into()).spool();
        spool.write_all(b"small").unwrap();
        assert!(matches!(spool.finish(Path::new("spool")).unwrap(), Blob::Memory(_)));
    }
}
