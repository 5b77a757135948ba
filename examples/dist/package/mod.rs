//! What is in a release, as values: the archive of a platform, and what describes the archives.

pub(crate) mod archive;
pub(crate) mod crates;
pub(crate) mod krew;
pub(crate) mod licences;
pub(crate) mod notes;
pub(crate) mod page;
mod platform;
pub(crate) mod sbom;
mod sum;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use archive::{Entry, Mode};
use clap_complete::Shell;

pub(crate) use platform::Platform;
pub(crate) use sum::{Sum, sums};

pub(crate) const NAME: &str = env!("CARGO_PKG_NAME");

/// Taken over as they stand in the repository.
pub(crate) const OWN: [&str; 3] = ["LICENSE", "README.md", "plugin.yaml"];
pub(crate) const THIRD_PARTY: &str = "THIRD-PARTY.txt";
/// Where each shell's script stands in the archive; shells look for it under names of their own.
pub(crate) const SCRIPTS: [(Shell, &str); 4] =
    [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish"), (Shell::PowerShell, "ps1")];

/// As tags have it.
pub(crate) fn version() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION"))
}

/// The archive's files, all of them plain and in one folder.
pub(crate) fn entries(
    root: &Path,
    platform: &Platform,
    program: Vec<u8>,
    third_party: String,
) -> Result<Vec<Entry>> {
    let mut entries = vec![Entry::new(platform.program(), Mode::Program, program)];
    for name in OWN {
        let bytes = fs::read(root.join(name)).with_context(|| format!("cannot read {name}"))?;
        entries.push(Entry::new(name, Mode::Plain, bytes));
    }
    entries.push(Entry::new(THIRD_PARTY, Mode::Plain, third_party));
    entries.push(Entry::new(format!("{NAME}.1"), Mode::Plain, page::manual()?));
    for (shell, ending) in SCRIPTS {
        let script = idpbuilder_push::cli::completion(shell, NAME);
        entries.push(Entry::new(format!("{NAME}.{ending}"), Mode::Plain, script));
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
