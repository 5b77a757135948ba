use std::fmt;
use std::io;
use std::time::Duration;

use futures_util::future::ready;
use futures_util::stream::{BoxStream, StreamExt as _, empty, once};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::address::Address;
use super::request::{RequestError, document, get};
use super::sockets::{Endpoint, Engine};
use crate::oci::{Digest, Platform};
use crate::source::shown::{chain, shown};

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
    /// Bytes of its files, where the engine keeps and counts them unpacked: its export is larger.
    pub(super) size: Option<u64>,
    /// What an index of the containerd store lists, where the engine says it.
    pub(super) listed: Vec<ListedPlatform>,
}

/// One image of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedPlatform {
    pub(super) platform: Option<Platform>,
    pub(super) availability: Availability,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Present,
    /// Listed only, as after a pull for one platform.
    Missing,
}

/// An image that an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Here {
    /// The spelling that the engine knows it by.
    pub(super) name: String,
    pub(super) image: Image,
}

/// A name of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tagged {
    pub(super) name: String,
    /// As the engine has it; only compared with what it said before.
    pub(super) id: String,
}

/// Events of images alone: `filters={"type":["image"]}`.
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22image%22%5D%7D";
/// Some engines begin their answer with the first event.
const QUIET: Duration = Duration::from_hours(24);

/// Why an engine could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Silence {
    NoSocket,
    /// Nobody listens there.
    NotRunning(String),
    /// It could not be reached, or did not answer in time.
    Failed(String),
    /// It answered, and not with what it was asked for.
    Refused(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket => f.write_str("there is no such socket"),
            Self::NotRunning(reason) | Self::Failed(reason) | Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl From<RequestError> for Silence {
    fn from(error: RequestError) -> Self {
        let said = chain(&error);
        match &error {
            RequestError::NoSocket => Self::NoSocket,
            RequestError::Connect(io) if io.kind() == io::ErrorKind::ConnectionRefused => {
                Self::NotRunning(said)
            }
            RequestError::Connect(io) if io.kind() == io::ErrorKind::PermissionDenied => {
                Self::Failed(format!("{said}; is this user in the group `docker`?"))
            }
            RequestError::Connect(_) | RequestError::Tls(_) | RequestError::Silent { .. } => {
                Self::Failed(said)
            }
            RequestError::Http(_)
            | RequestError::Request(_)
            | RequestError::Refused { .. }
            | RequestError::Document
            | RequestError::Json(_) => Self::Refused(said),
        }
    }
}

/// What the engine has under this name, tag, id or digest.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn look_up(endpoint: &Endpoint, reference: &str) -> Result<Option<Here>, Silence> {
    let address = address(endpoint)?;
    let found = inspect(address, reference.to_owned()).await?;
    if found.is_some() || has_host(reference) || !is_podman(address, endpoint.engine).await {
        return Ok(found);
    }
    // What Podman builds is named `localhost/...`, but its Docker API looks for a short name on Docker Hub.
    Ok(inspect(address, format!("localhost/{reference}")).await?)
}

/// The names of all images that the engine has.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn names(endpoint: &Endpoint) -> Result<Vec<String>, Silence> {
    Ok(tags(endpoint).await?.into_iter().map(|tag| tag.name).collect())
}

/// The names of all images that the engine has, and what they stand for.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn tags(endpoint: &Endpoint) -> Result<Vec<Tagged>, Silence> {
    let images: Vec<Listed> = document(address(endpoint)?, "/images/json").await?;
    let tags = images.into_iter().flat_map(|image| {
        let id = image.id.unwrap_or_default();
        let names = image.repo_tags.unwrap_or_default().into_iter();
        names.map(move |name| Tagged { name, id: id.clone() })
    });
    Ok(tags.collect())
}

