//! The registry: the distribution spec's push on an upload engine of our own.
//!
//! Requests are made and answers read without I/O; [`upload`] decides what follows what. All retry is
//! here, in one policy ([`Policy`]): nobody above tries again.

mod answer;
mod challenge;
mod location;
mod retry;
mod upload;

pub use retry::Policy;
