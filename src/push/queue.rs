use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::job::Limits;
use crate::oci::Digest;
use crate::plan::StepId;

/// What a step takes a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Pack,
    Transfer,
}

/// A step that wants a place, and when it is its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) work: Work,
    /// Of the blob that is transferred, none for a manifest.
    pub(super) digest: Option<Digest>,
    /// The image that the step is counted for: the first of the run are done first.
    pub(super) image: usize,
    /// Bytes to be packed or sent, as far as they are known.
    pub(super) size: u64,
}

/// The turn of a step: within an image the largest goes first, so that it is not what all wait for in the end.
type Turn = (usize, Reverse<u64>, StepId);

/// What a large blob does not hold up.
const SMALL: u64 = 256 * 1024;

/// Steps that wait for nothing but a place within the budgets.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    packing: usize,
    /// Transfers that are on their way, and how many of them are large.
    transferring: usize,
    large: usize,
    packs: BTreeSet<Turn>,
    transfers: BTreeMap<Turn, Option<Digest>>,
    small: BTreeMap<Turn, Option<Digest>>,
    /// Digests on their way: a second upload of one waits, and then finds it there or mounts it.
    busy: HashSet<Digest>,
    behind: HashMap<Digest, BTreeSet<Turn>>,
}

fn turn(id: StepId, place: &Place) -> Turn {
    (place.image, Reverse(place.size), id)
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            packing: 0,
            transferring: 0,
            large: 0,
            packs: BTreeSet::new(),
            transfers: BTreeMap::new(),
            small: BTreeMap::new(),
            busy: HashSet::new(),
            behind: HashMap::new(),
        }
    }

    pub(super) fn line_up(&mut self, id: StepId, place: Place) {
        let turn = turn(id, &place);
        match place.work {
            Work::Pack => {
                self.packs.insert(turn);
            }
            Work::Transfer => self.line_up_transfer(turn, place.digest),
        }
    }

    fn line_up_transfer(&mut self, turn: Turn, digest: Option<Digest>) {
        let (_, Reverse(size), _) = turn;
        if size <= SMALL { &mut self.small } else { &mut self.transfers }.insert(turn, digest);
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
        let (_, _, id) = self.packs.pop_first()?;
        self.packing += 1;
        Some(id)
    }

    fn next_transfer(&mut self) -> Option<StepId> {
        while self.transferring < self.limits.jobs.get() {
            let (turn, digest) = self.pop_transfer()?;
            match digest {
                Some(digest) if self.busy.contains(&digest) => {
                    self.behind.entry(digest).or_default().insert(turn);
                }
                digest => {
                    self.busy.extend(digest);
                    self.transferring += 1;
                    let (_, Reverse(size), id) = turn;
                    self.large += usize::from(size > SMALL);
                    return Some(id);
                }
            }
        }
        None
    }

    /// One place is for what is small, while there is some.
    fn pop_transfer(&mut self) -> Option<(Turn, Option<Digest>)> {
        let for_large = self.limits.jobs.get().saturating_sub(usize::from(!self.small.is_empty())).max(1);
        if self.large < for_large
            && let Some(first) = self.transfers.pop_first()
        {
            return Some(first);
        }
        self.small.pop_first()
    }

    /// A step that had a place has ended.
    pub(super) fn leave(&mut self, place: &Place) {
        match place.work {
            Work::Pack => self.packing = self.packing.saturating_sub(1),
            Work::Transfer => {
                self.transferring = self.transferring.saturating_sub(1);
                self.large = self.large.saturating_sub(usize::from(place.size > SMALL));
                if let Some(digest) = &place.digest {
                    self.busy.remove(digest);
                    self.let_next_in(digest);
                }
            }
        }
    }

    /// A step that waits in line, or does not, will not begin.
    pub(super) fn forget(&mut self, id: StepId, place: &Place) {
        let turn = turn(id, place);
        self.packs.remove(&turn);
        let was_next = self.transfers.remove(&turn).is_some() || self.small.remove(&turn).is_some();
        let (Work::Transfer, Some(digest)) = (place.work, &place.digest) else { return };
        if let Some(behind) = self.behind.get_mut(digest) {
            behind.remove(&turn);
        }
        if was_next && !self.busy.contains(digest) {
            self.let_next_in(digest);
        }
    }

    /// The digest is not on its way: of those who waited for it, one lines up.
    fn let_next_in(&mut self, digest: &Digest) {
        if let Some(next) = self.behind.get_mut(digest).and_then(BTreeSet::pop_first) {
            self.line_up_transfer(next, Some(digest.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::oci::sha256;

    fn queue(jobs: usize) -> Queue {
        let [jobs, threads] = [jobs, 2].map(|n| NonZeroUsize::new(n).unwrap());
        Queue::new(Limits { jobs, threads })
    }

    fn blob(name: usize, size: u64) -> Place {
        Place { work: Work::Transfer, digest: Some(sha256(&name.to_le_bytes())), image: 0, size }
    }

    #[test]
    fn who_waits_for_a_digest_is_let_in_when_the_one_before_gives_up() {
        let mut queue = queue(2);
        let place = blob(0, 0);
        for id in 0..3 {
            queue.line_up(StepId(id), place.clone());
        }
        assert_eq!((queue.next(0), queue.next(0)), (Some(StepId(0)), None));
        queue.leave(&place);
        queue.forget(StepId(1), &place);
        assert_eq!(queue.next(0), Some(StepId(2)));
    }

    #[test]
    fn the_largest_of_an_image_goes_first_and_the_first_image_before_the_second() {
        let mut queue = queue(8);
        for (id, (image, size)) in [(1, 99), (0, 5), (0, 50), (0, 7)].into_iter().enumerate() {
            let place = Place { work: Work::Pack, digest: None, image, size };
            queue.line_up(StepId(id), place.clone());
            queue.line_up(StepId(id + 10), Place { work: Work::Transfer, size: size * SMALL, ..place });
        }
        let packs = [queue.next(0), queue.next(0)].map(Option::unwrap);
        assert_eq!(packs, [StepId(2), StepId(3)]);
        let transfers = [queue.next(0), queue.next(0), queue.next(0), queue.next(0)].map(Option::unwrap);
        assert_eq!(transfers, [StepId(12), StepId(13), StepId(11), StepId(10)]);
    }

    #[test]
    fn large_blobs_leave_a_place_for_small_ones() {
        let mut queue = queue(3);
        for id in 0..4 {
            queue.line_up(StepId(id), blob(id, 9 * SMALL));
        }
        queue.line_up(StepId(4), blob(4, 1));
        assert_eq!(
            [queue.next(0), queue.next(0), queue.next(0)].map(Option::unwrap).map(|id| id.0),
            [0, 1, 4]
        );
        queue.leave(&blob(4, 1));
        assert_eq!(queue.next(0), Some(StepId(2)));
        queue.line_up(StepId(5), blob(5, 1));
        queue.leave(&blob(0, 9 * SMALL));
        assert_eq!(queue.next(0), Some(StepId(5)));
    }

    #[test]
    fn one_place_serves_all() {
        let mut queue = queue(1);
        queue.line_up(StepId(0), blob(0, 1));
        queue.line_up(StepId(1), blob(1, 9 * SMALL));
        assert_eq!((queue.next(0), queue.next(0)), (Some(StepId(1)), None));
        queue.leave(&blob(1, 9 * SMALL));
        assert_eq!(queue.next(0), Some(StepId(0)));
    }
}
