//! Remembers what packing made and which uploads are open, in folders of small files.
//!
//! One file an entry, written under another name and renamed, so that many processes can use the folder
//! at once and a crash leaves nothing half. A damaged file is no entry, and is replaced the next time. The
//! folder holds digests, sizes, configurations of images and paths of upload sessions; no login and no content of
//! a layer.

mod folder;
mod owner;
mod sessions;

pub use folder::CacheFolder;
pub use sessions::SessionFolder;
