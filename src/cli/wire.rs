//! Where steps and adapters are joined: nothing else in the command line knows an adapter.

use std::sync::Arc;

use super::facts::Facts;
use super::failure::{Fault, LocalError};
use super::settings::{Search, Settings};
use crate::event::Events;
use crate::job::{Job, World};
use crate::port::Source;

/// What a push runs with.
pub(super) struct Connected {
    pub(super) job: Job,
    pub(super) world: World,
    pub(super) facts: Facts,
}

/// Finds the registry, its trust and the login, and makes the sources.
///
/// # Errors
/// When no registry is known, or a source of credentials that was chosen is broken.
#[expect(clippy::unused_async, reason = "the cluster is asked here")]
pub(super) async fn connect(settings: &Settings, events: &Events) -> Result<Connected, Fault> {
    let _ = (settings, events);
    Err(LocalError::NotJoined { part: "pushing" }.into())
}

/// The places where images are looked for.
///
/// # Errors
/// When an engine's address is none.
pub(super) fn sources(search: &Search) -> Result<Vec<Arc<dyn Source>>, Fault> {
    let _ = search;
    Err(LocalError::NotJoined { part: "searching" }.into())
}
