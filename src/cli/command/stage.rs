use std::future::Future;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::cli::journal::Journal;
use crate::cli::screen::Screen;
use crate::event::{Event, Events};

/// The screen with the events that it shows.
pub(super) struct Stage {
    pub(super) screen: Screen,
    received: UnboundedReceiver<Event>,
    journal: Journal,
}

impl Stage {
    pub(super) fn new(screen: Screen) -> (Self, Events) {
        let (events, received) = Events::channel();
        (Self { screen, received, journal: Journal::default() }, events)
    }

    /// Runs `work` while what it tells is shown, on a thread of its own: a terminal that is held up
    /// (Ctrl-S, a full pipe) holds up no transfer.
    pub(super) async fn during<T>(self, work: impl Future<Output = T>) -> (T, Self) {
        let done = CancellationToken::new();
        let heard = done.clone();
        let handle = tokio::runtime::Handle::current();
        let showing = tokio::task::spawn_blocking(move || {
            let mut stage = self;
            handle.block_on(stage.screen.watch(&mut stage.received, &mut stage.journal, &heard));
            stage
        });
        let value = work.await;
        done.cancel();
        match showing.await {
            Ok(stage) => (value, stage),
            // The task is never cancelled, so it can only have panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::{Ink, Paper};
    use crate::cli::settings::{Colour, Detail};

    #[tokio::test]
    async fn work_gives_its_value_and_the_screen_comes_back() {
        let paper = Paper::Lines(Box::new(std::io::sink()));
        let (stage, events) = Stage::new(Screen::new(paper, Ink::new(Colour::Plain), Detail::Full));
        let (value, stage) = stage.during(async { 1 }).await;
        events.note("between");
        let (more, mut stage) = stage.during(async { 2 }).await;
        assert_eq!((value, more), (1, 2));
        assert!(stage.received.try_recv().is_err());
    }
}
