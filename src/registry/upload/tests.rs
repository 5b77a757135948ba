use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::contextualize_config;

use super::*;
use crate::port::{Refusal, Stored};
use crate::registry::location::Session;
use crate::registry::retry::{Passing, Policy};

mod adopted;

const MIB: u64 = 1024 * 1024;

fn machine(form: Form, blob: u64) -> Machine {
    Machine::new(form, Size { blob, chunk: None, limit: u64::MAX }, Policy::default())
}

fn answered(status: u16) -> Event {
    Event::Answered(Reply { status, passing: passing(status), ..Reply::default() })
}

fn with_session(status: u16, acknowledged: Option<u64>) -> Event {
    let session = Some(Session::of_test("/u/1"));
    Event::Answered(Reply { status, session, acknowledged, ..Reply::default() })
}

fn passing(status: u16) -> Option<Passing> {
    match status {
        502 | 503 => Some(Passing::Outage),
        408 | 409 | 429 | 500 | 504 => Some(Passing::Fault),
        _ => None,
    }
}

fn broken(kind: BrokenKind) -> Event {
    Event::Broken(Broken { kind, reason: "cut".into(), status: None })
}

fn patch(range: std::ops::Range<u64>, numbering: Numbering) -> Action {
    Action::Patch { session: Session::of_test("/u/1"), range, numbering }
}

const COMMITTED: Action = Action::End(Ok(Stored::Uploaded));

#[test]
fn gitea_gets_a_small_blob_in_one_request() {
    let mut machine = machine(Form::Gitea, MIB);
    assert_eq!(machine.next(Event::Begin), Action::Open { carried: Carried::WholeBlob });
    assert_eq!(machine.next(answered(201)), COMMITTED);
}

#[test]
fn gitea_gets_a_large_blob_in_numbered_chunks_and_an_empty_put() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    assert_eq!(machine.next(Event::Begin), Action::Open { carried: Carried::Nothing });
    assert_eq!(machine.next(with_session(202, None)), patch(0..16 * MIB, Numbering::Numbered));
    let second = machine.next(with_session(202, Some(16 * MIB)));
    assert_eq!(second, patch(16 * MIB..32 * MIB, Numbering::Numbered));
    machine.next(with_session(202, Some(32 * MIB)));
    let commit = machine.next(with_session(202, Some(40 * MIB)));
    assert!(matches!(commit, Action::Commit { carried: Carried::Nothing, .. }));
    assert_eq!(machine.next(answered(201)), COMMITTED);
}

#[test]
fn other_registries_get_one_stream() {
    let mut machine = machine(Form::Spec, 40 * MIB);
    assert_eq!(machine.next(Event::Begin), Action::Open { carried: Carried::Nothing });
    assert_eq!(machine.next(with_session(202, None)), patch(0..40 * MIB, Numbering::Streamed));
    assert!(matches!(machine.next(with_session(202, None)), Action::Commit { .. }));
}

#[test]
fn a_mount_ends_the_upload_and_a_declined_one_gives_a_session() {
    let mut mounted = machine(Form::Spec, MIB);
    mounted.next(Event::Begin);
    assert_eq!(mounted.next(answered(201)), Action::End(Ok(Stored::Mounted)));
    let mut declined = machine(Form::Spec, MIB);
    declined.next(Event::Begin);
    assert_eq!(declined.next(with_session(202, None)), patch(0..MIB, Numbering::Streamed));
}

#[test]
fn a_cut_patch_goes_on_where_the_registry_says() {
    let mut machine = machine(Form::Spec, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    assert!(matches!(machine.next(broken(BrokenKind::Cut)), Action::Wait { .. }));
    assert!(matches!(machine.next(Event::Waited), Action::Status { .. }));
    assert_eq!(machine.next(with_session(204, Some(5 * MIB))), patch(5 * MIB..21 * MIB, Numbering::Numbered));
}

#[test]
fn an_offset_beyond_what_was_sent_is_not_believed() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    machine.next(broken(BrokenKind::Cut));
    machine.next(Event::Waited);
    assert!(matches!(machine.next(with_session(204, Some(17 * MIB))), Action::Close { .. }));
}

#[test]
fn a_second_server_error_after_resuming_gives_the_session_up() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    assert!(matches!(machine.next(answered(500)), Action::Wait { .. }));
    machine.next(Event::Waited);
    assert_eq!(machine.next(with_session(204, None)), patch(0..16 * MIB, Numbering::Numbered));
    assert!(matches!(machine.next(answered(500)), Action::Close { .. }));
    assert!(matches!(machine.next(answered(204)), Action::Wait { .. }));
    assert_eq!(machine.next(Event::Waited), Action::Open { carried: Carried::Nothing });
}

