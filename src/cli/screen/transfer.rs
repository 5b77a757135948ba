use std::time::Instant;

use indicatif::ProgressBar;

use super::bar::{Bar, bar};
use super::text::{cut, escaped, progress, short};
use super::{Ink, Paper};
use crate::event::Meter;
use crate::oci::Digest;

/// What is done with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Pack,
    Send,
}

/// How it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Moving,
    /// All bytes are out, and the registry has not answered yet.
    Storing,
    /// The next attempt comes: why and when.
    Waiting(String),
}

/// What is on its way.
pub(super) struct Piece {
    pub(super) digest: Digest,
    pub(super) work: Work,
    /// Bytes in all.
    pub(super) size: u64,
    pub(super) meter: Meter,
}

struct Transfer {
    piece: Piece,
    name: String,
    at: Instant,
    state: State,
    sent_when_set: u64,
    rate: Rate,
    bar: Option<ProgressBar>,
}

/// Bytes a second, smoothed over the last samples.
struct Rate {
    at: Instant,
    sent: u64,
    per_second: Option<u64>,
}

/// A transfer that came to its end.
pub(super) struct Begun {
    pub(super) size: u64,
    pub(super) at: Instant,
}

/// Those that are under way, in the order that they began.
#[derive(Default)]
pub(super) struct Transfers(Vec<Transfer>);

impl Transfers {
    pub(super) fn begin(&mut self, piece: Piece, now: Instant, paper: &Paper) {
        self.0.push(Transfer {
            name: short(&piece.digest),
            rate: Rate { at: now, sent: piece.meter.sent(), per_second: None },
            piece,
            sent_when_set: 0,
            at: now,
            state: State::Moving,
            bar: paper.bar(),
        });
    }

    /// The first of this digest: the same blob may be on its way to two repositories.
    pub(super) fn end(&mut self, digest: &Digest) -> Option<Begun> {
        let index = self.0.iter().position(|transfer| transfer.piece.digest == *digest)?;
        let ended = self.0.remove(index);
        if let Some(bar) = ended.bar {
            bar.finish_and_clear();
        }
        Some(Begun { size: ended.piece.size, at: ended.at })
    }

    pub(super) fn set(&mut self, digest: &Digest, state: State) {
        if let Some(transfer) = self.0.iter_mut().find(|transfer| transfer.piece.digest == *digest) {
            transfer.sent_when_set = transfer.piece.meter.sent();
            transfer.state = state;
        }
    }

    /// Sets the state of the transfer that `subject` names by its digest. False where a line has to say
    /// it: there is no such transfer, or it has no bar.
    pub(super) fn set_by_subject(&mut self, subject: &str, state: State, paper: &Paper) -> bool {
        let named = self.0.iter().find(|transfer| subject.contains(transfer.piece.digest.digest()));
        let Some(digest) = named.map(|transfer| transfer.piece.digest.clone()) else { return false };
        self.set(&digest, state);
        paper.has_bars()
    }

    /// Takes the rates, and sees which transfers move again.
    pub(super) fn sample(&mut self, now: Instant) {
        for transfer in &mut self.0 {
            let sent = transfer.piece.meter.sent();
            transfer.rate.sample(sent, now);
            if matches!(transfer.state, State::Waiting(_)) && sent > transfer.sent_when_set {
                transfer.state = State::Moving;
            }
        }
    }

    pub(super) fn draw(&self, paper: &Paper, ink: Ink) {
        if !paper.has_bars() || self.0.is_empty() {
            return;
        }
        let width = paper.width();
        for transfer in &self.0 {
            if let Some(bar) = &transfer.bar {
                bar.set_message(transfer.drawn(width, ink));
            }
        }
    }

    /// How far each is, for paper without bars.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.iter().map(|transfer| format!("  {}  {}", transfer.name, transfer.amount())).collect()
    }

    pub(super) fn clear(&mut self) {
        for transfer in self.0.drain(..) {
            if let Some(bar) = transfer.bar {
                bar.finish_and_clear();
            }
        }
    }
}

impl Transfer {
    fn drawn(&self, width: usize, ink: Ink) -> String {
        let rate = self.rate.per_second.filter(|_| self.state == State::Moving);
        let rate = rate.map(super::text::rate).unwrap_or_default();
        match &self.state {
            State::Waiting(why) => {
                let line = cut(&format!("  {}  {}", self.name, escaped(why)), width);
                ink.warn(&line)
            }
            State::Moving | State::Storing => {
                bar(&Bar { name: &self.name, done: self.done(), amount: &self.amount(), rate: &rate }, width)
            }
        }
    }

    /// Thousandths.
    fn done(&self) -> u16 {
        if self.state == State::Storing {
            return 1000;
        }
        let done = u128::from(self.piece.meter.position()) * 1000 / u128::from(self.piece.size.max(1));
        u16::try_from(done.min(1000)).unwrap_or(1000)
    }

    fn amount(&self) -> String {
        let amount = progress(self.piece.meter.position().min(self.piece.size), self.piece.size);
        match (&self.state, self.piece.work) {
            (State::Storing, _) => "storing".to_owned(),
            (State::Waiting(why), _) => escaped(why),
            (State::Moving, Work::Pack) => format!("packing {amount}"),
            (State::Moving, Work::Send) => amount,
        }
    }
}

impl Rate {
    /// A quarter of the new and three of the old: calm to the eye, and right after a second.
    fn sample(&mut self, sent: u64, now: Instant) {
        let milliseconds = u64::try_from(now.duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        if milliseconds < 50 {
            return;
        }
        let moved = sent.saturating_sub(self.sent).saturating_mul(1000) / milliseconds;
        self.per_second = Some(match self.per_second {
            Some(old) => old / 4 * 3 + moved / 4,
            None => moved,
        });
        self.at = now;
        self.sent = sent;
    }
}
