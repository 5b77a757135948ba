//! Remembers what packing made, in a folder of small files.
//!
//! One file an entry, written under another name and renamed, so that many processes can use the folder
//! at once and a crash leaves nothing half. A damaged file is no entry, and is replaced the next time. The
//! folder holds digests, sizes and configurations of images; no login and no content of a layer.

mod folder;

pub use folder::{CacheFolder, NoCache};
