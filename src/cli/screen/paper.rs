use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::json::JsonLines;
use crate::cli::settings::Progress;

/// What lines are written on: above the bars of a terminal, or one after another.
pub(in crate::cli) enum Paper {
    /// `width` is asked anew for each drawing, in columns, since windows change.
    Bars {
        bars: MultiProgress,
        out: Box<dyn Write + Send>,
        width: fn() -> usize,
    },
    Lines(Box<dyn Write + Send>),
    /// No lines for people.
    Json(JsonLines),
}

/// Columns where the terminal does not say.
const WIDTH: usize = 80;

/// Paper for stderr, and the writer for logs that does not tear its bars.
pub(in crate::cli) fn terminal(progress: Progress) -> (Paper, LogWriter) {
    match progress {
        Progress::Bars => {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            let writer = LogWriter(Some(bars.clone()));
            (Paper::Bars { bars, out: Box::new(io::stderr()), width: width_of_stderr }, writer)
        }
        Progress::Lines => (Paper::Lines(Box::new(io::stderr())), LogWriter(None)),
        Progress::Json => (Paper::Json(JsonLines::new(Box::new(io::stderr()))), LogWriter(None)),
    }
}

impl Paper {
    pub(in crate::cli) fn has_bars(&self) -> bool {
        matches!(self, Self::Bars { .. })
    }

    /// Where facts are told to a program.
    pub(super) fn json(&mut self) -> Option<&mut JsonLines> {
        match self {
            Self::Json(lines) => Some(lines),
            Self::Bars { .. } | Self::Lines(_) => None,
        }
    }

    /// A closed stderr stops no push.
    pub(in crate::cli) fn line(&mut self, line: &str) {
        let write = |out: &mut dyn Write| {
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        };
        match self {
            // Not `println` of the bars: that fills lines up with spaces, which are copied with them.
            Self::Bars { bars, out, .. } => bars.suspend(|| write(out)),
            Self::Lines(out) => write(out),
            Self::Json(_) => {}
        }
    }

    /// A line that stays below all others and is written anew; none where there are no bars.
    pub(super) fn bar(&self) -> Option<ProgressBar> {
        let Self::Bars { bars, .. } = self else { return None };
        let bar = bars.add(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Some(bar)
    }

    /// Columns of the terminal.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Bars { width, .. } => width(),
            Self::Lines(_) | Self::Json(_) => WIDTH,
        }
    }
}

fn width_of_stderr() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(WIDTH, |(width, _)| usize::from(width.0))
}

/// Columns of the terminal that stdout is; `None` where it is none.
pub(in crate::cli) fn width_of_stdout() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Writes log lines so that bars are taken away before and drawn again behind them.
#[derive(Debug, Clone)]
pub(in crate::cli) struct LogWriter(Option<MultiProgress>);

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Some(bars) => bars.suspend(|| io::stderr().write(line)),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
