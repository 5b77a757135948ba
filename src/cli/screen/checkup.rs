use super::{Ink, escaped, wrapped};
use crate::cli::checkup::{Check, State, verdict};
use crate::cli::failure::{Failure, clean};

/// Columns of the mark, and of the mark and the word before what was seen.
const MARK: usize = 6;
const BEFORE: usize = MARK + 13;

/// A check as lines for a person. `width` is that of the terminal; without one, no line is broken.
pub(in crate::cli) fn check(check: &Check, ink: Ink, width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    let word = check.need.word();
    let head = |mark: &str, painted: String, seen: &str| {
        let gap = " ".repeat(MARK - mark.len());
        hanging(&format!("{painted}{gap}{word:<0$}", BEFORE - MARK), BEFORE, &clean(seen), width)
    };
    let lines = match &check.state {
        State::Passed(seen) => head("ok", ink.good("ok"), seen),
        State::Skipped(why) => head("skip", ink.faint("skip"), why),
        State::Warned(seen, said) => {
            let mut lines = head("warn", ink.warn("warn"), seen);
            lines.extend(said.iter().flat_map(|text| indented(&clean(text), width)));
            lines
        }
        State::Failed(failure) => {
            let mut lines = head("FAIL", ink.bad("FAIL"), &failure.message);
            lines.extend(beneath(failure, ink, width));
            lines
        }
    };
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The last line.
pub(in crate::cli) fn conclusion(checks: &[Check], ink: Ink, width: Option<usize>) -> String {
    let lines = wrapped(&clean(&verdict(checks)), width.unwrap_or(usize::MAX));
    format!("\n{}\n", ink.strong(&lines.join("\n")))
}

fn beneath(failure: &Failure, ink: Ink, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for detail in &failure.details {
        lines.extend(indented(&clean(detail), width));
    }
    for cause in &failure.causes {
        lines.extend(indented(&format!("cause: {}", clean(cause)), width));
    }
    if let Some(suggestion) = &failure.suggestion {
        lines.extend(indented(&format!("did you mean: {}", escaped(suggestion)), width));
    }
    let remedy = failure.remedy(ink, width.saturating_sub(MARK));
    lines.extend(remedy.into_iter().map(|line| format!("{:MARK$}{line}", "")));
    lines
}

fn indented(text: &str, width: usize) -> Vec<String> {
    hanging(&" ".repeat(MARK), MARK, text, width)
}

/// `text` behind `before`, which fills `indent` columns; lines that follow begin where the text began.
fn hanging(before: &str, indent: usize, text: &str, width: usize) -> Vec<String> {
    let lines = wrapped(text, width.saturating_sub(indent)).into_iter().enumerate();
    lines
        .map(|(number, line)| match number {
            0 => format!("{before}{line}"),
            _ => format!("{:indent$}{line}", ""),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::cli::checkup::Need;
    use crate::cli::checkup::tests::checks;
    use crate::cli::settings::Colour;

    fn shown(checks: &[Check], colour: Colour, width: Option<usize>) -> String {
        let ink = Ink::new(colour);
        let lines: String = checks.iter().map(|one| check(one, ink, width)).collect();
        lines + &conclusion(checks, ink, width)
    }

    #[test]
    fn each_check_has_a_line_and_what_mends_it_beneath() {
        assert_snapshot!(shown(&checks(), Colour::Plain, None));
    }

    #[test]
    fn a_narrow_terminal_breaks_lines_between_words_and_no_command() {
        let text = shown(&checks(), Colour::Plain, Some(44));
        let copied = "--username with --password-stdin, or --auth docker";
        assert!(text.contains(copied));
        assert!(text.lines().all(|line| line.chars().count() <= 44 || line.contains(copied)), "{text}");
        assert_snapshot!(text);
    }

    #[test]
    fn colours_change_no_column() {
        let plain = shown(&checks(), Colour::Plain, None);
        let painted = shown(&checks(), Colour::Ansi, None);
        assert!(painted.contains('\u{1b}'));
        let mut bare = painted;
        for code in ["1;31", "1;33", "32", "1", "2", "0"] {
            bare = bare.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(bare, plain);
    }

    #[test]
    fn words_of_a_server_cannot_drive_the_terminal() {
        let hostile = Check::seen(Need::Name, "\u{1b}[2J", vec!["\u{202e}".to_owned()]);
        let text = check(&hostile, Ink::new(Colour::Plain), Some(40));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
}
