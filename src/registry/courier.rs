use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::body::SourceFault;
use super::connect::Dialer;
use super::retry::{Budget, Passing, Policy, Spent, with_jitter};
use super::tls::{Tls, Trust, TrustError};
use super::transport::{Call, Fault, Transport};
use crate::event::{Event, Events};
use crate::port::{NetworkFault, Origin, RegistryError};

/// Query values that may stand in a log.
const SHOWN_IN_LOGS: [&str; 7] = ["scope", "service", "mount", "from", "digest", "n", "last"];

/// Carries requests to the registry and to token servers, keeps the pause that a host asked for, and
/// goes again where the policy says so.
pub(super) struct Courier {
    pub(super) origin: Origin,
    pub(super) policy: Policy,
    pub(super) events: Events,
    own: Transport,
    own_dialer: Arc<Dialer>,
    /// Hosts that are not the registry are checked by the system's roots, whatever the registry's trust.
    stranger_tls: OnceLock<Result<Tls, TrustError>>,
    strangers: Mutex<HashMap<Origin, Arc<Transport>>>,
    paused_until: Mutex<Option<Instant>>,
    /// The registry was away for longer than anybody waits, and has not been seen since. Who asks then
    /// does not wait as long again.
    is_gone: AtomicBool,
}

impl Courier {
    pub(super) fn new(origin: Origin, dialer: Arc<Dialer>, policy: Policy, events: Events) -> Self {
        Self {
            own: Transport::new(origin.clone(), Arc::clone(&dialer), policy),
            origin,
            policy,
            events,
            own_dialer: dialer,
            stranger_tls: OnceLock::new(),
            strangers: Mutex::default(),
            paused_until: Mutex::default(),
            is_gone: AtomicBool::new(false),
        }
    }

    /// One attempt, after whatever pause the host asked for.
    pub(super) async fn once(
        &self,
        to: &Origin,
        call: &Call<'_>,
        cancel: &CancellationToken,
    ) -> Result<Answer, Fault> {
        self.sit_out(cancel).await?;
        let began = Instant::now();
        let sent = if *to == self.origin {
            let sent = self.own.send(call, cancel).await;
            if sent.as_ref().is_ok_and(|answer| answer.passing() != Some(Passing::Outage)) {
                self.is_gone.store(false, Ordering::Relaxed);
            }
            sent
        } else {
            self.stranger(to)?.send(call, cancel).await
        };
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let url = format!("{to}{}", redacted(call.path));
        match &sent {
            Ok(answer) => {
                tracing::debug!(method = %call.method, %url, status = answer.status.as_u16(), bytes = answer.body.len(), ms, "request");
            }
            Err(Fault::Network(fault)) => {
                tracing::debug!(method = %call.method, %url, %fault, ms, "request failed");
            }
            Err(_) => tracing::debug!(method = %call.method, %url, ms, "request given up"),
        }
        sent
    }

    async fn sit_out(&self, cancel: &CancellationToken) -> Result<(), Fault> {
        let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = until.filter(|until| *until > Instant::now()) else { return Ok(()) };
        tokio::select! {
            () = sleep_until(until.into()) => Ok(()),
            () = cancel.cancelled() => Err(Fault::Cancelled),
        }
    }

