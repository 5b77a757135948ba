use std::fs::File;
use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::cli::environment::Environment;
use crate::cli::failure::Fault;
use crate::cli::settings::{Links, Search};
use crate::cli::usage::UsageError;
use crate::content::SpoolDir;
use crate::job::Selection;
use crate::oci::Platform;
use crate::port::{PackIndex, Source};
use crate::source::{self, EngineSockets, Places, SearchRules, Spec};

/// What sources are told of the run.
pub(super) struct Told<'a> {
    pub(super) spools: SpoolDir,
    pub(super) index: Arc<dyn PackIndex>,
    pub(super) selection: &'a Selection,
    pub(super) nodes: &'a [Platform],
    /// Where it is known.
    pub(super) registry: Option<String>,
}

pub(super) fn opened(search: &Search, places: &Places) -> Vec<Arc<dyn Source>> {
    search.sources.iter().map(|spec| source::open(spec.clone(), places)).collect()
}

pub(super) fn places(search: &Search, environment: &Environment, told: Told<'_>) -> Result<Places, Fault> {
    Ok(Places {
        stdin: if search.sources.contains(&Spec::Stdin) { standard_input() } else { None },
        sockets: sockets(environment),
        learned: Arc::default(),
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
        registry: told.registry,
        ..Places::new(told.spools, told.index)
    })
}

/// Where engines may listen.
pub(super) fn sockets(environment: &Environment) -> EngineSockets {
    EngineSockets {
        docker_host: environment.docker_host.clone(),
        docker_context: environment.docker_context.clone(),
        docker_config: environment.docker_config.clone(),
        docker_certificates: environment.docker_certificates.clone(),
        container_host: environment.container_host.clone(),
        runtime_dir: environment.runtime_dir.clone(),
        home: environment.home.clone(),
    }
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
