//! Where images are: archives, layouts, folders of them, the local engines.

mod spec;
mod tar;

pub use spec::{ArchiveKind, EngineKind, Spec};