    fn stranger(&self, origin: &Origin) -> Result<Arc<Transport>, Fault> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = strangers.get(origin) {
            return Ok(Arc::clone(known));
        }
        let tls = self.stranger_tls.get_or_init(|| Tls::new(&Trust::System { further: Vec::new() }));
        let tls = tls.clone().map_err(|error| NetworkFault::Tls { reason: error.to_string() })?;
        let dialer = Dialer {
            tls,
            resolver: Arc::clone(&self.own_dialer.resolver),
            proxies: self.own_dialer.proxies.clone(),
            unacknowledged: self.own_dialer.unacknowledged,
        };
        let transport = Arc::new(Transport::new(origin.clone(), Arc::new(dialer), self.policy));
        strangers.insert(origin.clone(), Arc::clone(&transport));
        Ok(transport)
    }

    /// Until there is an answer that is final, one way or the other.
    pub(super) async fn patiently(
        &self,
        to: &Origin,
        call: &Call<'_>,
        subject: &str,
        cancel: &CancellationToken,
    ) -> Result<Answer, RegistryError> {
        let mut budget = self.policy.budget();
        loop {
            let sent = self.once(to, call, cancel).await;
            let Some(setback) = Setback::of(sent.as_ref()) else {
                return sent.map_err(|fault| self.error(subject, fault));
            };
            self.sit_through(&mut budget, subject, &setback, cancel).await?;
        }
    }

    /// Takes a setback from the budget, and waits.
    pub(super) async fn sit_through(
        &self,
        budget: &mut Budget,
        subject: &str,
        setback: &Setback,
        cancel: &CancellationToken,
    ) -> Result<(), RegistryError> {
        let Setback { kind, reason, status } = setback;
        if let Some(spent) = self.gone(*kind) {
            return Err(self.exhausted(subject, spent, reason.clone(), *status));
        }
        match budget.failed(*kind) {
            Ok(wait) => {
                let attempt = budget.failures();
                let pause = Pause { subject, reason, wait, attempt, host: (*kind).into() };
                self.wait(pause, cancel).await
            }
            Err(spent) => Err(self.exhausted(subject, spent, reason.clone(), *status)),
        }
    }

    /// Whether an outage is one that somebody has waited out in vain.
    pub(super) fn gone(&self, kind: Passing) -> Option<Spent> {
        (kind == Passing::Outage && self.is_gone.load(Ordering::Relaxed)).then_some(Spent::Away(1))
    }

    /// What is left when the budget is spent on answers or broken connections.
    pub(super) fn exhausted(
        &self,
        subject: &str,
        spent: Spent,
        last: String,
        status: Option<u16>,
    ) -> RegistryError {
        if matches!(spent, Spent::Away(_)) {
            self.is_gone.store(true, Ordering::Relaxed);
        }
        let (subject, attempts, last) = (subject.to_owned(), spent.attempts(), spent.told(last));
        RegistryError::Exhausted { subject, attempts, last, status }
    }

    /// Waits before another attempt, and says why. A wait that the host named holds for all its requests.
    pub(super) async fn wait(
        &self,
        pause: Pause<'_>,
        cancel: &CancellationToken,
    ) -> Result<(), RegistryError> {
        let Pause { subject, reason, wait, attempt, host } = pause;
        let wait = if host == HostPause::Yes { wait } else { with_jitter(wait) };
        if host == HostPause::Yes {
            let until = Instant::now() + wait;
            let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            *paused = Some(paused.map_or(until, |before| before.max(until)));
        }
        let (subject, reason) = (subject.to_owned(), reason.to_owned());
        self.events.emit(Event::Retrying { subject, reason, wait, attempt });
        tokio::select! {
            () = sleep(wait) => Ok(()),
            () = cancel.cancelled() => Err(RegistryError::Cancelled),
        }
    }

    /// What a fault means for a request, where it does not pass.
    pub(super) fn error(&self, subject: &str, fault: Fault) -> RegistryError {
        match fault {
            Fault::Cancelled => RegistryError::Cancelled,
            Fault::Network(source) => RegistryError::Network { origin: self.origin.clone(), source },
            Fault::Source(SourceFault::Digest { expected, found }) => {
                RegistryError::SourceDigest { expected, found }
            }
            Fault::Source(SourceFault::Content(source)) => {
                RegistryError::Content { subject: subject.to_owned(), source }
            }
        }
    }
}

/// A fault or an answer that may pass.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) kind: Passing,
    pub(super) reason: String,
    pub(super) status: Option<u16>,
}

impl Setback {
    /// `None` for what is final.
    pub(super) fn of(sent: Result<&Answer, &Fault>) -> Option<Self> {
        match sent {
            Ok(answer) => {
                let status = answer.status.as_u16();
                let said = answer.said();
                let colon = if said.is_empty() { "" } else { ": " };
                let reason = format!("registry answered {status}{colon}{said}");
                Some(Self { kind: answer.passing()?, reason, status: Some(status) })
            }
            Err(Fault::Network(fault)) => {
                Some(Self { kind: passing(fault)?, reason: fault.to_string(), status: None })
            }
            Err(Fault::Cancelled | Fault::Source(_)) => None,
        }
    }
}

/// Whether the whole host is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostPause {
    Yes,
    No,
}

impl From<Passing> for HostPause {
    fn from(kind: Passing) -> Self {
        if matches!(kind, Passing::Asked(_)) { Self::Yes } else { Self::No }
    }
}

/// A wait, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause<'a> {
    pub(super) subject: &'a str,
    pub(super) reason: &'a str,
    pub(super) wait: Duration,
    pub(super) attempt: u32,
    pub(super) host: HostPause,
}

/// Whether what broke may be whole again the next time.
pub(super) fn passing(fault: &NetworkFault) -> Option<Passing> {
    match fault {
        NetworkFault::Refused { .. } => Some(Passing::Outage),
        NetworkFault::Connect { .. }
        | NetworkFault::Tls { .. }
        | NetworkFault::Stalled { .. }
        | NetworkFault::Silent { .. }
        | NetworkFault::Closed { .. } => Some(Passing::Fault),
        NetworkFault::Resolve { .. }
        | NetworkFault::Untrusted { .. }
        | NetworkFault::Expired { .. }
        | NetworkFault::WrongName { .. }
        | NetworkFault::Answer { .. }
        | NetworkFault::Proxy { .. } => None,
    }
}

/// A path and query for logs: values that may be keys to something are left out.
fn redacted(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let shown: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if !SHOWN_IN_LOGS.contains(&name) => format!("{name}=****"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", shown.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_query_values_are_logged() {
        assert_eq!(
            redacted("/v2/x?digest=sha256:a&_state=secret&sig=x"),
            "/v2/x?digest=sha256:a&_state=****&sig=****"
        );
        assert_eq!(redacted("/v2/"), "/v2/");
    }
}
