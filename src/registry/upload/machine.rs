use super::reply::{Action, Broken, BrokenKind, Carried, Event, Failure, Numbering, Reply};
use crate::port::{Refusal, Stored};
use crate::registry::location::Session;
use crate::registry::retry::{Budget, Passing, Policy, Spent};

/// A POST with the whole blob costs Gitea its size in memory and, cut short, leaves a file behind.
const SINGLE: u64 = 16 * 1024 * 1024;
const CHUNK: u64 = 16 * 1024 * 1024;
const MIN_CHUNK: u64 = 1024 * 1024;
/// Fewer new bytes than this are no progress.
pub(super) const STEP: u64 = 64 * 1024;
/// A registry that loses sessions this often will lose the next one too.
pub(super) const LOST_SESSIONS: u8 = 2;
/// Waits of 2, 4, 8, ... s for a registry that is still storing: two minutes in all.
pub(super) const POLLS: u8 = 7;

/// What the registry takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Form {
    Gitea,
    Spec,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::registry) struct Size {
    pub(in crate::registry) blob: u64,
    /// What the user wants a chunk to be.
    pub(in crate::registry) chunk: Option<u64>,
    /// The largest body that the way to the registry takes, as far as it is known.
    pub(in crate::registry) limit: u64,
}

/// How the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// All in the POST.
    Single,
    Patches(Numbering),
    /// All in the PUT: for registries without PATCH.
    WholePut,
}

/// What is done when a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Open,
    Status,
    Ask(Unsure),
}

/// Why it is not known whether the blob is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsure {
    /// The answer was lost or was an error, which costs so much if the blob is not there.
    Lost(Passing),
    /// The answer was an error that has been waited out.
    Paid,
    /// The registry had everything and did not answer in time.
    Storing,
}

#[derive(Debug, Clone)]
pub(super) enum AfterClose {
    Open,
    Reopen(Broken),
    End(Failure),
}

#[derive(Debug, Clone)]
pub(super) enum State {
    Fresh,
    Opening(Carried),
    Sending { end: u64 },
    AskingStatus,
    Committing(Carried),
    Confirming(Unsure),
    Closing(AfterClose),
    Waiting(Next),
    Ended,
}

/// One blob on its way.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Machine {
    pub(super) state: State,
    pub(super) route: Route,
    pub(super) size: u64,
    pub(super) chunk: u64,
    /// Chunks become no smaller.
    pub(super) least: u64,
    pub(super) session: Option<Session>,
    /// Bytes that the session holds.
    pub(super) acked: u64,
    /// Bytes that the session may hold, since they were sent.
    pub(super) sent: u64,
    /// The most that any session has held, in whole steps: only more than this is progress.
    pub(super) reached: u64,
    /// The session was gone on with after a fault. Another fault says that it is poisoned.
    pub(super) resumed: bool,
    /// The session is of an earlier run. Nothing is known of it, and its loss costs nothing.
    pub(super) adopted: bool,
    pub(super) budget: Budget,
    pub(super) lost_sessions: u8,
    pub(super) digest_refusals: u8,
    /// Why it is asked whether the blob is there.
    pub(super) doubt: Option<Broken>,
    pub(super) polls: u8,
    /// `PATCHes` that may still be sent: a registry that takes a byte at a time is not served for ever.
    patches: u64,
}

impl Machine {
    pub(in crate::registry) fn new(form: Form, size: Size, policy: Policy) -> Self {
        let fits = size.blob <= size.limit;
        let route = match form {
            Form::Gitea
                if size.blob <= SINGLE && fits && size.chunk.is_none_or(|chunk| size.blob <= chunk) =>
            {
                Route::Single
            }
            Form::Spec if fits => Route::Patches(Numbering::Streamed),
            Form::Gitea | Form::Spec => Route::Patches(Numbering::Numbered),
        };
        let chunk = size.chunk.unwrap_or_else(|| CHUNK.max(size.blob / 256).min(size.limit / 2)).max(1);
        Self {
            state: State::Fresh,
            route: if size.chunk.is_some() && route != Route::Single {
                Route::Patches(Numbering::Numbered)
            } else {
                route
            },
            size: size.blob,
            chunk,
            least: MIN_CHUNK.min(chunk),
            session: None,
            acked: 0,
            sent: 0,
            reached: 0,
            resumed: false,
            adopted: false,
            budget: policy.budget(),
            lost_sessions: 0,
            digest_refusals: 0,
            doubt: None,
            polls: 0,
            patches: 64 + 8 * (size.blob / chunk.min(MIN_CHUNK)),
        }
    }

