use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::content::SpoolDir;
use crate::oci::Platform;
use crate::pack::Encoder;
use crate::plan::{Naming, PlanError};
use crate::port::{PackIndex, RegistryError, RegistryReader, RegistryWriter, Source, SourceError};

/// What is to be done: values that were parsed and checked, no flags.
#[derive(Debug, Clone)]
pub struct Job {
    /// How sources' names become targets, and for which registry.
    pub naming: Naming,
    pub selection: Selection,
    pub compression: Compression,
    pub existing: Existing,
    pub reuse: Reuse,
    pub stop: StopAfter,
    pub on_failure: OnFailure,
    pub limits: Limits,
    /// Platforms of the cluster's nodes, to warn before an image that cannot run there is pushed.
    pub node_platforms: Vec<Platform>,
}

impl Job {
    /// A push of all platforms that are there, under these names.
    #[must_use]
    pub fn new(naming: Naming) -> Self {
        Self {
            naming,
            selection: Selection::default(),
            compression: Compression::default(),
            existing: Existing::default(),
            reuse: Reuse::default(),
            stop: StopAfter::default(),
            on_failure: OnFailure::default(),
            limits: Limits::default(),
            node_platforms: Vec::new(),
        }
    }
}

/// Which platforms of an image are pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selection {
    /// All that are present.
    #[default]
    Present,
    /// One of them: its manifest alone.
    Only(Platform),
}

/// What is done to layers that are not compressed yet. Packed content stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Pack(Encoder),
}

/// As the command line takes it.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Pack(encoder) => encoder.fmt(f),
        }
    }
}

impl Default for Compression {
    /// What every registry and runtime reads.
    fn default() -> Self {
        Self::Pack(Encoder::GZIP)
    }
}

/// What happens where the registry has the manifest already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Existing {
    #[default]
    Skip,
    Replace,
}

/// Whether a layer that is known packed is packed all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reuse {
    /// It is not, where the cache or an image of the repository says what it becomes.
    #[default]
    Known,
    /// Every layer is packed anew.
    Nothing,
}

/// A dry run is not a flag that travels; it is stopping after the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StopAfter {
    Plan,
    #[default]
    Push,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The other images go on.
    #[default]
    Continue,
    /// No new work is begun.
    Stop,
}

/// How much at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Transfers at once.
    pub jobs: NonZeroUsize,
    /// Layers packed at once, and threads that pack blocks of all of them.
    pub threads: NonZeroUsize,
}

impl Default for Limits {
    /// Three transfers, which is what a registry on the same machine gains from, and all processors.
    fn default() -> Self {
        const JOBS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);
        Self { jobs: JOBS, threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN) }
    }
}

/// What the steps need from outside. Another program fills it and pushes without the command line.
#[derive(Clone)]
pub struct World {
    pub sources: Vec<Arc<dyn Source>>,
    pub reader: Arc<dyn RegistryReader>,
    pub writer: Arc<dyn RegistryWriter>,
    /// What packing made before.
    pub index: Arc<dyn PackIndex>,
    /// Where packed layers go until they are sent.
    pub spools: SpoolDir,
}

impl From<PlanError> for RunError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Registry(RegistryError::Cancelled) => Self::Cancelled,
            error => Self::Plan(error),
        }
    }
}

/// Why a run could not go on at all. The failure of one image is a value in the report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Plan(PlanError),
    #[error("cancelled")]
    Cancelled,
}
