use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::ImageInspect;
use bollard::query_parameters::ListImagesOptions;
use tokio::time::timeout;

use super::address::Address;
use super::sockets::{Endpoint, Engine};
use crate::oci::{Digest, Platform};
use crate::source::shown::{chain, shown};

/// To connect, and to be told what an image is.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What an engine says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// The digest of the configuration where layers are kept unpacked (graph drivers, Podman), that of the
    /// manifest or index in the containerd store.
    pub(super) id: Option<Digest>,
    /// From the lowest layer; of the engine's own platform where the image has several.
    pub(super) diff_ids: Vec<Digest>,
    pub(super) platform: Option<Platform>,
    pub(super) names: Vec<String>,
    pub(super) created: Option<String>,
    /// Bytes of its files, as far as the engine counts them.
    pub(super) size: Option<u64>,
}

/// An image that an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Here {
    /// The spelling that the engine knows it by.
    pub(super) name: String,
    pub(super) image: Image,
}

/// Why an engine could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Silence {
    NoSocket,
    /// Nobody listens there.
    NotRunning(String),
    Failed(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket => f.write_str("there is no such socket"),
            Self::NotRunning(reason) | Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl From<DockerError> for Silence {
    fn from(error: DockerError) -> Self {
        match io_kind(&error) {
            Some(io::ErrorKind::ConnectionRefused) => Self::NotRunning(said(&error)),
            Some(io::ErrorKind::PermissionDenied) => {
                Self::Failed(format!("{}; is this user in the group `docker`?", said(&error)))
            }
            _ => Self::Failed(said(&error)),
        }
    }
}

/// What the engine has under this name, tag, id or digest.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn look_up(endpoint: &Endpoint, reference: &str) -> Result<Option<Here>, Silence> {
    in_time(async {
        let client = connect(endpoint)?;
        let found = inspect(&client, reference.to_owned()).await?;
        if found.is_some() || has_host(reference) || !is_podman(&client, endpoint.engine).await {
            return Ok(found);
        }
        // What Podman builds is named `localhost/...`, but its Docker API looks for a short name on Docker
        // Hub.
        inspect(&client, format!("localhost/{reference}")).await
    })
    .await
}

async fn inspect(client: &Docker, name: String) -> Result<Option<Here>, Silence> {
    match client.inspect_image(&name).await {
        Ok(image) => Ok(Some(Here { name, image: image.into() })),
        // 400 is the answer to what can be no name; then it is no image either.
        Err(DockerError::DockerResponseServerError { status_code: 404 | 400, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The names of all images that the engine has.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn names(endpoint: &Endpoint) -> Result<Vec<String>, Silence> {
    in_time(async {
        let images = connect(endpoint)?.list_images(None::<ListImagesOptions>).await?;
        Ok(images.into_iter().flat_map(|image| image.repo_tags).collect())
    })
    .await
}

async fn in_time<T>(asked: impl Future<Output = Result<T, Silence>>) -> Result<T, Silence> {
    let silent = |_| Silence::Failed(format!("no answer within {} seconds", PATIENCE.as_secs()));
    timeout(PATIENCE, asked).await.map_err(silent)?
}

fn has_host(reference: &str) -> bool {
    reference.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
}

/// `DOCKER_HOST` and docker's socket may lead to Podman, too.
async fn is_podman(client: &Docker, engine: Engine) -> bool {
    if engine == Engine::Podman {
        return true;
    }
    let version = client.version().await.unwrap_or_default();
    version.components.into_iter().flatten().any(|component| component.name.contains("Podman"))
}

/// A client of the engine; nothing is sent yet. Requests carry no version: each engine takes them as its
/// own newest.
///
/// # Errors
/// When there is no socket, or the address or its TLS files are of no use.
pub(super) fn connect(endpoint: &Endpoint) -> Result<Docker, Silence> {
    let address = endpoint.address.as_ref().map_err(|reason| Silence::Failed(reason.clone()))?;
    let (seconds, version) = (PATIENCE.as_secs(), bollard::API_DEFAULT_VERSION);
    let client = match address {
        Address::Socket(path) => connect_socket(path)?,
        Address::Plain(authority) => Docker::connect_with_http(authority, seconds, version),
        Address::Tls { authority, files } => {
            Docker::connect_with_ssl(authority, &files.key, &files.cert, &files.ca, seconds, version)
        }
    };
    Ok(client?)
}

#[cfg(any(unix, windows))]
fn connect_socket(path: &Path) -> Result<Result<Docker, DockerError>, Silence> {
    if cfg!(unix) && path.symlink_metadata().is_err() {
        return Err(Silence::NoSocket);
    }
    let Some(text) = path.to_str() else {
        return Err(Silence::Failed("its path is not UTF-8".to_owned()));
    };
    Ok(Docker::connect_with_socket(text, PATIENCE.as_secs(), bollard::API_DEFAULT_VERSION))
}

#[cfg(not(any(unix, windows)))]
fn connect_socket(_: &Path) -> Result<Result<Docker, DockerError>, Silence> {
    Err(Silence::Failed("sockets are not supported on this system".to_owned()))
}

impl From<ImageInspect> for Image {
    fn from(found: ImageInspect) -> Self {
        let layers = found.root_fs.and_then(|root| root.layers).unwrap_or_default();
        Self {
            id: found.id.and_then(|id| id.parse().ok()),
            // One that is no digest makes the list useless, and so is none.
            diff_ids: layers.iter().map(|id| id.parse().ok()).collect::<Option<_>>().unwrap_or_default(),
            platform: platform(found.os, found.architecture, found.variant),
            names: found.repo_tags.unwrap_or_default(),
            created: found.created,
            size: found.size.and_then(|size| u64::try_from(size).ok()),
        }
    }
}

fn platform(os: Option<String>, architecture: Option<String>, variant: Option<String>) -> Option<Platform> {
    let named = |field: Option<String>| field.filter(|text| !text.is_empty());
    let (os, architecture) = (named(os)?, named(architecture)?);
    let mut platform = Platform::default();
    platform
        .set_os(os.as_str().into())
        .set_architecture(architecture.as_str().into())
        .set_variant(named(variant));
    Some(platform)
}

/// What an engine answered, as far as it is fit to be shown.
pub(super) fn said(error: &DockerError) -> String {
    let text = match error {
        DockerError::DockerResponseServerError { message, .. } if !message.is_empty() => shown(message),
        _ => chain(error),
    };
    text.chars().take(1024).collect()
}

fn io_kind(error: &DockerError) -> Option<io::ErrorKind> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}
