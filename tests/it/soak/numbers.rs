//! How much of everything, and what chance decides.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// Set to anything, it asks for the long numbers.
const LONG: &str = "IDPBUILDER_PUSH_SOAK";
/// A number that an earlier run printed: chance decides as it did there.
const SEED: &str = "IDPBUILDER_PUSH_SOAK_SEED";

/// What `make test` takes a few of, and `make soak` many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    /// Runs that are killed, for each kind of registry.
    pub(crate) kills: u32,
    /// Runs that are stopped, for each signal.
    pub(crate) signals: u32,
    /// Runs at once.
    pub(crate) processes: usize,
    /// Pushes of one process.
    pub(crate) pushes: u32,
    /// Pushes after which that process is looked at for the first time.
    pub(crate) warm: u32,
    /// How often the content of a push is in it.
    pub(crate) weight: u64,
}

const FEW: Numbers = Numbers { kills: 5, signals: 5, processes: 3, pushes: 30, warm: 10, weight: 1 };
const MANY: Numbers = Numbers { kills: 200, signals: 50, processes: 8, pushes: 1000, warm: 100, weight: 2 };

impl Numbers {
    pub(crate) fn of_this_run() -> Self {
        if variable(LONG).is_some() { MANY } else { FEW }
    }
}

/// Numbers by chance, the same ones for the same seed.
pub(crate) struct Random {
    pub(crate) seed: u64,
    state: u64,
}

impl Random {
    pub(crate) fn of_this_run() -> Self {
        let asked = variable(SEED).and_then(|text| text.parse().ok());
        let seed = asked.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        Self { seed, state: seed }
    }

    /// Below `end`, by the steps of splitmix64.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }

    pub(crate) fn moment_within(&mut self, time: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own numbers, which the program does not see")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
