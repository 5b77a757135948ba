use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::queue::{Place, Queue, Work};
use super::shelf::{Shelf, pack_of};
use super::step::Done;
use crate::content::Blob;
use crate::job::Limits;
use crate::oci::{Descriptor, Digest, Manifest, Repository};
use crate::pack::Form;
use crate::plan::{Action, BlobContent, PushPlan, Step, StepId};
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

/// A step, as far as its turn depends on others.
#[derive(Debug)]
struct Slot {
    state: State,
    /// Needs that are not done; kept only while the step waits.
    open: usize,
    /// Once for each time that a step needs it.
    needed_by: Vec<StepId>,
    /// How many of those have not failed.
    wanted: usize,
}

/// Which steps are ready and what became of the others. Pure bookkeeping: no I/O, no clock. All of it
/// costs as much as the plan has needs, and no more.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    steps: &'a [Step],
    slots: Vec<Slot>,
    queue: Queue,
    stored: HashMap<Digest, Vec<Repository>>,
    shelf: Shelf,
    manifests: HashMap<StepId, Manifest>,
    reopened: HashSet<StepId>,
    /// Blobs that the registry had and lost: no earlier answer is believed.
    undone: HashSet<StepId>,
    stopped: bool,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(plan: &'a PushPlan, limits: Limits) -> Self {
        let slot = |step: &Step| Slot {
            state: State::Waiting,
            open: step.needs.len(),
            needed_by: Vec::new(),
            wanted: 0,
        };
        let mut schedule = Self {
            steps: plan.steps(),
            slots: plan.steps().iter().map(slot).collect(),
            queue: Queue::new(limits),
            stored: HashMap::new(),
            shelf: Shelf::new(plan.steps()),
            manifests: HashMap::new(),
            reopened: HashSet::new(),
            undone: HashSet::new(),
            stopped: false,
        };
        for (id, step) in plan.steps().iter().enumerate() {
            for need in &step.needs {
                if let Some(slot) = schedule.slots.get_mut(need.0) {
                    slot.needed_by.push(StepId(id));
                    slot.wanted += 1;
                }
            }
            if step.needs.is_empty() {
                schedule.line_up(StepId(id));
            }
        }
        schedule
    }

    /// The next step that may begin within the budgets, marked as running.
    pub(super) fn next(&mut self) -> Option<StepId> {
        if self.stopped {
            return None;
        }
        let id = self.queue.next(self.shelf.held())?;
        self.set(id, State::Running);
        Some(id)
    }

    fn place(&self, id: StepId) -> Place {
        let step = self.steps.get(id.0);
        let (work, size) = match step.map(|step| &step.action) {
            Some(Action::Pack { layer, .. }) => (Work::Pack, layer.blob.len()),
            Some(Action::Blob { content, .. }) => (Work::Transfer, self.size_of(content)),
            _ => (Work::Transfer, 0),
        };
        let image = step.map_or(0, |step| step.image);
        Place { work, digest: self.digest_of(id).cloned(), image, size }
    }

    /// Bytes that may have to be sent.
    fn size_of(&self, content: &BlobContent) -> u64 {
        match content {
            BlobContent::Known { blob, .. } => blob.len(),
            BlobContent::Remembered { descriptor, .. } => descriptor.size(),
            BlobContent::Packed(pack) => self.shelf.descriptor(*pack).map_or(0, Descriptor::size),
        }
    }

    fn line_up(&mut self, id: StepId) {
        let place = self.place(id);
        self.queue.line_up(id, place);
    }

    /// The digest of a blob step, as soon as it is known.
    fn digest_of(&self, id: StepId) -> Option<&Digest> {
        match &self.steps.get(id.0)?.action {
            Action::Blob { content: BlobContent::Known { digest, .. }, .. } => Some(digest),
            Action::Blob { content: BlobContent::Remembered { descriptor, .. }, .. } => {
                Some(descriptor.digest())
            }
            Action::Blob { content: BlobContent::Packed(pack), .. } => {
                self.shelf.descriptor(*pack).map(Descriptor::digest)
            }
            _ => None,
        }
    }

    /// Notes how a step ended, and fails what needed it.
    pub(super) fn record(&mut self, id: StepId, ended: Ended) {
        self.queue.leave(&self.place(id));
        match ended {
            Ended::Done(done) => self.keep(id, done),
            Ended::Failed(error) => self.fail(id, &Arc::new(error)),
            Ended::Cancelled => self.set(id, State::Cancelled),
        }
    }

    fn keep(&mut self, id: StepId, done: Done) {
        match done {
            Done::Packed(packed) => self.shelf.keep(id, packed),
            Done::Manifest(manifest) => {
                self.manifests.insert(id, manifest);
            }
            Done::Blob { digest, repository } => self.stored.entry(digest).or_default().push(repository),
            Done::Tagged => {}
        }
        self.set(id, State::Done);
        for later in self.needed_by(id) {
            let Some(slot) = self.waiting(later) else { continue };
            slot.open = slot.open.saturating_sub(1);
            if slot.open == 0 {
                self.line_up(later);
            }
        }
    }

    /// Fails the step, what needs it, and what was to be done for those alone.
    fn fail(&mut self, id: StepId, error: &Arc<ImageError>) {
        self.set(id, State::Failed(Arc::clone(error)));
        let mut failed = vec![id];
        while let Some(id) = failed.pop() {
            let mut dead: Vec<StepId> = self.needed_by(id);
            for need in self.steps.get(id.0).map(|step| step.needs.as_slice()).unwrap_or_default() {
                let Some(slot) = self.slots.get_mut(need.0) else { continue };
                slot.wanted = slot.wanted.saturating_sub(1);
                dead.extend((slot.wanted == 0).then_some(*need));
            }
            for id in dead {
                if self.waiting(id).is_some() {
                    self.queue.forget(id, &self.place(id));
                    self.set(id, State::Failed(Arc::clone(error)));
                    failed.push(id);
                }
            }
        }
    }

    fn set(&mut self, id: StepId, state: State) {
        let ended = !matches!(state, State::Waiting | State::Running);
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.state = state;
        }
        if let Some(pack) = self.steps.get(id.0).and_then(pack_of).filter(|_| ended) {
            self.shelf.upload_ended(pack);
        }
    }

    fn needed_by(&self, id: StepId) -> Vec<StepId> {
        self.slots.get(id.0).map(|slot| slot.needed_by.clone()).unwrap_or_default()
    }

    fn waiting(&mut self, id: StepId) -> Option<&mut Slot> {
        self.slots.get_mut(id.0).filter(|slot| matches!(slot.state, State::Waiting))
    }

    fn is_done(&self, id: StepId) -> bool {
        self.slots.get(id.0).is_some_and(|slot| matches!(slot.state, State::Done))
    }

    /// Once for a manifest whose blobs the registry has lost: they are asked for and sent again.
    /// Returns whether there is something to do again.
    pub(super) fn reopen(&mut self, id: StepId) -> bool {
        let Some(step) = self.steps.get(id.0).filter(|_| self.reopened.insert(id)) else { return false };
        self.queue.leave(&self.place(id));
        for need in &step.needs {
            self.undo(*need);
        }
        self.wait(id);
        true
    }

    /// A blob is to be brought again. Its bytes may have been let go: then it is packed again, too.
    fn undo(&mut self, id: StepId) {
        let Some(digest) = self.digest_of(id).filter(|_| self.is_done(id)).cloned() else { return };
        self.stored.remove(&digest);
        self.undone.insert(id);
        if let Some(pack) = self.steps.get(id.0).and_then(pack_of)
            && !self.shelf.upload_again(pack)
            && self.is_done(pack)
        {
            self.wait(pack);
        }
        self.wait(id);
        for later in self.needed_by(id) {
            let Some(slot) = self.waiting(later) else { continue };
            slot.open += 1;
            self.queue.forget(later, &self.place(later));
        }
    }

    /// Begins when all of its needs are done, which some may be already.
    fn wait(&mut self, id: StepId) {
        let needs = self.steps.get(id.0).map(|step| step.needs.as_slice()).unwrap_or_default();
        let open = needs.iter().filter(|need| !self.is_done(**need)).count();
        if let Some(slot) = self.slots.get_mut(id.0) {
            (slot.state, slot.open) = (State::Waiting, open);
        }
        if open == 0 {
            self.line_up(id);
        }
    }

    /// Whether the blob is brought a second time, where no earlier answer is believed.
    pub(super) fn is_second_round(&self, id: StepId) -> bool {
        self.undone.contains(&id)
    }

    /// No step is begun from now on.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        for slot in &mut self.slots {
            if matches!(slot.state, State::Waiting) {
                slot.state = State::Cancelled;
            }
        }
    }

    /// The bytes that a pack step left.
    pub(super) fn packed(&self, id: StepId) -> Option<&Blob> {
        self.shelf.blob(id)
    }

    /// What a pack step makes of its layer.
    pub(super) fn form(&self, id: StepId) -> Option<Form> {
        match self.steps.get(id.0)?.action {
            Action::Pack { form, .. } => Some(form),
            _ => None,
        }
    }

    pub(super) fn packed_descriptor(&self, id: StepId) -> Option<&Descriptor> {
        self.shelf.descriptor(id)
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
        match &self.slots.get(id.0)?.state {
            State::Waiting | State::Running => None,
            State::Done => Some(Settled::Done),
            State::Failed(error) => Some(Settled::Failed(Arc::clone(error))),
            State::Cancelled => Some(Settled::Cancelled),
        }
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
mod tests;
