use super::model::{Fault, Manner, Model, faults, run};
use super::*;

fn adopting(form: Form, size: u64) -> Machine {
    machine(form, size).adopting(Session::of_test("/u/1"))
}

fn held(bytes: u64) -> Event {
    with_session(204, Some(bytes))
}

#[test]
fn a_session_of_an_earlier_run_is_gone_on_with_where_it_stands() {
    for form in [Form::Gitea, Form::Spec] {
        let mut machine = adopting(form, 40 * MIB);
        assert_eq!(machine.next(Event::Begin), Action::Status { session: Session::of_test("/u/1") });
        assert_eq!(machine.next(held(16 * MIB)), patch(16 * MIB..32 * MIB, Numbering::Numbered));
    }
}

#[test]
fn a_session_that_the_registry_has_forgotten_costs_nothing() {
    let mut machine = adopting(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    assert_eq!(machine.next(answered(404)), Action::Open { carried: Carried::Nothing });
    assert_eq!(machine.budget.failures(), 0);
}

#[test]
fn a_session_that_cannot_be_this_blobs_is_closed_and_another_one_opened() {
    for reply in [held(41 * MIB), answered(400)] {
        let mut machine = adopting(Form::Gitea, 40 * MIB);
        machine.next(Event::Begin);
        let close = Action::Close { session: Session::of_test("/u/1"), why: Closing::Useless };
        assert_eq!(machine.next(reply), close);
        assert_eq!(machine.next(answered(204)), Action::Open { carried: Carried::Nothing });
    }
}

#[test]
fn an_earlier_session_that_was_poisoned_is_left_for_a_new_one() {
    let mut machine = adopting(Form::Gitea, 40 * MIB);
    machine.next(Event::Begin);
    machine.next(held(16 * MIB));
    assert!(matches!(machine.next(answered(500)), Action::Close { why: Closing::Useless, .. }));
    assert!(matches!(machine.next(answered(204)), Action::Wait { .. }));
    assert_eq!(machine.next(Event::Waited), Action::Open { carried: Carried::Nothing });
}

#[test]
fn what_was_given_up_may_be_gone_on_with_and_what_was_cancelled_may_not() {
    let mut machine = Machine::new(
        Form::Gitea,
        Size { blob: 40 * MIB, chunk: None, limit: u64::MAX },
        Policy { retries: 0, ..Policy::default() },
    );
    machine.next(Event::Begin);
    machine.next(with_session(202, None));
    let mut cancelled = machine.clone();
    assert!(matches!(machine.next(answered(503)), Action::Close { why: Closing::GivenUp, .. }));
    assert!(matches!(cancelled.next(Event::Cancelled), Action::Close { why: Closing::Useless, .. }));
}

/// Runs so many steps without a fault, as a run that is killed then.
fn killed_after(steps: usize, model: &mut Model, machine: &mut Machine) {
    let mut event = Event::Begin;
    for _ in 0..steps {
        let action = machine.next(event);
        if matches!(action, Action::End(_)) {
            return;
        }
        event = model.perform(&action, Fault::None);
    }
}

proptest! {
    #[test]
    fn a_run_that_is_killed_costs_no_more_than_one_chunk(
        steps in 1_usize..12,
        size in 17 * MIB..150 * MIB,
        part in any::<u8>(),
        clean in any::<bool>(),
    ) {
        let mut model = Model { manner: Manner::Distribution, size, ..Model::default() };
        let mut first = machine(Form::Gitea, size);
        killed_after(steps, &mut model, &mut first);
        if !clean && model.session.is_some() {
            model.perform(&first.advance(), Fault::CutAfter(part));
        }
        if !model.stored {
            let mut second = machine(Form::Gitea, size).adopting(Session::of_test("/u/1"));
            let ended = run(&mut model, &mut second, &[Fault::None]);
            prop_assert_eq!(ended, Ok(Stored::Uploaded));
        }
        prop_assert!(model.stored);
        prop_assert!(model.received <= size + 16 * MIB, "{} of {size}", model.received);
    }

    #[test]
    fn what_an_earlier_run_left_never_makes_a_success_of_a_failure(
        steps in 0_usize..12,
        gitea in any::<bool>(),
        poisoned in any::<u8>(),
        faults in faults(),
    ) {
        let size = 90 * MIB;
        let manner = if gitea { Manner::Gitea } else { Manner::Distribution };
        let mut model = Model { manner, size, ..Model::default() };
        let mut first = machine(Form::Gitea, size);
        killed_after(steps, &mut model, &mut first);
        if model.session.is_some() {
            model.perform(&first.advance(), Fault::CutAfter(poisoned));
        }
        let mut second = machine(Form::Gitea, size).adopting(Session::of_test("/u/1"));
        if run(&mut model, &mut second, &faults).is_ok() {
            prop_assert!(model.stored);
        }
    }
}
