//! Where steps and adapters are joined: nothing else in the command line makes an adapter.

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};
use tokio_util::sync::CancellationToken;

mod login;
mod place;
mod trust;

use super::environment::Environment;
use super::facts::{AuthFacts, ClusterFacts, Facts, RegistryFacts};
use super::failure::{Fault, LocalError};
use super::settings::{Cache, Links, Search, Settings, Tls};
use super::usage::UsageError;
use crate::cache::{CacheFolder, NoCache};
use crate::content::{FilePool, SpoolDir};
use crate::event::Events;
use crate::job::{Job, Limits, Selection, World};
use crate::oci::Platform;
use crate::plan::{NameRules, Naming, Owner, RegistryHost};
use crate::port::{Origin, PackIndex, Scheme, Source};
use crate::registry::{
    Dialect, Options, Pinned, Policy, Proxies, Realms, Rebind, RegistryClient, TrustedRealm,
};
use crate::source::{self, EngineSockets, Places, SearchRules, Spec};
use place::Target;

/// Files that are kept open between reads.
const OPEN_FILES: usize = 64;

/// What a push runs with.
pub(super) struct Connected {
    pub(super) job: Job,
    pub(super) world: World,
    pub(super) facts: Facts,
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
pub(super) async fn connect(settings: &Settings, around: Around<'_>) -> Result<Connected, Fault> {
    let target = place::find(settings, around.events).await?;
    let trust = trust::of(settings, &target)?;
    let login = login::find(settings, &target, around).await?;
    let client = Arc::new(RegistryClient::new(options(settings, &target, &trust, (&login, around)))?);
    let dialect = match (settings.tls == Tls::Insecure, target.cluster()) {
        (true, _) => {
            let dialect = client.ask_dialect().await?;
            warn_of_insecure(&client, &target, around.events);
            dialect
        }
        (false, Some(_)) => Dialect::Gitea,
        (false, None) => client.ask_dialect().await?,
    };
    let job = job(settings, &target, naming(settings, &target, (&login, dialect))?);
    let spools = spools(settings.transfer.tmp_dir.as_ref(), around.environment);
    let told = Told { spools: spools.clone(), selection: &job.selection, nodes: &job.node_platforms };
    let places = places(&settings.search, around.environment, told)?;
    let index = index(settings, around.environment);
    let world = World {
        index,
        sources: opened(&settings.search, &places),
        reader: Arc::clone(&client) as Arc<_>,
        writer: client,
        spools,
    };
    let facts = Facts {
        cluster: target
            .asked
            .as_ref()
            .map(|cluster| ClusterFacts { name: cluster.name.clone(), context: cluster.context.clone() }),
        registry: RegistryFacts {
            host: target.origin.in_references(),
            address: None,
            tls: trust.facts,
            source: target.named_by.clone(),
            body_limit: target.cluster().and_then(|cluster| cluster.body_limit),
        },
        auth: AuthFacts { source: login.source, username: login.username },
    };
    Ok(Connected { job, world, facts })
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
        "the certificate of {} is not checked{}: whoever answers there gets the images and the login",
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

/// The places where images are looked for.
///
/// # Errors
/// When patterns for file names are too many or too large together.
pub(super) fn sources(search: &Search, environment: &Environment) -> Result<Vec<Arc<dyn Source>>, Fault> {
    let told = Told { spools: spools(None, environment), selection: &Selection::Present, nodes: &[] };
    let places = places(search, environment, told)?;
    Ok(opened(search, &places))
}

fn opened(search: &Search, places: &Places) -> Vec<Arc<dyn Source>> {
    search.sources.iter().map(|spec| source::open(spec.clone(), places)).collect()
}

/// What sources are told of the run.
struct Told<'a> {
    spools: SpoolDir,
    selection: &'a Selection,
    nodes: &'a [Platform],
}

fn places(search: &Search, environment: &Environment, told: Told<'_>) -> Result<Places, Fault> {
    Ok(Places {
        pool: FilePool::new(OPEN_FILES),
        spools: told.spools,
        stdin: if search.sources.contains(&Spec::Stdin) { standard_input() } else { None },
        sockets: EngineSockets {
            docker_host: environment.docker_host.clone(),
            docker_context: environment.docker_context.clone(),
            docker_config: environment.docker_config.clone(),
            docker_certificates: environment.docker_certificates.clone(),
            container_host: environment.container_host.clone(),
            runtime_dir: environment.runtime_dir.clone(),
            home: environment.home.clone(),
        },
        search: SearchRules {
            include: globs(&search.include)?,
            exclude: globs(&search.exclude)?,
            max_depth: search.max_depth,
            links: match search.links {
                Links::Stay => source::Links::Inside,
                Links::Follow => source::Links::Follow,
            },
        },
        platform: match told.selection {
            Selection::Present => None,
            Selection::Only(platform) => Some(platform.clone()),
        },
        preferred: told.nodes.to_vec(),
    })
}

/// The handle itself, since `std::io::Stdin` keeps some of the bytes for itself.
fn standard_input() -> Option<Arc<File>> {
    #[cfg(unix)]
    let handle = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let handle = std::os::windows::io::AsHandle::as_handle(&std::io::stdin()).try_clone_to_owned();
    handle.ok().map(|handle| Arc::new(File::from(handle)))
}

fn globs(globs: &[Glob]) -> Result<GlobSet, UsageError> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(glob.clone());
    }
    let pattern = || globs.iter().map(Glob::glob).collect::<Vec<_>>().join(" ");
    builder.build().map_err(|source| UsageError::Glob { pattern: pattern(), source })
}

/// Not the folder for temporary files, since that is memory on many machines.
fn spools(given: Option<&PathBuf>, environment: &Environment) -> SpoolDir {
    let folder = given.cloned().or_else(|| cache(environment));
    SpoolDir::new(folder.unwrap_or_else(|| "/var/tmp".into()))
}

fn index(settings: &Settings, environment: &Environment) -> Arc<dyn PackIndex> {
    match cache(environment).filter(|_| settings.transfer.cache == Cache::Used) {
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
