//! What was meant: flags and environment joined, every choice an enum, every number checked.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use globset::Glob;

mod doctor;
mod login;
mod place;
mod prune;
mod reach;
mod verify;
mod view;
mod watch;

pub(super) use doctor::DoctorSettings;
pub(super) use login::{Given, GivenKind, Login};
pub(super) use place::{GivenRegistry, Place, Tls};
pub(super) use prune::{Company, Consent, PruneSettings};
pub(super) use reach::{Reach, Requests, requests};
pub(super) use verify::VerifySettings;
pub(super) use view::{Colour, Detail, Form, LogFormat, Output, Progress, Stderr, View};
pub(super) use watch::watched;

use super::args::{
    ContentArgs, ListArgs, ModeArgs, NameArgs, PushArgs, SearchArgs, SourceArgs, TransferArgs,
};
use super::environment::Environment;
use super::usage::UsageError;
use super::value::{CompressionChoice, PlatformChoice};
use super::word::{self, Probe};
use crate::job::{Existing, OnFailure, Selection, StopAfter};
use crate::oci::Tag;
use crate::plan::{PathPart, Rename};
use crate::source::Spec;

/// A push or its dry run, as it was meant. `wire` joins the adapters from it.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) search: Search,
    pub(super) reach: Reach,
    pub(super) names: Names,
    pub(super) selection: Selection,
    pub(super) compression: CompressionChoice,
    pub(super) existing: Existing,
    pub(super) stop: StopAfter,
    pub(super) on_failure: OnFailure,
    pub(super) transfer: Transfer,
    /// Said before anything else.
    pub(super) notices: Vec<Notice>,
}

/// What `list` was asked for.
#[derive(Debug)]
pub(super) struct ListSettings {
    pub(super) search: Search,
    pub(super) place: Place,
    pub(super) names: Names,
    pub(super) notices: Vec<Notice>,
}

/// Where images are looked for.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) sources: Vec<Spec>,
    /// Empty: everything.
    pub(super) include: Vec<Glob>,
    pub(super) exclude: Vec<Glob>,
    /// Folders below the one that is searched.
    pub(super) max_depth: usize,
    pub(super) links: Links,
}

/// Whether symbolic links may lead out of a folder or layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Stay,
    Follow,
}

#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) owner: Option<String>,
    pub(super) path: PathPart,
    pub(super) rename: Option<Rename>,
    pub(super) tags: Vec<Tag>,
}

#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) jobs: NonZeroUsize,
    pub(super) tmp_dir: Option<PathBuf>,
    pub(super) cache: Cache,
}

/// Whether what packing made before is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Used,
    Off,
}

/// Something that the user should know before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    Note(String),
    Warning(String),
}

/// What settings are made from, beside the arguments.
pub(super) struct Surroundings<'a> {
    pub(super) environment: &'a Environment,
    pub(super) probe: &'a dyn Probe,
    pub(super) stdin: &'a mut dyn std::io::Read,
}

impl Settings {
    /// Joins what was typed with the environment; a flag goes before it.
    ///
    /// # Errors
    /// For contradictions, half a login, and sources that are none.
    pub(super) fn of(args: PushArgs, around: &mut Surroundings<'_>) -> Result<Self, UsageError> {
        let mut notices = Vec::new();
        let search = search(&args.sources, args.search, around, &mut notices)?;
        if args.reach.login.password_stdin && search.sources.contains(&Spec::Stdin) {
            return Err(UsageError::StdinTwice);
        }
        let transfer = transfer(&args.transfer);
        let requests = Requests {
            chunk: args.transfer.chunk_size,
            journal: transfer.cache,
            ..requests(args.transfer.requests)
        };
        let reach = Reach::of(args.reach, requests, around, &mut notices)?;
        let names = names(args.names);
        check_one_owner(&reach.place, names.owner.as_deref())?;
        let ModeArgs { dry_run, force, fail_fast } = args.mode;
        let ContentArgs { platform, compression } = args.content;
        Ok(Self {
            search,
            reach,
            names,
            selection: match platform {
                PlatformChoice::All => Selection::Present,
                PlatformChoice::One(platform) => Selection::Only(*platform),
            },
            compression,
            existing: if force { Existing::Replace } else { Existing::Skip },
            stop: if dry_run { StopAfter::Plan } else { StopAfter::Push },
            on_failure: if fail_fast { OnFailure::Stop } else { OnFailure::Continue },
            transfer,
            notices,
        })
    }
}

impl ListSettings {
    /// # Errors
    /// As for a push.
    pub(super) fn of(args: ListArgs, around: &Surroundings<'_>) -> Result<Self, UsageError> {
        let mut notices = Vec::new();
        let all_tagged = args.search.all_tagged;
        let search = search(&args.sources, args.search, around, &mut notices)?;
        let place = place::named(args.registry, around.environment)?;
        if all_tagged && place == Place::Cluster {
            return Err(UsageError::AllTaggedWithoutRegistry);
        }
        let names = names(args.names);
        check_one_owner(&place, names.owner.as_deref())?;
        Ok(Self { search, place, names, notices })
    }
}

fn search(
    sources: &SourceArgs,
    args: SearchArgs,
    around: &Surroundings<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Search, UsageError> {
    let mut specs = Vec::new();
    for word in &sources.words {
        let meant = word::meant(word, around.probe)?;
        notices.extend(meant.note.map(Notice::Note));
        if !specs.contains(&meant.spec) {
            specs.push(meant.spec);
        }
    }
    specs.extend(args.from_manifests.into_iter().map(|path| Spec::Manifests { path }));
    if args.all_tagged {
        specs.push(Spec::AllTagged);
    }
    if specs.is_empty() {
        let folder = args.path.unwrap_or_else(|| PathBuf::from("."));
        specs.push(word::searched(&folder, around.environment.home.as_deref(), around.probe)?);
    }
    Ok(Search {
        sources: specs,
        include: globs(args.include)?,
        exclude: globs(args.exclude)?,
        max_depth: args.max_depth,
        links: if args.follow { Links::Follow } else { Links::Stay },
    })
}

fn globs(patterns: Vec<String>) -> Result<Vec<Glob>, UsageError> {
    patterns
        .into_iter()
        .map(|pattern| Glob::new(&pattern).map_err(|source| UsageError::Glob { pattern, source }))
        .collect()
}

fn names(args: NameArgs) -> Names {
    Names {
        owner: args.owner,
        path: if args.keep_path { PathPart::Whole } else { PathPart::Last },
        rename: args.rename,
        tags: args.tag,
    }
}

fn check_one_owner(place: &Place, owner: Option<&str>) -> Result<(), UsageError> {
    let (Place::Given(GivenRegistry { path: Some(path), .. }), Some(owner)) = (place, owner) else {
        return Ok(());
    };
    Err(UsageError::TwoOwners { owner: owner.to_owned(), path: path.to_string() })
}

fn transfer(args: &TransferArgs) -> Transfer {
    Transfer {
        jobs: args.jobs,
        tmp_dir: args.tmp_dir.clone(),
        cache: if args.no_cache { Cache::Off } else { Cache::Used },
    }
}

#[cfg(test)]
mod tests;
