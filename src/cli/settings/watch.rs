use std::path::Path;

use super::Settings;
use crate::cli::usage::UsageError;
use crate::cli::word::{Probe, Seen};
use crate::job::StopAfter;
use crate::source::Spec;

/// The one source of a watch.
///
/// # Errors
/// For what cannot be watched: standard input, a pipe, a folder of images, a plan.
pub(in crate::cli) fn watched(settings: &Settings, probe: &dyn Probe) -> Result<Spec, UsageError> {
    if settings.stop == StopAfter::Plan {
        return Err(UsageError::WatchPlan);
    }
    match settings.search.sources.as_slice() {
        [Spec::Stdin] => Err(UsageError::WatchStdin),
        [Spec::Folder { path }] if probe.look(path) == Seen::Folder => {
            Err(UsageError::WatchFolder { path: path.clone() })
        }
        [Spec::Archive { path, .. }] if is_descriptor(path) || probe.look(path) == Seen::Stream => {
            Err(UsageError::WatchStream { path: path.clone() })
        }
        [spec] => Ok(spec.clone()),
        _ => Err(UsageError::WatchSeveral),
    }
}

/// What the process was started with stays the same, even where it is a file and another one takes its name.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd", "/proc/self/fd"].iter().any(|place| path.starts_with(place))
}
