use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::step::Done;
use crate::job::Limits;
use crate::oci::{Descriptor, Digest, Manifest, Repository};
use crate::pack::Packed;
use crate::plan::{Action, BlobContent, LayerSlot, ManifestForm, PushPlan, Step, StepId};
use crate::report::ImageError;

/// Where a step stands.
#[derive(Debug, Clone)]
enum State {
    Waiting,
    Running,
    Done,
    Failed(Arc<ImageError>),
    /// Not begun, or stopped on the way, because the run was cancelled.
    Cancelled,
}

/// How a step ended.
#[derive(Debug)]
pub(super) enum Ended {
    Done(Done),
    Failed(ImageError),
    Cancelled,
}

/// Which steps are ready and what became of the others. Pure bookkeeping: no I/O, no clock.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    steps: &'a [Step],
    states: Vec<State>,
    limits: Limits,
    packing: usize,
    transferring: usize,
    /// Digests on their way: a second upload of one waits, and then finds it there or mounts it.
    busy: HashSet<Digest>,
    stored: HashMap<Digest, Vec<Repository>>,
    packed: HashMap<StepId, Packed>,
    manifests: HashMap<StepId, Manifest>,
    reopened: HashSet<StepId>,
    stopped: bool,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(plan: &'a PushPlan, limits: Limits) -> Self {
        Self {
            steps: plan.steps(),
            states: plan.steps().iter().map(|_| State::Waiting).collect(),
            limits,
            packing: 0,
            transferring: 0,
            busy: HashSet::new(),
            stored: HashMap::new(),
            packed: HashMap::new(),
            manifests: HashMap::new(),
            reopened: HashSet::new(),
            stopped: false,
        }
    }

    /// The next step that may begin within the budgets, marked as running.
    pub(super) fn next(&mut self) -> Option<StepId> {
        if self.stopped {
            return None;
        }
        let id = (0..self.steps.len()).map(StepId).find(|id| self.may_begin(*id))?;
        self.set(id, State::Running);
        match self.digest_of(id) {
            _ if self.is_pack(id) => self.packing += 1,
            digest => {
                self.transferring += 1;
                self.busy.extend(digest);
            }
        }
        Some(id)
    }

    fn may_begin(&self, id: StepId) -> bool {
        let (Some(State::Waiting), Some(step)) = (self.states.get(id.0), self.steps.get(id.0)) else {
            return false;
        };
        let free = match step.action {
            Action::Pack { .. } => self.packing < self.limits.threads.get(),
            _ => self.transferring < self.limits.jobs.get(),
        };
        free && step.needs.iter().all(|need| matches!(self.states.get(need.0), Some(State::Done)))
            && !self.digest_of(id).is_some_and(|digest| self.busy.contains(&digest))
    }

    fn is_pack(&self, id: StepId) -> bool {
        matches!(self.steps.get(id.0), Some(Step { action: Action::Pack { .. }, .. }))
    }

    /// The digest of a blob step, as soon as it is known.
    fn digest_of(&self, id: StepId) -> Option<Digest> {
        match &self.steps.get(id.0)?.action {
            Action::Blob { content: BlobContent::Known { digest, .. }, .. } => Some(digest.clone()),
            Action::Blob { content: BlobContent::Remembered { descriptor, .. }, .. } => {
                Some(descriptor.digest().clone())
            }
            Action::Blob { content: BlobContent::Packed(pack), .. } => {
                self.packed.get(pack).map(|packed| packed.descriptor.digest().clone())
            }
            _ => None,
        }
    }

    /// Notes how a step ended, and fails what needed it.
    pub(super) fn record(&mut self, id: StepId, ended: Ended) {
        if self.is_pack(id) {
            self.packing = self.packing.saturating_sub(1);
        } else {
            self.transferring = self.transferring.saturating_sub(1);
            if let Some(digest) = self.digest_of(id) {
                self.busy.remove(&digest);
            }
        }
        match ended {
            Ended::Done(done) => self.keep(id, done),
            Ended::Failed(error) => self.fail(id, &Arc::new(error)),
            Ended::Cancelled => self.set(id, State::Cancelled),
        }
    }

    fn keep(&mut self, id: StepId, done: Done) {
        self.set(id, State::Done);
        match done {
            Done::Packed(packed) => {
                self.packed.insert(id, packed);
            }
            Done::Manifest(manifest) => {
                self.manifests.insert(id, manifest);
                self.release_packed();
            }
            Done::Blob { digest, repository } => self.stored.entry(digest).or_default().push(repository),
            Done::Tagged => {}
        }
    }

    /// Lets go of packed bytes that no open step will read again.
    fn release_packed(&mut self) {
        let open: HashSet<StepId> = self
            .steps
            .iter()
            .zip(&self.states)
            .filter(|(_, state)| matches!(state, State::Waiting | State::Running))
            .flat_map(|(step, _)| packs_of(&step.action))
            .collect();
        self.packed.retain(|pack, _| open.contains(pack));
    }

    fn fail(&mut self, id: StepId, error: &Arc<ImageError>) {
        self.set(id, State::Failed(Arc::clone(error)));
        for later in id.0 + 1..self.steps.len() {
            let needs_it = self.steps.get(later).is_some_and(|step| {
                step.needs.iter().any(|need| matches!(self.states.get(need.0), Some(State::Failed(_))))
            });
            if needs_it && matches!(self.states.get(later), Some(State::Waiting)) {
                self.set(StepId(later), State::Failed(Arc::clone(error)));
            }
        }
    }

    fn set(&mut self, id: StepId, state: State) {
        if let Some(slot) = self.states.get_mut(id.0) {
            *slot = state;
        }
    }

    /// Once for a manifest whose blobs the registry has lost: they are asked for and sent again.
    /// Returns whether there is something to do again.
    pub(super) fn reopen(&mut self, id: StepId) -> bool {
        let Some(step) = self.steps.get(id.0).filter(|_| self.reopened.insert(id)) else { return false };
        self.transferring = self.transferring.saturating_sub(1);
        self.set(id, State::Waiting);
        for need in &step.needs {
            if let Some(digest) = self.digest_of(*need) {
                self.stored.remove(&digest);
                self.set(*need, State::Waiting);
            }
        }
        true
    }

    /// Whether the step belongs to a second round, where no earlier answer is believed.
    pub(super) fn is_second_round(&self, id: StepId) -> bool {
        self.reopened
            .iter()
            .any(|manifest| self.steps.get(manifest.0).is_some_and(|step| step.needs.contains(&id)))
    }

    /// No step is begun from now on.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        for state in &mut self.states {
            if matches!(state, State::Waiting) {
                *state = State::Cancelled;
            }
        }
    }

    pub(super) fn packed(&self, id: StepId) -> Option<&Packed> {
        self.packed.get(&id)
    }

    pub(super) fn packed_descriptor(&self, id: StepId) -> Option<&Descriptor> {
        self.packed.get(&id).map(|packed| &*packed.descriptor)
    }

    pub(super) fn manifest(&self, id: StepId) -> Option<&Manifest> {
        self.manifests.get(&id)
    }

    /// A repository that got this blob in this run, other than `repository`.
    pub(super) fn elsewhere(&self, digest: &Digest, repository: &Repository) -> Option<&Repository> {
        self.stored.get(digest)?.iter().find(|stored| *stored != repository)
    }

    /// Whether this run brought the blob into the repository already.
    pub(super) fn is_stored(&self, digest: &Digest, repository: &Repository) -> bool {
        self.stored.get(digest).is_some_and(|stored| stored.contains(repository))
    }

    /// What became of a step; `None` while it is not settled.
    pub(super) fn settled(&self, id: StepId) -> Option<Settled> {
        match self.states.get(id.0)? {
            State::Waiting | State::Running => None,
            State::Done => Some(Settled::Done),
            State::Failed(error) => Some(Settled::Failed(Arc::clone(error))),
            State::Cancelled => Some(Settled::Cancelled),
        }
    }
}

