//! The upload of one blob as a pure state machine: `(state, event) -> (action, state)`, no I/O, no clock.
//!
//! Whoever drives it performs the [`Action`] and comes back with the [`Event`]. It ends in success only
//! when the registry has said that it has the blob, and it always ends: whatever fails without bytes
//! that had never been acknowledged before is paid from one [`Budget`](super::retry::Budget).
//!
//! Two forms. Gitea takes small blobs in one POST and large ones in numbered chunks: its PUT appends,
//! and nginx may send a PUT twice, so a session is always closed by an empty one. Everything else gets
//! POST, one streamed PATCH and an empty PUT, as docker sends it; numbered chunks only after a 413, a
//! minimal chunk length, or to go on in the middle.

mod machine;
mod recovery;
mod reply;
#[cfg(test)]
mod tests;

pub(super) use machine::{Form, Machine, Size};
pub(super) use reply::{Action, Broken, BrokenKind, Carried, Closing, Event, Failure, Numbering, Reply};
