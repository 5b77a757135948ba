//! Archives that are the same for the same entries: no owner, no time of their own, no folder, no link.

use std::io::{Cursor, Write as _};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, GzBuilder};

/// A file of the archive, which is flat.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) bytes: Vec<u8>,
}

impl Entry {
    pub(crate) fn new(name: impl Into<String>, mode: Mode, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), mode, bytes: bytes.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Program,
}

impl Mode {
    fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Program => 0o755,
        }
    }
}

/// krew takes these two and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    TarGz,
    Zip,
}

impl Packing {
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::Zip => "zip",
        }
    }
}

/// `time` is that of every entry, in seconds since 1970.
pub(crate) fn pack(packing: Packing, entries: &[Entry], time: u64) -> Result<Vec<u8>> {
    ensure!(entries.is_sorted_by(|a, b| a.name < b.name), "entries out of order, or of one name");
    match packing {
        Packing::TarGz => tar_gz(entries, time),
        Packing::Zip => zip(entries, time),
    }
}

fn tar_gz(entries: &[Entry], time: u64) -> Result<Vec<u8>> {
    // Without a name and a time.
    let mut tar = tar::Builder::new(GzBuilder::new().write(Vec::new(), Compression::best()));
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(entry.mode.bits());
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        header.set_size(u64::try_from(entry.bytes.len())?);
        tar.append_data(&mut header, &entry.name, entry.bytes.as_slice())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

fn zip(entries: &[Entry], time: u64) -> Result<Vec<u8>> {
    let time = dos_time(time)?;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(time)
            .unix_permissions(entry.mode.bits());
        zip.start_file(&entry.name, options)?;
        zip.write_all(&entry.bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// In UTC, which a zip does not say.
fn dos_time(seconds: u64) -> Result<zip::DateTime> {
    let time = jiff::Timestamp::from_second(i64::try_from(seconds)?)?.to_zoned(jiff::tz::TimeZone::UTC);
    let narrow = |part: i8| u8::try_from(part);
    zip::DateTime::from_date_and_time(
        u16::try_from(time.year())?,
        narrow(time.month())?,
        narrow(time.day())?,
        narrow(time.hour())?,
        narrow(time.minute())?,
        narrow(time.second())?,
    )
    .context("a time that no zip can hold")
}
