//! Bytes in, packed bytes out: the same on every machine, for any number of threads.
//!
//! A layer is read once. On the way its `diff_id` is checked, its blocks are packed by whichever thread is
//! free, and the digest of what comes out is computed; what comes out is spooled, since a registry wants the
//! digest first. The memory of all layers that are packed at once is that of the [`Crew`].

mod block;
mod crew;
mod form;
mod layer;

pub use crew::Crew;
pub use form::{Codec, Encoder, Encoding, Form, NoSuchLevel};
pub use layer::{PackError, Packed, Unpacked, Workshop, pack};
