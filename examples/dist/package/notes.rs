use anyhow::{Context, Result, ensure};

use super::version;

/// What the changelog says of the version of this tag, without its heading.
pub(crate) fn of(changelog: &str, tag: &str) -> Result<String> {
    ensure!(tag == version(), "the tag `{tag}` is not of the version that is built, {}", version());
    let heading = format!("\n## [{}] - ", env!("CARGO_PKG_VERSION"));
    let (_, rest) =
        changelog.split_once(&heading).with_context(|| format!("CHANGELOG.md has no{heading}DATE"))?;
    let (_, rest) = rest.split_once('\n').context("a heading with nothing below")?;
    let text = rest.split("\n## ").next().unwrap_or_default().trim();
    ensure!(!text.is_empty(), "CHANGELOG.md says nothing of {tag}");
    Ok(format!("{text}\n"))
}
