//! krew's manifest: the one of the repository with the sums of real archives, and the template of the bot that
//! brings a release into krew's index. Both are made of `krew-manifest.yaml`, line by line, so that it alone is
//! written by hand.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use super::{Sum, version};

/// With the sums of these archives; platforms without one keep what they have.
pub(crate) fn rendered(manifest: &str, sums: &[Sum]) -> Result<String> {
    let mut written = 0_usize;
    let mut uri = "";
    let mut text = String::new();
    for line in without_heading(manifest) {
        uri = value(line, "uri").unwrap_or(uri);
        let sum = value(line, "sha256").and_then(|old| {
            let sum = sums.iter().find(|sum| uri.ends_with(&format!("/{}", sum.file)))?;
            Some(line.replace(old, &format!("\"{}\"", sum.hex)))
        });
        written += usize::from(sum.is_some());
        text.push_str(sum.as_deref().unwrap_or(line));
        text.push('\n');
    }
    ensure!(written == sums.len(), "krew-manifest.yaml has no place for one of {} archives", sums.len());
    Ok(text)
}

const TEMPLATE: &str = "\
# What krew-release-bot makes krew's manifest of, once the archives of a release are there. Made of
# krew-manifest.yaml: cargo run --example dist -- krew template > .krew.yaml
";

/// The bot asks for the archive at this address, and writes its address and sum.
pub(crate) fn template(manifest: &str) -> Result<String> {
    let version = version();
    let mut text = TEMPLATE.to_owned();
    for line in without_heading(manifest) {
        if let Some(uri) = value(line, "uri") {
            let place = line.split("uri:").next().context("a line without a beginning")?;
            let uri = uri.replace(&version, "{{ .TagName }}");
            writeln!(text, "{place}{{{{addURIAndSha \"{uri}\" .TagName }}}}")?;
        } else if value(line, "sha256").is_none() {
            text.push_str(&line.replace(&version, "{{ .TagName }}"));
            text.push('\n');
        }
    }
    Ok(text)
}

/// The heading tells of this very file.
fn without_heading(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.lines().skip_while(|line| line.starts_with('#'))
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.trim_start().strip_prefix(key)?.strip_prefix(": ")
}
