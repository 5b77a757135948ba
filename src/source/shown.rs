use std::error::Error;
use std::path::Path;

/// Text from an archive or a file name as it can be shown: what would move the cursor, hide text or turn
/// its direction is escaped, everything else stays as it is.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if unsafe_to_show(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// As `shown`, for bytes that need not be UTF-8.
pub(super) fn shown_bytes(text: &[u8]) -> String {
    shown(&String::from_utf8_lossy(text))
}

/// A path as messages and source names write it.
pub(super) fn shown_path(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    shown(&text)
}

fn unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_on_a_terminal_is_escaped() {
        assert_eq!(shown("a\x1b]8;;x\x07b"), "a\\u{1b}]8;;x\\u{7}b");
        assert_eq!(shown("a\nb\u{9b}c\u{202e}d\u{2066}"), "a\\u{a}b\\u{9b}c\\u{202e}d\\u{2066}");
        assert_eq!(shown("plain 'ä' \\"), "plain 'ä' \\");
    }
}
