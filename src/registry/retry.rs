use std::hash::{BuildHasher, Hasher as _};
use std::time::Duration;

const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A pod that restarts is away for about this long.
const OUTAGE: Duration = Duration::from_mins(1);
/// A registry that asks for more is not waited for.
const LONGEST_ASKED: Duration = Duration::from_mins(2);

/// How often and how long a fault that may pass is waited out. The only retry in the program: every
/// blob, manifest and request has a budget of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures in a row without newly acknowledged bytes. Zero: never again, whatever happened.
    pub retries: u32,
    /// Upper bound of one wait. The first is 0.5 s, each one after it twice as long.
    pub max_wait: Duration,
    /// Without a byte moved for so long, a transfer has stalled.
    pub stall: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { retries: 5, max_wait: Duration::from_secs(30), stall: Duration::from_secs(30) }
    }
}

impl Policy {
    /// How long a registry may be silent after the last byte of a body of `size` bytes: it is storing,
    /// at 20 MB/s at the slowest.
    pub(super) fn silence(&self, size: u64) -> Duration {
        (self.stall * 4).max(Duration::from_secs(size / 20_000_000))
    }

    pub(super) fn budget(self) -> Budget {
        Budget { policy: self, failures: 0, faults: 0, waited: Duration::ZERO }
    }
}

/// What kind of fault may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    /// Refused connections, 502 and 503: the service is away, and goes on being tried for a minute.
    Outage,
    /// As an outage, but the registry named the wait itself (`Retry-After`).
    Asked(Duration),
    Fault,
}

/// No further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    Attempts(u32),
    /// The service was away all the time, and did not come back.
    Away(u32),
    /// The registry asks for a longer wait than anybody would sit through.
    AskedTooLong(Duration),
}

impl Spent {
    pub(super) fn attempts(self) -> u32 {
        match self {
            Self::Attempts(attempts) | Self::Away(attempts) => attempts,
            Self::AskedTooLong(_) => 1,
        }
    }

    /// The last reason, with what the policy has to add.
    pub(super) fn told(self, reason: String) -> String {
        match self {
            Self::Attempts(_) | Self::Away(_) => reason,
            Self::AskedTooLong(asked) => {
                format!("{reason}; it asks to be left alone for {} s", asked.as_secs())
            }
        }
    }
}

/// What is left of the policy for one blob, manifest or request.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    policy: Policy,
    failures: u32,
    /// Failures that were no outage: a service that was away is not blamed for it when it is back.
    faults: u32,
    waited: Duration,
}

impl Budget {
    /// Something moved on that had never been reached before: the count begins anew.
    pub(super) fn progressed(&mut self) {
        *self = self.policy.budget();
    }

    pub(super) fn at_most(&self, wait: Duration) -> Duration {
        wait.min(self.policy.max_wait)
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// How long to wait before the next attempt, without jitter.
    pub(super) fn failed(&mut self, kind: Passing) -> Result<Duration, Spent> {
        let Self { policy: Policy { retries, max_wait, .. }, failures, faults, waited } = *self;
        self.failures += 1;
        let (before, spent) = match kind {
            Passing::Fault => {
                self.faults += 1;
                (faults, faults >= retries)
            }
            Passing::Outage | Passing::Asked(_) => {
                (failures - faults, failures >= retries && (waited >= OUTAGE || retries == 0))
            }
        };
        let doubled = FIRST_WAIT.saturating_mul(1 << before.min(16)).min(max_wait);
        let wait = match kind {
            Passing::Asked(asked) if asked > LONGEST_ASKED => return Err(Spent::AskedTooLong(asked)),
            Passing::Asked(asked) => asked.max(doubled),
            Passing::Outage | Passing::Fault => doubled,
        };
        match kind {
            _ if !spent => {}
            Passing::Outage => return Err(Spent::Away(self.failures)),
            Passing::Asked(_) | Passing::Fault => return Err(Spent::Attempts(self.failures)),
        }
        // A floor, so that a maximal wait of zero ends as well.
        self.waited += wait.max(Duration::from_millis(100));
        Ok(wait)
    }
}

/// Spreads waits by a quarter either way, so that clients that failed together do not return together.
pub(super) fn with_jitter(wait: Duration) -> Duration {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let thousandth = u32::try_from(random % 501).unwrap_or(0);
    wait * (750 + thousandth) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(kind: Passing) -> Vec<u64> {
        let mut budget = Policy::default().budget();
        std::iter::from_fn(|| budget.failed(kind).ok())
            .map(|wait| u64::try_from(wait.as_millis()).unwrap())
            .collect()
    }

    #[test]
    fn waits_double_and_end_after_the_given_number() {
        assert_eq!(waits(Passing::Fault), [500, 1000, 2000, 4000, 8000]);
    }

    #[test]
    fn an_outage_is_waited_out_for_a_minute() {
        assert_eq!(waits(Passing::Outage), [500, 1000, 2000, 4000, 8000, 16000, 30000]);
    }

    #[test]
    fn an_outage_leaves_the_count_of_other_faults_as_it_was() {
        let mut budget = Policy::default().budget();
        for _ in 0..7 {
            budget.failed(Passing::Outage).unwrap();
        }
        let faults = std::iter::from_fn(|| budget.failed(Passing::Fault).ok()).count();
        assert_eq!(faults, 5);
    }

    #[test]
    fn an_outage_whose_waits_are_named_is_waited_out_for_a_minute_too() {
        let mut budget = Policy::default().budget();
        let asked = Passing::Asked(Duration::from_secs(5));
        let waited: Duration = std::iter::from_fn(|| budget.failed(asked).ok()).sum();
        assert!(waited >= OUTAGE, "{waited:?}");
    }

    #[test]
    fn progress_sets_the_count_back() {
        let mut budget = Policy::default().budget();
        for _ in 0..5 {
            budget.failed(Passing::Fault).unwrap();
        }
        budget.progressed();
        assert_eq!(budget.failed(Passing::Fault), Ok(FIRST_WAIT));
    }

    #[test]
    fn a_named_wait_is_kept_unless_it_is_too_long() {
        let mut budget = Policy::default().budget();
        let asked = Duration::from_secs(7);
        assert_eq!(budget.failed(Passing::Asked(asked)), Ok(asked));
        let hour = Duration::from_hours(1);
        assert_eq!(budget.failed(Passing::Asked(hour)), Err(Spent::AskedTooLong(hour)));
    }

    #[test]
    fn no_retries_means_none_for_outages_too() {
        let mut budget = Policy { retries: 0, ..Policy::default() }.budget();
        assert_eq!(budget.failed(Passing::Outage), Err(Spent::Away(1)));
    }

    #[test]
    fn an_outage_ends_even_when_nothing_is_waited() {
        let mut budget = Policy { max_wait: Duration::ZERO, ..Policy::default() }.budget();
        let attempts = std::iter::from_fn(|| budget.failed(Passing::Outage).ok()).count();
        assert!(attempts < 1000);
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        for _ in 0..100 {
            let wait = with_jitter(Duration::from_secs(4));
            assert!(wait >= Duration::from_secs(3) && wait <= Duration::from_secs(5), "{wait:?}");
        }
    }
}
