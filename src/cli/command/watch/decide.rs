use std::time::Duration;

use crate::cli::failure::{Class, Failure, Retry};
use crate::port::Fingerprint;

/// What became of the last push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Nothing,
    Pushed(Fingerprint),
    Failed(Fingerprint),
}

/// What is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observed<'a> {
    Ready(&'a Fingerprint),
    Unready,
    /// The pause after a failed push is over.
    PauseOver,
}

/// What an observation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Push,
    /// Push what failed once more.
    PushAgain,
    /// For a source that can be pushed.
    Wait,
    Nothing,
}

pub(super) fn decide(observed: Observed<'_>, known: &Known) -> Action {
    match (observed, known) {
        (Observed::Unready, _) => Action::Wait,
        (Observed::Ready(now), Known::Pushed(before)) if now == before => Action::Nothing,
        (Observed::Ready(_), _) => Action::Push,
        (Observed::PauseOver, Known::Failed(_)) => Action::PushAgain,
        (Observed::PauseOver, _) => Action::Nothing,
    }
}

/// Whether a push was the first over its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Fresh,
    /// The cluster may have been made anew since: another certificate, another login.
    Kept,
}

/// The first pause; each one after it is twice as long.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(1);

/// How long it is until what failed is pushed again, after so many failures before this one. `None` where
/// only a change of the source can help.
pub(super) fn pause(failures: &[Failure], connection: Connection, before: u32) -> Option<Duration> {
    let stale = failures.iter().any(|failure| matches!(failure.class, Class::Login | Class::Network));
    if connection == Connection::Kept && stale {
        return Some(Duration::ZERO);
    }
    let helps = failures.iter().any(|failure| failure.retry == Retry::MayHelp);
    let pause = FIRST.saturating_mul(2_u32.saturating_pow(before)).min(LONGEST);
    helps.then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::{Fault, LocalError, Scene, explain};
    use crate::port::{NetworkFault, Origin, RegistryError, Scheme};

    #[test]
    fn only_a_source_that_changed_is_pushed() {
        let [a, b] = ["a", "b"].map(|text| Fingerprint(text.to_owned()));
        let (pushed, failed) = (Known::Pushed(a.clone()), Known::Failed(a.clone()));
        for (observed, known, action) in [
            (Observed::Ready(&a), &Known::Nothing, Action::Push),
            (Observed::Ready(&a), &pushed, Action::Nothing),
            (Observed::Ready(&b), &pushed, Action::Push),
            (Observed::Ready(&a), &failed, Action::Push),
            (Observed::Ready(&b), &failed, Action::Push),
            (Observed::Unready, &Known::Nothing, Action::Wait),
            (Observed::Unready, &pushed, Action::Wait),
            (Observed::Unready, &failed, Action::Wait),
            (Observed::PauseOver, &failed, Action::PushAgain),
            (Observed::PauseOver, &pushed, Action::Nothing),
            (Observed::PauseOver, &Known::Nothing, Action::Nothing),
        ] {
            assert_eq!(decide(observed, known), action, "{observed:?} {known:?}");
        }
    }

    fn explained(fault: impl Into<Fault>) -> Vec<Failure> {
        vec![explain(
            &fault.into(),
            &Scene { command: "x", typed: &[], sources: &[], home: None, facts: None },
        )]
    }

    fn unreachable(source: NetworkFault) -> Vec<Failure> {
        explained(RegistryError::Network { origin: Origin::new(Scheme::Https, "r.example", 443), source })
    }

    #[test]
    fn what_may_get_better_by_itself_is_tried_again_ever_more_seldom() {
        let refused = unreachable(NetworkFault::Refused { address: "127.0.0.1:443".into() });
        let seconds = |before| pause(&refused, Connection::Fresh, before).map(|pause| pause.as_secs());
        assert_eq!([0, 1, 2, 3, 4, 99].map(seconds), [5, 10, 20, 40, 60, 60].map(Some));
        assert_eq!(pause(&explained(LocalError::NoOwner), Connection::Fresh, 0), None);
    }

    #[test]
    fn a_connection_that_was_kept_is_made_anew_at_once() {
        let expired = unreachable(NetworkFault::Expired { reason: "yesterday".into() });
        assert_eq!(pause(&expired, Connection::Kept, 0), Some(Duration::ZERO));
        assert_ne!(pause(&expired, Connection::Fresh, 0), Some(Duration::ZERO));
        assert_eq!(pause(&explained(LocalError::NoOwner), Connection::Kept, 0), None);
    }
}