/// The pack steps whose bytes or descriptors an action reads.
fn packs_of(action: &Action) -> Vec<StepId> {
    match action {
        Action::Blob { content: BlobContent::Packed(pack), .. } => vec![*pack],
        Action::Manifest { form: ManifestForm::Compose { layers, .. }, .. } => layers
            .iter()
            .filter_map(|slot| match slot {
                LayerSlot::Packed(pack) => Some(*pack),
                LayerSlot::Known(_) => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A step's end, as the report sees it.
#[derive(Debug, Clone)]
pub(super) enum Settled {
    Done,
    Failed(Arc<ImageError>),
    Cancelled,
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::content::Blob;
    use crate::oci::sha256;
    use crate::plan::{RegistryHost, Target};

    fn limits(n: usize) -> Limits {
        let n = NonZeroUsize::new(n).unwrap();
        Limits { jobs: n, threads: n }
    }

    fn target(repository: &str) -> Target {
        Target {
            registry: RegistryHost("r".into()),
            repository: repository.parse().unwrap(),
            tag: "t".parse().unwrap(),
        }
    }

    fn blob(repository: &str, content: u8) -> Step {
        let blob = Blob::Memory(Bytes::copy_from_slice(&[content]));
        let content = BlobContent::Known { digest: sha256(&[content]), blob, presence: None };
        let action = Action::Blob { repository: repository.parse().unwrap(), content };
        Step { needs: Vec::new(), action, image: 0 }
    }

    fn tag(needs: Vec<StepId>) -> Step {
        let manifest = needs.first().copied().unwrap_or(StepId(0));
        Step { needs, action: Action::Tag { target: target("o/a"), manifest, current: None }, image: 0 }
    }

    fn plan(steps: Vec<Step>) -> PushPlan {
        PushPlan { steps, images: Vec::new() }
    }

    fn done(step: &Step) -> Done {
        match &step.action {
            Action::Blob { repository, content: BlobContent::Known { digest, .. } } => {
                Done::Blob { digest: digest.clone(), repository: repository.clone() }
            }
            _ => Done::Tagged,
        }
    }

    #[test]
    fn the_same_digest_is_never_on_its_way_twice() {
        let plan = plan(vec![blob("o/a", 1), blob("o/b", 1), blob("o/b", 2)]);
        let mut schedule = Schedule::new(&plan, limits(3));
        assert_eq!(schedule.next(), Some(StepId(0)));
        assert_eq!(schedule.next(), Some(StepId(2)));
        assert_eq!(schedule.next(), None);
        schedule.record(StepId(0), Ended::Done(done(&plan.steps[0])));
        assert_eq!(schedule.next(), Some(StepId(1)));
        let from = schedule.elsewhere(&sha256(&[1]), &"o/b".parse().unwrap());
        assert_eq!(from.map(Repository::as_str), Some("o/a"));
    }

    #[test]
    fn after_a_stop_nothing_begins() {
        let plan = plan(vec![blob("o/a", 1), blob("o/a", 2)]);
        let mut schedule = Schedule::new(&plan, limits(1));
        let first = schedule.next().unwrap();
        schedule.stop();
        schedule.record(first, Ended::Done(done(&plan.steps[0])));
        assert_eq!(schedule.next(), None);
        assert!(matches!(schedule.settled(StepId(0)), Some(Settled::Done)));
        assert!(matches!(schedule.settled(StepId(1)), Some(Settled::Cancelled)));
    }

    /// Steps that need random earlier ones; every third kind of content is shared.
    fn plans() -> impl Strategy<Value = PushPlan> {
        prop::collection::vec(
            (any::<u8>(), any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 0..4)),
            1..40,
        )
        .prop_map(|drawn| {
            let mut steps: Vec<Step> = Vec::new();
            for (content, is_blob, needs) in drawn {
                let needs: Vec<StepId> = match steps.len() {
                    0 => Vec::new(),
                    n => needs.iter().map(|index| StepId(index.index(n))).collect(),
                };
                steps.push(if is_blob { blob("o/a", content % 5) } else { tag(needs) });
            }
            plan(steps)
        })
    }

    proptest! {
        #[test]
        fn every_step_is_settled_once_and_begins_after_what_it_needs(
            plan in plans(), jobs in 1_usize..4, failing in any::<u64>(), order in any::<u64>()
        ) {
            let mut schedule = Schedule::new(&plan, limits(jobs));
            let (mut running, mut begun) = (Vec::new(), 0);
            loop {
                while let Some(id) = schedule.next() {
                    for need in &plan.steps[id.0].needs {
                        prop_assert!(matches!(schedule.settled(*need), Some(Settled::Done)));
                    }
                    begun += 1;
                    running.push(id);
                }
                prop_assert!(running.len() <= jobs);
                if running.is_empty() { break }
                let position = usize::try_from(order % 7).unwrap() % running.len();
                let id = running.swap_remove(position);
                let ended = if (failing >> (id.0 % 64)).trailing_zeros() >= 3 {
                    let refused = crate::port::RegistryError::Cancelled;
                    Ended::Failed(ImageError::Registry(refused))
                } else {
                    Ended::Done(done(&plan.steps[id.0]))
                };
                schedule.record(id, ended);
            }
            prop_assert!(begun <= plan.steps.len());
            prop_assert!((0..plan.steps.len()).all(|i| schedule.settled(StepId(i)).is_some()));
        }
    }
}
