//! Where steps and adapters are joined: nothing else in the command line makes an adapter.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

mod login;
mod place;
mod sources;
mod trust;

use super::environment::Environment;
use super::facts::{AuthFacts, ClusterFacts, Facts, RegistryFacts, TlsFacts};
use super::failure::{Fault, LocalError};
use super::settings::{Cache, ListSettings, Place, Settings, Tls};
use crate::cache::{CacheFolder, NoCache};
use crate::content::SpoolDir;
use crate::event::Events;
use crate::job::{Job, Limits, Selection, World};
use crate::plan::{NameRules, Naming, Owner, RegistryHost};
use crate::port::{Origin, PackIndex, Scheme, Source, Watched};
use crate::registry::{
    Dialect, Options, Pinned, Policy, Proxies, Realms, Rebind, RegistryClient, TrustedRealm,
};
use crate::source::{self, Places, Spec};
use place::Target;
use sources::Told;

/// What a push runs with.
pub(super) struct Connected {
    pub(super) job: Job,
    pub(super) world: World,
    pub(super) facts: Facts,
    client: Arc<RegistryClient>,
    /// What the sources were made with.
    places: Places,
}

impl Connected {
    /// What is known of the registry by now: also where the last connection led.
    pub(super) fn facts_by_now(&self) -> Facts {
        self.facts.clone().connected_to(self.client.address())
    }

    /// A source that is watched with what became known of the cluster.
    pub(super) fn watched(&self, spec: Spec, events: &Events) -> Box<dyn Watched> {
        source::watch(spec, &self.places, events)
    }
}

/// Why there is nothing to run with, and what is known of the registry all the same.
pub(super) struct Unconnected {
    pub(super) fault: Fault,
    pub(super) facts: Option<Facts>,
}

impl From<Fault> for Unconnected {
    fn from(fault: Fault) -> Self {
        Self { fault, facts: None }
    }
}

/// What every part of connecting sees.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) environment: &'a Environment,
    pub(super) events: &'a Events,
    pub(super) cancel: &'a CancellationToken,
}

/// Finds the registry, its trust and the login, and makes the sources.
///
/// # Errors
/// When no registry is known, a source of credentials that was chosen is broken, or the registry does
/// not say what it is.
pub(super) async fn connect(settings: &Settings, around: Around<'_>) -> Result<Connected, Unconnected> {
    let target = place::find(settings, around.events).await?;
    let trust = trust::of(settings, &target)?;
    let login = login::find(settings, &target, around).await?;
    let facts = facts(&target, trust.facts, &login);
    let client = match RegistryClient::new(options(settings, &target, &trust, (&login, around))) {
        Ok(client) => Arc::new(client),
        Err(error) => return Err(Unconnected { fault: error.into(), facts: Some(facts) }),
    };
    let joined = joined(settings, &target, &client, (&login, around)).await;
    let facts = facts.connected_to(client.address());
    match joined {
        Ok((job, world, places)) => Ok(Connected { job, world, facts, client, places }),
        Err(fault) => Err(Unconnected { fault, facts: Some(facts) }),
    }
}

