use std::time::{Duration, SystemTime};

use crate::oci::Digest;

/// Text of a server, a file or a user as it may be shown: control characters, and those that change the
/// direction of writing, are written out.
pub(in crate::cli) fn escaped(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Bytes in the largest binary unit up to TiB, with one decimal from KiB on.
pub(in crate::cli) fn size(bytes: u64) -> String {
    let (value, unit) = scaled(bytes, unit_of(bytes));
    format!("{value} {unit}")
}

/// `11.2 / 20.0 MiB`: both in the unit of the second.
pub(super) fn progress(done: u64, of: u64) -> String {
    let unit = unit_of(of);
    let (done, _) = scaled(done, unit);
    let (of, name) = scaled(of, unit);
    format!("{done} / {of} {name}")
}

/// `48 MiB/s`, `1.2 MiB/s`.
pub(super) fn rate(bytes_per_second: u64) -> String {
    let (value, unit) = scaled(bytes_per_second, unit_of(bytes_per_second));
    let whole = value.split('.').next().filter(|whole| whole.len() > 1);
    format!("{} {unit}/s", whole.unwrap_or(&value))
}

/// Exponents of 1024, and their names.
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

fn unit_of(bytes: u64) -> u32 {
    // MiB is the unit that layers are told in; below a tenth of it nothing would be left.
    match bytes {
        0..1024 => 0,
        1024..104_858 => 1,
        104_858..1_073_741_824 => 2,
        1_073_741_824..1_099_511_627_776 => 3,
        _ => 4,
    }
}

fn scaled(bytes: u64, unit: u32) -> (String, &'static str) {
    let name = UNITS.get(unit as usize).copied().unwrap_or("B");
    if unit == 0 {
        return (bytes.to_string(), name);
    }
    let tenths = (u128::from(bytes) * 10 + (1_u128 << (10 * unit - 1))) >> (10 * unit);
    (format!("{}.{}", tenths / 10, tenths % 10), name)
}

/// `450 ms`, `2.1 s`, `3 min 20 s`, `1 h 5 min`.
pub(in crate::cli) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 if milliseconds < 950 => format!("{milliseconds} ms"),
        0..60 => {
            let tenths = ((milliseconds + 50) / 100).min(599);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The first twelve characters of a digest, as every tool shows it.
pub(in crate::cli) fn short(digest: &Digest) -> String {
    let hex = digest.digest();
    hex.get(..12).unwrap_or(hex).to_owned()
}

/// Text in which every sha256 digest is cut to its first twelve characters.
pub(super) fn abbreviated(text: &str) -> String {
    const PREFIX: &str = "sha256:";
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PREFIX) {
        let end = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
        let (hex, next) = after.split_at(end);
        shown.push_str(before);
        shown.push_str(hex.get(..12).unwrap_or(hex));
        rest = next;
    }
    escaped(&(shown + rest))
}

/// The day of a time, in UTC.
pub(in crate::cli) fn date(time: SystemTime) -> String {
    let day = jiff::Timestamp::try_from(time).map(|time| time.strftime("%Y-%m-%d").to_string());
    day.unwrap_or_else(|_| "a day beyond all calendars".to_owned())
}

/// Broken between words into lines of `width` characters at most; a word that is longer has one of its own.
pub(in crate::cli) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Cut to `width` characters; what is cut off is shown by dots.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    kept + "..."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_a_terminal_is_written_out() {
        assert_eq!(escaped("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(escaped("\u{9b}31m \u{202e}evil\u{2069}"), "\\u{9b}31m \\u{202e}evil\\u{2069}");
        assert_eq!(escaped("Grüße, 世界"), "Grüße, 世界");
    }

    #[test]
    fn sizes_have_one_decimal() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (104_858, "0.1 MiB"),
            (20 << 20, "20.0 MiB"),
            (1_073_741_823, "1024.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(progress(11_744_051, 20 << 20), "11.2 / 20.0 MiB");
        assert_eq!(progress(0, 20 << 20), "0.0 / 20.0 MiB");
        assert_eq!((rate(48 << 20), rate(1_258_292)), ("48 MiB/s".to_owned(), "1.2 MiB/s".to_owned()));
    }

    #[test]
    fn durations_are_told_in_what_a_person_counts_in() {
        for (milliseconds, text) in [
            (0, "0 ms"),
            (450, "450 ms"),
            (2_140, "2.1 s"),
            (59_990, "59.9 s"),
            (200_000, "3 min 20 s"),
            (3_900_000, "1 h 5 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn a_text_is_broken_between_its_words() {
        assert_eq!(wrapped("one two  three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("a very-long-word b", 6), ["a", "very-long-word", "b"]);
        assert_eq!(wrapped("", 6), [""]);
        assert_eq!(wrapped("as it is", usize::MAX), ["as it is"]);
    }

    #[test]
    fn digests_in_a_sentence_are_cut_short() {
        let text = format!("giteaadmin/web sha256:{}: reset", "ab".repeat(32));
        assert_eq!(abbreviated(&text), "giteaadmin/web abababababab: reset");
        assert_eq!(abbreviated("sha256:x"), "x");
    }
}
