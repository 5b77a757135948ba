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

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use event::Events;
use report::PushReport;

pub use job::{Compression, Existing, Job, Limits, OnFailure, RunError, Selection, StopAfter, World};

/// Discovers images, plans what the registry lacks, pushes it, and reports.
///
/// # Errors
/// For runs that cannot go on: no image found, a name that cannot be a target, no way to log in. The
/// failure of one image is a value in the report.
pub async fn run(
    job: &Job,
    world: &World,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<PushReport, RunError> {
    let began = Instant::now();
    let found = discover::discover(job, world, events).await?;
    let plan = plan::plan(found.images, job, world, events).await?;
    let report = match job.stop {
        StopAfter::Plan => PushReport::planned(&plan),
        StopAfter::Push => push::push(plan, job, world, events, cancel).await,
    };
    Ok(report.with_failed_sources(found.failed).lasting(began.elapsed()))
}
