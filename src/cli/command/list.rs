use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use super::stage::Stage;
use super::{Start, number, on_runtime, refuse, shown};
use crate::cli::args::ListArgs;
use crate::cli::failure::{Class, Failure, Fault, explain, whole};
use crate::cli::output::{Listed, answer, image_list, list_names, list_table};
use crate::cli::screen::{self, Ink, Screen};
use crate::cli::settings::{ListSettings, Notice, Output, Place, Surroundings, View};
use crate::cli::stop::{Reason, Stop};
use crate::cli::word::Disk;
use crate::cli::{logging, wire};
use crate::event::{Event, Events};
use crate::job::RunError;
use crate::plan::{NameRules, Naming, Owner, PlanError, RegistryHost, Target};
use crate::port::{Content, Found, FoundImage, ImageTree, Outline, Source, SourceError};

/// Shows what a push would take, and what it would be called. Asks neither registry nor cluster.
pub(in crate::cli) fn list(args: ListArgs, start: &Start) -> ExitCode {
    let words = shown(&args.sources, &args.search);
    let view = View::of(args.view, &start.environment, start.stderr);
    let ink = Ink::new(view.colour);
    let around = Surroundings { environment: &start.environment, probe: &Disk, stdin: &mut io::empty() };
    let prepared = ListSettings::of(args, &around)
        .map_err(Fault::Usage)
        .and_then(|settings| Ok((wire::sources(&settings, &start.environment)?, settings)));
    let (sources, settings) = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => return refuse(&fault, &start.scene(&words), &view),
    };
    let (paper, logs) = screen::terminal(view.progress);
    logging::begin(&view, ink, &logs);
    let (stage, events) = Stage::new(Screen::new(paper, ink, view.detail));
    match on_runtime(run(&sources, &settings, stage, events)) {
        Ok((screen, ended)) => conclude(screen, ended, view.output, &start.scene(&words)),
        Err(error) => refuse(&Fault::Local(error), &start.scene(&words), &view),
    }
}

/// What was found, what failed, and whether a signal came before the end.
struct Ended {
    images: Vec<Listed>,
    faults: Vec<Fault>,
    stopped: Option<Class>,
}

async fn run(
    sources: &[Arc<dyn Source>],
    settings: &ListSettings,
    stage: Stage,
    events: Events,
) -> (Screen, Ended) {
    for notice in &settings.notices {
        match notice {
            Notice::Note(text) => events.note(text),
            Notice::Warning(text) => events.warn(text),
        }
    }
    let stop = Stop::listen(None, events.clone());
    let (mut ended, stage) = stage
        .during(async {
            tokio::select! {
                ended = search(sources, settings, &events) => ended,
                () = stop.asked.cancelled() => Ended { images: Vec::new(), faults: Vec::new(), stopped: None },
            }
        })
        .await;
    ended.stopped = stop.reason().map(Reason::class);
    (stage.screen, ended)
}

async fn search(sources: &[Arc<dyn Source>], settings: &ListSettings, events: &Events) -> Ended {
    let naming = naming(settings);
    let mut ended = Ended { images: Vec::new(), faults: Vec::new(), stopped: None };
    for source in sources {
        match source.find(events).await {
            Ok(found) => take(found, &naming, events, &mut ended),
            Err(error) => ended.faults.push(error.into()),
        }
    }
    ended
}

fn take(found: Found, naming: &Naming, events: &Events, ended: &mut Ended) {
    for skipped in found.skipped {
        events.emit(Event::Skipped(skipped));
    }
    ended.faults.extend(found.failed.into_iter().map(|(_, error)| Fault::from(error)));
    let unread = found.outlines.into_iter().map(|outline| (outline, None));
    for (outline, digest) in found.images.into_iter().map(outlined).chain(unread) {
        match naming.named(&outline.suggested, &outline.fallback) {
            Ok(named) => {
                for note in outline.notes.iter().chain(&named.notes) {
                    events.note(note);
                }
                let targets = named.targets.iter();
                ended.images.extend(targets.map(|target| listed(&outline, digest.clone(), target, naming)));
            }
            Err(error) => ended.faults.push(RunError::Plan(PlanError::Target(error)).into()),
        }
    }
}

