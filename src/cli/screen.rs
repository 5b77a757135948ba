//! The one consumer of events: bars on a terminal, lines elsewhere, all of it on stderr.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

mod bar;
mod checkup;
mod ink;
mod json;
mod paper;
mod prune;
mod spool;
mod summary;
mod text;
mod transfer;
mod verified;

pub(super) use checkup::{check, conclusion};
pub(super) use ink::Ink;
pub(super) use paper::{LogWriter, Paper, terminal, width_of_stdout};
pub(super) use prune::{about, doomed, pruned};
pub(super) use summary::{Counts, layers, pinned, pinned_as, plan, summary};
pub(super) use text::{date, duration, escaped, short, size, wrapped};
pub(super) use verified::verified;

use super::facts::Facts;
use super::failure::Failure;
use super::journal::Journal;
use super::settings::Detail;
use crate::event::{BlobOutcome, Event};
use crate::oci::Digest;
use crate::plan::Outstanding;
use crate::port::SourceName;
use crate::report::{ImageOutcome, PushReport, Status};
use spool::Spools;
use summary::header;
use transfer::{Piece, State, Transfers, Work};

/// Draws what happens.
pub(super) struct Screen {
    paper: Paper,
    ink: Ink,
    detail: Detail,
    transfers: Transfers,
    spools: Spools,
    begun: HashSet<String>,
    /// The registry's name, which every reference starts with.
    host: Option<String>,
    /// Images that came to their end, for the report of a run that was stopped hard.
    finished: Vec<ImageOutcome>,
    last_lines: Option<Instant>,
    /// Cancelled when the run is to come to an end.
    stopping: CancellationToken,
    outstanding: Outstanding,
}

