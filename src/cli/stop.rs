use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::failure::Class;
use crate::event::Events;

/// Why a run was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Interrupt,
    #[cfg_attr(not(unix), expect(dead_code, reason = "Windows has no such signal"))]
    Terminate,
    /// `--timeout`.
    OutOfTime(Duration),
}

impl Reason {
    pub(super) fn class(self) -> Class {
        match self {
            Self::Interrupt => Class::Interrupted,
            Self::Terminate => Class::Terminated,
            Self::OutOfTime(_) => Class::Network,
        }
    }
}

/// How a run is stopped: first asked to come to an end, then not waited for any more.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    /// No new work; sessions are closed, what finished is reported.
    pub(super) asked: CancellationToken,
    /// Nothing is waited for.
    pub(super) at_once: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
}

/// How long a run may take to come to an end once it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// How long it may take to say so: whoever holds up the terminal or does not read a pipe holds up no more.
const LAST: Duration = Duration::from_secs(3);

impl Stop {
    /// Listens for signals and for the end of `timeout`, on the runtime that this is called in.
    pub(super) fn listen(timeout: Option<Duration>, events: Events) -> Self {
        let stop = Self::default();
        // Lives beside the run, which must hear of a signal whatever it is doing.
        let standing_by = stop.clone().stand_by(timeout, events);
        tokio::spawn(async move {
            let reason = standing_by.await;
            // No more than this is lost: what is written for a moment has no name, or is renamed when it is whole.
            std::process::exit(i32::from(reason.class().number()));
        });
        stop
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    /// Comes back when nothing is to be waited for any more, not even what is said last.
    async fn stand_by(self, timeout: Option<Duration>, events: Events) -> Reason {
        let mut signals = Signals::new();
        let reason = tokio::select! {
            reason = signals.next() => reason,
            reason = out_of_time(timeout) => reason,
        };
        let _ = self.reason.set(reason);
        self.asked.cancel();
        events.warn(match reason {
            Reason::OutOfTime(_) => "the time of --timeout is over; stopping",
            Reason::Interrupt | Reason::Terminate => "stopping; once more stops at once",
        });
        tokio::select! {
            _ = signals.next() => {}
            () = tokio::time::sleep(GRACE) => {}
        }
        self.at_once.cancel();
        tokio::select! {
            _ = signals.next() => {}
            () = tokio::time::sleep(LAST) => {}
        }
        reason
    }
}

async fn out_of_time(timeout: Option<Duration>) -> Reason {
    match timeout {
        Some(timeout) => {
            tokio::time::sleep(timeout).await;
            Reason::OutOfTime(timeout)
        }
        None => pending().await,
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// A signal that cannot be listened for keeps its default: it ends the program.
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) -> Reason {
        tokio::select! {
            () = received(self.interrupt.as_mut()) => Reason::Interrupt,
            () = received(self.terminate.as_mut()) => Reason::Terminate,
        }
    }
}

#[cfg(unix)]
async fn received(signal: Option<&mut tokio::signal::unix::Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if received.is_none() {
        pending::<()>().await;
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) -> Reason {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Reason::Interrupt,
            Err(_) => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_out_of_time_is_asked_and_then_left() {
        let stop = Stop::listen(Some(Duration::from_secs(5)), Events::none());
        assert_eq!(stop.reason(), None);
        stop.asked.cancelled().await;
        assert_eq!(stop.reason(), Some(Reason::OutOfTime(Duration::from_secs(5))));
        assert!(!stop.at_once.is_cancelled());
        stop.at_once.cancelled().await;
    }
}
