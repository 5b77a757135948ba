//! Step 2: what the registry lacks, as a list of steps that each need only earlier ones.

mod naming;

pub use naming::{NameRules, Naming, Owner, PathPart, RegistryHost, Rename, Target, TargetError};

/// Why no plan can be made, or an image is left out of it.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Target(#[from] TargetError),
}
