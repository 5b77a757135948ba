use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{NAME, version};

/// The SHA-256 of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) file: String,
    /// 64 digits, in lower case.
    pub(crate) hex: String,
}

impl Sum {
    pub(crate) fn of(file: &str, bytes: &[u8]) -> Self {
        let sum = ring::digest::digest(&ring::digest::SHA256, bytes);
        Self { file: file.to_owned(), hex: hex(sum.as_ref()) }
    }

    /// As `sha256sum` writes and reads it.
    pub(crate) fn line(&self) -> String {
        format!("{}  {}\n", self.hex, self.file)
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Those of this version's archives in a folder, by name.
pub(crate) fn sums(folder: &Path) -> Result<Vec<Sum>> {
    let mut sums = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let archive = [".tar.gz", ".zip"].iter().any(|ending| name.ends_with(ending));
        if archive && name.starts_with(&format!("{NAME}_{}_", version())) {
            sums.push(Sum::of(name, &fs::read(&path)?));
        }
    }
    ensure!(!sums.is_empty(), "no archive of {} in {}", version(), folder.display());
    sums.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(sums)
}
