use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Why content could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error("could not open `{}`", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("`{}` is not a regular file", path.display())]
    NotRegular { path: PathBuf },
    #[error("could not read `{}` at byte {offset}", path.display())]
    Read { path: PathBuf, offset: u64, source: io::Error },
    #[error("`{}` changed while it was read", path.display())]
    Changed { path: PathBuf },
    #[error("`{}` ends at byte {file_len}, but content up to byte {end} was expected", path.display())]
    Short { path: PathBuf, file_len: u64, end: u64 },
    #[error("{len} bytes are more than the limit of {limit} bytes")]
    TooLarge { len: u64, limit: u64 },
    #[error("could not write a temporary file in `{}`", dir.display())]
    Spool { dir: PathBuf, source: io::Error },
    #[error("`{}` has room for {free} bytes, and {needed} are needed", dir.display())]
    NoRoom { dir: PathBuf, needed: u64, free: u64 },
    /// What was to be got when it was first read could not be.
    #[error("could not get `{name}`: {reason}")]
    Fetch { name: String, reason: String },
    /// Others wait for the same content, and are told the same.
    #[error(transparent)]
    Deferred(Arc<Self>),
}

/// What tells one file from another, and from itself after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    inode: Option<(u64, u64)>,
    len: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    fn of(meta: &Metadata) -> Self {
        Self { inode: inode(meta), len: meta.len(), modified: meta.modified().ok() }
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "Windows has no inode, so the shape is an Option")]
fn inode(meta: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Opens for reading without blocking on a FIFO; the caller checks that it is a regular file.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}

/// Bounds how many files are open at once: a layout of 5,000 blobs holds a few dozen descriptors.
#[derive(Debug)]
pub struct FilePool {
    open: Mutex<VecDeque<(u64, Arc<File>)>>,
    next: AtomicU64,
    capacity: usize,
}

impl FilePool {
    /// A pool that keeps at most `capacity` files open between reads.
    #[must_use]
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), next: AtomicU64::new(0), capacity: capacity.max(1) })
    }

    fn get(&self, id: u64) -> Option<Arc<File>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().find(|(held, _)| *held == id).map(|(_, file)| Arc::clone(file))
    }

    fn keep(&self, id: u64, file: &Arc<File>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while open.len() >= self.capacity {
            open.pop_front();
        }
        open.push_back((id, Arc::clone(file)));
    }
}

#[derive(Debug)]
enum Handle {
    /// Reopened by path whenever the pool has let it go.
    Pooled { pool: Arc<FilePool>, id: u64 },
    /// A spool without a name, or standard input: open for as long as it is needed.
    Held(Arc<File>),
}

/// A regular file whose identity was noted when it was first seen. A file that is another one when
/// it is opened again is an error, before any digest says so.
#[derive(Debug)]
pub struct SourceFile {
    path: PathBuf,
    identity: Identity,
    handle: Handle,
}

impl SourceFile {
    /// Opens `path` and notes device, inode, size and time of change.
    ///
    /// # Errors
    /// `Open` when it cannot be opened, `NotRegular` for a folder, FIFO, socket or device.
    pub fn open(path: &Path, pool: &Arc<FilePool>) -> Result<Arc<Self>, ContentError> {
        let file = open(path).map_err(|source| ContentError::Open { path: path.to_owned(), source })?;
        let meta = file.metadata().map_err(|source| ContentError::Open { path: path.to_owned(), source })?;
        if !meta.is_file() {
            return Err(ContentError::NotRegular { path: path.to_owned() });
        }
        let identity = Identity::of(&meta);
        let id = pool.next.fetch_add(1, Ordering::Relaxed);
        pool.keep(id, &Arc::new(file));
        let handle = Handle::Pooled { pool: Arc::clone(pool), id };
        Ok(Arc::new(Self { path: path.to_owned(), identity, handle }))
    }

    /// Wraps a file that has no name; `shown` is what errors call it.
    ///
    /// # Errors
    /// `Open` when its length cannot be read.
    pub fn from_spool(file: File, shown: &Path) -> Result<Arc<Self>, ContentError> {
        let meta = file.metadata().map_err(|source| ContentError::Open { path: shown.to_owned(), source })?;
        let identity = Identity::of(&meta);
        Ok(Arc::new(Self { path: shown.to_owned(), identity, handle: Handle::Held(Arc::new(file)) }))
    }

