use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::ImageInspect;
use bollard::query_parameters::ListImagesOptions;
use futures_util::StreamExt;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use super::archive;
use super::names::{answers_to, tagged};
use super::near::near;
use super::oci_images::Ask;
use super::open::Places;
use super::shown::{chain, shown};
use super::spec::{ArchiveKind, EngineKind};
use crate::content::{ContentError, SourceFile, Spool, SpoolDir};
use crate::port::{Found, FoundImage, SourceError, SourceName, Suggested};

/// To connect, and to be told what an image is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Without a byte of an export: an engine may write all of it to its own disk before it sends the first.
const EXPORT_PATIENCE: Duration = Duration::from_mins(10);
/// An export is written in parts of this many bytes.
const PART: usize = 1024 * 1024;

const NO_SOCKET: &str = "there is no such socket";

/// Where engines listen; the command line reads it from the environment.
#[derive(Debug, Clone, Default)]
pub struct EngineSockets {
    /// `DOCKER_HOST`: where it is given, no other place is asked for Docker.
    pub docker_host: Option<String>,
    /// `CONTAINER_HOST`, the same for Podman.
    pub container_host: Option<String>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    pub home: Option<PathBuf>,
}

/// A place where an engine may listen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    engine: Engine,
    /// `unix:///var/run/docker.sock`, `tcp://127.0.0.1:2375`.
    address: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Docker,
    Podman,
}

impl Engine {
    fn scheme(self) -> &'static str {
        match self {
            Self::Docker => "docker-daemon",
            Self::Podman => "podman",
        }
    }
}

impl EngineSockets {
    fn endpoints(&self, kind: EngineKind) -> Vec<Endpoint> {
        let mut all = Vec::new();
        if kind != EngineKind::Podman {
            all.extend(self.docker());
        }
        if kind != EngineKind::Docker {
            all.extend(self.podman());
        }
        all
    }

    fn docker(&self) -> Vec<Endpoint> {
        let sockets = [
            Some(PathBuf::from("/var/run/docker.sock")),
            self.runtime_dir.as_ref().map(|dir| dir.join("docker.sock")),
            self.home.as_ref().map(|home| home.join(".docker/run/docker.sock")),
        ];
        endpoints(Engine::Docker, self.docker_host.as_deref(), sockets.into_iter().flatten())
    }

    fn podman(&self) -> Vec<Endpoint> {
        let sockets = [
            self.runtime_dir.as_ref().map(|dir| dir.join("podman/podman.sock")),
            Some(PathBuf::from("/run/podman/podman.sock")),
        ];
        endpoints(Engine::Podman, self.container_host.as_deref(), sockets.into_iter().flatten())
    }
}

fn endpoints(engine: Engine, given: Option<&str>, sockets: impl Iterator<Item = PathBuf>) -> Vec<Endpoint> {
    match given.filter(|given| !given.is_empty()) {
        Some(address) => vec![Endpoint { engine, address: address.to_owned() }],
        None => sockets
            .map(|socket| Endpoint { engine, address: format!("unix://{}", socket.display()) })
            .collect(),
    }
}

/// Exports an image of a local engine into a spool, and reads that as the archive that it is.
///
/// # Errors
/// `NotInEngine` with every place that was asked, `Engine` when the export fails.
pub(super) async fn find(reference: &str, kind: EngineKind, places: &Places) -> Result<Found, SourceError> {
    let (mut tried, mut failed, mut names) = (Vec::new(), Vec::new(), Vec::new());
    if !is_askable(reference) {
        tried.push("no engine was asked: this cannot be the name of an image".to_owned());
        return Err(SourceError::NotInEngine { reference: shown(reference), tried, near: Vec::new() });
    }
    for endpoint in places.sockets.endpoints(kind) {
        let address = shown(&endpoint.address);
        match look_up(&endpoint, reference).await {
            Ok(Answer::Here(image)) => {
                let mut found = export(&endpoint, reference, *image, places).await?;
                found.images.iter_mut().for_each(|image| image.notes.append(&mut failed));
                return Ok(found);
            }
            Ok(Answer::NotHere(others)) => {
                tried.push(format!("{address}: has no such image"));
                names.extend(others);
            }
            Err(reason) => {
                if reason != NO_SOCKET {
                    failed.push(format!("the engine at {address} could not be asked: {reason}"));
                }
                tried.push(format!("{address}: {reason}"));
            }
        }
    }
    let near = near(reference, names.into_iter());
    Err(SourceError::NotInEngine { reference: reference.to_owned(), tried, near })
}

/// An image that an engine has.
struct Inspected {
    client: Docker,
    /// The name that the engine knows it by.
    name: String,
    image: ImageInspect,
}

enum Answer {
    Here(Box<Inspected>),
    /// The names of the images that are there.
    NotHere(Vec<String>),
}

async fn look_up(endpoint: &Endpoint, reference: &str) -> Result<Answer, String> {
    let client = connect(&endpoint.address)?;
    let asked = timeout(PATIENCE, inspect(client, endpoint.engine, reference)).await;
    match asked {
        Ok(answer) => answer.map_err(|error| said(&error)),
        Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
    }
}

