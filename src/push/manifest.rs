use super::schedule::Schedule;
use super::step::{Counted, Done, Scene};
use crate::event::{Event, Meter};
use crate::oci::{Descriptor, Digest, Manifest, Repository, compose};
use crate::plan::{LayerSlot, ManifestForm, Target};
use crate::port::{ManifestName, RegistryError};
use crate::report::ImageError;

pub(super) struct ManifestTask {
    repository: Repository,
    manifest: Result<Manifest, ImageError>,
    current: Option<Digest>,
}

pub(super) struct TagTask {
    pub(super) target: Target,
    pub(super) manifest: Manifest,
    /// What the tag pointed to when the registry was asked.
    pub(super) current: Option<Digest>,
}

pub(super) fn prepare(
    repository: &Repository,
    form: &ManifestForm,
    current: Option<&Digest>,
    schedule: &Schedule<'_>,
) -> Option<ManifestTask> {
    let manifest = match form {
        ManifestForm::Verbatim(manifest) => Ok(manifest.clone()),
        ManifestForm::Compose { config, layers } => {
            let layers: Option<Vec<Descriptor>> = layers
                .iter()
                .map(|slot| match slot {
                    LayerSlot::Known(descriptor) => Some((**descriptor).clone()),
                    LayerSlot::Packed(pack) => schedule.packed_descriptor(*pack).cloned(),
                })
                .collect();
            compose((**config).clone(), layers?).map_err(ImageError::from)
        }
    };
    Some(ManifestTask { repository: repository.clone(), manifest, current: current.cloned() })
}

/// Puts a manifest by its digest, unless its tag says that it is there.
pub(super) async fn run(
    task: ManifestTask,
    scene: Scene<'_>,
    counted: &mut Counted,
) -> Result<Manifest, ImageError> {
    let manifest = task.manifest?;
    if task.current.as_ref() == Some(manifest.digest()) {
        return Ok(manifest);
    }
    if scene.cancel.is_cancelled() {
        return Err(RegistryError::Cancelled.into());
    }
    let name = ManifestName::Digest(manifest.digest().clone());
    put(&task.repository, &name, &manifest, (scene, counted)).await?;
    Ok(manifest)
}

/// Lets the tag point to the manifest. The image is complete before, so nothing half is ever seen.
pub(super) async fn run_tag(
    task: &TagTask,
    scene: Scene<'_>,
    counted: &mut Counted,
) -> Result<Done, ImageError> {
    if task.current.as_ref() == Some(task.manifest.digest()) {
        counted.tag_was_there = true;
        return Ok(Done::Tagged);
    }
    if scene.cancel.is_cancelled() {
        return Err(RegistryError::Cancelled.into());
    }
    let name = ManifestName::Tag(task.target.tag.clone());
    put(&task.target.repository, &name, &task.manifest, (scene, counted)).await?;
    scene.events.emit(Event::ManifestPut {
        reference: task.target.to_string(),
        digest: task.manifest.digest().clone(),
    });
    Ok(Done::Tagged)
}

async fn put(
    repository: &Repository,
    name: &ManifestName,
    manifest: &Manifest,
    (scene, counted): (Scene<'_>, &mut Counted),
) -> Result<(), RegistryError> {
    let meter = Meter::default();
    let put = scene.world.writer.put_manifest(repository, name, manifest, &meter).await;
    counted.retries = meter.retries();
    put
}
