//! Pushes container images to the registry of an idpbuilder cluster, or to any OCI registry.
//!
//! One sentence: **discover** images, **plan** what the registry lacks, **push** it, **report** what
//! became of each. [`run`] says it in four lines, and data runs that one way:
//! `Vec<FoundImage>` -> `PushPlan` -> `PushReport`.

pub mod cluster;
pub mod content;
pub mod credential;
pub mod discover;
pub mod event;
pub mod oci;
pub mod pack;
pub mod plan;
pub mod port;
pub mod push;
pub mod registry;
pub mod report;
pub mod source;

#[cfg(feature = "cli")]
pub mod cli;

mod job;

pub use job::{Compression, Existing, Job, Limits, OnFailure, RunError, Selection, StopAfter, World};
