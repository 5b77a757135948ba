use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::schedule::{Ended, Schedule};
use super::{blob, manifest};
use crate::event::{BlobOutcome, Event, Events, Meter};
use crate::job::{Existing, World};
use crate::oci::{Digest, Manifest, Repository};
use crate::pack::{Crew, Form, PackError, Packed, Unpacked, Workshop, pack};
use crate::plan::{Action, PushPlan, Step, StepId};
use crate::port::{RegistryError, Remembered};
use crate::report::ImageError;

/// What a step leaves behind.
#[derive(Debug)]
pub(super) enum Done {
    Packed(Packed),
    Blob { digest: Digest, repository: Repository },
    Manifest(Manifest),
    Tagged,
}

/// A finished step, with what the report counts.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) id: StepId,
    pub(super) ended: Ended,
    pub(super) took: Duration,
    pub(super) counted: Counted,
}

/// What a step adds to the report.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    pub(super) outcome: Option<BlobOutcome>,
    pub(super) bytes_sent: u64,
    pub(super) retries: u64,
    /// The tag pointed to this manifest already.
    pub(super) tag_was_there: bool,
}

/// What every step sees of the run.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) plan: &'a PushPlan,
    pub(super) crew: &'a Arc<Crew>,
    pub(super) events: &'a Events,
    pub(super) cancel: &'a CancellationToken,
    pub(super) existing: Existing,
}

/// A step with everything it needs from earlier ones, so that it can run beside the schedule.
pub(super) enum Task {
    Pack { layer: Unpacked, form: Form },
    Blob(blob::BlobTask),
    Manifest(manifest::ManifestTask),
    Tag(manifest::TagTask),
}

/// Joins a step with what earlier steps left. `None` only if the plan were not in order.
pub(super) fn prepare(step: &Step, id: StepId, schedule: &Schedule<'_>) -> Option<Task> {
    match &step.action {
        Action::Pack { layer, form } => Some(Task::Pack { layer: layer.clone(), form: *form }),
        Action::Blob { repository, content } => {
            blob::prepare(repository, content, schedule, id).map(Task::Blob)
        }
        Action::Manifest { repository, form, current } => {
            manifest::prepare(repository, form, current.as_ref(), schedule).map(Task::Manifest)
        }
        Action::Tag { target, manifest, current } => Some(Task::Tag(manifest::TagTask {
            target: target.clone(),
            manifest: schedule.manifest(*manifest)?.clone(),
            current: current.clone(),
        })),
    }
}

/// Runs one step to its end. It sees cancelling as a value and is never dropped on the way.
pub(super) async fn run(id: StepId, task: Option<Task>, scene: Scene<'_>) -> Finished {
    let began = Instant::now();
    let mut counted = Counted::default();
    let result = match task {
        Some(Task::Pack { layer, form }) => run_pack(layer, form, scene).await.map(Done::Packed),
        Some(Task::Blob(task)) => blob::run(&task, scene, &mut counted).await,
        Some(Task::Manifest(task)) => manifest::run(task, scene, &mut counted).await.map(Done::Manifest),
        Some(Task::Tag(task)) => manifest::run_tag(&task, scene, &mut counted).await,
        None => Err(ImageError::Registry(RegistryError::Cancelled)),
    };
    let ended = match result {
        Ok(done) => Ended::Done(done),
        Err(
            ImageError::Registry(RegistryError::Cancelled)
            | ImageError::Pack { source: PackError::Cancelled, .. },
        ) => Ended::Cancelled,
        Err(error) => Ended::Failed(error),
    };
    Finished { id, ended, took: began.elapsed(), counted }
}

pub(super) async fn run_pack(layer: Unpacked, form: Form, scene: Scene<'_>) -> Result<Packed, ImageError> {
    let meter = Meter::default();
    let diff_id = layer.diff_id.clone();
    scene.events.emit(Event::PackStarted {
        diff_id: diff_id.clone(),
        size: layer.blob.len(),
        meter: meter.clone(),
    });
    let (world, crew, cancel) = (scene.world.clone(), Arc::clone(scene.crew), scene.cancel.clone());
    let packed = tokio::task::spawn_blocking(move || {
        let workshop = Workshop { crew: &crew, spools: &world.spools };
        let packed = pack_watched(&layer, form, workshop, (&meter, &cancel))?;
        let (digest, size) = (packed.descriptor.digest().clone(), packed.descriptor.size());
        world.index.keep_packed(&layer.diff_id, form, &Remembered { digest, size });
        Ok(packed)
    });
    let packed = packed
        .await
        .unwrap_or(Err(PackError::CrewLost))
        .map_err(|source| ImageError::Pack { diff_id: diff_id.clone(), source })?;
    let (digest, size) = (packed.descriptor.digest().clone(), packed.descriptor.size());
    scene.events.emit(Event::PackFinished { diff_id, digest, size });
    Ok(packed)
}

fn pack_watched(
    layer: &Unpacked,
    form: Form,
    workshop: Workshop<'_>,
    (meter, cancel): (&Meter, &CancellationToken),
) -> Result<Packed, PackError> {
    // What fails when the run is stopped is an export that was given up.
    layer
        .blob
        .ready(cancel)
        .map_err(|error| if cancel.is_cancelled() { PackError::Cancelled } else { error.into() })?;
    pack(layer, form, workshop, &mut |bytes| {
        meter.advance(bytes);
        if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}