async fn inspect(client: Docker, engine: Engine, reference: &str) -> Result<Answer, DockerError> {
    let client = client.negotiate_version().await?;
    for name in spellings(engine, reference) {
        match client.inspect_image(&name).await {
            Ok(image) => return Ok(Answer::Here(Box::new(Inspected { client, name, image }))),
            // 400 is the answer to what can be no name; then it is no image either.
            Err(DockerError::DockerResponseServerError { status_code: 404 | 400, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    // The names only make the error better.
    let images = client.list_images(None::<ListImagesOptions>).await.unwrap_or_default();
    Ok(Answer::NotHere(images.into_iter().flat_map(|image| image.repo_tags).collect()))
}

/// What Podman builds is named `localhost/...`, but its Docker API looks for a short name on Docker Hub.
fn spellings(engine: Engine, reference: &str) -> Vec<String> {
    let mut all = vec![reference.to_owned()];
    let host =
        reference.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost");
    if engine == Engine::Podman && !host {
        all.push(format!("localhost/{reference}"));
    }
    all
}

fn connect(address: &str) -> Result<Docker, String> {
    let (scheme, rest) = match address.split_once("://") {
        Some(parts) => parts,
        None if address.starts_with('/') => ("unix", address),
        None => return Err("it is no address of the form scheme://place".to_owned()),
    };
    let seconds = PATIENCE.as_secs();
    let client = match scheme {
        "unix" => {
            if Path::new(rest).symlink_metadata().is_err() {
                return Err(NO_SOCKET.to_owned());
            }
            connect_socket(rest, seconds)?
        }
        "tcp" | "http" => Docker::connect_with_http(rest, seconds, bollard::API_DEFAULT_VERSION),
        other => return Err(format!("`{}` addresses are not supported", shown(other))),
    };
    client.map_err(|error| said(&error))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such socket, so the shape is a Result")]
fn connect_socket(path: &str, seconds: u64) -> Result<Result<Docker, DockerError>, String> {
    Ok(Docker::connect_with_unix(path, seconds, bollard::API_DEFAULT_VERSION))
}

#[cfg(not(unix))]
fn connect_socket(_: &str, _: u64) -> Result<Result<Docker, DockerError>, String> {
    Err("`unix` addresses are not supported on this system".to_owned())
}

async fn export(
    endpoint: &Endpoint,
    reference: &str,
    inspected: Inspected,
    places: &Places,
) -> Result<Found, SourceError> {
    let Inspected { client, name, image } = inspected;
    let failed = |reason: String| SourceError::Engine { engine: shown(&endpoint.address), reason };
    let shown_as = PathBuf::from(format!("{}:{reference}", endpoint.engine.scheme()));
    let by_id = is_id(reference, &image);
    // By a repository's name alone an engine exports all its tags.
    let exported = if by_id { name } else { tagged(&name) };
    let spool = receive(&client.with_timeout(EXPORT_PATIENCE), &exported, &places.spools).await;
    let spool = spool.map_err(|error| error.into_source_error(&failed))?;
    let (path, platform) = (shown_as.clone(), places.platform.clone());
    let read = spawn_blocking(move || {
        let file = spool.finish_file(&path)?;
        images(&file, &Ask { path: &path, wanted: None, platform: platform.as_ref() })
    });
    let mut found = read.await.map_err(|error| failed(error.to_string()))??;
    if found.images.len() > 1 {
        found.images.retain(|image| image.suggested.iter().any(|name| answers_to(name, reference)));
    }
    let count = found.images.len();
    let Some(mut found_image) = found.images.pop().filter(|_| count == 1) else {
        return Err(failed(format!("its export holds {count} images of this name")));
    };
    rename(&mut found_image, endpoint.engine, reference, by_id.then_some(&image));
    Ok(Found { images: vec![found_image], skipped: found.skipped })
}

fn images(file: &Arc<SourceFile>, ask: &Ask) -> Result<Found, SourceError> {
    archive::images(file, ArchiveKind::Any, ask)
}

/// The image has the one name that it was asked for by. An id is no name: the image's own first name is.
fn rename(found: &mut FoundImage, engine: Engine, reference: &str, by_id: Option<&ImageInspect>) {
    found.source = SourceName(format!("{}:{}", engine.scheme(), shown(reference)));
    found.suggested = match by_id {
        None => vec![Suggested::Reference(reference.to_owned())],
        Some(image) => {
            let tags = image.repo_tags.iter().flatten();
            tags.take(1).cloned().map(Suggested::Reference).collect()
        }
    };
    if by_id.is_some() {
        found.fallback = hex(reference).chars().take(12).collect();
    }
}

/// Whether an image was asked for by its id or the beginning of it.
fn is_id(reference: &str, image: &ImageInspect) -> bool {
    let wanted = hex(reference);
    let named =
        image.repo_tags.iter().flatten().any(|tag| answers_to(&Suggested::Reference(tag.clone()), reference));
    let id = image.id.as_deref().unwrap_or_default();
    !named && wanted.bytes().all(|b| b.is_ascii_hexdigit()) && hex(id).starts_with(wanted)
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

/// Why an export did not arrive.
enum ExportError {
    Engine(DockerError),
    Stalled,
    Spool(ContentError),
    Thread(JoinError),
}

impl ExportError {
    fn into_source_error(self, failed: &dyn Fn(String) -> SourceError) -> SourceError {
        match self {
            Self::Engine(error) => failed(said(&error)),
            Self::Stalled => failed(format!("it sent nothing for {} seconds", EXPORT_PATIENCE.as_secs())),
            Self::Spool(error) => error.into(),
            Self::Thread(error) => failed(error.to_string()),
        }
    }
}

async fn receive(client: &Docker, name: &str, spools: &SpoolDir) -> Result<Spool, ExportError> {
    let mut stream = pin!(client.export_image(name));
    let mut spool = spools.spool();
    let mut part = Vec::with_capacity(PART);
    loop {
        let chunk = timeout(EXPORT_PATIENCE, stream.next()).await.map_err(|_| ExportError::Stalled)?;
        let last = chunk.is_none();
        if let Some(chunk) = chunk {
            part.extend_from_slice(&chunk.map_err(ExportError::Engine)?);
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

/// What an engine answered, as far as it is fit to be shown.
fn said(error: &DockerError) -> String {
    chain(error).chars().take(1024).collect()
}
