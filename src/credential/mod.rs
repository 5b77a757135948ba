//! Logins that the user has: what flags and environment gave, and the config of docker and Podman.
//!
//! Nothing here reads the environment. A keychain answers for one origin, compared exactly; a source that
//! is broken is an error, and never falls to another account.

mod config;
mod entry;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod given;
mod helper;
mod key;
mod saved;

pub use given::Given;
pub use saved::{LoginPlaces, SavedLogins};
