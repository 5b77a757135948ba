use std::time::Duration;

use super::machine::{AfterClose, LOST_SESSIONS, Machine, Next, POLLS, Route, STEP, State, Unsure};
use super::reply::{Action, Broken, BrokenKind, Carried, Closing, Failure, Numbering, Reply};
use crate::port::{Refusal, Stored};
use crate::registry::retry::{Passing, Spent};

/// What is tried first after a body of any size was too large.
const LARGE_CHUNK: u64 = 512 * 1024 * 1024;

/// What is done about faults and refusals.
impl Machine {
    pub(super) fn end(failure: Failure) -> Action {
        Action::End(Err(failure))
    }

    /// Ends, and lets go of the session first.
    pub(super) fn leave(&mut self, failure: Failure) -> Action {
        self.close(AfterClose::End(failure))
    }

    pub(super) fn close(&mut self, then: AfterClose) -> Action {
        let why = match &then {
            AfterClose::End(Failure::Exhausted { .. }) => Closing::GivenUp,
            _ => Closing::Useless,
        };
        match (self.session.take(), then) {
            (Some(session), then) => {
                self.state = State::Closing(then);
                Action::Close { session, why }
            }
            (None, AfterClose::Open) => self.open(),
            (None, AfterClose::End(failure)) => Self::end(failure),
            (None, AfterClose::Reopen(broken)) => self.pay(Passing::Fault, broken, Next::Open),
        }
    }

    /// Takes one failure from the budget, and waits.
    pub(super) fn pay(&mut self, kind: Passing, broken: Broken, next: Next) -> Action {
        self.pay_for(kind, broken.reason, broken.status, next)
    }

    pub(super) fn pay_broken(&mut self, broken: Broken, next: Next) -> Action {
        let kind = if broken.kind == BrokenKind::Unreachable { Passing::Outage } else { Passing::Fault };
        self.pay(kind, broken, next)
    }

    pub(super) fn pay_reply(&mut self, kind: Passing, reply: &Reply, next: Next) -> Action {
        self.pay_for(kind, reply.reason(), Some(reply.status), next)
    }

    fn pay_for(&mut self, kind: Passing, reason: String, status: Option<u16>, next: Next) -> Action {
        match self.budget.failed(kind) {
            Ok(wait) => {
                self.state = State::Waiting(next);
                let host = matches!(kind, Passing::Asked(_));
                Action::Wait { wait, reason, attempt: self.budget.failures(), host }
            }
            Err(spent) => self.leave(Failure::Exhausted { spent, last: reason, status }),
        }
    }

    pub(super) fn go_on(&mut self, next: Next) -> Action {
        match next {
            Next::Open => self.open(),
            Next::Status => self.ask_status(),
            Next::Ask(unsure) => self.ask(unsure),
        }
    }

    /// An error after everything was sent: the blob may be there all the same. A registry that wants to
    /// be left alone is not even asked.
    pub(super) fn unsure(&mut self, kind: Passing, reply: &Reply) -> Action {
        self.doubt = Some(reply.broken());
        match kind {
            Passing::Asked(_) => self.pay_reply(kind, reply, Next::Ask(Unsure::Paid)),
            Passing::Fault | Passing::Outage => self.ask(Unsure::Lost(kind)),
        }
    }

    /// Asks for the blob after `why`, which is told if it is not there.
    pub(super) fn ask_after(&mut self, why: Broken, unsure: Unsure) -> Action {
        self.doubt = Some(why);
        self.ask(unsure)
    }

    pub(super) fn ask(&mut self, unsure: Unsure) -> Action {
        self.state = State::Confirming(unsure);
        Action::Ask
    }

    pub(super) fn confirmed(&mut self, unsure: Unsure, reply: &Reply) -> Action {
        if reply.is_success() && reply.length.is_none_or(|length| length == self.size) {
            return Action::End(Ok(Stored::Uploaded));
        }
        if let Some(kind) = reply.passing {
            return self.pay_reply(kind, reply, Next::Ask(unsure));
        }
        if unsure == Unsure::Storing && self.polls < POLLS {
            let wait = self.budget.at_most(Duration::from_secs(2 << self.polls));
            self.polls += 1;
            self.state = State::Waiting(Next::Ask(unsure));
            let reason = "the registry is still storing it".to_owned();
            return Action::Wait { wait, reason, attempt: u32::from(self.polls), host: false };
        }
        let broken = self.doubt.take().unwrap_or_else(|| reply.broken());
        let next = match (&self.session, self.route) {
            (None, _) => Next::Open,
            (Some(_), Route::Patches(_)) if !self.resumed => Next::Status,
            (Some(_), _) => return self.close(AfterClose::Reopen(broken)),
        };
        match unsure {
            Unsure::Paid => self.go_on(next),
            Unsure::Lost(kind) => self.pay(kind, broken, next),
            Unsure::Storing => self.pay(Passing::Fault, broken, next),
        }
    }

