use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use serde::Deserialize;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use super::address::Address;
use super::client::address;
use super::platform;
use super::request::{MESSAGE_LIMIT, RequestError, get};
use super::select::Chosen;
use crate::content::{Blob, ContentError, FileRange, SourceFile, Spool, SpoolDir};
use crate::event::Events;
use crate::oci::Platform;
use crate::port::{FoundImage, SourceError};
use crate::source::archive;
use crate::source::names::{answers_to, tagged};
use crate::source::oci_images::Ask;
use crate::source::shown::{chain, shown};
use crate::source::spec::ArchiveKind;

/// Without a byte of an export: an engine may write all of it to its own disk before it sends the first.
const EXPORT_PATIENCE: Duration = Duration::from_mins(10);
/// From this size on, in bytes, an export takes long enough to be told of.
const LARGE: u64 = 64 * 1024 * 1024;
/// An export is written in parts of this many bytes.
const PART: usize = 1024 * 1024;
/// Where an engine's error may stand, in bytes from the end.
const TAIL: u64 = 64 * 1024;
/// Places where that error may begin.
const MAX_BEGINNINGS: usize = 16;

/// What an export is read for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// What messages call the image: `docker-daemon:web:dev`.
    pub(super) shown: String,
    /// The platform that was asked for.
    pub(super) platform: Option<Platform>,
    /// Platforms of an image that is not whole, the best first.
    pub(super) preferred: Vec<Platform>,
    pub(super) spools: SpoolDir,
    pub(super) events: Events,
}

/// Exports the image into a spool, and reads that as the archive that it is.
///
/// # Errors
/// `Engine` when the export fails, `Content` when the spool does, and what archives are refused for.
pub(super) async fn export(chosen: &Chosen, wanted: &Wanted) -> Result<FoundImage, SourceError> {
    let engine = chosen.endpoint.name.clone();
    let failed = |reason: String| SourceError::Engine { engine: engine.clone(), reason };
    let refused = |reason: String| SourceError::EngineRefused { engine: engine.clone(), reason };
    announce(chosen, wanted);
    let (spools, size) = (wanted.spools.clone(), chosen.here.image.size);
    let room = spawn_blocking(move || spools.check_room(size.unwrap_or_default())).await;
    room.map_err(|error| failed(error.to_string()))??;
    let address = address(&chosen.endpoint).map_err(|silence| failed(silence.to_string()))?;
    // By id, so that it is the image that was looked at, whatever its name leads to by now. By a
    // repository's name alone an engine would export all its tags.
    let id = chosen.here.image.id.as_ref().map(ToString::to_string);
    let exported = id.unwrap_or_else(|| tagged(&chosen.here.name));
    let platform = platform::exported(&chosen.here.image, wanted)?;
    let path = format!("/images/{exported}/get{}", platform.map(platform::query).unwrap_or_default());
    let spool = receive_twice(address, &path, &wanted.spools).await;
    let spool = spool.map_err(|error| error.into_source_error(&failed, &refused))?;
    let wanted = wanted.clone();
    let read = spawn_blocking(move || {
        let path = PathBuf::from(&wanted.shown);
        let file = spool.finish_file(&path)?;
        let ask = Ask {
            path: &path,
            wanted: None,
            platform: wanted.platform.as_ref(),
            preferred: &wanted.preferred,
        };
        Ok::<_, SourceError>(
            archive::images(&file, ArchiveKind::Any, &ask).map_err(|error| (error, last_words(&file))),
        )
    });
    let read = read.await.map_err(|error| failed(error.to_string()))??;
    let read = read.map_err(|(error, words)| words.map_or(error, &refused))?;
    let mut images = read.images;
    if images.len() > 1 {
        images.retain(|image| image.suggested.iter().any(|name| answers_to(name, &chosen.here.name)));
    }
    match (images.pop(), images.len()) {
        (Some(mut image), 0) => {
            image.notes.extend(platform.map(|platform| platform::note(&chosen.here.image, platform)));
            Ok(image)
        }
        (last, more) => {
            let count = more + usize::from(last.is_some());
            Err(refused(format!("its export holds {count} images of this name")))
        }
    }
}

