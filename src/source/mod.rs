//! Where images are: archives, layouts, folders of them, the local engines.
//!
//! `open` makes a source of what the user said. Nothing is extracted: a tar is indexed by its headers, a
//! layout by its documents, and every blob that is found is a range of a file that was there already. What
//! comes from an engine or on standard input, or is compressed as a whole, is spooled once and is then a
//! tar like any other.
//!
//! `watch` looks at a source again and again, for a push whenever it has changed.

mod archive;
mod choose;
mod docker_archive;
mod document;
mod engine;
mod folder;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod layout;
mod magic;
mod manifests;
mod media;
mod names;
mod near;
mod oci_images;
mod oci_tree;
mod open;
mod shown;
mod spec;
mod stream;
mod tar;
mod watch;

#[cfg(test)]
mod tests;

pub use engine::{EngineSockets, Engines, Learned, engines, image_names};
pub use open::{EngineImages, Links, Places, SearchRules, open};
pub use spec::{ArchiveKind, EngineKind, Spec};
pub use watch::watch;
