use std::time::Duration;

use tokio::pin;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::client::{Problem, RegistryClient};
use super::request::Scope;
use super::transport::{Call, Fault};

/// A run that ends has two seconds, and closing what was opened may take one of them.
const OPENING: Duration = Duration::from_millis(500);

impl RegistryClient {
    /// One attempt to open an upload session. The registry may have one before its answer says which, and only
    /// the answer lets it be closed: whoever cancels meanwhile gets the answer, if it comes in a moment.
    pub(super) async fn opening(
        &self,
        call: &Call<'_>,
        scope: &Scope,
        cancel: &CancellationToken,
    ) -> Result<Answer, Problem> {
        if cancel.is_cancelled() {
            return Err(Problem::Fault(Fault::Cancelled));
        }
        let late = CancellationToken::new();
        let attempt = self.attempt(call, scope, &late);
        pin!(attempt);
        tokio::select! {
            sent = &mut attempt => return sent,
            () = cancel.cancelled() => {}
        }
        tokio::select! {
            sent = &mut attempt => return sent,
            () = sleep(OPENING) => late.cancel(),
        }
        attempt.await
    }
}
