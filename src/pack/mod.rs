//! Bytes in, packed bytes out: the same on every machine, for any number of threads.
//!
//! A layer is read once. On the way its `diff_id` is checked, it is packed, and the digest of what
//! comes out is computed; what comes out is spooled, since a registry wants the digest first.

mod gzip;
mod layer;

pub use layer::{Encoding, Form, PackError, Packed, Unpacked, pack};
