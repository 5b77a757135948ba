use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;
use std::sync::Arc;

use tar::EntryType;

use crate::content::{Blob, FileRange, SourceFile};
use crate::port::SourceError;

/// More entries than an image of 10,000 layers has in its oldest form.
const MAX_ENTRIES: usize = 100_000;
const MAX_NAME: usize = 4096;
/// Bytes of headers, long names and PAX records between two entries.
const MAX_HEADERS: u64 = 1024 * 1024;
const MAX_LINKS: usize = 16;

/// What stands under a name.
#[derive(Debug, Clone)]
enum Entry {
    File(FileRange),
    Link(Vec<u8>),
    /// A folder, FIFO or device: there, but no content.
    Other,
}

/// Where the files of a tar are. Made once by seeking over its headers; nothing is extracted.
#[derive(Debug)]
pub(super) struct TarIndex {
    file: Arc<SourceFile>,
    entries: HashMap<Vec<u8>, Entry>,
    twice: Vec<Vec<u8>>,
}

impl TarIndex {
    /// Reads the headers of all entries.
    ///
    /// # Errors
    /// `Damaged` when a header is not one, a body ends early, or a bound is crossed.
    pub(super) fn read(file: &Arc<SourceFile>) -> Result<Self, SourceError> {
        let budget = Rc::new(Cell::new(MAX_HEADERS));
        let reader = Headers { file: Arc::clone(file), offset: 0, budget: Rc::clone(&budget) };
        let mut archive = tar::Archive::new(reader);
        let mut index = Self { file: Arc::clone(file), entries: HashMap::new(), twice: Vec::new() };
        let damaged = |source: io::Error| damaged(file, &source.to_string());
        let mut count = 0;
        for entry in archive.entries_with_seek().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            budget.set(MAX_HEADERS);
            count += 1;
            if count > MAX_ENTRIES {
                return Err(self::damaged(file, &format!("it has more than {MAX_ENTRIES} entries")));
            }
            index.add(&entry)?;
        }
        Ok(index)
    }

    fn add<R: Read>(&mut self, entry: &tar::Entry<'_, R>) -> Result<(), SourceError> {
        let name = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        if name.len() > MAX_NAME || name.contains(&0) {
            return Err(damaged(&self.file, "an entry's name is too long or has a NUL in it"));
        }
        let found = match kind {
            EntryType::Regular | EntryType::Continuous => {
                let (offset, len) = (entry.raw_file_position(), entry.size());
                let range = FileRange::new(Arc::clone(&self.file), offset, len).map_err(|_| {
                    damaged(&self.file, &format!("it ends inside `{}` at byte {offset}", shown(&name)))
                })?;
                Entry::File(range)
            }
            EntryType::Symlink | EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default();
                match link_target(&name, &target, kind) {
                    Some(target) => Entry::Link(target),
                    None => Entry::Other,
                }
            }
            _ => Entry::Other,
        };
        // A name that leads out of the archive is nobody's: it cannot be asked for.
        let Some(name) = clean(&name) else { return Ok(()) };
        if self.entries.contains_key(&name) && matches!(found, Entry::File(_)) {
            self.twice.push(name.clone());
        }
        self.entries.insert(name, found);
        Ok(())
    }

    /// The bytes under a name, links followed inside the archive. `None` where there is no such entry.
    ///
    /// # Errors
    /// `Damaged` when the name stands twice, a link leads nowhere or in a circle, or it is no file.
    pub(super) fn find(&self, name: &str) -> Result<Option<Blob>, SourceError> {
        let Some(mut at) = clean(name.as_bytes()).filter(|_| !name.split('/').any(|part| part == ".."))
        else {
            return Err(damaged(&self.file, &format!("it refers to `{}`", name.escape_debug())));
        };
        for hops in 0..=MAX_LINKS {
            if self.twice.contains(&at) {
                return Err(damaged(&self.file, &format!("it has two entries named `{}`", shown(&at))));
            }
            match self.entries.get(&at) {
                Some(Entry::File(range)) => return Ok(Some(Blob::Range(range.clone()))),
                Some(Entry::Link(target)) => at.clone_from(target),
                Some(Entry::Other) => {
                    return Err(damaged(&self.file, &format!("its entry `{}` is no file", shown(&at))));
                }
                None if hops == 0 => return Ok(None),
                None => {
                    let reason =
                        format!("`{}` links to `{}`, which is missing", name.escape_debug(), shown(&at));
                    return Err(damaged(&self.file, &reason));
                }
            }
        }
        Err(damaged(&self.file, &format!("the links of `{}` do not end", name.escape_debug())))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name.as_bytes())
    }

    pub(super) fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }
}

pub(super) fn damaged(file: &SourceFile, reason: &str) -> SourceError {
    SourceError::Damaged { path: file.path().to_owned(), reason: reason.to_owned() }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}

/// `./a//b` is `a/b`; `None` for a name that leads out of the archive or is absolute.
fn clean(name: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    if name.starts_with(b"/") {
        return None;
    }
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// A symbolic link is relative to its own folder, a hard link to the archive's root.
fn link_target(name: &[u8], target: &[u8], kind: EntryType) -> Option<Vec<u8>> {
    if kind == EntryType::Link {
        return clean(target);
    }
    let folder =
        name.iter().rposition(|byte| *byte == b'/').and_then(|end| name.get(..=end)).unwrap_or_default();
    if target.starts_with(b"/") {
        return None;
    }
    clean(&[folder, target].concat())
}

/// Reads headers by position. The budget bounds what one entry's long names may cost in memory.
struct Headers {
    file: Arc<SourceFile>,
    offset: u64,
    budget: Rc<Cell<u64>>,
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(self.offset, buffer).map_err(io::Error::other)?;
        let left = self.budget.get().checked_sub(n as u64);
        self.budget.set(left.ok_or_else(|| io::Error::other("an entry's headers are larger than 1 MiB"))?);
        self.offset += n as u64;
        Ok(n)
    }
}

impl Seek for Headers {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
            SeekFrom::End(by) => self.file.len().checked_add_signed(by),
        };
        self.offset = target.ok_or_else(|| io::Error::other("a size leads out of the file"))?;
        Ok(self.offset)
    }
}