    /// The registry has the blob elsewhere, so that no byte goes before it declined to mount it.
    pub(in crate::registry) fn mounting(mut self) -> Self {
        if self.route == Route::Single {
            self.route = Route::Patches(Numbering::Numbered);
        }
        self
    }

    /// Goes on with the session of an earlier run, if the registry still has it.
    pub(in crate::registry) fn adopting(mut self, session: Session) -> Self {
        self.route = Route::Patches(Numbering::Numbered);
        (self.session, self.sent, self.adopted) = (Some(session), self.size, true);
        self
    }

    /// The next action, given what came of the last one.
    pub(in crate::registry) fn next(&mut self, event: Event) -> Action {
        let state = std::mem::replace(&mut self.state, State::Ended);
        match (state, event) {
            (State::Closing(_), Event::Cancelled) => Self::end(Failure::Cancelled),
            (State::Closing(AfterClose::End(failure)), _) => Self::end(failure),
            (State::Closing(AfterClose::Open), _) => self.open(),
            (State::Closing(AfterClose::Reopen(broken)), _) => self.pay(Passing::Fault, broken, Next::Open),
            (_, Event::Cancelled) => self.leave(Failure::Cancelled),
            (_, Event::Hopeless) => self.leave(Failure::Hopeless),
            (State::Fresh, _) => self.ask_status(),
            (State::Waiting(next), _) => self.go_on(next),
            (State::Opening(carried), Event::Answered(reply)) => self.opened(carried, &reply),
            (State::Opening(carried), Event::Broken(broken)) => self.open_broke(carried, broken),
            (State::Sending { end }, Event::Answered(reply)) => self.patched(end, reply),
            (State::Sending { .. }, Event::Broken(broken)) => self.patch_broke(broken),
            (State::AskingStatus, Event::Answered(reply)) => self.status_known(reply),
            (State::AskingStatus, Event::Broken(broken)) => self.pay_broken(broken, Next::Status),
            (State::Committing(carried), Event::Answered(reply)) => self.committed(carried, &reply),
            (State::Committing(_), Event::Broken(broken)) => match broken.kind {
                BrokenKind::Silent => self.ask_after(broken, Unsure::Storing),
                _ => self.ask_after(broken, Unsure::Lost(Passing::Fault)),
            },
            (State::Confirming(unsure), Event::Answered(reply)) => self.confirmed(unsure, &reply),
            (State::Confirming(unsure), Event::Broken(broken)) => self.pay_broken(broken, Next::Ask(unsure)),
            // Nothing of this can follow; a driver that does it all the same is not left hanging.
            (State::Ended, _) | (_, Event::Begin | Event::Waited | Event::Closed) => {
                Self::end(Failure::Cancelled)
            }
        }
    }

    pub(super) fn open(&mut self) -> Action {
        let carried = if self.route == Route::Single { Carried::WholeBlob } else { Carried::Nothing };
        (self.session, self.acked, self.sent, self.resumed) = (None, 0, 0, false);
        self.state = State::Opening(carried);
        Action::Open { carried }
    }

    fn opened(&mut self, carried: Carried, reply: &Reply) -> Action {
        match (reply.status, carried) {
            (201, Carried::WholeBlob) => Action::End(Ok(Stored::Uploaded)),
            (201, Carried::Nothing) => Action::End(Ok(Stored::Mounted)),
            (202, _) => match &reply.session {
                Some(session) => {
                    self.session = Some(session.clone());
                    if self.route == Route::Single {
                        self.route = Route::Patches(Numbering::Numbered);
                    }
                    self.take_minimum(reply);
                    self.advance()
                }
                None => Self::end(reply.refused()),
            },
            (413, Carried::WholeBlob) if reply.passing.is_none() => {
                self.route = Route::Patches(Numbering::Numbered);
                self.chunk = (self.size / 2).clamp(MIN_CHUNK, CHUNK);
                self.open()
            }
            (404, _) => Self::end(Failure::Refused {
                refusal: Refusal::OwnerUnknown,
                status: 404,
                message: reply.message.clone(),
            }),
            _ if reply.refusal == Some(Refusal::DigestInvalid) => self.digest_refused(reply),
            (504, Carried::WholeBlob) => self.ask_after(reply.broken(), Unsure::Storing),
            _ => match (reply.passing, carried) {
                (Some(kind), Carried::WholeBlob) => self.unsure(kind, reply),
                (Some(kind), Carried::Nothing) => self.pay_reply(kind, reply, Next::Open),
                (None, _) => Self::end(Self::out_of_quota(carried, reply)),
            },
        }
    }

