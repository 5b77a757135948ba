use super::*;

/// A registry that may do any of its faults at any step, and knows what it truly has.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) manner: Manner,
    pub(super) size: u64,
    pub(super) session: Option<Held>,
    pub(super) stored: bool,
    pub(super) received: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Manner {
    #[default]
    Distribution,
    Gitea,
}

#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: u64,
    /// Whether what it holds is a prefix of the blob.
    whole: bool,
    poisoned: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
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
    pub(super) fn perform(&mut self, action: &Action, fault: Fault) -> Event {
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

pub(super) fn faults() -> impl Strategy<Value = Vec<Fault>> {
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
pub(super) fn run(model: &mut Model, machine: &mut Machine, faults: &[Fault]) -> Result<Stored, Failure> {
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