#[test]
fn a_lost_answer_to_the_commit_is_asked_for() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    for _ in 0..4 {
        machine.next(with_session(202, None));
    }
    assert_eq!(machine.next(broken(BrokenKind::Cut)), Action::Ask);
    let there = Reply { status: 200, length: Some(40 * MIB), ..Reply::default() };
    assert_eq!(machine.next(Event::Answered(there)), COMMITTED);
}

fn asked(status: u16) -> Event {
    let passing = Some(Passing::Asked(Duration::from_secs(9)));
    Event::Answered(Reply { status, passing, ..Reply::default() })
}

fn waits_as_asked(action: &Action) {
    let Action::Wait { wait, host, .. } = action else { panic!("{action:?}") };
    assert_eq!((wait.as_secs(), *host), (9, true));
}

#[test]
fn a_wait_that_the_registry_names_is_kept_before_anything_is_asked() {
    let mut single = machine(Form::Gitea, MIB);
    single.next(Event::Begin);
    waits_as_asked(&single.next(asked(429)));
    assert_eq!(single.next(Event::Waited), Action::Ask);
    // It has been paid for.
    assert_eq!(single.next(answered(404)), Action::Open { carried: Carried::WholeBlob });

    let mut commit = machine(Form::Spec, MIB);
    commit.next(Event::Begin);
    commit.next(with_session(202, None));
    commit.next(with_session(202, None));
    waits_as_asked(&commit.next(asked(503)));
    assert_eq!(commit.next(Event::Waited), Action::Ask);
    assert!(matches!(commit.next(answered(404)), Action::Status { .. }));
}

#[test]
fn a_session_is_not_given_up_for_a_wait_that_is_asked_for() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    machine.next(answered(500));
    machine.next(Event::Waited);
    machine.next(with_session(204, None));
    waits_as_asked(&machine.next(asked(503)));
    assert!(matches!(machine.next(Event::Waited), Action::Status { .. }));
}

#[test]
fn a_413_that_names_a_wait_is_no_matter_of_size() {
    let mut machine = machine(Form::Spec, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    waits_as_asked(&machine.next(asked(413)));
}

#[test]
fn a_single_request_that_a_proxy_gave_up_may_still_be_stored() {
    let mut machine = machine(Form::Gitea, MIB);
    machine.next(Event::Begin);
    assert_eq!(machine.next(answered(504)), Action::Ask);
    for _ in 0..7 {
        assert!(matches!(machine.next(answered(404)), Action::Wait { .. }));
        assert_eq!(machine.next(Event::Waited), Action::Ask);
    }
    let there = Reply { status: 200, length: Some(MIB), ..Reply::default() };
    assert_eq!(machine.next(Event::Answered(there)), COMMITTED);
}

#[test]
fn what_is_given_up_leaves_no_session() {
    let policy = Policy { retries: 0, ..Policy::default() };
    let size = Size { blob: 40 * MIB, chunk: None, limit: u64::MAX };
    let mut machine = Machine::new(Form::Gitea, size, policy);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    assert!(matches!(machine.next(answered(500)), Action::Close { .. }));
    let Action::End(Err(Failure::Exhausted { status: Some(500), .. })) = machine.next(answered(204)) else {
        panic!("given up")
    };
}

#[test]
fn chunks_never_fall_below_what_the_registry_takes() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    let session = Some(Session::of_test("/u/1"));
    let opened = Reply { status: 202, session, chunk_min: Some(12 * MIB), ..Reply::default() };
    machine.next(Event::Answered(opened));
    machine.next(broken(BrokenKind::Stalled));
    machine.next(Event::Waited);
    assert_eq!(machine.next(with_session(204, None)), patch(0..12 * MIB, Numbering::Numbered));
}

#[test]
fn a_blob_that_is_elsewhere_is_not_sent_before_the_mount_was_declined() {
    let mut machine = machine(Form::Gitea, MIB).mounting();
    assert_eq!(machine.next(Event::Begin), Action::Open { carried: Carried::Nothing });
    assert_eq!(machine.next(with_session(202, None)), patch(0..MIB, Numbering::Numbered));
}

