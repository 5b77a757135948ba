use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::place::Target;
use super::{login, place, trust};
use crate::cli::environment::Environment;
use crate::cli::facts::{AuthFacts, ClusterFacts, Facts, RegistryFacts, TlsFacts};
use crate::cli::failure::Fault;
use crate::cli::settings::{Reach, Tls};
use crate::event::Events;
use crate::port::{Origin, RegistryError, Scheme};
use crate::registry::{
    Dialect, Options, Pinned, Policy, Proxies, Realms, Rebind, RegistryClient, TrustError, TrustedRealm,
};

/// Why there is nothing to run with, and what is known of the registry all the same.
pub(in crate::cli) struct Unconnected {
    pub(in crate::cli) fault: Fault,
    pub(in crate::cli) facts: Option<Facts>,
}

impl From<Fault> for Unconnected {
    fn from(fault: Fault) -> Self {
        Self { fault, facts: None }
    }
}

/// What every part of connecting sees.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Around<'a> {
    pub(in crate::cli) environment: &'a Environment,
    pub(in crate::cli) events: &'a Events,
    pub(in crate::cli) cancel: &'a CancellationToken,
}

/// A registry that can be asked.
pub(in crate::cli) struct Reached {
    pub(in crate::cli) client: Arc<RegistryClient>,
    /// What it is taken for.
    pub(in crate::cli) dialect: Dialect,
    pub(super) facts: Facts,
    pub(super) target: Target,
    pub(super) login: login::Found,
}

impl Reached {
    /// What is known of the registry by now: also where the last connection led.
    pub(in crate::cli) fn facts_by_now(&self) -> Facts {
        self.facts.clone().connected_to(self.client.address())
    }
}

/// Finds the registry, its trust and the login. A login may be kept for the images of `owner` alone.
///
/// # Errors
/// When no registry is known, a source of credentials that was chosen is broken, or the registry does
/// not say what it is.
pub(in crate::cli) async fn reach(
    wanted: &Reach,
    owner: Option<&str>,
    around: Around<'_>,
) -> Result<Reached, Unconnected> {
    let target = place::find(wanted, around.events).await?;
    let trust = trust::of(wanted, &target)?;
    let login = login::find(wanted, owner, &target, around).await?;
    let facts = facts(&target, trust.facts, &login);
    let client = match client(wanted, &target, &trust, (&login, around)) {
        Ok(client) => Arc::new(client),
        Err(error) => return Err(Unconnected { fault: error.into(), facts: Some(facts) }),
    };
    match dialect(wanted, &target, &client, around).await {
        Ok(dialect) => Ok(Reached { client, dialect, facts, target, login }),
        Err(error) => {
            let facts = facts.connected_to(client.address());
            Err(Unconnected { fault: error.into(), facts: Some(facts) })
        }
    }
}

/// # Errors
/// When a certificate that is to be trusted cannot be.
pub(super) fn client(
    wanted: &Reach,
    target: &Target,
    trust: &trust::Chosen,
    login: (&login::Found, Around<'_>),
) -> Result<RegistryClient, TrustError> {
    RegistryClient::new(options(wanted, target, trust, login))
}

/// The cluster's registry is a Gitea; others are asked.
async fn dialect(
    wanted: &Reach,
    target: &Target,
    client: &RegistryClient,
    around: Around<'_>,
) -> Result<Dialect, RegistryError> {
    match (wanted.tls == Tls::Insecure, target.cluster()) {
        (true, _) => {
            let dialect = client.ask_dialect().await?;
            warn_of_insecure(client, target, around.events);
            Ok(dialect)
        }
        (false, Some(_)) => Ok(Dialect::Gitea),
        (false, None) => client.ask_dialect().await,
    }
}

pub(super) fn facts(target: &Target, tls: TlsFacts, login: &login::Found) -> Facts {
    Facts {
        cluster: target
            .cluster()
            .map(|cluster| ClusterFacts { name: cluster.name.clone(), context: cluster.context.clone() }),
        registry: RegistryFacts {
            host: target.origin.in_references(),
            address: None,
            tls,
            source: target.named_by.clone(),
            body_limit: target.cluster().and_then(|cluster| cluster.body_limit),
        },
        auth: AuthFacts { source: login.source.clone(), username: login.username.clone() },
    }
}

fn options(
    wanted: &Reach,
    target: &Target,
    trust: &trust::Chosen,
    (login, around): (&login::Found, Around<'_>),
) -> Options {
    let requests = &wanted.requests;
    let own_only = login.is_cluster() || wanted.tls == Tls::Insecure;
    let [http, https, all, no] = &around.environment.proxies;
    Options {
        origin: target.origin.clone(),
        trust: trust.trust.clone(),
        keychain: Arc::clone(&login.keychain),
        realms: if own_only { Realms::Own } else { Realms::SameDomain },
        trusted_realms: wanted
            .trusted_realms
            .iter()
            .map(|pair| TrustedRealm { registry: pair.registry.clone(), realm: pair.realm.clone() })
            .collect(),
        policy: Policy {
            retries: requests.retries,
            max_wait: requests.retry_max_wait,
            stall: requests.stall_timeout,
        },
        dialect: target.cluster().map(|_| Dialect::Gitea),
        chunk: requests.chunk.map(Into::into),
        limit_rate: requests.limit_rate,
        body_limit: target.cluster().and_then(|cluster| cluster.body_limit),
        journal: super::journal(requests.journal, around.environment),
        proxies: Proxies::new(http, https, all, no),
        addresses: wanted
            .resolve
            .iter()
            .map(|one| {
                let meant = Origin::new(Scheme::Https, &one.host, one.port).connected();
                Pinned { host: meant.host().to_owned(), port: one.port, address: one.address }
            })
            .collect(),
        rebind: match wanted.tls {
            // Without a checked certificate, names alone decide where a login goes.
            Tls::Insecure if login.is_cluster() => Rebind::Loopback,
            Tls::Insecure => Rebind::Strict,
            _ => Rebind::Fallback,
        },
        events: around.events.clone(),
        cancel: around.cancel.clone(),
    }
}

fn warn_of_insecure(client: &RegistryClient, target: &Target, events: &Events) {
    let shown = client.fingerprint().map(|fingerprint| format!(" (SHA-256 {fingerprint})"));
    events.warn(format!(
        "the certificate of {} is not checked{}: whoever answers there gets the images and the login; --ca-file checks it",
        target.origin.authority(),
        shown.unwrap_or_default()
    ));
}
