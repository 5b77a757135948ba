//! What goes wrong, and when.

use std::time::Duration;

use super::http::{Answer, Head};

/// The requests that a script waits for. Without `times` or `always` it acts once.
///
/// ```ignore
/// registry.script(Match::method("PATCH").path_contains("/web/").nth(2), Fault::ResetMidBody(1000));
/// registry.script(Match::any().times(3), Fault::status(503));
/// ```
#[derive(Debug, Clone)]
pub(crate) struct Match {
    method: Option<String>,
    target: Vec<String>,
    nth: u32,
    times: u32,
}

impl Match {
    pub(crate) fn any() -> Self {
        Self { method: None, target: Vec::new(), nth: 1, times: 1 }
    }

    pub(crate) fn method(method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..Self::any() }
    }

    /// Several parts must all be there. The query is looked at too, as it was sent.
    pub(crate) fn path_contains(mut self, part: &str) -> Self {
        self.target.push(part.to_owned());
        self
    }

    /// Skips the first matches; counted from 1.
    pub(crate) fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    pub(crate) fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    pub(crate) fn always(self) -> Self {
        self.times(u32::MAX)
    }

    fn fits(&self, head: &Head) -> bool {
        self.method.as_ref().is_none_or(|method| *method == head.method)
            && self.target.iter().all(|part| head.target.contains(part))
    }
}

/// What happens to a request that a script waited for.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Reads the body, does nothing with it, and answers this.
    Answer(Answer),
    /// Answers this before the first byte of the body is read.
    Early(Answer, Then),
    /// 307 to this URL; one without a path gets the request's own path and query.
    Redirect(String),
    /// Reads the body, does nothing with it, and resets.
    ResetBeforeAnswer,
    /// Resets when so many bytes of the body have been read (and after a shorter body).
    ResetMidBody(u64),
    /// Reads so many bytes of the body, then nothing more, and never answers.
    StopReading(u64),
    /// Reads the body and never answers. Gitea's session is poisoned when the client leaves.
    Stall,
    /// Does its work, and answers after this time if the client is still there.
    Late(Duration),
    /// Does its work, then closes without an answer.
    AnswerLost,
    /// Answers, then closes without having said so.
    CloseAfterAnswer,
    /// Answers, and resets in the same moment.
    ResetAfterAnswer,
    /// Writes the answer in pieces.
    SlowAnswer { bytes: usize, every: Duration },
    /// Does its work, writes so many bytes of the answer, head included, and closes.
    TruncatedAnswer(usize),
    /// Does its work, writes the head of the answer and so many bytes of its body, and closes.
    TruncatedBody(usize),
    /// Does its work; the answer's body is that long.
    OversizedBody(usize),
    /// Does its work; the answer has a header that long.
    OversizedHeader(usize),
    /// Does its work; the answer has this header instead of its own.
    Header(String, String),
    /// Does its work; the answer lacks this header.
    NoHeader(String),
    /// The first byte of the body changes on the way.
    DamagedBody,
    /// Takes a blob (repository, digest) away first, as a garbage collection would. Then all goes on.
    LoseBlob(String, String),
    /// Forgets all upload sessions first.
    ForgetSessions,
    /// Forgets all tokens first, as a server with a new secret does.
    RevokeTokens,
}

/// What follows an early answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// `Connection: close`, and what is still sent is swallowed for some seconds: nginx.
    Swallow,
    Reset,
    /// Reads the rest and goes on with the connection.
    KeepReading,
}

impl Fault {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(Answer::new(status))
    }

    pub(crate) fn header(name: &str, value: &str) -> Self {
        Self::Header(name.to_owned(), value.to_owned())
    }

    /// Its name, for the log.
    pub(super) fn name(&self) -> String {
        let text = format!("{self:?}");
        text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
    }
}

#[derive(Debug)]
pub(super) struct Script {
    when: Match,
    fault: Fault,
    seen: u32,
    acted: u32,
}

#[derive(Debug, Default)]
pub(super) struct Scripts(Vec<Script>);

impl Scripts {
    pub(super) fn add(&mut self, when: Match, fault: Fault) {
        self.0.push(Script { when, fault, seen: 0, acted: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for this request: of several that are due, the one that was scripted first.
    pub(super) fn next(&mut self, head: &Head) -> Option<Fault> {
        let mut due = None;
        for script in self.0.iter_mut().filter(|script| script.when.fits(head)) {
            script.seen += 1;
            if due.is_none() && script.seen >= script.when.nth && script.acted < script.when.times {
                script.acted += 1;
                due = Some(script.fault.clone());
            }
        }
        due
    }

    /// Scripts that never acted: a test that has some has not tested what it says.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = self.0.iter().filter(|script| script.acted == 0);
        unused.map(|script| format!("{:?} on {:?}", script.fault, script.when)).collect()
    }
}