#[test]
fn a_chunk_size_that_was_asked_for_bounds_the_first_request_too() {
    let size = Size { blob: MIB, chunk: Some(MIB / 4), limit: u64::MAX };
    let mut machine = Machine::new(Form::Gitea, size, Policy::default());
    assert_eq!(machine.next(Event::Begin), Action::Open { carried: Carried::Nothing });
    assert_eq!(machine.next(with_session(202, None)), patch(0..MIB / 4, Numbering::Numbered));
}

#[test]
fn what_was_answered_first_is_the_reason_when_the_blob_is_not_there() {
    let policy = Policy { retries: 0, ..Policy::default() };
    let mut machine = Machine::new(Form::Gitea, Size { blob: MIB, chunk: None, limit: u64::MAX }, policy);
    machine.next(Event::Begin);
    assert_eq!(machine.next(answered(500)), Action::Ask);
    let last = "registry answered 500".to_owned();
    let failure =
        Failure::Exhausted { spent: crate::registry::retry::Spent::Attempts(1), last, status: Some(500) };
    assert_eq!(machine.next(answered(404)), Action::End(Err(failure)));
}

#[test]
fn a_blob_of_another_size_is_not_this_one() {
    let mut machine = machine(Form::Gitea, MIB);
    machine.next(Event::Begin);
    machine.next(broken(BrokenKind::Cut));
    let other = Reply { status: 200, length: Some(3), ..Reply::default() };
    assert!(matches!(machine.next(Event::Answered(other)), Action::Wait { .. }));
}

#[test]
fn a_registry_that_still_stores_is_asked_again_before_anything_is_sent() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    for _ in 0..4 {
        machine.next(with_session(202, None));
    }
    assert_eq!(machine.next(answered(504)), Action::Ask);
    for seconds in [2, 4, 8, 16, 30, 30, 30] {
        let Action::Wait { wait, .. } = machine.next(answered(404)) else { panic!("waits") };
        assert_eq!(wait.as_secs(), seconds);
        assert_eq!(machine.next(Event::Waited), Action::Ask);
    }
    assert!(matches!(machine.next(answered(404)), Action::Wait { .. }));
    assert!(matches!(machine.next(Event::Waited), Action::Status { .. }));
}

