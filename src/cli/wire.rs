//! Where steps and adapters are joined: nothing else in the command line makes an adapter.

use std::path::PathBuf;
use std::sync::Arc;

mod cluster_login;
mod examine;
mod login;
mod offers;
mod place;
mod prune;
mod reach;
mod sources;
mod trust;

use super::environment::Environment;
use super::facts::Facts;
use super::failure::{Fault, LocalError};
use super::settings::{Cache, ListSettings, Names, Place, Settings, VerifySettings};
use super::value::CompressionChoice;
use crate::cache::{CacheFolder, SessionFolder};
use crate::content::SpoolDir;
use crate::event::Events;
use crate::job::{Compression, Job, Limits, Reuse, Selection, World};
use crate::pack::Encoder;
use crate::plan::{NameRules, Naming, Owner, RegistryHost};
use crate::port::{NoCache, PackIndex, SessionJournal, Source, Watched};
use crate::registry::{Dialect, RegistryClient};
use crate::source::{self, EngineImages, EngineKind, Places, Spec};
use crate::verify::{Check, HeldReference};
pub(super) use cluster_login::cluster_login;
pub(super) use examine::{Examined, examine};
pub(super) use offers::{contexts, image_names};
use place::Target;
pub(super) use prune::{Pruner, pruner};
pub(super) use reach::{Around, Reached, Unconnected, reach};
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

/// Finds the registry, its trust and the login, and makes the sources.
///
/// # Errors
/// When no registry is known, a source of credentials that was chosen is broken, or the registry does
/// not say what it is.
pub(super) async fn connect(settings: &Settings, around: Around<'_>) -> Result<Connected, Unconnected> {
    let reached = reach(&settings.reach, settings.names.owner.as_deref(), around).await?;
    connected(settings, reached, around).map_err(|unconnected| *unconnected)
}

/// The same for looking at what is in the registry. Words that name an image of the registry are looked
/// at there, and nowhere else.
///
/// # Errors
/// As `connect`.
pub(super) async fn connect_to_verify(
    settings: &mut VerifySettings,
    around: Around<'_>,
) -> Result<(Connected, Check), Unconnected> {
    let VerifySettings { push: settings, depth } = settings;
    let reached = reach(&settings.reach, settings.names.owner.as_deref(), around).await?;
    let registry = RegistryHost(reached.target.origin.in_references());
    let mut references = Vec::new();
    settings.search.sources.retain(|spec| match spec {
        Spec::Engine { reference, kind: EngineKind::Any } => {
            HeldReference::read(reference, &registry).map(|held| references.push(held)).is_none()
        }
        _ => true,
    });
    let check = Check { references, depth: *depth, content: Arc::clone(&reached.client) as Arc<_> };
    let connected = connected(settings, reached, around).map_err(|unconnected| *unconnected)?;
    Ok((connected, check))
}

fn connected(
    settings: &Settings,
    reached: Reached,
    around: Around<'_>,
) -> Result<Connected, Box<Unconnected>> {
    let joined = joined(settings, &reached, around);
    let facts = reached.facts_by_now();
    match joined {
        Ok((job, world, places)) => Ok(Connected { job, world, facts, client: reached.client, places }),
        Err(fault) => Err(Box::new(Unconnected { fault, facts: Some(facts) })),
    }
}

fn joined(settings: &Settings, reached: &Reached, around: Around<'_>) -> Result<(Job, World, Places), Fault> {
    let Reached { client, target, login, dialect, .. } = reached;
    let names = settings.names.clone();
    // References of the registry have their owner in them.
    let unnamed = settings.search.sources.is_empty();
    let owner = if unnamed { Owner::Unknown } else { owner(&names, target, login, *dialect)? };
    let job = job(settings, target, naming(names, owner, target, *dialect));
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

/// What images go below where nothing else is said.
fn owner(
    names: &Names,
    target: &Target,
    login: &login::Found,
    dialect: Dialect,
) -> Result<Owner, LocalError> {
    match names.owner.clone().or_else(|| target.path.clone()) {
        Some(owner) => Ok(Owner::Named(owner)),
        // Gitea and Docker Hub have no repositories without an owner.
        None if dialect == Dialect::Gitea || target.origin.is_docker_hub() => {
            let user = login.username.clone().or_else(|| target.owner());
            user.map(Owner::User).ok_or(LocalError::NoOwner)
        }
        None => Ok(Owner::None),
    }
}

fn naming(names: Names, owner: Owner, target: &Target, dialect: Dialect) -> Naming {
    Naming {
        registry: RegistryHost(target.origin.in_references()),
        owner,
        path: names.path,
        rules: if dialect == Dialect::Gitea { NameRules::Gitea } else { NameRules::Oci },
        rename: names.rename,
        tags: names.tags,
    }
}

fn job(settings: &Settings, target: &Target, naming: Naming) -> Job {
    Job {
        naming,
        selection: settings.selection.clone(),
        compression: match (settings.compression, target.cluster()) {
            (CompressionChoice::These(compression), _) => compression,
            // Its nodes run a containerd that reads it.
            (CompressionChoice::Auto, Some(_)) => Compression::Pack(Encoder::ZSTD),
            (CompressionChoice::Auto, None) => Compression::default(),
        },
        existing: settings.existing,
        reuse: match settings.transfer.cache {
            Cache::Used => Reuse::Known,
            Cache::Off => Reuse::Nothing,
        },
        stop: settings.stop,
        on_failure: settings.on_failure,
        limits: Limits { jobs: settings.transfer.jobs, ..Limits::default() },
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
    let places = Places {
        engine_images: EngineImages::Outline,
        ..sources::places(&settings.search, environment, told)?
    };
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

fn journal(wanted: Cache, environment: &Environment) -> Arc<dyn SessionJournal> {
    match cache(environment).filter(|_| wanted == Cache::Used) {
        Some(folder) => Arc::new(SessionFolder::new(&folder)),
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
