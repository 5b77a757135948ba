use std::num::NonZeroUsize;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::oci::{MediaType, sha256};
use crate::pack::{Encoder, Form, Packed, Unpacked};
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
    let content = BlobContent::Known { digest: sha256(&[content]), blob: memory(content), presence: None };
    let action = Action::Blob { repository: repository.parse().unwrap(), content };
    Step { needs: Vec::new(), action, image: 0 }
}

fn pack(content: u8) -> Step {
    let layer = Unpacked { blob: memory(content), diff_id: sha256(&[content]) };
    Step { needs: Vec::new(), action: Action::Pack { layer, form: Form::Packed(Encoder::GZIP) }, image: 0 }
}

fn packed_blob(repository: &str, pack: usize) -> Step {
    let content = BlobContent::Packed(StepId(pack));
    let action = Action::Blob { repository: repository.parse().unwrap(), content };
    Step { needs: vec![StepId(pack)], action, image: 0 }
}

fn memory(content: u8) -> Blob {
    Blob::Memory(Bytes::copy_from_slice(&[content]))
}

fn tag(needs: Vec<StepId>) -> Step {
    let manifest = needs.first().copied().unwrap_or(StepId(0));
    Step { needs, action: Action::Tag { target: target("o/a"), manifest, current: None }, image: 0 }
}

fn plan(steps: Vec<Step>) -> PushPlan {
    PushPlan { steps, ..PushPlan::default() }
}

fn done(schedule: &Schedule<'_>, id: StepId) -> Done {
    match &schedule.steps[id.0].action {
        Action::Pack { layer, .. } => {
            let descriptor = Descriptor::new(MediaType::ImageLayerGzip, 1, layer.diff_id.clone());
            Done::Packed(Packed { descriptor: Box::new(descriptor), blob: layer.blob.clone() })
        }
        Action::Blob { repository, content: BlobContent::Packed(_) } => {
            Done::Blob { digest: schedule.digest_of(id).unwrap().clone(), repository: repository.clone() }
        }
        Action::Blob { repository, content: BlobContent::Known { digest, .. } } => {
            Done::Blob { digest: digest.clone(), repository: repository.clone() }
        }
        _ => Done::Tagged,
    }
}

fn finish(schedule: &mut Schedule<'_>, id: StepId) {
    let done = done(schedule, id);
    schedule.record(id, Ended::Done(done));
}

fn refused() -> Ended {
    Ended::Failed(ImageError::Registry(crate::port::RegistryError::Cancelled))
}

/// All that may begin now.
fn begun(schedule: &mut Schedule<'_>) -> Vec<usize> {
    std::iter::from_fn(|| schedule.next()).map(|id| id.0).collect()
}

#[test]
fn the_same_digest_is_never_on_its_way_twice() {
    let plan = plan(vec![blob("o/a", 1), blob("o/b", 1), blob("o/b", 2)]);
    let mut schedule = Schedule::new(&plan, limits(3));
    assert_eq!(schedule.next(), Some(StepId(0)));
    assert_eq!(schedule.next(), Some(StepId(2)));
    assert_eq!(schedule.next(), None);
    finish(&mut schedule, StepId(0));
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
    finish(&mut schedule, first);
    assert_eq!(schedule.next(), None);
    assert!(matches!(schedule.settled(StepId(0)), Some(Settled::Done)));
    assert!(matches!(schedule.settled(StepId(1)), Some(Settled::Cancelled)));
}

#[test]
fn packed_bytes_are_let_go_when_every_upload_of_them_has_ended() {
    let plan = plan(vec![pack(1), packed_blob("o/a", 0), packed_blob("o/b", 0), tag(vec![StepId(1)])]);
    let mut schedule = Schedule::new(&plan, limits(2));
    assert_eq!(begun(&mut schedule), [0]);
    finish(&mut schedule, StepId(0));
    // One digest at a time.
    assert_eq!(begun(&mut schedule), [1]);
    finish(&mut schedule, StepId(1));
    assert!(schedule.packed(StepId(0)).is_some());
    assert_eq!(begun(&mut schedule), [2, 3]);
    schedule.record(StepId(2), refused());
    assert!(schedule.packed(StepId(0)).is_none());
    assert!(schedule.packed_descriptor(StepId(0)).is_some());
}

#[test]
fn packing_waits_for_uploads() {
    let mut steps: Vec<Step> = (0..10).map(pack).collect();
    steps.extend((0..10).map(|pack| packed_blob("o/a", pack)));
    let plan = plan(steps);
    let mut schedule = Schedule::new(&plan, limits(2));
    for packs in [[0, 1], [2, 3]] {
        let now = begun(&mut schedule);
        assert!(packs.iter().all(|id| now.contains(id)), "{now:?}");
        for id in &packs {
            finish(&mut schedule, StepId(*id));
        }
    }
    // Two are sent, two lie there: no more before one of them has gone.
    assert!(begun(&mut schedule).iter().all(|id| *id >= 10));
    finish(&mut schedule, StepId(10));
    assert_eq!(begun(&mut schedule), [4, 12]);
}

