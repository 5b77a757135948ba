use tar::{EntryType, Header};

use super::pax::Pax;
use super::{MAX_NAME, damaged};
use crate::content::SourceFile;
use crate::port::SourceError;

pub(super) const BLOCK: usize = 512;
/// A long name or a block of PAX records, in bytes.
const MAX_EXTENSION: u64 = 1024 * 1024;
/// More headers than an image of 10,000 layers has in its oldest form.
const MAX_HEADERS: usize = 100_000;
/// How far after the end of the archive something else is looked for.
const TRAILER: usize = 64 * 1024;

/// An entry with its long names and PAX records applied.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    /// What a link points to.
    pub(super) link: Vec<u8>,
    pub(super) kind: EntryType,
    /// Where its bytes begin in the file, and how many there are. They lie in the file.
    pub(super) offset: u64,
    pub(super) len: u64,
    /// The bytes are a map of holes and what is between them.
    pub(super) sparse: bool,
}

/// Reads the headers of a tar one after another and skips what is between them.
///
/// The `tar` crate reads the fields of a header; the walk is ours, because that crate passes over PAX
/// records that it cannot read, and what such a record hides is where the next header stands.
pub(super) struct Walk<'a> {
    file: &'a SourceFile,
    offset: u64,
    headers: usize,
}