async fn joined(
    settings: &Settings,
    target: &Target,
    client: &Arc<RegistryClient>,
    (login, around): (&login::Found, Around<'_>),
) -> Result<(Job, World, Places), Fault> {
    let dialect = match (settings.tls == Tls::Insecure, target.cluster()) {
        (true, _) => {
            let dialect = client.ask_dialect().await?;
            warn_of_insecure(client, target, around.events);
            dialect
        }
        (false, Some(_)) => Dialect::Gitea,
        (false, None) => client.ask_dialect().await?,
    };
    let job = job(settings, target, naming(settings, target, (login, dialect))?);
    let spools = spools(settings.transfer.tmp_dir.as_ref(), around.environment);
    let index = index(settings.transfer.cache, around.environment);
    let told = Told {
        spools: spools.clone(),
        index: Arc::clone(&index),
        selection: &job.selection,
        nodes: &job.node_platforms,
        registry: Some(target.origin.in_references()),
    };
    let places = sources::places(&settings.search, around.environment, told)?;
    let world = World {
        index,
        sources: sources::opened(&settings.search, &places),
        reader: Arc::clone(client) as Arc<_>,
        writer: Arc::clone(client) as Arc<_>,
        spools,
    };
    Ok((job, world, places))
}

fn facts(target: &Target, tls: TlsFacts, login: &login::Found) -> Facts {
    Facts {
        cluster: target
            .asked
            .as_ref()
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
    settings: &Settings,
    target: &Target,
    trust: &trust::Chosen,
    (login, around): (&login::Found, Around<'_>),
) -> Options {
    let transfer = &settings.transfer;
    let own_only = login.is_cluster() || settings.tls == Tls::Insecure;
    let [http, https, all, no] = &around.environment.proxies;
    Options {
        origin: target.origin.clone(),
        trust: trust.trust.clone(),
        keychain: Arc::clone(&login.keychain),
        realms: if own_only { Realms::Own } else { Realms::SameDomain },
        trusted_realms: settings
            .trusted_realms
            .iter()
            .map(|pair| TrustedRealm { registry: pair.registry.clone(), realm: pair.realm.clone() })
            .collect(),
        policy: Policy {
            retries: transfer.retries,
            max_wait: transfer.retry_max_wait,
            stall: transfer.stall_timeout,
        },
        dialect: target.cluster().map(|_| Dialect::Gitea),
        chunk: transfer.chunk.map(Into::into),
        body_limit: target.cluster().and_then(|cluster| cluster.body_limit),
        proxies: Proxies::new(http, https, all, no),
        addresses: settings
            .resolve
            .iter()
            .map(|one| {
                let meant = Origin::new(Scheme::Https, &one.host, one.port).connected();
                Pinned { host: meant.host().to_owned(), port: one.port, address: one.address }
            })
            .collect(),
        rebind: match settings.tls {
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

fn naming(
    settings: &Settings,
    target: &Target,
    (login, dialect): (&login::Found, Dialect),
) -> Result<Naming, Fault> {
    let names = settings.names.clone();
    let owner = match names.owner.or_else(|| target.path.clone()) {
        Some(owner) => Owner::Named(owner),
        // Gitea and Docker Hub have no repositories without an owner.
        None if dialect == Dialect::Gitea || target.origin.is_docker_hub() => {
            let user = login.username.clone().or_else(|| target.owner());
            Owner::User(user.ok_or(LocalError::NoOwner)?)
        }
        None => Owner::None,
    };
    Ok(Naming {
        registry: RegistryHost(target.origin.in_references()),
        owner,
        path: names.path,
        rules: if dialect == Dialect::Gitea { NameRules::Gitea } else { NameRules::Oci },
        rename: names.rename,
        tags: names.tags,
    })
}

fn job(settings: &Settings, target: &Target, naming: Naming) -> Job {
    Job {
        naming,
        selection: settings.selection.clone(),
        compression: settings.compression,
        existing: settings.existing,
        stop: settings.stop,
        on_failure: settings.on_failure,
        limits: Limits {
            jobs: settings.transfer.jobs,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        },
        node_platforms: target.cluster().map(|cluster| cluster.nodes.clone()).unwrap_or_default(),
    }
}

/// The places where images are looked for, by a command that asks no cluster.
///
/// # Errors
/// When patterns for file names are too many or too large together.
pub(super) fn sources(
    settings: &ListSettings,
    environment: &Environment,
) -> Result<Vec<Arc<dyn Source>>, Fault> {
    let told = Told {
        spools: spools(None, environment),
        index: index(Cache::Used, environment),
        selection: &Selection::Present,
        nodes: &[],
        registry: match &settings.place {
            Place::Given(given) => Some(given.origin.in_references()),
            Place::Cluster => None,
        },
    };
    let places = sources::places(&settings.search, environment, told)?;
    Ok(sources::opened(&settings.search, &places))
}

/// Not the folder for temporary files, since that is memory on many machines.
fn spools(given: Option<&PathBuf>, environment: &Environment) -> SpoolDir {
    let folder = given.cloned().or_else(|| cache(environment));
    SpoolDir::new(folder.unwrap_or_else(|| "/var/tmp".into()))
}

fn index(wanted: Cache, environment: &Environment) -> Arc<dyn PackIndex> {
    match cache(environment).filter(|_| wanted == Cache::Used) {
        Some(folder) => Arc::new(CacheFolder::new(folder)),
        None => Arc::new(NoCache),
    }
}

/// The user's own folder for what can be made again. Without a home there is none.
fn cache(environment: &Environment) -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    environment.home.as_ref()?;
    let native = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(native.cache_dir().join("idpbuilder-push"))
}
