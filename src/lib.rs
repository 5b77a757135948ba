//! Pushes container images to the registry of an idpbuilder cluster, or to any OCI registry.
//!
//! One sentence: **discover** images, **plan** what the registry lacks, **push** it, **report** what
//! became of each. [`run`] says it in a few lines, and data runs that one way:
//! `Vec<FoundImage>` -> [`plan::PushPlan`] -> [`report::PushReport`]. A failed image is a value in the
//! report; `Err` is for runs that cannot go on. Cancelling is a value that the steps see, never a
//! dropped future, so that upload sessions are closed and the report is whole.
//!
//! # Four ideas
//!
//! 1. **Every blob is a range of an open file** ([`content`]). A blob of an OCI layout is a whole file,
//!    a layer of a tar is a slice of the tar; what comes from an engine or on standard input, or is
//!    compressed as a whole, is spooled once into a file without a name and is then a tar like any other. Reads are positioned, so that they can run in
//!    parallel and any retry starts at any byte. Nothing is extracted.
//! 2. **Content is exact or unpacked** ([`port::Content`]). Exact content goes up byte for byte, and its
//!    digests survive. A layer of a `docker save` archive has no registry digest until it is packed;
//!    packing ([`pack`]) checks its `diff_id`, compresses it to the same bytes on every machine, and
//!    hashes what comes out, in one pass.
//! 3. **The plan is a list of steps, each needing only earlier ones** ([`plan`]): pack, upload, manifest
//!    by digest, tag last, so that a half-pushed image is never seen under its tag. Each blob is one
//!    step for a repository, however many images share it. What becomes of a blob is [`plan::decide`], a
//!    pure function, called when its digest is known.
//! 4. **One loop owns all state** ([`push`]). It runs what the schedule says is ready within two
//!    budgets, processors for packing and transfers. All retry lives in [`registry`], as one policy; the
//!    loop never retries, so that nothing is retried twice over.
//!
//! # Floors
//!
//! Calls go down; a test reads the `use` lines and holds this table.
//!
//! | floor | modules | what they are |
//! |---|---|---|
//! | 4 | `cli` | terminal, flags, environment, exit codes; `cli/wire.rs` alone makes adapters and joins them with the steps |
//! | 3 | [`run`], [`discover`], [`plan`], [`push`], [`report`], [`verify`], [`prune`] | the steps, and [`Job`] and [`World`], what they are told |
//! | 2 | [`port`], [`event`], [`outcome`] | what the steps need from the world, and what they tell it |
//! | 1 | [`oci`], [`content`], [`pack`], `child` | values of the spec, ranges of files, bytes in and packed bytes out, programs that are asked; no network |
//! | adapters | [`source`], [`registry`], [`credential`], [`cluster`], [`cache`] | import `port`, `event` and floor 1; never a step, never each other |
//!
//! [`verify`] stands beside the push: it discovers and names images as a push does, and compares what the
//! registry holds with them.
//!
//! A new place where images live is a new file in `source`, never an `if` in a step. The engine does
//! not know that Kubernetes exists: `cluster` answers where the registry is, how it is trusted and who
//! the owner is, and is one more keychain.
//!
//! # Pushing from another program
//!
//! Without the feature `cli` the crate has no flags, terminal or environment. Fill a [`Job`] and a
//! [`World`], watch [`event::Events`] if you like, and call [`run`].

pub mod cache;
mod child;
pub mod cluster;
pub mod content;
pub mod credential;
pub mod discover;
pub mod event;
pub mod oci;
pub mod outcome;
pub mod pack;
pub mod plan;
pub mod port;
pub mod prune;
pub mod push;
pub mod registry;
pub mod report;
pub mod source;
pub mod verify;

#[cfg(feature = "cli")]
pub mod cli;

mod job;

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use event::Events;
use report::PushReport;

pub use job::{Compression, Existing, Job, Limits, OnFailure, Reuse, RunError, Selection, StopAfter, World};

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
    // Searching only reads, so that it can be left wherever it is.
    let found = tokio::select! {
        found = discover::discover(job, world, events) => found?,
        () = cancel.cancelled() => return Err(RunError::Cancelled),
    };
    let plan = plan::plan(found.images, job, world, events).await?;
    let report = match job.stop {
        StopAfter::Plan => PushReport::planned(&plan),
        StopAfter::Push => push::push(plan, job, world, events, cancel).await,
    };
    Ok(report.with_failed_sources(found.failed).packed_by(job.compression).lasting(began.elapsed()))
}