/// What the headers before an entry say of it.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a SourceFile) -> Self {
        Self { file, offset: 0, headers: 0 }
    }

    /// The next entry, or `None` at the end of the archive.
    ///
    /// # Errors
    /// `Damaged` when a header is not one, a body ends early, or a bound is crossed.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, SourceError> {
        let mut ahead = Ahead::default();
        loop {
            let at = self.offset;
            let Some(header) = self.header()? else {
                if ahead.name.is_some() || ahead.link.is_some() || ahead.pax.is_some() {
                    return Err(self.fault(at, "it ends after a name whose entry is missing"));
                }
                return Ok(None);
            };
            if describes_the_next(header.entry_type())
                && header.as_gnu().is_none()
                && header.as_ustar().is_none()
            {
                // Some readers take it for a file then.
                return Err(self.fault(at, "a long name stands in a header of an old form"));
            }
            let twice = match header.entry_type() {
                EntryType::GNULongName => ahead.name.replace(self.text(&header)?).is_some(),
                EntryType::GNULongLink => ahead.link.replace(self.text(&header)?).is_some(),
                EntryType::XHeader => ahead.pax.replace(self.records(&header)?).is_some(),
                EntryType::XGlobalHeader => {
                    if self.records(&header)?.changes_entries() {
                        return Err(self.fault(at, "a global PAX header changes all entries"));
                    }
                    false
                }
                // For some readers it is the same as `x`, and for others an entry.
                kind if kind.as_byte() == b'X' => {
                    return Err(self.fault(at, "a PAX header has the form that Solaris wrote"));
                }
                EntryType::GNUSparse => return Err(self.fault(at, "an entry is stored sparse")),
                _ => return self.entry(&header, ahead).map(Some),
            };
            if twice {
                return Err(self.fault(at, "one entry has two names"));
            }
        }
    }

    /// Whether anything but zeros follows the end of the archive.
    pub(super) fn has_trailer(&self) -> Result<bool, SourceError> {
        let mut rest = vec![0; TRAILER];
        let n = self.fill(self.offset, &mut rest)?;
        Ok(rest.iter().take(n).any(|byte| *byte != 0))
    }

    /// The header at the current position, and the position after it. `None` for a block of zeros or at
    /// the end of the file.
    fn header(&mut self) -> Result<Option<Header>, SourceError> {
        let at = self.offset;
        let mut header = Header::new_old();
        let n = self.fill(at, header.as_mut_bytes())?;
        if n == 0 || (n == BLOCK && header.as_bytes().iter().all(|byte| *byte == 0)) {
            return Ok(None);
        }
        if n < BLOCK {
            return Err(self.fault(at, "it ends inside a header"));
        }
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return Err(damaged(self.file, &format!("it has more than {MAX_HEADERS} entries")));
        }
        if !checksum_holds(&header) {
            return Err(self.fault(at, "the checksum of a header is wrong"));
        }
        self.offset = at.saturating_add(BLOCK as u64);
        Ok(Some(header))
    }

    fn entry(&mut self, header: &Header, ahead: Ahead) -> Result<Entry, SourceError> {
        let at = self.offset;
        let pax = ahead.pax.unwrap_or_default();
        if (ahead.name.is_some() && pax.path.is_some()) || (ahead.link.is_some() && pax.linkpath.is_some()) {
            return Err(self.fault(at, "one entry has two names"));
        }
        let name = ahead.name.or(pax.path).unwrap_or_else(|| header.path_bytes().into_owned());
        let linked = || header.link_name_bytes().unwrap_or_default().into_owned();
        let link = ahead.link.or(pax.linkpath).unwrap_or_else(linked);
        if name.len() > MAX_NAME || link.len() > MAX_NAME {
            return Err(self.fault(at, "the name of an entry is longer than 4096 bytes"));
        }
        if name.contains(&0) || link.contains(&0) {
            return Err(self.fault(at, "the name of an entry has a NUL in it"));
        }
        let len = pax.size.map_or_else(|| self.size(header), Ok)?;
        let kind = header.entry_type();
        // Readers do not agree on whether such bytes are there, and so not on where the next header is.
        let has_no_body = matches!(
            kind,
            EntryType::Link
                | EntryType::Symlink
                | EntryType::Char
                | EntryType::Block
                | EntryType::Directory
                | EntryType::Fifo
        );
        if has_no_body && len > 0 {
            return Err(self.fault(at, "an entry that is no file has a size"));
        }
        let offset = self.skip(len)?;
        Ok(Entry { name, link, kind, offset, len, sparse: pax.sparse })
    }

    /// Steps over a body, and says where it began.
    fn skip(&mut self, len: u64) -> Result<u64, SourceError> {
        let offset = self.offset;
        let next = len.checked_next_multiple_of(BLOCK as u64).and_then(|padded| offset.checked_add(padded));
        match (offset.checked_add(len), next) {
            // The padding of the last entry may be cut off: no byte of content is missing then.
            (Some(end), Some(next)) if end <= self.file.len() => {
                self.offset = next.min(self.file.len());
                Ok(offset)
            }
            _ => Err(self.fault(offset, &format!("it ends inside an entry of {len} bytes"))),
        }
    }

    /// The size field, in octal or, with its first bit set, in big-endian binary.
    fn size(&self, header: &Header) -> Result<u64, SourceError> {
        let field = header.as_old().size;
        let fits = match field.first() {
            Some(first) if first & 0x80 != 0 => {
                *first == 0x80 && field.iter().take(4).skip(1).all(|b| *b == 0)
            }
            _ => true,
        };
        match header.entry_size() {
            Ok(size) if fits => Ok(size),
            _ => Err(self.fault(self.offset, "the size of an entry is no number")),
        }
    }

    /// A long name; the NUL at its end is no part of it.
    fn text(&mut self, header: &Header) -> Result<Vec<u8>, SourceError> {
        let begin = self.offset;
        let mut text = self.body(header)?;
        if text.last() == Some(&0) {
            text.pop();
        } else if !text.len().is_multiple_of(BLOCK) {
            // Some readers go on to the first NUL, beyond the size.
            let (mut next, end) = ([0], begin.saturating_add(text.len() as u64));
            self.fill(end, &mut next)?;
            if next != [0] {
                return Err(self.fault(end, "a long name goes on after its end"));
            }
        }
        Ok(text)
    }

    fn records(&mut self, header: &Header) -> Result<Pax, SourceError> {
        let at = self.offset;
        Pax::parse(&self.body(header)?).map_err(|reason| self.fault(at, reason))
    }

    fn body(&mut self, header: &Header) -> Result<Vec<u8>, SourceError> {
        let at = self.offset;
        let len = self.size(header)?;
        if len > MAX_EXTENSION {
            return Err(self.fault(at, "a long name or PAX header is larger than 1 MiB"));
        }
        let offset = self.skip(len)?;
        let mut body = vec![0; usize::try_from(len).unwrap_or_default()];
        let n = self.fill(offset, &mut body)?;
        body.truncate(n);
        Ok(body)
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(offset.saturating_add(filled as u64), rest)? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(filled)
    }

    fn fault(&self, offset: u64, reason: &str) -> SourceError {
        damaged(self.file, &format!("{reason} at byte {offset}"))
    }
}

fn describes_the_next(kind: EntryType) -> bool {
    use EntryType::{GNULongLink, GNULongName, XGlobalHeader, XHeader};
    matches!(kind, GNULongName | GNULongLink | XHeader | XGlobalHeader)
}

/// The sum of all bytes of the header, its own field counted as spaces.
pub(super) fn checksum_holds(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum: u32 =
        bytes.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
    header.cksum().is_ok_and(|written| written == sum)
}
