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
    assert_eq!(damaged(cache, writers), [""; 0]);
}

fn damaged(cache: &Path, writers: Writers) -> Vec<String> {
    let mut damaged = Vec::new();
    let Ok(kinds) = fs::read_dir(cache) else { return damaged };
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
            if !whole {
                damaged.push(format!("{kind_name}/{name}: {}", String::from_utf8_lossy(&text)));
            }
        }
    }
    damaged
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

#[test]
fn a_damaged_entry_and_a_file_of_no_kind_are_seen() {
    let pack = "sha256-00.gzip";
    let whole = format!("sha256:1 7 {}\n", hash(&format!("{pack} sha256:1 7")));
    assert!(is_pack(pack, whole.as_bytes()));
    assert!(!is_pack(pack, &whole.as_bytes()[..whole.len() - 1]));
    assert!(!is_pack("sha256-01.gzip", whole.as_bytes()));
    let session = format!("/v2/x {}\n", hash("name /v2/x"));
    assert!(is_session("name", session.as_bytes()) && is_session("name", b""));
    assert!(!is_session("name", &session.as_bytes()[..9]));
    let cache = crate::kit::folder();
    fs::create_dir(cache.path().join("packs")).unwrap();
    fs::write(cache.path().join("packs/.new-1"), "half").unwrap();
    assert_sound(cache.path(), Writers::CutShort);
    assert_eq!(damaged(cache.path(), Writers::Gone), ["packs/.new-1: half"]);
}