#[test]
fn a_body_that_is_too_large_is_halved() {
    let mut machine = machine(Form::Spec, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    assert_eq!(machine.next(answered(413)), patch(0..20 * MIB, Numbering::Numbered));
    assert_eq!(machine.next(answered(413)), patch(0..10 * MIB, Numbering::Numbered));
}

#[test]
fn a_limit_below_a_mebibyte_is_final() {
    let mut machine = machine(Form::Gitea, MIB);
    machine.next(Event::Begin);
    machine.next(answered(413));
    machine.next(with_session(202, None));
    assert!(matches!(machine.next(answered(413)), Action::Close { .. }));
    let Action::End(Err(Failure::Refused { status: 413, .. })) = machine.next(answered(204)) else {
        panic!("refused")
    };
}

#[test]
fn a_registry_without_patch_gets_everything_in_the_put() {
    let mut machine = machine(Form::Spec, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    assert!(matches!(machine.next(answered(405)), Action::Close { .. }));
    machine.next(answered(204));
    machine.next(Event::Waited);
    let commit = machine.next(with_session(202, None));
    assert!(matches!(commit, Action::Commit { carried: Carried::WholeBlob, .. }));
}

#[test]
fn a_damaged_upload_is_sent_once_more_and_then_given_up() {
    let invalid =
        || Event::Answered(Reply { status: 400, refusal: Some(Refusal::DigestInvalid), ..Reply::default() });
    let mut machine = machine(Form::Gitea, MIB);
    machine.next(Event::Begin);
    assert!(matches!(machine.next(invalid()), Action::Wait { .. }));
    assert_eq!(machine.next(Event::Waited), Action::Open { carried: Carried::Nothing });
    machine.next(with_session(202, None));
    machine.next(with_session(202, None));
    assert!(matches!(machine.next(invalid()), Action::Close { .. }));
    assert!(matches!(machine.next(answered(204)), Action::End(Err(Failure::Refused { .. }))));
}

#[test]
fn cancelling_closes_the_session() {
    let mut machine = machine(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    assert!(matches!(machine.next(Event::Cancelled), Action::Close { .. }));
    assert_eq!(machine.next(answered(204)), Action::End(Err(Failure::Cancelled)));
}

#[test]
fn a_silent_403_at_the_end_is_the_quota() {
    let mut machine = machine(Form::Gitea, MIB);
    machine.next(Event::Begin);
    let quota = Failure::Refused { refusal: Refusal::Quota, status: 403, message: String::new() };
    assert_eq!(machine.next(answered(403)), Action::End(Err(quota)));
}

/// A registry that may do any of its faults at any step, and knows what it truly has.
#[derive(Debug, Default)]
struct Model {
    manner: Manner,
    size: u64,
    session: Option<Held>,
    stored: bool,
    received: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Distribution,
    Gitea,
}

#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    /// Whether what it holds is a prefix of the blob.
    whole: bool,
    poisoned: bool,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// The answer is lost, the work is done.
    AnswerLost,
    /// Cut after a part of the body.
    CutAfter(u8),
    Status(u16),
    /// An error that names a wait.
    Asked(u16),
    Stalled,
    Silent,
    SessionLost,
    Unreachable,
}

impl Model {
    fn perform(&mut self, action: &Action, fault: Fault) -> Event {
        if matches!(action, Action::Wait { .. }) {
            return Event::Waited;
        }
        match fault {
            Fault::Unreachable => return broken(BrokenKind::Unreachable),
            Fault::Status(status) => return answered(status),
            Fault::Asked(status) => return asked(status),
            Fault::SessionLost => self.session = None,
            Fault::CutAfter(part) => {
                self.cut(action, part);
                return broken(BrokenKind::Cut);
            }
            Fault::None | Fault::AnswerLost | Fault::Stalled | Fault::Silent => {}
        }
        let answer = self.answer(action);
        match fault {
            Fault::AnswerLost => broken(BrokenKind::Cut),
            Fault::Stalled => broken(BrokenKind::Stalled),
            Fault::Silent => broken(BrokenKind::Silent),
            _ => answer,
        }
    }

    fn cut(&mut self, action: &Action, part: u8) {
        let Action::Patch { range, numbering, .. } = action else { return };
        let bytes = (range.end - range.start) * u64::from(part) / 256;
        self.received += bytes;
        let manner = self.manner;
        let Some(held) = &mut self.session else { return };
        match manner {
            Manner::Gitea => held.poisoned = true,
            Manner::Distribution if *numbering == Numbering::Numbered && range.start != held.bytes => {}
            Manner::Distribution => {
                held.whole &= range.start == held.bytes;
                held.bytes += bytes;
            }
        }
    }

    fn answer(&mut self, action: &Action) -> Event {
        match action {
            Action::Open { carried: Carried::WholeBlob } => {
                self.received += self.size;
                self.stored = true;
                answered(201)
            }
            Action::Open { carried: Carried::Nothing } => {
                self.session = Some(Held { whole: true, ..Held::default() });
                with_session(202, None)
            }
            Action::Patch { range, numbering, .. } => self.patch(range.clone(), *numbering),
            Action::Status { .. } => match &self.session {
                Some(held) => with_session(204, (held.bytes > 0).then_some(held.bytes)),
                None => answered(404),
            },
            Action::Commit { carried, .. } => self.commit(*carried),
            Action::Ask if self.stored => {
                Event::Answered(Reply { status: 200, length: Some(self.size), ..Reply::default() })
            }
            Action::Ask => answered(404),
            Action::Close { .. } => match self.session.take() {
                Some(_) => answered(204),
                None => answered(404),
            },
            Action::Wait { .. } | Action::End(_) => Event::Waited,
        }
    }

    fn patch(&mut self, range: std::ops::Range<u64>, numbering: Numbering) -> Event {
        self.received += range.end - range.start;
        let Some(held) = &mut self.session else { return answered(404) };
        if held.poisoned {
            return answered(500);
        }
        if numbering == Numbering::Numbered && range.start != held.bytes {
            return answered(416);
        }
        held.whole &= range.start == held.bytes;
        held.bytes += range.end - range.start;
        with_session(202, Some(held.bytes))
    }

    fn commit(&mut self, carried: Carried) -> Event {
        let Some(held) = &mut self.session else { return answered(404) };
        if held.poisoned {
            return answered(500);
        }
        if carried == Carried::WholeBlob {
            self.received += self.size;
            held.bytes += self.size;
        }
        if held.whole && held.bytes == self.size {
            self.stored = true;
            self.session = None;
            return answered(201);
        }
        Event::Answered(Reply { status: 400, refusal: Some(Refusal::DigestInvalid), ..Reply::default() })
    }
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let status = prop::sample::select(vec![
        400, 401, 403, 404, 405, 408, 409, 411, 413, 415, 416, 429, 500, 501, 502, 503, 504,
    ]);
    let fault = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::AnswerLost),
        2 => any::<u8>().prop_map(Fault::CutAfter),
        2 => status.prop_map(Fault::Status),
        1 => prop::sample::select(vec![413, 429, 503]).prop_map(Fault::Asked),
        1 => Just(Fault::Stalled),
        1 => Just(Fault::Silent),
        1 => Just(Fault::SessionLost),
        1 => Just(Fault::Unreachable),
    ];
    prop::collection::vec(fault, 1..40)
}