/// How often bars are drawn anew.
const TICK: Duration = Duration::from_millis(100);
/// How often a line says how far a transfer is, where there are no bars.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Screen {
    pub(super) fn new(paper: Paper, ink: Ink, detail: Detail) -> Self {
        Self {
            paper,
            ink,
            detail,
            transfers: Transfers::default(),
            spools: Spools::default(),
            begun: HashSet::new(),
            host: None,
            finished: Vec::new(),
            last_lines: None,
            stopping: CancellationToken::new(),
            outstanding: Outstanding::default(),
        }
    }

    /// Shows events until `done` and nothing is left. Blocks with the terminal, so it has its own thread.
    pub(super) async fn watch(
        &mut self,
        events: &mut UnboundedReceiver<Event>,
        journal: &mut Journal,
        done: &CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.take(event, journal),
                () = done.cancelled() => break,
                _ = ticks.tick() => {
                    journal.tick();
                    self.tick(Instant::now());
                }
            }
        }
        while let Ok(event) = events.try_recv() {
            self.take(event, journal);
        }
        self.transfers.clear();
        self.spools.clear();
    }

    fn take(&mut self, event: Event, journal: &mut Journal) {
        journal.record(&event);
        if let Some(lines) = self.paper.json() {
            lines.event(&event);
        }
        self.show(event, Instant::now());
    }

    /// Says where the run goes. References are shown without the registry's name from now on.
    pub(super) fn connected(&mut self, facts: &Facts) {
        self.host_is(&facts.registry.host);
        match self.paper.json() {
            Some(lines) => lines.connected(facts),
            None => self.line(Detail::Summary, &header(facts)),
        }
    }

    fn host_is(&mut self, host: &str) {
        self.host = Some(host.to_owned());
    }

    /// Says what went wrong, and with which exit code the program ends: the last that is shown.
    pub(super) fn finished(&mut self, failures: &[Failure], report: Option<&PushReport>, exit_code: u8) {
        for failure in failures {
            match self.paper.json() {
                Some(lines) => lines.error(failure),
                None => self.line(Detail::Quiet, &failure.render(self.ink)),
            }
        }
        if let Some(lines) = self.paper.json() {
            lines.finished(report, exit_code);
        }
    }

    /// One fact that comes from no step.
    pub(super) fn tell(&mut self, fact: Event) {
        if let Some(lines) = self.paper.json() {
            lines.event(&fact);
        }
        self.show(fact, Instant::now());
    }

    /// Says why one push of many failed; `time` is when.
    pub(super) fn failed(&mut self, failure: &Failure, time: &str) {
        let line = format!("{} {}", self.ink.faint(time), failure.brief().render(self.ink));
        match self.paper.json() {
            Some(lines) => lines.error(failure),
            None => self.line(Detail::Quiet, &line),
        }
    }

    /// What ends after this was cancelled is said to be stopped, and not to have failed.
    pub(super) fn stops_with(&mut self, stopping: &CancellationToken) {
        self.stopping = stopping.clone();
    }

    /// What the plan said was to be sent.
    pub(super) fn outstanding(&self) -> Outstanding {
        self.outstanding
    }

    pub(super) fn ink(&self) -> Ink {
        self.ink
    }

    /// Takes the images that came to their end.
    pub(super) fn take_finished(&mut self) -> Vec<ImageOutcome> {
        std::mem::take(&mut self.finished)
    }

    /// A line that is left out where less than `detail` is wanted.
    pub(super) fn line(&mut self, detail: Detail, line: &str) {
        if detail <= self.detail {
            self.paper.line(line);
        }
    }

    pub(super) fn lines<'a>(&mut self, detail: Detail, lines: impl IntoIterator<Item = &'a String>) {
        for line in lines {
            self.line(detail, line);
        }
    }

    fn show(&mut self, event: Event, now: Instant) {
        match event {
            Event::Note(text) => self.line(Detail::Summary, &format!("note: {}", escaped(&text))),
            Event::Warning(text) => {
                let line = format!("{} {}", self.ink.warn("warning:"), escaped(&text));
                self.line(Detail::Quiet, &line);
            }
            Event::Skipped(skipped) => {
                let path = skipped.path.display().to_string();
                self.line(Detail::Full, &format!("skipped {}: {}", escaped(&path), escaped(&skipped.reason)));
            }
            Event::SpoolStarted { source, size, meter } => self.spools.begin(source, size, meter, now),
            Event::SpoolFinished { source } => self.spools.end(&source),
            Event::ImageStarted { source, reference, .. } => self.begin(&source, &reference),
            Event::ImageFinished(outcome) => self.finish(*outcome),
            Event::Planned { blobs, bytes, unknown, .. } => {
                self.outstanding = Outstanding { blobs, bytes, unknown };
            }
            Event::ImageFound { .. } | Event::ManifestPut { .. } => {}
            event => self.show_step(event, now),
        }
    }

    fn show_step(&mut self, event: Event, now: Instant) {
        match event {
            Event::PackStarted { diff_id, size, meter } => {
                let piece = Piece { digest: diff_id, work: Work::Pack, size, meter };
                self.transfers.begin(piece, now, &self.paper);
            }
            Event::PackFinished { diff_id, digest, size: packed } => {
                if let Some(begun) = self.transfers.end(&diff_id) {
                    let text = format!("packed {} to {}", size(begun.size), size(packed));
                    self.step(&diff_id, &format!("{text} as {}", short(&digest)));
                }
            }
            Event::BlobStarted { digest, size, meter } => {
                let piece = Piece { digest, work: Work::Send, size, meter };
                self.transfers.begin(piece, now, &self.paper);
            }
            Event::BlobStoring { digest } => self.transfers.set(&digest, State::Storing),
            Event::BlobFinished { digest, size, outcome } => self.blob_finished(&digest, size, outcome, now),
            Event::BlobFailed { digest } => {
                self.transfers.end(&digest);
                let stopped = self.stopping.is_cancelled();
                let text = if stopped { "stopped".to_owned() } else { self.ink.bad("failed") };
                self.step(&digest, &text);
            }
            Event::Retrying { subject, reason, wait, attempt } => {
                let text = format!("retry {attempt} in {}: {reason}", duration(wait));
                if !self.transfers.set_by_subject(&subject, State::Waiting(text.clone()), &self.paper) {
                    self.line(
                        Detail::Full,
                        &format!("  {}: {}", text::abbreviated(&subject), escaped(&text)),
                    );
                }
            }
            _ => {}
        }
        self.transfers.draw(&self.paper, self.ink);
    }

    fn blob_finished(&mut self, digest: &Digest, bytes: u64, outcome: BlobOutcome, now: Instant) {
        let begun = self.transfers.end(digest);
        let text = match (outcome, begun) {
            (BlobOutcome::Present, _) => self.ink.faint("present"),
            (BlobOutcome::Mounted, _) => self.ink.faint("mounted"),
            (done, begun) => {
                let done = if done == BlobOutcome::Read { "read" } else { "sent" };
                let took = begun.map(|begun| duration(now.duration_since(begun.at)));
                let took = took.map(|took| format!(" in {took}")).unwrap_or_default();
                format!("{done} {}{took}", size(bytes))
            }
        };
        self.step(digest, &text);
    }

    fn step(&mut self, digest: &Digest, text: &str) {
        self.line(Detail::Full, &format!("  {}  {text}", short(digest)));
    }

    fn begin(&mut self, source: &SourceName, reference: &str) {
        if self.begun.insert(reference.to_owned()) {
            let below = self.below_host(reference);
            let line = format!("{} -> {}", escaped(&source.0), self.ink.strong(&escaped(below)));
            self.line(Detail::Full, &line);
        }
    }

    fn finish(&mut self, outcome: ImageOutcome) {
        if !self.begun.contains(&outcome.reference) && !outcome.reference.is_empty() {
            self.begin(&outcome.source, &outcome.reference);
        }
        let many = self.begun.len() > 1;
        let below = escaped(self.below_host(&outcome.reference));
        match &outcome.status {
            Status::Exists => self.line(Detail::Full, &format!("  {}", self.ink.faint("present already"))),
            Status::Failed(_) => {
                let line = format!("  {} {below}", self.ink.bad("failed:"));
                self.line(Detail::Full, &line);
            }
            Status::Pushed if many => {
                let line = format!("  {} {below}", self.ink.good("pushed:"));
                self.line(Detail::Full, &line);
            }
            Status::Pushed | Status::Planned | Status::Cancelled => {}
        }
        self.finished.push(outcome);
    }

    fn below_host<'a>(&self, reference: &'a str) -> &'a str {
        let host = self.host.as_deref().unwrap_or_default();
        reference.strip_prefix(host).and_then(|rest| rest.strip_prefix('/')).unwrap_or(reference)
    }

    fn tick(&mut self, now: Instant) {
        if let Some(lines) = self.paper.json() {
            lines.tick(now);
        }
        self.transfers.sample(now);
        self.transfers.draw(&self.paper, self.ink);
        for line in self.spools.tick(now, &self.paper) {
            self.line(Detail::Full, &line);
        }
        let due = self.last_lines.is_none_or(|last| now.duration_since(last) >= LINE_EVERY);
        if due && !self.paper.has_bars() && self.detail >= Detail::Full {
            if self.last_lines.is_some() {
                for line in self.transfers.lines() {
                    self.paper.line(&line);
                }
            }
            self.last_lines = Some(now);
        }
    }
}

#[cfg(test)]
mod tests;
