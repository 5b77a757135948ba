use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::bar::{Bar, bar};
use super::text::{cut, escaped, progress, size};
use super::{LINE_EVERY, Paper};
use crate::event::Meter;
use crate::port::SourceName;

/// What is done within this time is not worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// Archives that are written to temporary files, in the order that they began.
#[derive(Default)]
pub(super) struct Spools(Vec<Spool>);

struct Spool {
    source: SourceName,
    /// Bytes to be read, where that is known.
    size: Option<u64>,
    meter: Meter,
    /// When it is shown next, where there are no bars; the first time also where there are.
    next: Instant,
    bar: Option<ProgressBar>,
}

impl Spools {
    pub(super) fn begin(&mut self, source: SourceName, size: Option<u64>, meter: Meter, now: Instant) {
        self.0.push(Spool { source, size, meter, next: now + WORTH_A_WORD, bar: None });
    }

    pub(super) fn end(&mut self, source: &SourceName) {
        if let Some(index) = self.0.iter().position(|spool| spool.source == *source) {
            self.0.remove(index).clear();
        }
    }

    /// Draws bars anew, or returns the lines that are due.
    pub(super) fn tick(&mut self, now: Instant, paper: &Paper) -> Vec<String> {
        let mut lines = Vec::new();
        for spool in &mut self.0 {
            if let Some(bar) = &spool.bar {
                bar.set_message(spool.drawn(paper.width()));
            } else if now >= spool.next {
                spool.next = now + LINE_EVERY;
                spool.bar = paper.bar();
                if spool.bar.is_none() {
                    lines.push(format!("{}  {}", spool.name(), spool.amount()));
                }
            }
        }
        lines
    }

    pub(super) fn clear(&mut self) {
        self.0.drain(..).for_each(Spool::clear);
    }
}

impl Spool {
    fn clear(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn name(&self) -> String {
        format!("reading {}", escaped(&self.source.0))
    }

    fn amount(&self) -> String {
        let read = self.meter.position();
        self.size.map_or_else(|| size(read), |all| progress(read.min(all), all))
    }

    fn drawn(&self, width: usize) -> String {
        let Some(all) = self.size else {
            return cut(&format!("  {}  {}", self.name(), self.amount()), width);
        };
        let done = u128::from(self.meter.position()) * 1000 / u128::from(all.max(1));
        let done = u16::try_from(done.min(1000)).unwrap_or(1000);
        bar(&Bar { name: &self.name(), done, amount: &self.amount(), rate: "" }, width)
    }
}
