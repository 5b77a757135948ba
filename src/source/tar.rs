use std::cell::RefCell;
use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tar::{EntryType, Header};

use super::shown::{shown, shown_bytes};
use crate::content::{Blob, FileRange, SourceFile};
use crate::port::SourceError;

mod pax;
mod walk;

#[cfg(test)]
mod tests;

use walk::{BLOCK, Walk};

const MAX_NAME: usize = 4096;
/// All names and link targets of an archive, in bytes.
const MAX_NAMES: usize = 16 * 1024 * 1024;
const MAX_LINKS: usize = 16;

/// What stands under a name.
#[derive(Debug)]
enum Entry {
    /// Where its bytes are. `twins` is where entries of the same name and length begin.
    File {
        offset: u64,
        len: u64,
        twins: Vec<u64>,
    },
    Link(Vec<u8>),
    /// There, but it cannot be read as a file, for this reason.
    Other(&'static str),
}

/// Where the files of a tar are. Made once by seeking over its headers; nothing is extracted.
#[derive(Debug)]
pub(super) struct TarIndex {
    file: Arc<SourceFile>,
    entries: HashMap<Vec<u8>, Entry>,
    /// Entries that nobody can ask for are counted as well.
    count: usize,
    notes: Vec<String>,
    /// Where files begin whose twins were compared with them, so that it happens once.
    compared: RefCell<HashSet<u64>>,
}

impl TarIndex {
    /// Reads the headers of all entries.
    ///
    /// # Errors
    /// `Damaged` when a header is not one, a body ends early, or a bound is crossed.
    pub(super) fn read(file: &Arc<SourceFile>) -> Result<Self, SourceError> {
        let mut index = Self {
            file: Arc::clone(file),
            entries: HashMap::new(),
            count: 0,
            notes: Vec::new(),
            compared: RefCell::default(),
        };
        let mut walk = Walk::new(file);
        let mut names = 0;
        let mut unknown = None;
        while let Some(entry) = walk.next()? {
            names += entry.name.len() + entry.link.len();
            if names > MAX_NAMES {
                return Err(damaged(file, "the names of its entries take more than 16 MiB"));
            }
            if !is_known(entry.kind) {
                unknown.get_or_insert_with(|| shown_bytes(&entry.name));
            }
            index.count += 1;
            index.add(&entry);
        }
        if let Some(name) = unknown {
            let kind = "is of a kind that is not known; it was passed over";
            index.notes.push(format!("entry `{name}` of `{}` {kind}", shown(&path_of(file))));
        }
        if walk.has_trailer()? {
            let after = "goes on after the end of its archive; what follows was not looked at";
            index.notes.push(format!("`{}` {after}", shown(&path_of(file))));
        }
        Ok(index)
    }

    fn add(&mut self, entry: &walk::Entry) {
        // A name that leads out of the archive is nobody's: it cannot be asked for.
        let Some(name) = clean(&entry.name) else { return };
        let found = match entry.kind {
            _ if entry.sparse => Entry::Other("is stored sparse"),
            EntryType::Regular | EntryType::Continuous if entry.name.ends_with(b"/") => {
                Entry::Other("is no file")
            }
            EntryType::Regular | EntryType::Continuous => {
                Entry::File { offset: entry.offset, len: entry.len, twins: Vec::new() }
            }
            EntryType::Symlink | EntryType::Link => link_target(entry)
                .map_or(Entry::Other("links to a place outside of the archive"), Entry::Link),
            _ => Entry::Other("is no file"),
        };
        match self.entries.entry(name) {
            Place::Vacant(place) => {
                place.insert(found);
            }
            Place::Occupied(mut place) => together(place.get_mut(), found),
        }
    }

    /// The bytes under a name, links followed inside the archive. `None` where there is no such entry.
    ///
    /// # Errors
    /// `Damaged` when the name stands twice with different bytes, a link leads nowhere or in a circle,
    /// or it is no file.
    pub(super) fn find(&self, name: &str) -> Result<Option<Blob>, SourceError> {
        let Some((at, entry)) = self.resolve(name)? else { return Ok(None) };
        match entry {
            Entry::File { offset, len, twins } => {
                let blob = self.range(*offset, *len)?;
                if twins.is_empty() || self.compared.borrow().contains(offset) {
                    return Ok(Some(blob));
                }
                for twin in twins {
                    if !equal(&blob, &self.range(*twin, *len)?)? {
                        return Err(self.fault(&format!("it has two entries named `{}`", shown_bytes(&at))));
                    }
                }
                self.compared.borrow_mut().insert(*offset);
                Ok(Some(blob))
            }
            Entry::Other(what) => Err(self.fault(&format!("its entry `{}` {what}", shown_bytes(&at)))),
            Entry::Link(_) => Err(self.fault(&format!("the links of `{}` do not end", shown(name)))),
        }
    }

