//! Bytes that can be read again: ranges of open files, and the spools that hold what had no file.
//!
//! A blob is never copied out of the file it stands in. Reads are positioned, so that a range has no
//! seek state, many can be read at once, and a retry starts at any byte.

mod blob;
mod deferred;
mod file;
mod spool;

pub use blob::{Blob, BlobReader};
pub use deferred::{Deferred, Part, Parts};
pub use file::{ContentError, FilePool, FileRange, SourceFile};
pub(crate) use spool::make_private;
pub use spool::{Spool, SpoolDir};
