//! Sources that are looked at again and again.

mod file;

use super::engine::EngineWatch;
use super::open::Places;
use super::spec::Spec;
use crate::event::Events;
use crate::port::Watched;
use file::FileWatch;

/// Watches the source that a `Spec` means: images of engines by the engines' events, a file or a layout by
/// what the file system says of it. Standard input is never seen to change.
#[must_use]
pub fn watch(spec: Spec, places: &Places, events: &Events) -> Box<dyn Watched> {
    match spec {
        Spec::Engine { .. } | Spec::AllTagged | Spec::Manifests { .. } => {
            Box::new(EngineWatch::new(spec, places.clone()))
        }
        spec => Box::new(FileWatch::new(spec, places.clone(), events.clone())),
    }
}
