//! Step 2: what the registry lacks, as a list of steps that each need only earlier ones.
//!
//! The plan asks for manifests first: an image whose tag already points to its manifest needs nothing
//! else. It asks for blobs only where a digest is known and an image has to go up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

mod decide;
mod foresight;
mod graph;
mod learn;
mod naming;
mod steps;
mod survey;
mod warnings;

pub use decide::{Decision, Presence, decide};
pub(crate) use naming::DOCKER_HUB;
pub use naming::{NameRules, Named, Naming, Owner, PathPart, RegistryHost, Rename, Target, TargetError};
pub use steps::{
    Action, BlobContent, Fate, LayerSlot, ManifestForm, Outstanding, PlannedImage, PushPlan, Step, StepId,
};

use crate::event::{Event, Events};
use crate::job::{Existing, Job, Reuse, World};
use crate::oci::{Digest, Repository};
use crate::port::{FoundImage, RegistryError};
use crate::report::ImageError;
use foresight::Foresight;
use graph::Graph;
use survey::{Current, KnownBlob};

/// Why no plan can be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The registry cannot be asked at all: no image could be pushed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// An image and where it goes.
pub(crate) struct Addressed {
    pub(crate) image: FoundImage,
    pub(crate) target: Target,
}

/// Plans all images of the run. Only reads from the registry.
///
/// # Errors
/// When a name cannot be a target, two different images have one target, or the registry refuses the
/// login or cannot be reached. What concerns one image alone is its fate in the plan.
pub async fn plan(
    found: Vec<FoundImage>,
    job: &Job,
    world: &World,
    events: &Events,
) -> Result<PushPlan, PlanError> {
    let foresight = Foresight { compression: job.compression, index: Arc::clone(&world.index) };
    let addressed = address(found, job, events)?;
    tell_losses(&addressed, &foresight, events);
    let jobs = job.limits.jobs.get();
    let targets: HashSet<Target> = addressed.iter().map(|one| one.target.clone()).collect();
    let current = survey::manifests(targets.into_iter(), &*world.reader, jobs).await?;
    let foresight = match (job.existing, job.reuse) {
        (Existing::Skip, Reuse::Known) => learn::learn(&addressed, &current, foresight, (world, jobs)).await,
        _ => foresight,
    };
    let fates = stand(addressed, current, job, (world, &foresight)).await?;
    let new = new_repositories(&fates);
    let wanted = fates
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Differs(_)))
        .flat_map(|(one, _)| {
            let repository = &one.target.repository;
            let blobs = survey::known_blobs(&one.image, &foresight).into_iter();
            let best_unasked = |blob: &KnownBlob| {
                new.contains(repository) && blob.at_hand && world.reader.best_unasked(blob.size)
            };
            let asked = blobs.filter(|blob| !best_unasked(blob));
            asked.map(|blob| ((repository.clone(), blob.digest), blob.size)).collect::<Vec<_>>()
        })
        .filter(|_| job.existing == Existing::Skip)
        .collect();
    let presence = survey::blobs(wanted, &*world.reader, jobs).await?;
    let plan = PushPlan { new, ..assemble(fates, Graph::new(foresight, presence)) };
    announce(&plan, events);
    Ok(plan)
}

/// Says once for each image what a push does not bring along.
fn tell_losses(addressed: &[Addressed], foresight: &Foresight, events: &Events) {
    let mut said = HashSet::new();
    for note in addressed.iter().filter_map(|one| warnings::annotations(&one.image, foresight)) {
        if said.insert(note.clone()) {
            events.note(note);
        }
    }
}

/// Gives every image its targets, refuses collisions, and says what the user should know.
pub(crate) fn address(
    found: Vec<FoundImage>,
    job: &Job,
    events: &Events,
) -> Result<Vec<Addressed>, PlanError> {
    if job.naming.rename.is_some() && found.len() > 1 {
        return Err(TargetError::RenameOfMany { images: found.len() }.into());
    }
    let mut addressed: Vec<Addressed> = Vec::new();
    let mut taken: HashMap<Target, usize> = HashMap::new();
    let mut said = HashSet::new();
    for image in found {
        let named = job.naming.name(&image)?;
        for note in image.notes.iter().chain(&named.notes) {
            if said.insert(note.clone()) {
                events.note(note.clone());
            }
        }
        if let Some(warning) = warnings::architecture(&image, &job.node_platforms) {
            events.warn(warning);
        }
        for target in named.targets {
            match taken.get(&target).and_then(|index| addressed.get(*index)) {
                Some(first) if same(&first.image, &image) => continue,
                Some(first) => {
                    let sources = vec![first.image.source.to_string(), image.source.to_string()];
                    return Err(TargetError::Collision { target: target.to_string(), sources }.into());
                }
                None => {}
            }
            taken.insert(target.clone(), addressed.len());
            addressed.push(Addressed { image: image.clone(), target });
        }
    }
    Ok(addressed)
}