#[test]
fn what_only_a_failed_image_needs_is_not_begun() {
    let steps = vec![
        pack(0),
        packed_blob("o/a", 0),
        pack(1),
        packed_blob("o/a", 2),
        pack(2),
        packed_blob("o/a", 4),
        tag(vec![StepId(1), StepId(3), StepId(5)]),
        tag(vec![StepId(5)]),
    ];
    let plan = plan(steps);
    let mut schedule = Schedule::new(&plan, limits(1));
    assert_eq!(begun(&mut schedule), [0]);
    schedule.record(StepId(0), refused());
    for id in [1, 2, 3, 6] {
        assert!(matches!(schedule.settled(StepId(id)), Some(Settled::Failed(_))), "{id}");
    }
    for id in [4, 5, 7] {
        assert_eq!(begun(&mut schedule), [id]);
        finish(&mut schedule, StepId(id));
    }
}

#[test]
fn a_lost_blob_whose_bytes_are_gone_is_packed_again() {
    let plan = plan(vec![pack(1), packed_blob("o/a", 0), blob("o/a", 2), tag(vec![StepId(1), StepId(2)])]);
    let mut schedule = Schedule::new(&plan, limits(2));
    while let Some(id) = schedule.next().filter(|id| id.0 < 3) {
        finish(&mut schedule, id);
    }
    assert!(schedule.reopen(StepId(3)));
    assert_eq!(begun(&mut schedule), [0, 2]);
    finish(&mut schedule, StepId(0));
    finish(&mut schedule, StepId(2));
    assert_eq!(begun(&mut schedule), [1]);
    assert!(schedule.is_second_round(StepId(1)) && schedule.packed(StepId(0)).is_some());
    finish(&mut schedule, StepId(1));
    assert_eq!(begun(&mut schedule), [3]);
    assert!(!schedule.reopen(StepId(3)), "once only");
}

#[test]
fn a_blob_that_two_manifests_miss_is_sent_again_once() {
    let plan = plan(vec![blob("o/a", 1), tag(vec![StepId(0)]), tag(vec![StepId(0)]), tag(vec![StepId(0)])]);
    let mut schedule = Schedule::new(&plan, limits(2));
    assert_eq!(begun(&mut schedule), [0]);
    finish(&mut schedule, StepId(0));
    assert_eq!(begun(&mut schedule), [1, 2]);
    assert!(schedule.reopen(StepId(1)));
    assert_eq!(begun(&mut schedule), [0], "the third waits for the blob, too");
    assert!(schedule.reopen(StepId(2)));
    assert!(begun(&mut schedule).is_empty());
    finish(&mut schedule, StepId(0));
    assert_eq!(begun(&mut schedule), [1, 2]);
}

/// Bookkeeping that looks at all steps for each of them would take minutes here.
#[test]
fn thousands_of_layers_and_hundreds_of_images_come_to_their_end() {
    let (mut steps, layers, images) = (Vec::new(), 5_000, 200);
    for _ in 0..layers {
        steps.push(pack(1));
        steps.push(packed_blob("o/a", steps.len() - 1));
    }
    let needs: Vec<StepId> = (0..layers).map(|layer| StepId(2 * layer + 1)).collect();
    steps.extend((0..images).map(|_| tag(needs.clone())));
    let plan = plan(steps);
    let mut schedule = Schedule::new(&plan, limits(3));
    while let Some(id) = schedule.next() {
        finish(&mut schedule, id);
    }
    assert!((0..plan.steps.len()).all(|id| matches!(schedule.settled(StepId(id)), Some(Settled::Done))));
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
            match content % 4 {
                0 => {
                    steps.push(pack(content % 5));
                    steps.push(packed_blob("o/a", steps.len() - 1));
                }
                _ if is_blob => steps.push(blob("o/a", content % 5)),
                _ => steps.push(tag(needs)),
            }
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
            prop_assert!(running.len() <= 2 * jobs && schedule.shelf.held() <= 2 * jobs);
            if running.is_empty() { break }
            let position = usize::try_from(order % 7).unwrap() % running.len();
            let id = running.swap_remove(position);
            let ended = if (failing >> (id.0 % 64)).trailing_zeros() >= 3 {
                refused()
            } else {
                Ended::Done(done(&schedule, id))
            };
            schedule.record(id, ended);
        }
        prop_assert!(begun <= plan.steps.len() && schedule.shelf.held() == 0);
        prop_assert!((0..plan.steps.len()).all(|i| schedule.settled(StepId(i)).is_some()));
    }
}
