use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keeps all transfers of a run together to so many bytes a second.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Bytes a second; as fast as it goes without one.
    limit: Option<NonZeroU64>,
    /// When the bytes that were let out so far have had their time.
    paid: Mutex<Option<Instant>>,
}

/// Frames are small enough for a steady flow, and large enough to be worth a write.
const LEAST_FRAME: u64 = 1024;

impl Pace {
    pub(super) fn new(limit: Option<NonZeroU64>) -> Self {
        Self { limit, paid: Mutex::new(None) }
    }

    /// Bytes of a frame, at most `most`: what goes in a quarter of a second.
    pub(super) fn frame(&self, most: usize) -> usize {
        let quarter = self.limit.map(|limit| (limit.get() / 4).max(LEAST_FRAME));
        quarter.and_then(|bytes| usize::try_from(bytes).ok()).map_or(most, |bytes| bytes.min(most))
    }

    /// Lets `bytes` out in their turn. Blocks the thread.
    pub(super) fn wait(&self, bytes: usize) {
        let wait = self.turn(Instant::now(), bytes as u64);
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }

    /// How long it is to the turn of `bytes` more.
    fn turn(&self, now: Instant, bytes: u64) -> Duration {
        let Some(limit) = self.limit else { return Duration::ZERO };
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        // Time in which nothing was sent is not made up for.
        let start = paid.map_or(now, |paid| paid.max(now));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(limit.get());
        *paid = Some(start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        start - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(limit: u64) -> Pace {
        Pace::new(NonZeroU64::new(limit))
    }

    #[test]
    fn bytes_wait_until_those_before_have_had_their_time() {
        let (pace, now) = (pace(1000), Instant::now());
        assert_eq!(pace.turn(now, 500), Duration::ZERO);
        assert_eq!(pace.turn(now, 500), Duration::from_millis(500));
        assert_eq!(pace.turn(now + Duration::from_millis(600), 1), Duration::from_millis(400));
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let (pace, now) = (pace(1000), Instant::now());
        pace.turn(now, 1000);
        let later = now + Duration::from_mins(1);
        assert_eq!(pace.turn(later, 1000), Duration::ZERO);
        assert_eq!(pace.turn(later, 1000), Duration::from_secs(1));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let pace = Pace::default();
        assert_eq!(pace.frame(4096), 4096);
        assert_eq!(pace.turn(Instant::now(), u64::MAX), Duration::ZERO);
    }

    #[test]
    fn frames_are_a_quarter_of_a_second_and_never_tiny() {
        assert_eq!(pace(40_000).frame(128 * 1024), 10_000);
        assert_eq!(pace(1).frame(128 * 1024), 1024);
        assert_eq!(pace(1 << 40).frame(128 * 1024), 128 * 1024);
    }
}
