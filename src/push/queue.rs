use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::job::Limits;
use crate::oci::Digest;
use crate::plan::StepId;

/// What a step takes a place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Pack,
    /// With the digest of a blob, none for a manifest.
    Transfer(Option<Digest>),
}

/// Steps that wait for nothing but a place within the budgets. Of several the first of the plan is next.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    packing: usize,
    transferring: usize,
    packs: BTreeSet<StepId>,
    transfers: BTreeMap<StepId, Option<Digest>>,
    /// Digests on their way: a second upload of one waits, and then finds it there or mounts it.
    busy: HashSet<Digest>,
    behind: HashMap<Digest, BTreeSet<StepId>>,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            packing: 0,
            transferring: 0,
            packs: BTreeSet::new(),
            transfers: BTreeMap::new(),
            busy: HashSet::new(),
            behind: HashMap::new(),
        }
    }

    pub(super) fn line_up(&mut self, id: StepId, place: Place) {
        match place {
            Place::Pack => {
                self.packs.insert(id);
            }
            Place::Transfer(digest) => {
                self.transfers.insert(id, digest);
            }
        }
    }

    /// The next step, which takes its place. `packed` layers lie there until they are sent: there are no
    /// more of them than can be on their way soon.
    pub(super) fn next(&mut self, packed: usize) -> Option<StepId> {
        self.next_pack(packed).or_else(|| self.next_transfer())
    }

    fn next_pack(&mut self, packed: usize) -> Option<StepId> {
        let threads = self.limits.threads.get();
        let most = threads.saturating_add(self.limits.jobs.get());
        if self.packing >= threads || self.packing + packed >= most {
            return None;
        }
        let id = self.packs.pop_first()?;
        self.packing += 1;
        Some(id)
    }

    fn next_transfer(&mut self) -> Option<StepId> {
        while self.transferring < self.limits.jobs.get() {
            let (id, digest) = self.transfers.pop_first()?;
            match digest {
                Some(digest) if self.busy.contains(&digest) => {
                    self.behind.entry(digest).or_default().insert(id);
                }
                digest => {
                    self.busy.extend(digest);
                    self.transferring += 1;
                    return Some(id);
                }
            }
        }
        None
    }

    /// A step that had a place has ended.
    pub(super) fn leave(&mut self, place: &Place) {
        match place {
            Place::Pack => self.packing = self.packing.saturating_sub(1),
            Place::Transfer(digest) => {
                self.transferring = self.transferring.saturating_sub(1);
                if let Some(digest) = digest {
                    self.busy.remove(digest);
                    self.let_next_in(digest);
                }
            }
        }
    }

    /// A step that waits in line, or does not, will not begin.
    pub(super) fn forget(&mut self, id: StepId, place: &Place) {
        self.packs.remove(&id);
        let was_next = self.transfers.remove(&id).is_some();
        let Place::Transfer(Some(digest)) = place else { return };
        if let Some(behind) = self.behind.get_mut(digest) {
            behind.remove(&id);
        }
        if was_next && !self.busy.contains(digest) {
            self.let_next_in(digest);
        }
    }

    /// The digest is not on its way: of those who waited for it, one lines up.
    fn let_next_in(&mut self, digest: &Digest) {
        if let Some(next) = self.behind.get_mut(digest).and_then(BTreeSet::pop_first) {
            self.transfers.insert(next, Some(digest.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::oci::sha256;

    #[test]
    fn who_waits_for_a_digest_is_let_in_when_the_one_before_gives_up() {
        let two = NonZeroUsize::new(2).unwrap();
        let mut queue = Queue::new(Limits { jobs: two, threads: two });
        let place = Place::Transfer(Some(sha256(b"x")));
        for id in 0..3 {
            queue.line_up(StepId(id), place.clone());
        }
        assert_eq!((queue.next(0), queue.next(0)), (Some(StepId(0)), None));
        queue.leave(&place);
        queue.forget(StepId(1), &place);
        assert_eq!(queue.next(0), Some(StepId(2)));
    }
}