/// Behind what was exported, when that could not go on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastWords {
    error_detail: Option<ErrorDetail>,
    error: String,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: String,
}

/// What Docker says when it fails in the middle of an export: its answer has begun as if all were well, and
/// ends so, too. Not more than the last 64 KiB are looked at.
fn last_words(file: &Arc<SourceFile>) -> Option<String> {
    let start = file.len().saturating_sub(TAIL);
    let tail = FileRange::new(Arc::clone(file), start, file.len() - start).ok()?;
    let tail = Blob::Range(tail).read_all(TAIL).ok()?;
    let tail = tail.trim_ascii_end();
    let words = (0..tail.len())
        .rev()
        .filter_map(|at| tail.get(at..).filter(|rest| rest.starts_with(b"{\"error")))
        .take(MAX_BEGINNINGS)
        .find_map(|rest| serde_json::from_slice::<LastWords>(rest).ok())?;
    let message = words.error_detail.map_or(words.error, |detail| detail.message);
    Some(shown(message.trim()).chars().take(MESSAGE_LIMIT).collect())
}

/// Of a large image nothing is seen for a while.
fn announce(chosen: &Chosen, wanted: &Wanted) {
    let size = chosen.here.image.size.filter(|size| *size >= LARGE);
    if let Some(size) = size {
        let mib = size / (1024 * 1024);
        wanted.events.note(format!(
            "{} is read from the engine at {} ({mib} MiB)",
            wanted.shown, chosen.endpoint.name
        ));
    }
}

/// Why an export did not arrive.
enum ExportError {
    Engine(RequestError),
    Broken(hyper::Error),
    Stalled,
    Spool(ContentError),
    Thread(JoinError),
}

impl ExportError {
    fn into_source_error(
        self,
        failed: &dyn Fn(String) -> SourceError,
        refused: &dyn Fn(String) -> SourceError,
    ) -> SourceError {
        match self {
            Self::Engine(RequestError::Refused { message, .. }) => refused(message),
            Self::Engine(error) => failed(chain(&error)),
            Self::Broken(error) => failed(format!("the export broke off: {}", chain(&error))),
            Self::Stalled => failed(format!("it sent nothing for {} seconds", EXPORT_PATIENCE.as_secs())),
            Self::Spool(error) => error.into(),
            Self::Thread(error) => failed(error.to_string()),
        }
    }
}

/// An export that breaks off cannot be gone on with, and is asked for once more: the engine was perhaps
/// started anew.
async fn receive_twice(address: &Address, path: &str, spools: &SpoolDir) -> Result<Spool, ExportError> {
    match receive(address, path, spools).await {
        Err(ExportError::Broken(error)) => {
            tracing::warn!(error = chain(&error), "an export broke off and is asked for once more");
            receive(address, path, spools).await
        }
        received => received,
    }
}

async fn receive(address: &Address, path: &str, spools: &SpoolDir) -> Result<Spool, ExportError> {
    let body = get(address, path, EXPORT_PATIENCE).await;
    let mut body = body.map_err(ExportError::Engine)?;
    let mut spool = spools.spool();
    let mut part = Vec::with_capacity(PART);
    loop {
        let frame = timeout(EXPORT_PATIENCE, body.frame()).await.map_err(|_| ExportError::Stalled)?;
        let last = frame.is_none();
        if let Some(frame) = frame {
            let bytes = frame.map_err(ExportError::Broken)?.into_data().unwrap_or_default();
            part.extend_from_slice(&bytes);
        }
        if last || part.len() >= PART {
            (spool, part) = write(spool, part, spools.path().to_owned()).await?;
        }
        if last {
            return Ok(spool);
        }
    }
}

/// Writes a part where blocking does not hold up the others, and gives the buffer back.
async fn write(mut spool: Spool, mut part: Vec<u8>, dir: PathBuf) -> Result<(Spool, Vec<u8>), ExportError> {
    let written = spawn_blocking(move || {
        spool.write_all(&part).map(|()| {
            part.clear();
            (spool, part)
        })
    });
    let written = written.await.map_err(ExportError::Thread)?;
    written.map_err(|source| ExportError::Spool(ContentError::Spool { dir, source }))
}
