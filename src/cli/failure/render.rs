use std::fmt::Write as _;

use super::{Failure, Step};
use crate::cli::screen::{Ink, escaped};

/// Bytes of one line that a server or a file may fill.
const LINE: usize = 1024;

impl Failure {
    /// The error as lines for a person, the last one without a line's end.
    pub(in crate::cli) fn render(&self, ink: Ink) -> String {
        let mut text = format!("{} {}", ink.bad("error:"), clean(&self.message));
        for line in &self.details {
            let _ = write!(text, "\n  {}", clean(line));
        }
        for cause in &self.causes {
            let _ = write!(text, "\n  cause: {}", clean(cause));
        }
        if let Some(suggestion) = &self.suggestion {
            let _ = write!(text, "\n  did you mean: {}", clean(suggestion));
        }
        if !self.steps.is_empty() {
            let _ = write!(text, "\n{}", ink.strong("To fix this:"));
        }
        let width = self.steps.iter().filter_map(purpose_width).max().unwrap_or(0);
        for (number, step) in (1..).zip(&self.steps) {
            let _ = write!(text, "\n  {number}. {}", rendered(step, width));
        }
        text
    }

    /// The error and the first thing to do about it, for one of many.
    pub(in crate::cli) fn brief(&self) -> Self {
        Self { details: Vec::new(), steps: self.steps.iter().take(1).cloned().collect(), ..self.clone() }
    }

    /// The steps for programs, a line each.
    pub(in crate::cli) fn hints(&self) -> Vec<String> {
        let meant = self.suggestion.iter().map(|suggestion| format!("did you mean: {suggestion}"));
        let steps = self.steps.iter().map(|step| match step {
            Step::Say(text) => text.clone(),
            Step::Run { purpose, command } => format!("{purpose}: {command}"),
            Step::Copy { purpose, lines } => format!("{purpose}:\n{lines}"),
        });
        meant.chain(steps).collect()
    }
}

fn purpose_width(step: &Step) -> Option<usize> {
    match step {
        Step::Run { purpose, .. } => Some(purpose.chars().count()),
        Step::Say(_) | Step::Copy { .. } => None,
    }
}

fn rendered(step: &Step, width: usize) -> String {
    match step {
        Step::Say(text) => clean(text),
        // The colon and two spaces stand behind the longest purpose.
        Step::Run { purpose, command } => {
            format!("{:<1$}{2}", format!("{}:", clean(purpose)), width + 3, clean(command))
        }
        Step::Copy { purpose, lines } => {
            let indented: Vec<String> = lines.lines().map(|line| format!("       {line}")).collect();
            format!("{}:\n{}", clean(purpose), indented.join("\n"))
        }
    }
}

/// Text of others, bounded, and without what could drive a terminal.
pub(in crate::cli) fn clean(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LINE).last().unwrap_or(0);
    match text.get(..end) {
        Some(start) if text.len() > LINE => format!("{}...", escaped(start)),
        _ => escaped(text),
    }
}