    /// As `find`, for a document that says what the archive is: refused when it stands twice, whatever
    /// its bytes, because readers do not agree on which one counts.
    ///
    /// # Errors
    /// As `find`.
    pub(super) fn find_once(&self, name: &str) -> Result<Option<Blob>, SourceError> {
        match self.resolve(name)? {
            Some((at, Entry::File { twins, .. })) if !twins.is_empty() => {
                Err(self.fault(&format!("it has two entries named `{}`", shown_bytes(&at))))
            }
            _ => self.find(name),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name.as_bytes())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What the user should know: entries of unknown kinds, bytes after the end.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    fn resolve(&self, name: &str) -> Result<Option<(Vec<u8>, &Entry)>, SourceError> {
        let Some(mut at) = clean(name.as_bytes()) else {
            return Err(self.fault(&format!("it refers to `{}`", shown(name))));
        };
        for hops in 0..=MAX_LINKS {
            match self.entries.get(&at) {
                Some(Entry::Link(target)) if hops < MAX_LINKS => at.clone_from(target),
                Some(entry) => return Ok(Some((at, entry))),
                None if hops == 0 => return Ok(None),
                None => {
                    let reason =
                        format!("`{}` links to `{}`, which is missing", shown(name), shown_bytes(&at));
                    return Err(self.fault(&reason));
                }
            }
        }
        Ok(None)
    }

    fn range(&self, offset: u64, len: u64) -> Result<Blob, SourceError> {
        Ok(Blob::Range(FileRange::new(Arc::clone(&self.file), offset, len)?))
    }

    fn fault(&self, reason: &str) -> SourceError {
        damaged(&self.file, reason)
    }
}

/// A file of an archive as it is found there, for comparison with what other readers see.
#[cfg(any(test, feature = "fuzzing"))]
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) name: Vec<u8>,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) sparse: bool,
}

/// All files of an archive in their order.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn files(file: &SourceFile) -> Result<Vec<Seen>, SourceError> {
    let (mut walk, mut files) = (Walk::new(file), Vec::new());
    while let Some(walk::Entry { name, kind, offset, len, sparse, .. }) = walk.next()? {
        if matches!(kind, EntryType::Regular | EntryType::Continuous) {
            files.push(Seen { name, offset, len, sparse });
        }
    }
    Ok(files)
}

/// Whether a file's first block is the header of a tar entry.
pub(super) fn looks_like_tar(block: &[u8]) -> bool {
    let mut header = Header::new_old();
    let Some(block) = block.get(..BLOCK) else { return false };
    header.as_mut_bytes().copy_from_slice(block);
    block.iter().any(|byte| *byte != 0) && walk::checksum_holds(&header)
}

pub(super) fn damaged(file: &SourceFile, reason: &str) -> SourceError {
    SourceError::Damaged { path: file.path().to_owned(), reason: reason.to_owned() }
}

fn path_of(file: &SourceFile) -> String {
    file.path().display().to_string()
}

fn is_known(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::Regular
            | EntryType::Continuous
            | EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

/// What stands under a name that several entries have. Files of one length may be equal: that is seen when
/// somebody asks for them. Anything else is refused then.
fn together(first: &mut Entry, second: Entry) {
    match (first, second) {
        (Entry::File { len, twins, .. }, Entry::File { offset, len: other, .. }) if *len == other => {
            twins.push(offset);
        }
        (Entry::Link(first), Entry::Link(second)) if *first == second => {}
        (Entry::Other(_), Entry::Other(_)) => {}
        (first, _) => *first = Entry::Other("stands there several times, each time as something else"),
    }
}

fn equal(one: &Blob, other: &Blob) -> Result<bool, SourceError> {
    let (mut a, mut b) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut offset = 0;
    while offset < one.len() {
        let n = one.read_at(offset, &mut a)?;
        let (Some(a), Some(b)) = (a.get(..n), b.get_mut(..n)) else { return Ok(false) };
        let mut filled = 0;
        while let Some(rest) = b.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += other.read_at(offset + filled as u64, rest)?;
        }
        if a != b {
            return Ok(false);
        }
        offset += n as u64;
    }
    Ok(true)
}

/// `./a//b` is `a/b`; `None` for a name that is absolute or goes up.
fn clean(name: &[u8]) -> Option<Vec<u8>> {
    let parts = parts(name)?;
    (!parts.contains(&b"..".as_slice())).then(|| parts.join(&b'/'))
}

fn parts(name: &[u8]) -> Option<Vec<&[u8]>> {
    if name.starts_with(b"/") {
        return None;
    }
    Some(name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect())
}

/// A symbolic link is relative to its own folder, a hard link to the archive's root. `None` when it
/// leads out of the archive.
fn link_target(entry: &walk::Entry) -> Option<Vec<u8>> {
    if entry.kind == EntryType::Link {
        return clean(&entry.link);
    }
    let mut at = parts(&entry.name)?;
    at.pop();
    for part in parts(&entry.link)? {
        if part == b".." {
            at.pop()?;
        } else {
            at.push(part);
        }
    }
    Some(at.join(&b'/'))
}
