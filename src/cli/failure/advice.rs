use std::path::Path;

use crate::cli::facts::{ClusterFacts, Facts};
use crate::cli::typed::{Flag, beside};

/// What advice is phrased with: the command as it was typed, and what is known of the run.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Scene<'a> {
    /// `idpbuilder push`, `kubectl idpbuilder-push`, ...
    pub(in crate::cli) command: &'a str,
    /// The flags that say where it goes.
    pub(in crate::cli) typed: &'a [Flag],
    /// The SOURCE words as they were typed.
    pub(in crate::cli) sources: &'a [String],
    pub(in crate::cli) home: Option<&'a Path>,
    /// Absent until the registry is known.
    pub(in crate::cli) facts: Option<&'a Facts>,
}

/// More sources than these make a line of advice unreadable.
const SHOWN_SOURCES: usize = 3;

impl Scene<'_> {
    /// The same command with more flags before its sources.
    pub(super) fn with(&self, flags: &str) -> String {
        joined(&[self.command, &beside(self.typed, flags), flags, &self.shown_sources()])
    }

    /// The same command with more flags behind its sources.
    pub(super) fn again(&self, flags: &str) -> String {
        joined(&[self.command, &beside(self.typed, flags), &self.shown_sources(), flags])
    }

    /// The same command for other sources.
    pub(super) fn of(&self, sources: &str) -> String {
        joined(&[self.command, &beside(self.typed, sources), sources])
    }

    fn shown_sources(&self) -> String {
        let mut words: Vec<String> =
            self.sources.iter().take(SHOWN_SOURCES).map(|word| quoted(word)).collect();
        if self.sources.len() > SHOWN_SOURCES {
            words.push("...".to_owned());
        }
        words.join(" ")
    }

    /// A path as the user writes it.
    pub(in crate::cli) fn path(&self, path: &Path) -> String {
        let below = self.home.and_then(|home| path.strip_prefix(home).ok());
        match below {
            Some(below) => format!("~/{}", below.display()),
            None => path.display().to_string(),
        }
    }

    pub(super) fn cluster(&self) -> Option<&ClusterFacts> {
        self.facts.and_then(|facts| facts.cluster.as_ref())
    }

    /// ` (context kind-localdev)`, where a cluster is known.
    pub(super) fn in_context(&self) -> String {
        self.cluster().map(|cluster| format!(" (context {})", cluster.context)).unwrap_or_default()
    }
}

fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// In single quotes where a shell would take it apart (POSIX, 2.2.2).
pub(in crate::cli) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "./:@_-+=,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Things in a row, so many of them that a line stays readable.
pub(super) fn listed<S: AsRef<str>>(things: &[S]) -> String {
    const SHOWN: usize = 8;
    let mut words: Vec<String> = things.iter().take(SHOWN).map(|thing| thing.as_ref().to_owned()).collect();
    if things.len() > SHOWN {
        words.push(format!("and {} more", things.len() - SHOWN));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_repeated_so_that_a_shell_takes_it_as_it_was() {
        let sources = ["it's.tar".to_owned(), "myapp:dev".to_owned()];
        let scene =
            Scene { command: "idpbuilder push", typed: &[], sources: &sources, home: None, facts: None };
        assert_eq!(scene.with("--force"), r"idpbuilder push --force 'it'\''s.tar' myapp:dev");
        assert_eq!(scene.again("--force"), r"idpbuilder push 'it'\''s.tar' myapp:dev --force");
    }

    #[test]
    fn many_sources_are_cut_short() {
        let sources: Vec<String> = (0..9).map(|n| format!("{n}.tar")).collect();
        let scene = Scene { command: "x", typed: &[], sources: &sources, home: None, facts: None };
        assert_eq!(scene.with("-v"), "x -v 0.tar 1.tar 2.tar ...");
        assert_eq!(listed(&sources), "0.tar, 1.tar, 2.tar, 3.tar, 4.tar, 5.tar, 6.tar, 7.tar, and 1 more");
    }
}