/// Whether two finds are the same image, so that one of them is enough.
fn same(a: &FoundImage, b: &FoundImage) -> bool {
    use crate::port::Content::{Exact, Unpacked};
    match (&a.content, &b.content) {
        (Exact(a), Exact(b)) => a.manifest.digest() == b.manifest.digest(),
        (Unpacked { config: a, .. }, Unpacked { config: b, .. }) => a == b,
        _ => false,
    }
}

/// How each image stands in the registry, with all that refers to it.
async fn stand(
    addressed: Vec<Addressed>,
    mut current: HashMap<Target, Current>,
    job: &Job,
    (world, foresight): (&World, &Foresight),
) -> Result<Vec<(Addressed, Standing)>, RegistryError> {
    let mut fates = Vec::new();
    for one in addressed {
        let answer = current.remove(&one.target).unwrap_or(Ok(None));
        let standing = standing(&one, answer, job, foresight);
        fates.push((one, standing));
    }
    let referrers = fates.iter().flat_map(|fate| referrers_of(fate, foresight)).collect();
    let missing = survey::missing(referrers, &*world.reader, job.limits.jobs.get()).await?;
    for fate in &mut fates {
        if referrers_of(fate, foresight).any(|referrer| missing.contains(&referrer)) {
            fate.1 = Standing::Differs(foresight.manifest(&fate.0.image).map(|there| there.digest().clone()));
        }
    }
    Ok(fates)
}

/// Those of which no tag is known to point to anything.
fn new_repositories(fates: &[(Addressed, Standing)]) -> HashSet<Repository> {
    let known: HashSet<&Repository> = fates
        .iter()
        .filter(|(_, there)| there.is_something())
        .map(|(one, _)| &one.target.repository)
        .collect();
    let all = fates.iter().map(|(one, _)| &one.target.repository);
    all.filter(|repository| !known.contains(repository)).cloned().collect()
}

/// What the registry has under an image's tag.
enum Standing {
    Same,
    Differs(Option<Digest>),
    Refused(RegistryError),
}

impl Standing {
    /// Whether the tag is known to point to anything.
    fn is_something(&self) -> bool {
        !matches!(self, Self::Differs(None))
    }
}

fn standing(one: &Addressed, answer: Current, job: &Job, foresight: &Foresight) -> Standing {
    let current = match answer {
        Ok(current) => current,
        Err(error) => return Standing::Refused(error),
    };
    let wanted = foresight.manifest(&one.image).map(|manifest| manifest.digest().clone());
    match &current {
        Some(there) if Some(there.digest()) == wanted.as_ref() && job.existing == Existing::Skip => {
            Standing::Same
        }
        _ if job.existing == Existing::Replace => Standing::Differs(None),
        _ => Standing::Differs(current.map(|there| there.digest().clone())),
    }
}

/// What refers to an image that the registry has, where it would be.
fn referrers_of(
    (one, standing): &(Addressed, Standing),
    foresight: &Foresight,
) -> impl Iterator<Item = (Repository, Digest)> {
    let tree = foresight.exact(&one.image).filter(|_| matches!(standing, Standing::Same));
    tree.into_iter().flat_map(|tree| survey::referrers(tree, &one.target.repository))
}

fn assemble(fates: Vec<(Addressed, Standing)>, mut graph: Graph) -> PushPlan {
    for (one, standing) in fates {
        match standing {
            Standing::Same => graph.settled(&one.image, one.target, Fate::Exists),
            Standing::Refused(error) => {
                let error = Arc::new(ImageError::Registry(error));
                graph.settled(&one.image, one.target, Fate::Refused(error));
            }
            Standing::Differs(current) => graph.add(&one.image, one.target, current),
        }
    }
    graph.finish()
}

fn announce(plan: &PushPlan, events: &Events) {
    let outstanding = plan.outstanding();
    let present = plan.images.iter().filter(|image| matches!(image.fate, Fate::Exists)).count();
    events.emit(Event::Planned {
        images: plan.images.len(),
        present,
        blobs: outstanding.blobs,
        bytes: outstanding.bytes,
        unknown: outstanding.unknown,
    });
}
