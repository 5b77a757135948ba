use super::client::RegistryClient;
use super::location::Session;
use super::upload::{Event, Failure, Machine};
use crate::port::{Claim, Stored, Upload};

/// Blobs up to this size go in one request or one chunk: there is no middle to go on from.
const WORTH_NOTING: u64 = 16 * 1024 * 1024;

/// The journal's entry of one upload, if it has one.
pub(super) struct Noted(Option<Box<dyn Claim>>);

impl RegistryClient {
    /// The upload as an earlier run left it.
    pub(super) fn noted(&self, machine: Machine, upload: &Upload<'_>) -> (Machine, Noted) {
        if upload.blob.len() <= WORTH_NOTING {
            return (machine, Noted(None));
        }
        let origin = &self.courier.origin;
        let claim = self.journal.claim(origin, upload.repository, upload.digest);
        let session = claim.as_ref().and_then(|claim| Session::noted(origin, claim.session()?));
        let machine = match session {
            Some(session) => machine.adopting(session),
            None => machine,
        };
        (machine, Noted(claim))
    }
}

impl Noted {
    /// Notes the session that an answer opened or moved.
    pub(super) fn hear(&mut self, event: &Event) {
        if let (Some(claim), Event::Answered(reply)) = (&mut self.0, event)
            && let Some(session) = reply.session.as_ref().filter(|session| session.may_be_noted())
        {
            claim.note(session.path());
        }
    }

    /// Whether a later run may go on with the session.
    pub(super) fn has(&self, session: &Session) -> bool {
        self.0.as_ref().is_some_and(|claim| claim.session() == Some(session.path()))
    }

    /// Only what was given up because of faults is gone on with.
    pub(super) fn ended(&mut self, end: &Result<Stored, Failure>) {
        if let Some(claim) = &mut self.0
            && !matches!(end, Err(Failure::Exhausted { .. }))
        {
            claim.forget();
        }
    }
}
