use std::error::Error;
use std::time::Duration;

use tokio::time::Instant;

use crate::port::SourceError;

/// How long a source may be unready before it is said.
const SILENT: Duration = Duration::from_secs(3);

/// For a source that can be read.
pub(super) struct Waiting {
    error: SourceError,
    /// `None` once it was said.
    say_at: Option<Instant>,
}

impl Waiting {
    /// A source may be unready for one reason after another while it is written; that is said once.
    pub(super) fn since(error: SourceError, before: Option<Self>) -> Self {
        let say_at = before.map_or_else(|| Some(Instant::now() + SILENT), |before| before.say_at);
        Self { error, say_at }
    }

    pub(super) fn to_be_said(&self) -> Option<Instant> {
        self.say_at
    }

    /// The note, which is not to be said again.
    pub(super) fn said(&mut self) -> String {
        self.say_at = None;
        let cause = self.error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("waiting, since {}{cause}", self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_written_in_pieces_is_said_once() {
        let damaged =
            |reason: &str| SourceError::Damaged { path: "web.tar".into(), reason: reason.to_owned() };
        let first = Waiting::since(damaged("a"), None);
        let due = first.to_be_said();
        tokio::time::advance(Duration::from_secs(2)).await;
        let mut second = Waiting::since(damaged("b"), Some(first));
        assert_eq!(second.to_be_said(), due);
        assert_eq!(second.said(), "waiting, since `web.tar` is damaged: b");
        assert_eq!(Waiting::since(damaged("c"), Some(second)).to_be_said(), None);
    }
}