/// Stands in references where only the cluster knows the registry.
const REGISTRY: &str = "<registry>";
/// What naming writes for an owner that is not known.
const UNKNOWN_OWNER: &str = "owner/";

fn naming(settings: &ListSettings) -> Naming {
    let names = settings.names.clone();
    let (registry, path, rules) = match &settings.place {
        Place::Cluster => (REGISTRY.to_owned(), None, NameRules::Gitea),
        Place::Given(given) => {
            (given.origin.in_references(), given.path.as_ref().map(ToString::to_string), NameRules::Oci)
        }
    };
    Naming {
        registry: RegistryHost(registry),
        owner: names.owner.or(path).map_or(Owner::Unknown, Owner::Named),
        path: names.path,
        rules,
        rename: names.rename,
        tags: names.tags,
    }
}

fn listed(outline: &Outline, digest: Option<String>, target: &Target, naming: &Naming) -> Listed {
    let repository = target.repository.as_str();
    let whole = naming.rename.as_ref().is_some_and(|rename| rename.name.contains('/'));
    let repository = match repository.strip_prefix(UNKNOWN_OWNER) {
        Some(below) if naming.owner == Owner::Unknown && !whole => format!("<owner>/{below}"),
        _ => repository.to_owned(),
    };
    Listed {
        source: outline.source.to_string(),
        reference: format!("{}/{repository}:{}", target.registry.0, target.tag),
        digest,
        platforms: outline.platforms.clone(),
        size: outline.size,
        layers: outline.layers,
    }
}

/// An image that was read, with its digest where that is known.
fn outlined(image: FoundImage) -> (Outline, Option<String>) {
    let (digest, size, layers) = content(&image.content);
    let FoundImage { source, suggested, fallback, platforms, notes, content: _ } = image;
    let (size, layers) = (Some(size), Some(layers));
    (Outline { source, suggested, fallback, platforms, notes, size, layers }, digest)
}

/// Digest, bytes and layers, as far as they are known without packing.
fn content(content: &Content) -> (Option<String>, u64, usize) {
    match content {
        Content::Exact(tree) => {
            let (size, layers) = weight(tree);
            (Some(tree.manifest.digest().to_string()), size, layers)
        }
        Content::Unpacked { config, layers, .. } => {
            let packed: u64 = layers.iter().map(|layer| layer.blob.len()).sum();
            (None, packed.saturating_add(config.len() as u64), layers.len())
        }
    }
}

/// A manifest's first blob is its configuration.
fn weight(tree: &ImageTree) -> (u64, usize) {
    let blobs: u64 = tree.blobs.iter().map(|(descriptor, _)| descriptor.size()).sum();
    let own = tree.blobs.len().saturating_sub(1);
    tree.children
        .iter()
        .map(|child| weight(child))
        .fold((blobs, own), |(size, layers), (more, others)| (size.saturating_add(more), layers + others))
}

fn conclude(
    mut screen: Screen,
    ended: Ended,
    output: Output,
    scene: &crate::cli::failure::Scene<'_>,
) -> ExitCode {
    let Ended { images, mut faults, stopped } = ended;
    if images.is_empty() && faults.is_empty() && stopped.is_none() {
        faults.push(SourceError::NothingFound { path: ".".into(), skipped: Vec::new() }.into());
    }
    let mut failures: Vec<Failure> = faults.iter().map(|fault| explain(fault, scene)).collect();
    let class = stopped.or_else(|| whole(&failures));
    let text = match output {
        Output::Document(form) => image_list(&images, &failures, number(class), form),
        Output::Table if images.is_empty() => String::new(),
        Output::Table => list_table(&images),
        Output::Name => list_names(&images),
    };
    let written = answer(&mut io::stdout(), &text);
    failures.extend(written.err().map(|error| explain(&Fault::Local(error), scene)));
    let exit_code = number(class.or_else(|| whole(&failures)));
    screen.finished(&failures, None, exit_code);
    ExitCode::from(exit_code)
}

#[cfg(test)]
mod tests;
