use std::fs;
use std::path::Path;

use super::Offer;

/// Entries of a folder that are looked at.
const ENTRIES: usize = 2000;

const ENDINGS: [&str; 6] = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"];

/// Archives and layouts in the folder that the word leads to, told by their names: nothing is opened.
pub(super) fn archives(word: &str) -> Vec<Offer> {
    let (folder, start) = match word.rfind('/') {
        Some(at) => word.split_at(at + 1),
        None => ("", word),
    };
    let place = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let names = entries.take(ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut offers: Vec<Offer> = names
        .filter(|name| name.starts_with(start) && !name.starts_with('-'))
        .filter_map(|name| Some(Offer::new(format!("{folder}{name}"), kind(&place.join(&name), &name)?)))
        .collect();
    offers.sort_by(|a, b| a.word.cmp(&b.word));
    offers
}

fn kind(path: &Path, name: &str) -> Option<&'static str> {
    if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        return path.is_file().then_some("archive");
    }
    path.join("oci-layout").is_file().then_some("OCI layout")
}
