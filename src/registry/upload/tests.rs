use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::contextualize_config;

use super::*;
use crate::port::{Refusal, Stored};
use crate::registry::location::Session;
use crate::registry::retry::{Passing, Policy};

mod adopted;
mod model;

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
