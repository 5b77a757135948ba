//! From every error to an exit code and to what can be done. Only variants are matched, never text.

use std::error::Error;

mod advice;
mod class;
mod cluster;
mod engine;
mod image;
mod local;
mod login;
mod name;
mod network;
mod prune;
mod refusal;
mod registry;
mod render;
mod source;
mod usage;
mod verify;

pub(super) use advice::{Scene, quoted};
pub(super) use class::Class;
pub(super) use image::{of_report, one, whole};
pub(super) use local::{LocalError, prune_stopped, stopped};
pub(super) use prune::{of_prune, refused_prune};
pub(super) use render::clean;
pub(super) use verify::{of_verification, of_verified, unverified};

use super::usage::UsageError;
use crate::cluster::ClusterError;
use crate::job::RunError;
use crate::plan::PlanError;
use crate::port::{KeychainError, RegistryError, SourceError};
use crate::registry::TrustError;

/// Why a run could not be begun or could not go on, before it is explained.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Local(#[from] LocalError),
}

/// An error as the user gets it: what, cause, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) class: Class,
    /// A word for programs: `AUTH_FAILED`.
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Lines that belong to the message.
    pub(super) details: Vec<String>,
    /// The chain of causes, outermost first.
    pub(super) causes: Vec<String>,
    pub(super) suggestion: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) retry: Retry,
}

/// Something to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Say(String),
    /// A command or flags, behind what they are for.
    Run {
        purpose: String,
        command: String,
    },
}

/// Whether the same run may succeed later, with nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    MayHelp,
    Pointless,
}

impl Failure {
    fn new(class: Class, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            class,
            code,
            message: message.into(),
            details: Vec::new(),
            causes: Vec::new(),
            suggestion: None,
            steps: Vec::new(),
            retry: Retry::Pointless,
        }
    }

    fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// A cause in words; an empty one says nothing.
    fn cause(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.causes.push(text);
        }
        self
    }

    /// The causes of an error, without its own text.
    fn chain(mut self, error: &dyn Error) -> Self {
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // A transparent variant, and some crates' errors, say what their source says.
            if self.causes.last() != Some(&text) && self.message != text {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    fn did_you_mean(mut self, command: impl Into<String>) -> Self {
        self.suggestion = Some(command.into());
        self
    }

    fn run(mut self, purpose: impl Into<String>, command: impl Into<String>) -> Self {
        self.steps.push(Step::Run { purpose: purpose.into(), command: command.into() });
        self
    }

    fn say(mut self, step: impl Into<String>) -> Self {
        self.steps.push(Step::Say(step.into()));
        self
    }

    fn may_be_retried(mut self) -> Self {
        self.retry = Retry::MayHelp;
        self
    }
}

/// Explains why a run stands still.
pub(super) fn explain(fault: &Fault, scene: &Scene<'_>) -> Failure {
    match fault {
        Fault::Usage(error) => usage::explain(error, scene),
        Fault::Cluster(error) => cluster::explain(error, scene),
        Fault::Keychain(error) => login::keychain(error, scene),
        Fault::Registry(error) | Fault::Run(RunError::Plan(PlanError::Registry(error))) => {
            registry::explain(error, scene)
        }
        Fault::Source(error) | Fault::Run(RunError::Source(error)) => source::explain(error, scene),
        Fault::Run(RunError::Plan(PlanError::Target(error))) => name::explain(error, scene),
        Fault::Run(RunError::Cancelled) => local::explain(&LocalError::Cancelled),
        Fault::Trust(error) => local::trust(error),
        Fault::Local(error) => local::explain(error),
    }
}

#[cfg(test)]
mod tests;
