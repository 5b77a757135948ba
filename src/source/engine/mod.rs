//! The local engines: Docker, Podman, and what speaks Docker's API like them.
//!
//! All places where one may listen are asked at once. The one that has the image exports it into a spool,
//! which is then an archive like any other. What is small of it is kept, by the image's id; the next time
//! the image is known without an export, which comes only if the registry lacks a layer after all.

mod address;
mod census;
mod client;
mod context;
mod export;
mod learned;
mod memory;
mod outline;
mod platform;
mod request;
mod select;
mod sockets;
mod tagged;
mod watch;

pub use census::{Engines, engines, image_names};
pub use learned::Learned;
pub use sockets::EngineSockets;
pub(super) use tagged::find_tagged;
pub(super) use watch::EngineWatch;

use std::sync::{Arc, mpsc};

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::names::answers_to;
use super::near::near;
use super::open::{EngineImages, Places};
use super::shown::{chain, shown};
use super::spec::EngineKind;
use crate::content::{ContentError, Deferred};
use crate::event::Events;
use crate::port::{Found, FoundImage, PackIndex, SourceError, SourceName, Suggested};
use client::{Image, Silence};
use export::Wanted;
use select::{Asked, Chosen};
use sockets::Endpoint;

/// The image of this name, tag, id or digest in a local engine.
///
/// # Errors
/// `NotInEngine` with every place that was asked, `SeveralEngines` for different images of one name,
/// `Engine` when the export fails.
pub(super) async fn find(
    reference: &str,
    kind: EngineKind,
    places: &Places,
    events: &Events,
) -> Result<Found, SourceError> {
    if !is_askable(reference) {
        return Err(not_askable(reference));
    }
    let asked = ask(reference, kind, places).await;
    let Some(chosen) = select::choose(reference, &asked)? else {
        return Err(not_in_engine(reference, &asked).await);
    };
    let wanted = wanted(reference, &chosen, places, events);
    let had = match places.learned.image(&chosen) {
        None => recall(&chosen, &wanted, places).await,
        had => had,
    };
    let image = match (had, places.engine_images) {
        (Some(image), _) => image,
        (None, EngineImages::Outline) => {
            let outlines = vec![outline::of(reference, chosen, &wanted)?];
            return Ok(Found { outlines, ..Found::default() });
        }
        (None, EngineImages::Export) => {
            remember(export::export(&chosen, &wanted).await?, &chosen, places).await
        }
    };
    places.learned.keep(&chosen, &image);
    Ok(Found { images: vec![named(image, reference, chosen)], ..Found::default() })
}

/// The image without an export, where one before told what it is.
async fn recall(chosen: &Chosen, wanted: &Wanted, places: &Places) -> Option<FoundImage> {
    let (image, index) = (chosen.here.image.clone(), Arc::clone(&places.index));
    let whole = deferred(chosen.clone(), wanted.clone(), Arc::clone(&index));
    let recalled = spawn_blocking(move || memory::recall(&image, &*index, &whole)).await.ok()??;
    Some(FoundImage {
        source: SourceName(wanted.shown.clone()),
        suggested: Vec::new(),
        fallback: String::new(),
        content: recalled.content,
        platforms: recalled.platforms,
        notes: Vec::new(),
    })
}

async fn remember(mut image: FoundImage, chosen: &Chosen, places: &Places) -> FoundImage {
    let Some(id) = chosen.here.image.id.clone() else { return image };
    let (before, index) = (image.clone(), Arc::clone(&places.index));
    let kept = spawn_blocking(move || {
        memory::remember(&mut image, &id, &*index);
        image
    });
    kept.await.unwrap_or(before)
}

/// The layers of an image, exported when the first of them is read. Readers are on threads of their own, so
/// that the export runs beside them on the runtime, and they wait at the channel.
fn deferred(chosen: Chosen, wanted: Wanted, index: Arc<dyn PackIndex>) -> Arc<Deferred> {
    let runtime = Handle::current();
    Deferred::new(wanted.shown.clone(), move |cancel| {
        let (sender, exported) = mpsc::channel();
        let (chosen, again, cancel) = (chosen.clone(), wanted.clone(), cancel.clone());
        runtime.spawn(async move {
            // Without a word the channel is closed.
            if let Some(image) = cancel.run_until_cancelled(Box::pin(export::export(&chosen, &again))).await {
                let _ = sender.send(image);
            }
        });
        let failed = |reason: String| ContentError::Fetch { name: wanted.shown.clone(), reason };
        match exported.recv() {
            Ok(Ok(image)) => {
                memory::correct(&image.content, &*index);
                Ok(memory::parts(&image.content))
            }
            Ok(Err(SourceError::Content(error))) => Err(error),
            Ok(Err(
                SourceError::Engine { engine, reason } | SourceError::EngineRefused { engine, reason },
            )) => Err(failed(format!("{engine}: {reason}"))),
            Ok(Err(error)) => Err(failed(chain(&error))),
            Err(_) => Err(failed("the run ended first".to_owned())),
        }
    })
}

