use tokio_util::sync::CancellationToken;

use super::schedule::Schedule;
use super::step::{Counted, Done, Scene, run_pack};
use crate::content::Blob;
use crate::event::{BlobOutcome, Event, Meter};
use crate::job::Existing;
use crate::oci::{Digest, Repository};
use crate::pack::{Form, Unpacked};
use crate::plan::{BlobContent, Decision, Presence, StepId, decide};
use crate::port::{Hashed, RegistryError, Stored, Upload};
use crate::report::ImageError;

/// A blob whose digest is known, and what is known of where it is.
pub(super) struct BlobTask {
    repository: Repository,
    digest: Digest,
    size: u64,
    bytes: Bytes,
    presence: Option<Presence>,
    /// The registry lost it: whether it has it now is its word before anything is sent.
    lost: bool,
    elsewhere: Option<Repository>,
}

/// Where the bytes of a blob are.
enum Bytes {
    /// With whether they were hashed when they were made.
    Ready(Blob, Hashed),
    /// A layer that was packed before: its packed bytes have to be made again.
    ToPack(Unpacked, Form),
}

/// What packing wrote is ours and was hashed then; a file of somebody else may change before it is sent.
fn hashed(form: Form) -> Hashed {
    match form {
        Form::Packed(_) => Hashed::Already,
        Form::AsIs(_) => Hashed::OnTheWay,
    }
}

pub(super) fn prepare(
    repository: &Repository,
    content: &BlobContent,
    schedule: &Schedule<'_>,
    id: StepId,
) -> Option<BlobTask> {
    let (digest, size, bytes, surveyed) = match content {
        BlobContent::Known { digest, blob, presence } => {
            (digest.clone(), blob.len(), Bytes::Ready(blob.clone(), Hashed::OnTheWay), *presence)
        }
        BlobContent::Remembered { descriptor, layer, form } => {
            let bytes = Bytes::ToPack(layer.clone(), *form);
            (descriptor.digest().clone(), descriptor.size(), bytes, Some(Presence::Present))
        }
        BlobContent::Packed(pack) => {
            let digest = schedule.packed_descriptor(*pack)?.digest().clone();
            let blob = schedule.packed(*pack)?.clone();
            (digest, blob.len(), Bytes::Ready(blob, hashed(schedule.form(*pack)?)), None)
        }
    };
    let lost = schedule.is_second_round(id);
    let presence = if schedule.is_stored(&digest, repository) {
        Some(Presence::Present)
    } else {
        surveyed.filter(|_| !lost)
    };
    let elsewhere = schedule.elsewhere(&digest, repository).cloned();
    Some(BlobTask { repository: repository.clone(), digest, size, bytes, presence, lost, elsewhere })
}

pub(super) async fn run(
    task: &BlobTask,
    scene: Scene<'_>,
    counted: &mut Counted,
) -> Result<Done, ImageError> {
    let digest = &task.digest;
    let outcome = match decide(presence(task, scene).await?, task.elsewhere.as_ref()) {
        Decision::Skip => BlobOutcome::Present,
        Decision::Mount { from } => upload(task, Some(&from), scene, counted).await?,
        Decision::Upload => upload(task, None, scene, counted).await?,
    };
    counted.outcome = Some(outcome);
    scene.events.emit(Event::BlobFinished { digest: digest.clone(), size: task.size, outcome });
    Ok(Done::Blob { digest: digest.clone(), repository: task.repository.clone() })
}

/// What is to be replaced may be damaged or gone where the registry says that it is there: some remember
/// what they had. Only what this run has sent is believed.
async fn presence(task: &BlobTask, scene: Scene<'_>) -> Result<Presence, RegistryError> {
    if let Some(presence) = task.presence {
        return Ok(presence);
    }
    let at_hand = matches!(&task.bytes, Bytes::Ready(blob, _) if !blob.is_deferred());
    if at_hand
        && !task.lost
        && scene.plan.is_new(&task.repository)
        && scene.world.reader.best_unasked(task.size)
    {
        return Ok(Presence::Absent);
    }
    if scene.existing == Existing::Replace {
        return Ok(Presence::Absent);
    }
    let found = scene.world.reader.blob(&task.repository, &task.digest).await?;
    Ok(Presence::of(found, task.size))
}

/// Before the request begins: a registry does not wait for an engine's export in the middle of it.
async fn get_ready(blob: &Blob, digest: &Digest, cancel: &CancellationToken) -> Result<(), RegistryError> {
    if !blob.is_deferred() {
        return Ok(());
    }
    let (blob, waiting) = (blob.clone(), cancel.clone());
    let ready = tokio::task::spawn_blocking(move || blob.ready(&waiting)).await;
    // A thread that did not come to its end belongs to a run that is over.
    ready.unwrap_or(Ok(())).map_err(|source| {
        if cancel.is_cancelled() {
            return RegistryError::Cancelled;
        }
        RegistryError::Content { subject: format!("could not read blob `{digest}`"), source }
    })
}

async fn upload(
    task: &BlobTask,
    mount_from: Option<&Repository>,
    scene: Scene<'_>,
    counted: &mut Counted,
) -> Result<BlobOutcome, ImageError> {
    let packed;
    let (blob, hashed) = match &task.bytes {
        Bytes::Ready(blob, hashed) => (blob, *hashed),
        Bytes::ToPack(layer, form) => {
            packed = run_pack(layer.clone(), *form, scene).await?;
            let found = packed.descriptor.digest().clone();
            if found != task.digest {
                return Err(ImageError::PackedOtherwise { expected: task.digest.clone(), found });
            }
            (&packed.blob, hashed(*form))
        }
    };
    let meter = Meter::default();
    let digest = &task.digest;
    get_ready(blob, digest, scene.cancel).await?;
    scene.events.emit(Event::BlobStarted { digest: digest.clone(), size: blob.len(), meter: meter.clone() });
    let upload = Upload {
        repository: &task.repository,
        digest,
        blob,
        hashed,
        mount_from,
        meter: &meter,
        cancel: scene.cancel,
    };
    let stored = scene.world.writer.upload(&upload).await;
    counted.bytes_sent = meter.sent();
    counted.retries = meter.retries();
    match stored {
        Ok(Stored::Uploaded) => Ok(BlobOutcome::Uploaded),
        Ok(Stored::Mounted) => Ok(BlobOutcome::Mounted),
        Err(error) => {
            scene.events.emit(Event::BlobFailed { digest: digest.clone() });
            Err(error.into())
        }
    }
}
