use std::fmt::Write as _;

use super::{Failure, Step};
use crate::cli::screen::{Ink, escaped, wrapped};

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
        for line in self.remedy(ink, usize::MAX) {
            let _ = write!(text, "\n{line}");
        }
        text
    }

    /// What to do, in lines of `width` characters where that is possible: what is to be copied is never
    /// broken.
    pub(in crate::cli) fn remedy(&self, ink: Ink, width: usize) -> Vec<String> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        let purpose = self.steps.iter().filter_map(purpose_width).max().unwrap_or(0);
        // The number before, the colon and two spaces behind the longest purpose.
        let command = self.steps.iter().filter_map(command_width).max().unwrap_or(0);
        let layout =
            if purpose + command + 8 > width { Layout::Below { width } } else { Layout::Beside { purpose } };
        let mut lines = vec![ink.strong("To fix this:")];
        for (number, step) in (1..).zip(&self.steps) {
            let step = rendered(step, layout).into_iter().enumerate();
            lines.extend(step.map(|(line, text)| match line {
                0 => format!("  {number}. {text}"),
                _ => format!("     {text}"),
            }));
        }
        lines
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
        });
        meant.chain(steps).collect()
    }
}

/// Where the commands of steps stand.
#[derive(Clone, Copy)]
enum Layout {
    /// Behind their purposes, in a column.
    Beside { purpose: usize },
    /// Each on a line of its own, since lines would be too long.
    Below { width: usize },
}

fn purpose_width(step: &Step) -> Option<usize> {
    match step {
        Step::Run { purpose, .. } => Some(purpose.chars().count()),
        Step::Say(_) => None,
    }
}

fn command_width(step: &Step) -> Option<usize> {
    match step {
        Step::Run { command, .. } => Some(command.chars().count()),
        Step::Say(_) => None,
    }
}

fn rendered(step: &Step, layout: Layout) -> Vec<String> {
    let prose = |text: &str| match layout {
        Layout::Beside { .. } => vec![clean(text)],
        Layout::Below { width } => wrapped(&clean(text), width.saturating_sub(5)),
    };
    match (step, layout) {
        (Step::Say(text), _) => prose(text),
        (Step::Run { purpose, command }, Layout::Beside { purpose: width }) => {
            // The colon and two spaces stand behind the longest purpose.
            vec![format!("{:<1$}{2}", format!("{}:", clean(purpose)), width + 3, clean(command))]
        }
        (Step::Run { purpose, command }, Layout::Below { .. }) => {
            let mut lines = prose(&format!("{purpose}:"));
            lines.push(format!("  {}", clean(command)));
            lines
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
