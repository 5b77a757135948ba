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
//! # As a library
//!
//! Another program pushes without the command line: it fills a [`Job`] (what is to be done) and a [`World`]
//! (where images are, and where they go), and calls [`run`]. Without the feature `cli`, which is on by default,
//! the crate has no flags, terminal or environment, and fewer dependencies:
//! `idpbuilder-push = { version = "0.1", default-features = false }`.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use idpbuilder_push::{Job, World, content::SpoolDir, credential::Given, event::Events, run};
//! # use idpbuilder_push::plan::{Naming, Owner, RegistryHost};
//! # use idpbuilder_push::port::{Credential, Identity, NoCache, Origin, Scheme, Secret};
//! # use idpbuilder_push::registry::{Options, RegistryClient};
//! # use idpbuilder_push::source::{ArchiveKind, Places, Spec, open};
//! # async fn push() -> Result<(), Box<dyn std::error::Error>> {
//! let origin = Origin::parse(Scheme::Https, "registry.example")?;
//! let login = Given::new(Credential {
//!     origin: origin.clone(), // where it may go, and nowhere else
//!     identity: Identity::Password { username: "me".into(), password: Secret::new("made up".into()) },
//!     source: "the configuration".into(), // as errors call it
//!     second: None,
//! })?;
//! let registry = RegistryHost(origin.in_references());
//! let client = Arc::new(RegistryClient::new(Options::new(origin, Arc::new(login), Arc::new(NoCache)))?);
//! let spools = SpoolDir::new("/var/tmp".into());
//! let places = Places::new(spools.clone(), Arc::new(NoCache));
//! let archive = Spec::Archive { path: "app.tar".into(), kind: ArchiveKind::Any, name: None };
//! let world = World {
//!     sources: vec![open(archive, &places)],
//!     reader: client.clone(),
//!     writer: client,
//!     index: Arc::new(NoCache),
//!     spools,
//! };
//! let job = Job::new(Naming::new(registry, Owner::User("me".into())));
//! let report = run(&job, &world, &Events::none(), &tokio_util::sync::CancellationToken::new()).await?;
//! for (image, error) in report.errors() {
//!     eprintln!("{}: {error}", image.source);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `examples/push.rs` of the repository is a program of it. What else there is:
//!
//! - [`cache::CacheFolder`] and [`cache::SessionFolder`] in the place of [`port::NoCache`] remember what layers were
//!   packed to, and uploads that a crash left open.
//! - [`event::Events::channel`] tells what happens; a cancelled token ends a run in order, with a report.
//! - Any [`port::Source`], [`port::Keychain`] or [`port::RegistryWriter`] of your own may stand in the place of those here.
//! - [`credential::SavedLogins`] has the logins that docker and Podman saved, [`cluster`] finds an idpbuilder cluster's
//!   registry, certificate and login.
//!
//! Until version 1.0 a minor version may change what is public.

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

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;

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
