//! Sources that are looked at again and again.

mod file;

use super::engine::EngineWatch;
use super::open::Places;
use super::spec::Spec;
use crate::event::Events;
use crate::port::Watched;
use file::FileWatch;

/// Watches the source that a `Spec` means: an engine's image by the engine's events, a file or a layout by
/// what the file system says of it. Standard input is never seen to change.
#[must_use]
pub fn watch(spec: Spec, places: &Places, events: &Events) -> Box<dyn Watched> {
    match spec {
        Spec::Engine { reference, kind } => Box::new(EngineWatch::new(reference, kind, places.clone())),
        spec => Box::new(FileWatch::new(spec, places.clone(), events.clone())),
    }
}