    pub(super) fn ask_status(&mut self) -> Action {
        let Some(session) = self.session.clone() else { return self.open() };
        self.state = State::AskingStatus;
        Action::Status { session }
    }

    pub(super) fn status_known(&mut self, reply: Reply) -> Action {
        if let Some(kind) = reply.passing {
            return self.pay_reply(kind, &reply, Next::Status);
        }
        let held = reply.acknowledged.unwrap_or(0);
        if std::mem::take(&mut self.adopted) && (!reply.is_success() || held > self.size) {
            if reply.status == 404 {
                self.session = None;
            }
            return self.close(AfterClose::Open);
        }
        if !reply.is_success() || held < self.acked || held > self.sent {
            return if reply.status == 404 { self.lost(&reply) } else { self.renew(&reply) };
        }
        self.session = reply.session.or(self.session.take());
        self.resumed = true;
        if self.route == Route::Patches(Numbering::Streamed) {
            self.route = Route::Patches(Numbering::Numbered);
        }
        self.reach(held);
        self.advance()
    }

    /// The session holds `held` bytes. Only what no session had before counts as progress, and not
    /// every crumb of it: a way that breaks after a few bytes is no way.
    pub(super) fn reach(&mut self, held: u64) {
        self.acked = held;
        if held >= self.reached.saturating_add(STEP) || (held > self.reached && held == self.size) {
            self.reached = held;
            self.budget.progressed();
        }
    }

    pub(super) fn take_minimum(&mut self, reply: &Reply) {
        if let Some(least) = reply.chunk_min {
            self.least = self.least.max(least);
            self.chunk = self.chunk.max(least);
        }
    }

    pub(super) fn halve(&mut self) {
        self.chunk = (self.chunk / 2).max(self.least);
    }

    /// This session is of no more use: another one, from the start.
    pub(super) fn renew(&mut self, reply: &Reply) -> Action {
        self.close(AfterClose::Reopen(reply.broken()))
    }

    /// The registry does not know the session any more, so there is nothing to close.
    pub(super) fn lost(&mut self, reply: &Reply) -> Action {
        self.session = None;
        self.lost_sessions += 1;
        if self.lost_sessions > LOST_SESSIONS {
            let spent = Spent::Attempts(u32::from(self.lost_sessions));
            let status = Some(reply.status);
            return Self::end(Failure::Exhausted { spent, last: reply.reason(), status });
        }
        self.renew(reply)
    }

    /// The form without PATCH, tried once.
    pub(super) fn whole_put(&mut self, reply: &Reply) -> Action {
        if self.route == Route::WholePut {
            return self.leave(reply.refused());
        }
        self.route = Route::WholePut;
        self.renew(reply)
    }

    /// `refused` bytes in one body were too many for something on the way; the session is as it was.
    pub(super) fn too_large(&mut self, refused: u64, reply: &Reply) -> Action {
        if refused <= self.least {
            return self.leave(reply.refused());
        }
        self.chunk = (refused / 2).min(LARGE_CHUNK).max(self.least);
        self.route = Route::Patches(Numbering::Numbered);
        self.advance()
    }

    /// Something between here and the registry damaged the bytes, or the source is wrong. In small
    /// pieces once more; the second time it is final.
    pub(super) fn digest_refused(&mut self, reply: &Reply) -> Action {
        self.digest_refusals += 1;
        if self.digest_refusals > 1 {
            return self.leave(reply.refused());
        }
        self.chunk = self.least;
        self.route = Route::Patches(Numbering::Numbered);
        self.renew(reply)
    }

    /// Gitea's 403 without a word, at the end of an upload, is the quota.
    pub(super) fn out_of_quota(carried: Carried, reply: &Reply) -> Failure {
        let quota = reply.status == 403 && reply.message.is_empty() && carried == Carried::WholeBlob;
        match reply.refused() {
            Failure::Refused { status, message, .. } if quota => {
                Failure::Refused { refusal: Refusal::Quota, status, message }
            }
            failure => failure,
        }
    }
}
