use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::body::SourceFault;
use super::connect::{Dialer, Peer};
use super::hosts::Hosts;
use super::retry::{Budget, Passing, Policy, Spent, with_jitter};
use super::tls::{Tls, Trust, TrustError};
use super::transport::{Call, Fault, Transport};
use crate::event::{Event, Events};
use crate::port::{NetworkFault, Origin, RegistryError};

/// Query values that may stand in a log.
const SHOWN_IN_LOGS: [&str; 11] =
    ["scope", "service", "mount", "from", "digest", "n", "last", "type", "q", "page", "limit"];

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
    hosts: Hosts,
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
            hosts: Hosts::default(),
        }
    }

    /// What opens connections to the registry itself.
    pub(super) fn dialer(&self) -> &Dialer {
        &self.own_dialer
    }

    /// Where the last connection to the registry itself led.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.own_dialer.peer.address()
    }

    /// One attempt, after whatever pause the host asked for.
    pub(super) async fn once(
        &self,
        to: &Origin,
        call: &Call<'_>,
        cancel: &CancellationToken,
    ) -> Result<Answer, Fault> {
        self.sit_out(to, cancel).await?;
        let began = Instant::now();
        let ended = if *to == self.origin {
            self.own.send(call, cancel).await
        } else {
            self.stranger(to)?.send(call, cancel).await
        };
        if ended.as_ref().is_ok_and(|answer| answer.passing() != Some(Passing::Outage)) {
            self.hosts.find(to);
        }
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (url, sent) = (format!("{to}{}", redacted(call.path)), call.content.len());
        match &ended {
            Ok(answer) => {
                tracing::debug!(method = %call.method, %url, status = answer.status.as_u16(), sent, received = answer.body.len(), ms, "request");
            }
            Err(Fault::Network(fault)) => {
                tracing::debug!(method = %call.method, %url, %fault, ms, "request failed");
            }
            Err(_) => tracing::debug!(method = %call.method, %url, ms, "request given up"),
        }
        ended
    }

    /// Others may lengthen the pause meanwhile.
    async fn sit_out(&self, to: &Origin, cancel: &CancellationToken) -> Result<(), Fault> {
        while let Some(until) = self.hosts.paused_until(to).filter(|until| *until > Instant::now()) {
            tokio::select! {
                () = sleep_until(until.into()) => {}
                () = cancel.cancelled() => return Err(Fault::Cancelled),
            }
        }
        Ok(())
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
            peer: Peer::default(),
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
            let Some(setback) = Setback::of(to, sent.as_ref()) else {
                return sent.map_err(|fault| error(to, subject, fault));
            };
            let waited = self.sit_through(&mut budget, subject, setback, cancel).await;
            waited.map_err(|spent| given_up(spent, to, sent))?;
        }
    }

    /// Takes a setback from the budget, and waits.
    pub(super) async fn sit_through(
        &self,
        budget: &mut Budget,
        subject: &str,
        setback: Setback<'_>,
        cancel: &CancellationToken,
    ) -> Result<(), RegistryError> {
        let spent = match self.in_vain(&setback) {
            Some(spent) => Err(spent),
            None => budget.failed(setback.kind),
        };
        match spent {
            Ok(wait) => {
                let host = matches!(setback.kind, Passing::Asked(_)).then_some(setback.to);
                let pause =
                    Pause { subject, reason: &setback.reason, wait, attempt: budget.failures(), host };
                self.wait(pause, cancel).await
            }
            Err(spent) => Err(self.exhausted(subject, setback, spent)),
        }
    }

    /// Whether the host is away, and somebody has waited for it as long as the policy says.
    pub(super) fn in_vain(&self, setback: &Setback<'_>) -> Option<Spent> {
        (setback.kind == Passing::Outage && self.hosts.is_lost(setback.to)).then_some(Spent::Away(1))
    }

    /// What is left when the budget is spent.
    pub(super) fn exhausted(&self, subject: &str, setback: Setback<'_>, spent: Spent) -> RegistryError {
        if matches!(spent, Spent::Away(_)) {
            self.hosts.lose(setback.to);
        }
        let (subject, last) = (subject.to_owned(), spent.told(setback.reason));
        RegistryError::Exhausted { subject, attempts: spent.attempts(), last, status: setback.status }
    }

    /// Waits before another attempt, and says why. A wait that the host named holds for all its requests.
    pub(super) async fn wait(
        &self,
        pause: Pause<'_>,
        cancel: &CancellationToken,
    ) -> Result<(), RegistryError> {
        let Pause { subject, reason, wait, attempt, host } = pause;
        let wait = if host.is_some() { wait } else { with_jitter(wait) };
        if let Some(host) = host {
            self.hosts.pause(host, Instant::now() + wait);
        }
        let (subject, reason) = (subject.to_owned(), reason.to_owned());
        self.events.emit(Event::Retrying { subject, reason, wait, attempt });
        tokio::select! {
            () = sleep(wait) => Ok(()),
            () = cancel.cancelled() => Err(RegistryError::Cancelled),
        }
    }
}

/// What a fault means for a request, where it does not pass.
pub(super) fn error(to: &Origin, subject: &str, fault: Fault) -> RegistryError {
    match fault {
        Fault::Cancelled => RegistryError::Cancelled,
        Fault::Network(source) => RegistryError::Network { origin: to.clone(), source },
        Fault::Source(SourceFault::Digest { expected, found }) => {
            RegistryError::SourceDigest { expected, found }
        }
        Fault::Source(SourceFault::Content(source)) => {
            RegistryError::Content { subject: subject.to_owned(), source }
        }
    }
}

/// A fault or an answer that may pass.
#[derive(Debug)]
pub(super) struct Setback<'a> {
    pub(super) to: &'a Origin,
    pub(super) kind: Passing,
    pub(super) reason: String,
    pub(super) status: Option<u16>,
}

impl<'a> Setback<'a> {
    /// `None` for what is final.
    pub(super) fn of(to: &'a Origin, sent: Result<&Answer, &Fault>) -> Option<Self> {
        match sent {
            Ok(answer) => {
                let (kind, status) = (answer.passing()?, answer.status.as_u16());
                let said = answer.said();
                let colon = if said.is_empty() { "" } else { ": " };
                let reason = format!("registry answered {status}{colon}{said}");
                Some(Self { to, kind, reason, status: Some(status) })
            }
            Err(Fault::Network(fault)) => {
                Some(Self { to, kind: passing(fault)?, reason: fault.to_string(), status: None })
            }
            Err(Fault::Cancelled | Fault::Source(_)) => None,
        }
    }
}

/// A wait, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause<'a> {
    pub(super) subject: &'a str,
    pub(super) reason: &'a str,
    pub(super) wait: Duration,
    pub(super) attempt: u32,
    /// Who named the wait, and means all requests.
    pub(super) host: Option<&'a Origin>,
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
        | NetworkFault::NotTls
        | NetworkFault::Untrusted { .. }
        | NetworkFault::Expired { .. }
        | NetworkFault::WrongName { .. }
        | NetworkFault::Answer { .. }
        | NetworkFault::Proxy { .. } => None,
    }
}

/// Where nothing ever answered, what broke says more than how often it did.
pub(super) fn given_up(error: RegistryError, to: &Origin, last: Result<Answer, Fault>) -> RegistryError {
    match (error, last) {
        (RegistryError::Exhausted { .. }, Err(Fault::Network(source))) => {
            RegistryError::Network { origin: to.clone(), source }
        }
        (error, _) => error,
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