    /// The path as it was given, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size in bytes when it was first opened.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.identity.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn file(&self) -> Result<Arc<File>, ContentError> {
        let (pool, id) = match &self.handle {
            Handle::Held(file) => return Ok(Arc::clone(file)),
            Handle::Pooled { pool, id } => (pool, *id),
        };
        if let Some(file) = pool.get(id) {
            return Ok(file);
        }
        let failed = |source| ContentError::Open { path: self.path.clone(), source };
        let file = open(&self.path).map_err(failed)?;
        if Identity::of(&file.metadata().map_err(failed)?) != self.identity {
            return Err(ContentError::Changed { path: self.path.clone() });
        }
        let file = Arc::new(file);
        pool.keep(id, &file);
        Ok(file)
    }

    /// Checks that the file is still what it was when it was first opened.
    ///
    /// # Errors
    /// `Changed` when size or time of change differ, `Open` when it cannot be asked.
    pub fn check_unchanged(&self) -> Result<(), ContentError> {
        let meta = self
            .file()?
            .metadata()
            .map_err(|source| ContentError::Open { path: self.path.clone(), source })?;
        if Identity::of(&meta) == self.identity {
            return Ok(());
        }
        Err(ContentError::Changed { path: self.path.clone() })
    }

    /// Reads at `offset` from the start of the file. Zero only at its end or for an empty buffer.
    ///
    /// # Errors
    /// `Read` with the offset, or `Changed` when the file had to be opened again and is another one.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, ContentError> {
        let file = self.file()?;
        loop {
            match read_at(&file, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ContentError::Read { path: self.path.clone(), offset, source });
                }
                Ok(n) => return Ok(n),
            }
        }
    }
}

/// `len` bytes of a file from `offset`. The range was inside the file when it was made.
#[derive(Debug, Clone)]
pub struct FileRange {
    source: Arc<SourceFile>,
    offset: u64,
    len: u64,
}

impl FileRange {
    /// The range `offset..offset + len`, in bytes.
    ///
    /// # Errors
    /// `Short` when the range does not lie within the file.
    pub fn new(source: Arc<SourceFile>, offset: u64, len: u64) -> Result<Self, ContentError> {
        match offset.checked_add(len) {
            Some(end) if end <= source.len() => Ok(Self { source, offset, len }),
            end => Err(ContentError::Short {
                path: source.path.clone(),
                file_len: source.len(),
                end: end.unwrap_or(u64::MAX),
            }),
        }
    }

    /// All of the file.
    #[must_use]
    pub fn whole(source: Arc<SourceFile>) -> Self {
        let len = source.len();
        Self { source, offset: 0, len }
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The file it is a range of.
    #[must_use]
    pub fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }

    /// Reads at `offset` from the start of the range, never beyond its end.
    ///
    /// # Errors
    /// As `SourceFile::read_at`; `Changed` when the file ended inside the range.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, ContentError> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        match self.source.read_at(self.offset + offset, buffer)? {
            0 => Err(ContentError::Changed { path: self.source.path.clone() }),
            n => Ok(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file_of(bytes: &[u8]) -> (tempfile::NamedTempFile, Arc<SourceFile>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let source = SourceFile::open(file.path(), &FilePool::new(1)).unwrap();
        (file, source)
    }

    #[test]
    fn a_range_reads_only_its_own_bytes() {
        let (_file, source) = file_of(b"0123456789");
        let range = FileRange::new(source, 2, 3).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(range.read_at(1, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer[..2], b"34");
        assert_eq!(range.read_at(3, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_range_beyond_the_file_is_refused_without_overflow() {
        let (_file, source) = file_of(b"0123456789");
        assert!(FileRange::new(Arc::clone(&source), 8, 3).is_err());
        assert!(FileRange::new(source, u64::MAX, 2).is_err());
    }

    #[test]
    fn a_file_that_was_replaced_is_noticed_when_it_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        std::fs::write(&path, b"old content").unwrap();
        let pool = FilePool::new(1);
        let source = SourceFile::open(&path, &pool).unwrap();
        std::fs::write(dir.path().join("other"), b"x").unwrap();
        std::fs::rename(dir.path().join("other"), &path).unwrap();
        let _evicts = SourceFile::open(&path, &pool).unwrap();
        assert!(matches!(source.read_at(0, &mut [0; 1]), Err(ContentError::Changed { .. })));
    }

    #[test]
    fn a_file_without_a_name_is_seen_to_change_as_well() {
        let mut named = tempfile::NamedTempFile::new().unwrap();
        named.write_all(b"0123456789").unwrap();
        let held = SourceFile::from_spool(named.reopen().unwrap(), Path::new("-")).unwrap();
        held.check_unchanged().unwrap();
        named.write_all(b"more").unwrap();
        assert!(matches!(held.check_unchanged(), Err(ContentError::Changed { .. })));
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let opened = SourceFile::open(dir.path(), &FilePool::new(1));
        assert!(matches!(opened, Err(ContentError::NotRegular { .. })));
    }
}