/// Each PATCH may be paid for with a whole budget of retries and the requests between them.
const MOST_STEPS: usize = (64 + 8 * 90) * 40;

/// Runs to the end, with faults from the list over and over when it is short.
fn run(model: &mut Model, machine: &mut Machine, faults: &[Fault]) -> Result<Stored, Failure> {
    let mut event = Event::Begin;
    for step in 0..MOST_STEPS {
        let action = machine.next(event);
        if let Action::End(end) = action {
            return end;
        }
        event = model.perform(&action, faults[step % faults.len()]);
    }
    panic!("it does not end")
}

#[test]
fn a_way_that_is_cut_again_and_again_ends() {
    let faults =
        [None, Some(Fault::AnswerLost), None, Some(Fault::AnswerLost), None, None, Some(Fault::CutAfter(1))];
    let faults: Vec<Fault> = faults.into_iter().map(|fault| fault.unwrap_or(Fault::None)).collect();
    let mut model = Model { manner: Manner::Distribution, size: 90 * MIB, ..Model::default() };
    let _ = run(&mut model, &mut machine(Form::Gitea, 90 * MIB), &faults);
}

proptest! {
    // `PROPTEST_CASES` goes before the number here, so that `make soak` can ask for a million.
    #![proptest_config(contextualize_config(ProptestConfig::with_cases(4_000)))]

    #[test]
    fn success_means_that_the_blob_is_there_and_it_always_ends(
        gitea in any::<bool>(),
        alike in any::<bool>(),
        size in prop::sample::select(vec![0, 1, MIB, 17 * MIB, 90 * MIB]),
        faults in faults(),
    ) {
        let form = if gitea { Form::Gitea } else { Form::Spec };
        let manner = if gitea == alike { Manner::Gitea } else { Manner::Distribution };
        let mut model = Model { manner, size, ..Model::default() };
        let ended = run(&mut model, &mut machine(form, size), &faults);
        if ended.is_ok() {
            prop_assert!(model.stored);
        }

        let sent = model.received / size.max(1);
        prop_assert!(sent <= 60, "the blob was sent {sent} times over");
    }

    #[test]
    fn without_faults_every_byte_is_sent_once(
        gitea in any::<bool>(),
        size in 0..200 * MIB,
    ) {
        let form = if gitea { Form::Gitea } else { Form::Spec };
        let manner = if gitea { Manner::Gitea } else { Manner::Distribution };
        let mut model = Model { manner, size, ..Model::default() };
        let ended = run(&mut model, &mut machine(form, size), &[Fault::None]);
        prop_assert_eq!(ended, Ok(Stored::Uploaded));
        prop_assert_eq!(model.received, size);
    }

    #[test]
    fn a_few_faults_that_pass_do_not_fail_the_upload(
        gitea in any::<bool>(),
        size in prop::sample::select(vec![MIB, 17 * MIB, 90 * MIB]),
        faults in prop::collection::vec((0_usize..12, prop::sample::select(vec![
            Fault::AnswerLost, Fault::CutAfter(100), Fault::Status(500), Fault::Status(503),
            Fault::Status(429), Fault::Asked(503), Fault::Stalled, Fault::Unreachable,
        ])), 0..3),
    ) {
        let form = if gitea { Form::Gitea } else { Form::Spec };
        let manner = if gitea { Manner::Gitea } else { Manner::Distribution };
        let mut model = Model { manner, size, ..Model::default() };
        let mut steps = vec![Fault::None; 5_000];
        for (position, fault) in faults {
            steps[position] = fault;
        }
        let ended = run(&mut model, &mut machine(form, size), &steps);
        prop_assert_eq!(ended, Ok(Stored::Uploaded));
        prop_assert!(model.stored);
    }
}