async fn ask(reference: &str, kind: EngineKind, places: &Places) -> Vec<Asked> {
    let endpoints = places.learned.endpoints(kind, &places.sockets).await;
    let asked = endpoints.into_iter().map(|endpoint| async move {
        let question = Box::pin(client::look_up(&endpoint, reference));
        let answer = answered(&endpoint, places, question).await;
        Asked { endpoint, answer }
    });
    join_all(asked).await
}

/// What a place answers; one that was silent a moment ago is not asked.
async fn answered<T>(
    endpoint: &Endpoint,
    places: &Places,
    question: impl Future<Output = Result<T, Silence>>,
) -> Result<T, Silence> {
    if let Some(silence) = places.learned.silence(endpoint) {
        return Err(silence);
    }
    let answer = question.await;
    places.learned.heard(endpoint, &answer);
    answer
}

fn not_askable(reference: &str) -> SourceError {
    let tried = vec!["no engine was asked: this cannot be the name of an image".to_owned()];
    SourceError::NotInEngine { reference: shown(reference), tried, near: Vec::new() }
}

/// The names that the engines do have only make the error better.
async fn not_in_engine(reference: &str, asked: &[Asked]) -> SourceError {
    let answered = asked.iter().filter(|one| one.answer.is_ok());
    let names = join_all(answered.map(|one| client::names(&one.endpoint))).await;
    // A name that an engine shows and does not answer to is no help.
    let others = names.into_iter().flatten().flatten().filter(|name| name != reference);
    let near = near(reference, others);
    SourceError::NotInEngine { reference: reference.to_owned(), tried: select::tried(asked), near }
}

fn wanted(reference: &str, chosen: &Chosen, places: &Places, events: &Events) -> Wanted {
    let mut preferred = places.preferred.clone();
    // Without a cluster that says better, an image is wanted for where it was built or pulled.
    preferred.extend(chosen.here.image.platform.clone());
    Wanted {
        shown: format!("{}:{}", chosen.endpoint.engine.scheme(), shown(reference)),
        platform: places.platform.clone(),
        preferred,
        spools: places.spools.clone(),
        events: events.clone(),
    }
}

/// The image has the one name that it was asked for by. An id is no name: the image's own first name is.
fn named(mut found: FoundImage, reference: &str, chosen: Chosen) -> FoundImage {
    let image = &chosen.here.image;
    found.source = SourceName(format!("{}:{}", chosen.endpoint.engine.scheme(), shown(reference)));
    let fallback;
    (found.suggested, fallback) = names(reference, image);
    found.fallback = fallback.unwrap_or(found.fallback);
    found.notes.extend(chosen.notes);
    found
}

/// The names, and what stands for one where it was asked for by its id.
fn names(reference: &str, image: &Image) -> (Vec<Suggested>, Option<String>) {
    if is_id(reference, image) {
        let names = image.names.iter().take(1).cloned().map(Suggested::Reference).collect();
        return (names, Some(hex(reference).chars().take(12).collect()));
    }
    (vec![Suggested::Reference(reference.to_owned())], None)
}

/// Whether an image was asked for by its id or the beginning of it.
fn is_id(reference: &str, image: &Image) -> bool {
    let wanted = hex(reference);
    let named = image.names.iter().any(|name| answers_to(&Suggested::Reference(name.clone()), reference));
    let id = image.id.as_ref().map(crate::oci::Digest::digest).unwrap_or_default();
    !named && wanted.bytes().all(|b| b.is_ascii_hexdigit()) && id.starts_with(wanted)
}

fn hex(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// Whether a name can stand in the path of a request without meaning something else there.
fn is_askable(reference: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@+".contains(&b);
    !reference.is_empty()
        && reference.len() <= 1024
        && reference.bytes().all(allowed)
        && reference.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
