use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::port::Origin;

/// What all requests to a host should know of it.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<Origin, Host>>);

#[derive(Debug, Clone, Copy, Default)]
struct Host {
    /// The host asked to be left alone until then.
    paused_until: Option<Instant>,
    /// It was waited for in vain, and has not been seen since.
    is_lost: bool,
}

impl Hosts {
    /// Of several pauses the longest counts.
    pub(super) fn pause(&self, host: &Origin, until: Instant) {
        self.change(host, |host| host.paused_until = host.paused_until.max(Some(until)));
    }

    pub(super) fn paused_until(&self, host: &Origin) -> Option<Instant> {
        self.get(host).paused_until
    }

    /// Nobody waits as long again for a host that stays away.
    pub(super) fn lose(&self, host: &Origin) {
        self.change(host, |host| host.is_lost = true);
    }

    /// The host has answered.
    pub(super) fn find(&self, host: &Origin) {
        if self.is_lost(host) {
            self.change(host, |host| host.is_lost = false);
        }
    }

    pub(super) fn is_lost(&self, host: &Origin) -> bool {
        self.get(host).is_lost
    }

    fn get(&self, host: &Origin) -> Host {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied().unwrap_or_default()
    }

    fn change(&self, host: &Origin, change: impl FnOnce(&mut Host)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(host.clone()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::port::Scheme;

    #[test]
    fn a_pause_and_an_absence_are_those_of_one_host() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        let host = |port| Origin::new(Scheme::Https, "r.example", port);
        hosts.pause(&host(1), now + Duration::from_secs(9));
        hosts.pause(&host(1), now + Duration::from_secs(2));
        hosts.lose(&host(2));
        assert_eq!(hosts.paused_until(&host(1)), Some(now + Duration::from_secs(9)));
        assert_eq!((hosts.paused_until(&host(2)), hosts.is_lost(&host(1))), (None, false));
        assert!(hosts.is_lost(&host(2)));
        hosts.find(&host(2));
        assert!(!hosts.is_lost(&host(2)));
    }
}