    fn open_broke(&mut self, carried: Carried, broken: Broken) -> Action {
        match (carried, broken.kind) {
            (Carried::WholeBlob, BrokenKind::Silent) => self.ask_after(broken, Unsure::Storing),
            (Carried::WholeBlob, BrokenKind::Cut) => self.ask_after(broken, Unsure::Lost(Passing::Fault)),
            _ => self.pay_broken(broken, Next::Open),
        }
    }

    /// The next bytes, or the end of the session.
    pub(super) fn advance(&mut self) -> Action {
        let Some(session) = self.session.clone() else { return self.open() };
        let numbering = match self.route {
            _ if self.acked >= self.size => return self.commit(session, Carried::Nothing),
            Route::WholePut => return self.commit(session, Carried::WholeBlob),
            Route::Patches(numbering) => numbering,
            Route::Single => Numbering::Numbered,
        };
        let end = match numbering {
            Numbering::Streamed => self.size,
            Numbering::Numbered => self.acked.saturating_add(self.chunk).min(self.size),
        };
        let Some(left) = self.patches.checked_sub(1) else {
            let last = "the registry takes too few bytes at a time".to_owned();
            let spent = Spent::Attempts(self.budget.failures());
            return self.leave(Failure::Exhausted { spent, last, status: None });
        };
        self.patches = left;
        self.sent = self.sent.max(end);
        self.state = State::Sending { end };
        Action::Patch { session, range: self.acked..end, numbering }
    }

    fn patched(&mut self, end: u64, reply: Reply) -> Action {
        if reply.is_success() {
            // Less than was sent is believed; what stands still is a header that was not kept up.
            let held = reply.acknowledged.filter(|held| *held > self.acked && *held < end).unwrap_or(end);
            self.resumed = false;
            self.reach(held);
            self.take_minimum(&reply);
            self.session = reply.session.or(self.session.take());
            return self.advance();
        }
        let untried = self.route == Route::Patches(Numbering::Streamed) && self.acked == 0;
        match (reply.status, reply.passing) {
            (404 | 416, _) if untried => self.whole_put(&reply),
            (405 | 501, _) if self.acked == 0 => self.whole_put(&reply),
            (413, None) => self.too_large(end - self.acked, &reply),
            (416, _) if !self.resumed => self.ask_status(),
            (416, _) => self.renew(&reply),
            (404, _) => self.lost(&reply),
            _ if reply.refusal == Some(Refusal::DigestInvalid) => self.digest_refused(&reply),
            (500..=599, Some(Passing::Fault | Passing::Outage)) if self.resumed => self.renew(&reply),
            (status, Some(kind)) => {
                if status == 408 {
                    self.halve();
                }
                self.pay_reply(kind, &reply, Next::Status)
            }
            (_, None) => self.leave(Self::out_of_quota(Carried::WholeBlob, &reply)),
        }
    }

    fn patch_broke(&mut self, broken: Broken) -> Action {
        match broken.kind {
            BrokenKind::Unreachable | BrokenKind::Cut => self.pay_broken(broken, Next::Status),
            BrokenKind::Stalled => {
                self.halve();
                self.pay_broken(broken, Next::Status)
            }
            // A registry that was left while it stored may have spoiled the session.
            BrokenKind::Silent => {
                self.halve();
                self.close(AfterClose::Reopen(broken))
            }
        }
    }

    fn commit(&mut self, session: Session, carried: Carried) -> Action {
        self.state = State::Committing(carried);
        Action::Commit { session, carried }
    }

    fn committed(&mut self, carried: Carried, reply: &Reply) -> Action {
        match (reply.status, reply.passing) {
            (200 | 201 | 204, _) => Action::End(Ok(Stored::Uploaded)),
            (413, None) if carried == Carried::WholeBlob => {
                self.route = Route::Patches(Numbering::Numbered);
                self.too_large(self.size, reply)
            }
            _ if reply.refusal == Some(Refusal::DigestInvalid) => self.digest_refused(reply),
            (504, _) => self.ask_after(reply.broken(), Unsure::Storing),
            (_, Some(kind)) => self.unsure(kind, reply),
            (404 | 416 | 202, _) => self.ask_after(reply.broken(), Unsure::Lost(Passing::Fault)),
            (_, None) => self.leave(Self::out_of_quota(Carried::WholeBlob, reply)),
        }
    }
}
