use std::ops::Range;
use std::time::Duration;

use crate::port::{Refusal, Stored};
use crate::registry::location::Session;
use crate::registry::retry::{Passing, Spent};

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) enum Action {
    /// POST: opens a session, with the mount in the same request.
    Open {
        carried: Carried,
    },
    /// PATCH of these bytes of the blob.
    Patch {
        session: Session,
        range: Range<u64>,
        numbering: Numbering,
    },
    /// GET of the session: what it holds.
    Status {
        session: Session,
    },
    /// PUT with the digest: closes the session.
    Commit {
        session: Session,
        carried: Carried,
    },
    /// HEAD of the blob.
    Ask,
    /// DELETE of the session, as far as it is possible.
    Close {
        session: Session,
        why: Closing,
    },
    /// `host`: the registry named the wait, and means all requests.
    Wait {
        wait: Duration,
        reason: String,
        attempt: u32,
        host: bool,
    },
    End(Result<Stored, Failure>),
}

/// Why a session is let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Closing {
    /// Nothing can be done with it any more.
    Useless,
    /// It was given up; a later run might go on with it.
    GivenUp,
}

/// What a POST or PUT has for a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Carried {
    Nothing,
    WholeBlob,
}

/// Whether a PATCH says where its bytes belong (`Content-Range: 0-99`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Numbering {
    Numbered,
    Streamed,
}

/// What came of an action.
#[derive(Debug, Clone)]
pub(in crate::registry) enum Event {
    Begin,
    Answered(Reply),
    Broken(Broken),
    Waited,
    /// The session is gone, or cannot be reached: nothing depends on it.
    Closed,
    Cancelled,
    /// No further attempt can help: the source cannot be read, the login is refused, a Location is foreign.
    Hopeless,
}

/// An answer, as far as an upload depends on it.
#[derive(Debug, Clone, Default)]
pub(in crate::registry) struct Reply {
    pub(in crate::registry) status: u16,
    pub(in crate::registry) session: Option<Session>,
    /// Bytes that the session holds, where the answer says so.
    pub(in crate::registry) acknowledged: Option<u64>,
    /// `Content-Length` of a HEAD.
    pub(in crate::registry) length: Option<u64>,
    pub(in crate::registry) chunk_min: Option<u64>,
    pub(in crate::registry) passing: Option<Passing>,
    pub(in crate::registry) refusal: Option<Refusal>,
    /// What the server said, safe to show.
    pub(in crate::registry) message: String,
}

/// No whole answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) struct Broken {
    pub(in crate::registry) kind: BrokenKind,
    pub(in crate::registry) reason: String,
    /// Of the answer that a session was given up for.
    pub(in crate::registry) status: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum BrokenKind {
    /// Nothing was sent: no connection.
    Unreachable,
    /// No byte moved while sending.
    Stalled,
    /// All was sent, and the registry may still be storing it.
    Silent,
    /// Cut at any other place.
    Cut,
}

/// Why a blob is not there in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) enum Failure {
    Refused {
        refusal: Refusal,
        status: u16,
        message: String,
    },
    Exhausted {
        spent: Spent,
        last: String,
        status: Option<u16>,
    },
    Cancelled,
    /// As the driver said.
    Hopeless,
}

impl Reply {
    pub(in crate::registry) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn refused(&self) -> Failure {
        Failure::Refused {
            refusal: self.refusal.clone().unwrap_or(Refusal::Other),
            status: self.status,
            message: self.message.clone(),
        }
    }

    /// What is given up because of this answer.
    pub(super) fn broken(&self) -> Broken {
        Broken { kind: BrokenKind::Cut, reason: self.reason(), status: Some(self.status) }
    }

    pub(super) fn reason(&self) -> String {
        match self.message.as_str() {
            "" => format!("registry answered {}", self.status),
            message => format!("registry answered {}: {message}", self.status),
        }
    }
}
