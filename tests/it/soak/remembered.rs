//! What stands in the folder of what is remembered, read without the code that wrote it.

use std::fs;
use std::path::Path;

use crate::kit::registry::sha256;

/// Whether somebody is at work in the folder, or was when it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    Gone,
    CutShort,
}

/// Everything in the folder is whole, and nothing is in it that does not belong there.
pub(super) fn assert_sound(cache: &Path, writers: Writers) {
    let Ok(kinds) = fs::read_dir(cache) else { return };
    for kind in kinds.map(Result::unwrap) {
        let kind_name = kind.file_name().into_string().unwrap();
        for entry in fs::read_dir(kind.path()).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with(".new-") && writers == Writers::CutShort {
                continue;
            }
            let text = fs::read(entry.path()).unwrap();
            let whole = match kind_name.as_str() {
                "packs" => is_pack(&name, &text),
                "configs" => name == format!("{}.json", sha256(&text).replace(':', "-")),
                "sessions" => is_session(&name, &text),
                _ => false,
            };
            assert!(whole, "{kind_name}/{name}: {}", String::from_utf8_lossy(&text));
        }
    }
}

fn is_pack(name: &str, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut words = text.split_whitespace();
    let (Some(digest), Some(size)) = (words.next(), words.next()) else { return false };
    text == format!("{digest} {size} {}\n", hash(&format!("{name} {digest} {size}")))
}

/// A session that was noted, or one that was forgotten when the run was killed.
fn is_session(name: &str, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let path = text.split(' ').next().unwrap_or_default();
    text.is_empty() || text == format!("{path} {}\n", hash(&format!("{name} {path}")))
}

fn hash(text: &str) -> String {
    sha256(text.as_bytes()).replace("sha256:", "")
}
