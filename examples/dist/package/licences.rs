//! The licences of what is built in: each text once, with the crates that have it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::crates::{Crate, built_in};

const HEADING: &str = "\
idpbuilder-push is under the Apache License 2.0, in the file LICENSE. Built into it are the crates below, the
standard library of Rust (MIT OR Apache-2.0) and, in programs for Linux, the C library musl (MIT). Where a crate
may be taken under one of several licences, all of their texts are here.
";

const RULE: &str = "================================================================================";

/// What the archive has in `THIRD-PARTY.txt`, for a platform in Rust's words.
pub(crate) fn text(root: &Path, triple: &str) -> Result<String> {
    let crates = built_in(root, Some(triple))?;
    let own = fs::read_to_string(root.join("LICENSE")).context("cannot read LICENSE")?;
    let mut texts: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for one in &crates {
        for text in texts_of(one, &own)? {
            // Whoever laid out the lines, the licence is the same.
            let key = text.split_whitespace().collect::<Vec<_>>().join(" ");
            texts.entry(key).or_insert_with(|| (text, Vec::new())).1.push(one.name.clone());
        }
    }
    let mut whole = format!("{HEADING}\n");
    for one in &crates {
        let from = one.repository.as_deref().unwrap_or_default();
        writeln!(whole, "{} {}  {}  {from}", one.name, one.version, one.license)?;
    }
    let mut texts: Vec<(String, Vec<String>)> = texts.into_values().collect();
    texts.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    for (text, mut names) in texts {
        names.dedup();
        write!(whole, "\n{RULE}\n{}\n{RULE}\n\n{}\n", names.join(", "), text.trim_matches('\n'))?;
    }
    Ok(whole)
}

/// The texts that come with a crate. Some under the licence that is ours come without any.
fn texts_of(one: &Crate, own: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    find(one.folder(), 2, &mut files)?;
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        // Another choice beside the one that is taken: deny.toml allows none of these.
        let start = text.trim_start().get(..120).unwrap_or_default();
        if !start.contains("GNU GENERAL PUBLIC LICENSE") && !start.contains("GNU LESSER GENERAL") {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        let apache = one.license.split(' ').any(|word| word == "Apache-2.0");
        ensure!(apache, "{} {} ({}) comes without a licence's text", one.name, one.version, one.license);
        texts.push(own.to_owned());
    }
    Ok(texts)
}

/// Files named as a licence, also those of what a crate has taken in, so many folders deep.
fn find(folder: &Path, deep: u8, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name().to_string_lossy().to_ascii_uppercase());
        let starts = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE", "COPYRIGHT"];
        let is_code = [".RS", ".SH", ".PY", ".C", ".H"].iter().any(|ending| name.ends_with(ending));
        if kind.is_dir() && deep > 0 {
            find(&entry.path(), deep - 1, files)?;
        } else if kind.is_file() && !is_code && starts.iter().any(|start| name.starts_with(start)) {
            files.push(entry.path());
        }
    }
    Ok(())
}
