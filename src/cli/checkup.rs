//! What became of each thing that a push needs.

use super::failure::{Class, Failure};

/// One thing that a push needs, in the order in which it needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Kubeconfig,
    Context,
    Api,
    Localbuild,
    Secret,
    Certificate,
    Name,
    Tcp,
    Tls,
    Registry,
    Login,
    Write,
    Space,
    BodyLimit,
    Engines,
    Disk,
    Clock,
}

impl Need {
    /// The word for it, for people and for programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Kubeconfig => "kubeconfig",
            Self::Context => "context",
            Self::Api => "api",
            Self::Localbuild => "localbuild",
            Self::Secret => "secret",
            Self::Certificate => "certificate",
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Registry => "registry",
            Self::Login => "login",
            Self::Write => "write",
            Self::Space => "space",
            Self::BodyLimit => "body-limit",
            Self::Engines => "engines",
            Self::Disk => "disk",
            Self::Clock => "clock",
        }
    }
}

/// One check, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) need: Need,
    pub(super) state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// What was seen.
    Passed(String),
    /// A push works, and yet: what was seen, and what there is to say about it.
    Warned(String, Vec<String>),
    Failed(Failure),
    /// Why it was not looked at.
    Skipped(String),
}

impl Check {
    pub(super) fn passed(need: Need, seen: impl Into<String>) -> Self {
        Self { need, state: State::Passed(seen.into()) }
    }

    /// Passed, unless there is something to say about it.
    pub(super) fn seen(need: Need, seen: impl Into<String>, said: Vec<String>) -> Self {
        let seen = seen.into();
        Self { need, state: if said.is_empty() { State::Passed(seen) } else { State::Warned(seen, said) } }
    }

    pub(super) fn failed(need: Need, failure: Failure) -> Self {
        Self { need, state: State::Failed(failure) }
    }

    pub(super) fn skipped(need: Need, why: impl Into<String>) -> Self {
        Self { need, state: State::Skipped(why.into()) }
    }

    /// Not looked at, since what it stands on has failed.
    pub(super) fn waits(need: Need, ground: Need) -> Self {
        Self::skipped(need, format!("waits for {}", ground.word()))
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Failed(failure) => Some(failure),
            State::Passed(_) | State::Warned(..) | State::Skipped(_) => None,
        }
    }
}

/// How many checks ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) warned: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Tally {
    pub(super) fn of(checks: &[Check]) -> Self {
        let mut tally = Self::default();
        for check in checks {
            *match check.state {
                State::Passed(_) => &mut tally.passed,
                State::Warned(..) => &mut tally.warned,
                State::Failed(_) => &mut tally.failed,
                State::Skipped(_) => &mut tally.skipped,
            } += 1;
        }
        tally
    }
}

/// The class of the first check that failed.
pub(super) fn class(checks: &[Check]) -> Option<Class> {
    checks.iter().find_map(Check::failure).map(|failure| failure.class)
}

/// All of it in one sentence.
pub(super) fn verdict(checks: &[Check]) -> String {
    let first = checks.iter().find_map(|check| Some((check.need, check.failure()?)));
    match (first, Tally::of(checks)) {
        (None, Tally { warned: 0, .. }) => "a push would work".to_owned(),
        (None, Tally { warned: 1, .. }) => "a push would work; 1 warning".to_owned(),
        (None, Tally { warned, .. }) => format!("a push would work; {warned} warnings"),
        (Some((need, failure)), Tally { failed, .. }) => {
            let checks =
                if failed == 1 { "1 check failed".to_owned() } else { format!("{failed} checks failed") };
            let first = if failed == 1 { "" } else { "the first: " };
            format!("{checks}; {first}{}: {}", need.word(), failure.message)
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::failure::{Fault, LocalError, Scene, explain};

    pub(in crate::cli) fn failure() -> Failure {
        let scene = Scene { command: "x", typed: &[], sources: &[], home: None, facts: None };
        explain(&Fault::Local(LocalError::ClusterLoginElsewhere { registry: "r.example".to_owned() }), &scene)
    }

    /// One of each kind.
    pub(in crate::cli) fn checks() -> Vec<Check> {
        vec![
            Check::passed(Need::Kubeconfig, "~/.kube/config, 2 contexts"),
            Check::seen(Need::Context, "kind-localdev", vec!["kind-dev2 does not answer".to_owned()]),
            Check::failed(Need::Secret, failure()),
            Check::waits(Need::Login, Need::Secret),
        ]
    }

    #[test]
    fn a_push_would_work_where_nothing_has_failed() {
        let verdict = |checks: &[usize]| {
            let all = checks_by(checks);
            (super::verdict(&all), class(&all))
        };
        assert_eq!(verdict(&[0, 3]), ("a push would work".to_owned(), None));
        assert_eq!(verdict(&[0, 1]), ("a push would work; 1 warning".to_owned(), None));
        assert_eq!(verdict(&[1, 1]).0, "a push would work; 2 warnings");
    }

    #[test]
    fn the_first_failure_gives_the_sentence_and_the_class() {
        let message = "the cluster's login is for its own registry, not for r.example";
        let one = checks_by(&[0, 2, 3]);
        assert_eq!(verdict(&one), format!("1 check failed; secret: {message}"));
        assert_eq!(class(&one), Some(Class::Usage));
        let two = checks_by(&[2, 2, 3]);
        assert_eq!(verdict(&two), format!("2 checks failed; the first: secret: {message}"));
    }

    #[test]
    fn something_to_say_about_it_makes_a_warning() {
        assert_eq!(Check::seen(Need::Disk, "x", Vec::new()), Check::passed(Need::Disk, "x"));
        assert_eq!(Tally::of(&checks()), Tally { passed: 1, warned: 1, failed: 1, skipped: 1 });
    }

    fn checks_by(which: &[usize]) -> Vec<Check> {
        let all = checks();
        which.iter().map(|at| all[*at].clone()).collect()
    }
}