/// What the engine tells of its images from now on: an item for each thing it says, which need not be a
/// whole event, and the end when the connection ends or is refused.
pub(super) fn events(endpoint: &Endpoint) -> Option<BoxStream<'static, ()>> {
    let address = address(endpoint).ok()?.clone();
    let answer = async move { get(&address, EVENTS, QUIET).await };
    let said = once(answer).flat_map(|answer| match answer {
        Ok(body) => body.into_data_stream().take_while(|said| ready(said.is_ok())).map(|_| ()).boxed(),
        Err(_) => empty().boxed(),
    });
    Some(said.boxed())
}

/// # Errors
/// Why the place cannot be asked at all.
pub(super) fn address(endpoint: &Endpoint) -> Result<&Address, Silence> {
    endpoint.address.as_ref().map_err(|reason| Silence::Failed(reason.clone()))
}

async fn inspect(address: &Address, name: String) -> Result<Option<Here>, RequestError> {
    match document::<Inspected>(address, &format!("/images/{name}/json?manifests=1")).await {
        Ok(image) => Ok(Some(Here { name, image: image.into() })),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn has_host(reference: &str) -> bool {
    reference.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
}

/// `DOCKER_HOST` and docker's socket may lead to Podman, too.
async fn is_podman(address: &Address, engine: Engine) -> bool {
    if engine == Engine::Podman {
        return true;
    }
    let version = document::<Version>(address, "/version").await.unwrap_or_default();
    version.is_podman()
}

/// What the engine calls itself, such as `Podman 5.4.2`.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn product(endpoint: &Endpoint) -> Result<String, Silence> {
    let version: Version = document(address(endpoint)?, "/version").await?;
    let product = if version.is_podman() { "Podman" } else { "Docker" };
    let number = version.version.unwrap_or_default();
    Ok(shown(format!("{product} {number}").trim()))
}

/// What engines of all ages answer, as far as it is used. Nothing is taken for granted: for an image without
/// this machine's platform, Docker 29 leaves out most.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: Option<String>,
    repo_tags: Option<Vec<String>>,
    created: Option<String>,
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    size: Option<i64>,
    #[serde(rename = "RootFS")]
    root_fs: Option<RootFs>,
    /// Of the containerd store alone; there the size is not that of unpacked files.
    descriptor: Option<IgnoredAny>,
    manifests: Option<Vec<ListedManifest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedManifest {
    #[serde(default)]
    available: bool,
    #[serde(default)]
    kind: String,
    descriptor: Option<ListedDescriptor>,
}

#[derive(Deserialize)]
struct ListedDescriptor {
    platform: Option<ListedPlatformFields>,
}

#[derive(Deserialize)]
struct ListedPlatformFields {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl From<ListedManifest> for ListedPlatform {
    fn from(found: ListedManifest) -> Self {
        let named = found.descriptor.and_then(|descriptor| descriptor.platform);
        Self {
            platform: named.and_then(|named| platform(named.os, named.architecture, named.variant)),
            availability: if found.available { Availability::Present } else { Availability::Missing },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: Option<String>,
    repo_tags: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: Option<String>,
    components: Option<Vec<Component>>,
}

impl Version {
    fn is_podman(&self) -> bool {
        self.components.iter().flatten().any(|component| component.name.contains("Podman"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
}

impl From<Inspected> for Image {
    fn from(found: Inspected) -> Self {
        let layers = found.root_fs.and_then(|root| root.layers).unwrap_or_default();
        Self {
            id: found.id.and_then(|id| id.parse().ok()),
            // One that is no digest makes the list useless, and so is none.
            diff_ids: layers.iter().map(|id| id.parse().ok()).collect::<Option<_>>().unwrap_or_default(),
            platform: platform(found.os, found.architecture, found.variant),
            names: found.repo_tags.unwrap_or_default(),
            created: found.created.filter(|created| !created.is_empty()),
            size: found.size.filter(|_| found.descriptor.is_none()).and_then(|size| u64::try_from(size).ok()),
            listed: found
                .manifests
                .unwrap_or_default()
                .into_iter()
                .filter(|one| one.kind != "attestation")
                .map(ListedPlatform::from)
                .collect(),
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
