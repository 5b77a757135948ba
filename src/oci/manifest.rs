use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use oci_spec::image::{Descriptor, Digest, ImageIndex, ImageManifest, MediaType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Hasher, JsonError, UnsupportedDigest, sha256, strict_json};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// More layers than this no runtime mounts; the bound keeps a hostile manifest small in memory.
const MAX_CHILDREN: usize = 10_000;

/// Why a document is not a manifest that can be pushed.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("manifest is not readable")]
    Json(#[from] JsonError),
    #[error("manifest has digest {found}, its descriptor says {expected}")]
    DigestMismatch { expected: Digest, found: Digest },
    #[error("manifest has {found} bytes, its descriptor says {expected}")]
    SizeMismatch { expected: u64, found: u64 },
    #[error("manifest calls itself `{found}`, its descriptor `{expected}`")]
    MediaTypeMismatch { expected: String, found: String },
    #[error("manifest has both `layers` and `manifests`")]
    Mixed,
    #[error("manifest has neither `layers` nor `manifests`")]
    Empty,
    #[error("manifest is of Docker's schema 1, which registries no longer take")]
    Schema1,
    #[error("manifest has {found} children, more than {MAX_CHILDREN}")]
    TooManyChildren { found: usize },
    #[error(transparent)]
    Digest(#[from] UnsupportedDigest),
}

/// What a manifest refers to.
#[derive(Debug, Clone)]
pub enum Children {
    /// An image manifest, or an artifact in its form.
    Image { config: Box<Descriptor>, layers: Vec<Descriptor>, subject: Option<Box<Descriptor>> },
    /// An index (or Docker's manifest list): one manifest a platform, attestations, nested indexes.
    Index { manifests: Vec<Descriptor>, subject: Option<Box<Descriptor>> },
}

/// A manifest as it stands: the digest is that of `raw`, and `raw` is what is sent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Manifest(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    descriptor: Descriptor,
    raw: Bytes,
    children: Children,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    schema_version: Option<u32>,
    media_type: Option<String>,
    #[serde(default, deserialize_with = "standing")]
    layers: Listing,
    #[serde(default, deserialize_with = "standing")]
    manifests: Listing,
    fs_layers: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Annotated {
    annotations: Option<serde_json::Map<String, Value>>,
}

/// How a list stands in a document. Programs in Go write an empty one as `null`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Listing {
    #[default]
    Absent,
    Null,
    Given,
}

fn standing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Listing, D::Error> {
    let given = Option::<serde::de::IgnoredAny>::deserialize(deserializer)?;
    Ok(if given.is_some() { Listing::Given } else { Listing::Null })
}

/// What a document lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Index,
}

impl Probe {
    fn kind(&self) -> Result<Kind, ManifestError> {
        use Listing::{Absent, Given, Null};
        match (self.layers, self.manifests) {
            (Given, Given) => Err(ManifestError::Mixed),
            (Given, _) | (Null, Absent) => Ok(Kind::Image),
            (_, Given) | (Absent, Null) if self.config.is_some() => Err(ManifestError::Mixed),
            (_, Given) | (Absent, Null) => Ok(Kind::Index),
            (Absent, Absent) | (Null, Null) => Err(ManifestError::Empty),
        }
    }
}

impl Manifest {
    /// Parses the document that `descriptor` names, and checks size, digest and media type.
    ///
    /// # Errors
    /// When the bytes are not those of the descriptor, or are not one manifest of a known kind.
    pub fn parse(descriptor: Descriptor, raw: Bytes) -> Result<Self, ManifestError> {
        if descriptor.size() != raw.len() as u64 {
            return Err(ManifestError::SizeMismatch { expected: descriptor.size(), found: raw.len() as u64 });
        }
        let mut hasher = Hasher::of(descriptor.digest())?;
        hasher.update(&raw);
        let found = hasher.finish();
        if found != *descriptor.digest() {
            return Err(ManifestError::DigestMismatch { expected: descriptor.digest().clone(), found });
        }
        let (media_type, children) = read(&raw)?;
        if let Some(found) = media_type.filter(|found| *found != *descriptor.media_type()) {
            let expected = descriptor.media_type().to_string();
            return Err(ManifestError::MediaTypeMismatch { expected, found: found.to_string() });
        }
        Ok(Self(Arc::new(Parsed { descriptor, raw, children })))
    }

    /// Makes a manifest of bytes that have no descriptor yet; the media type is the document's own.
    ///
    /// # Errors
    /// When the bytes are not one manifest of a known kind.
    pub fn from_bytes(raw: Bytes) -> Result<Self, ManifestError> {
        let (media_type, children) = read(&raw)?;
        let media_type = media_type.unwrap_or(match children {
            Children::Image { .. } => MediaType::ImageManifest,
            Children::Index { .. } => MediaType::ImageIndex,
        });
        let descriptor = Descriptor::new(media_type, raw.len() as u64, sha256(&raw));
        Ok(Self(Arc::new(Parsed { descriptor, raw, children })))
    }

    /// Media type, digest and size.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    #[must_use]
    pub fn digest(&self) -> &Digest {
        self.0.descriptor.digest()
    }

    /// The bytes that the digest was computed from.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.0.raw
    }

    #[must_use]
    pub fn children(&self) -> &Children {
        &self.0.children
    }

    /// The names of its annotations.
    #[must_use]
    pub fn annotations(&self) -> BTreeSet<String> {
        let annotated = serde_json::from_slice::<Annotated>(self.raw()).ok();
        let annotations = annotated.and_then(|found| found.annotations).unwrap_or_default();
        annotations.into_iter().map(|(name, _)| name).collect()
    }

    /// The manifest that this one says something of: a signature's image, for instance.
    #[must_use]
    pub fn subject(&self) -> Option<&Descriptor> {
        match self.children() {
            Children::Image { subject, .. } | Children::Index { subject, .. } => subject.as_deref(),
        }
    }
}

/// The media type that the document names (Docker's and the spec's may both stand), and its children.
fn read(raw: &[u8]) -> Result<(Option<MediaType>, Children), ManifestError> {
    let probe: Probe = strict_json(raw)?;
    let media_type = probe.media_type.as_deref().map(MediaType::from);
    if probe.schema_version == Some(1) || probe.fs_layers.is_some() {
        return Err(ManifestError::Schema1);
    }
    let children = match probe.kind()? {
        Kind::Image => {
            let image: ImageManifest = document(raw, "layers", probe.layers)?;
            Children::Image {
                config: Box::new(image.config().clone()),
                layers: image.layers().clone(),
                subject: image.subject().clone().map(Box::new),
            }
        }
        Kind::Index => {
            let index: ImageIndex = document(raw, "manifests", probe.manifests)?;
            let subject = index.subject().clone().map(Box::new);
            Children::Index { manifests: index.manifests().clone(), subject }
        }
    };
    let (kind, listed) = match &children {
        Children::Image { layers, .. } => (DOCKER_MANIFEST, layers),
        Children::Index { manifests, .. } => (DOCKER_LIST, manifests),
    };
    if listed.len() > MAX_CHILDREN {
        return Err(ManifestError::TooManyChildren { found: listed.len() });
    }
    for child in listed {
        Hasher::of(child.digest())?;
    }
    check_kind(media_type.as_ref(), kind, &children)?;
    Ok((media_type, children))
}

/// The document with an empty list where it has `null`.
fn document<T: DeserializeOwned>(raw: &[u8], list: &str, listing: Listing) -> Result<T, ManifestError> {
    let shape = |source| ManifestError::Json(JsonError::Shape { source });
    if listing == Listing::Given {
        return serde_json::from_slice(raw).map_err(shape);
    }
    let mut document: Value = serde_json::from_slice(raw).map_err(shape)?;
    if let Some(null) = document.get_mut(list) {
        *null = Value::Array(Vec::new());
    }
    serde_json::from_value(document).map_err(shape)
}

/// A document that calls itself an index and lists layers, or the reverse, is refused (CVE-2021-41190).
fn check_kind(named: Option<&MediaType>, docker: &str, children: &Children) -> Result<(), ManifestError> {
    let Some(named) = named else { return Ok(()) };
    let spec = match children {
        Children::Image { .. } => MediaType::ImageManifest,
        Children::Index { .. } => MediaType::ImageIndex,
    };
    if *named == spec || named.to_string() == docker {
        return Ok(());
    }
    Err(ManifestError::MediaTypeMismatch { expected: spec.to_string(), found: named.to_string() })
}

/// Whether a layer may be absent because its owner does not allow copies: it is never fetched.
#[must_use]
pub fn is_foreign(layer: &Descriptor) -> bool {
    let media_type = layer.media_type().to_string();
    (media_type.contains(".nondistributable.") || media_type.contains(".foreign."))
        && layer.urls().as_ref().is_some_and(|urls| !urls.is_empty())
}

/// Whether the media type is one that layers of images have. Attestations of buildkit have the configuration
/// of an image, so that theirs is one, too.
#[must_use]
pub fn is_layer(descriptor: &Descriptor) -> bool {
    let media_type = descriptor.media_type().as_ref();
    [
        "application/vnd.oci.image.layer.",
        "application/vnd.docker.image.rootfs.",
        "application/vnd.in-toto+json",
    ]
    .iter()
    .any(|known| media_type.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;

    fn parsed(text: &str) -> Result<Manifest, ManifestError> {
        Manifest::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn an_image_manifest_keeps_its_bytes() {
        let text = format!(r#"{{ "schemaVersion":2, "config":{CONFIG}, "layers":[] }}"#);
        let manifest = parsed(&text).unwrap();
        assert_eq!(manifest.raw(), text.as_bytes());
        assert_eq!(*manifest.digest(), sha256(text.as_bytes()));
        assert_eq!(*manifest.descriptor().media_type(), MediaType::ImageManifest);
    }

    #[test]
    fn mixed_empty_and_old_documents_are_refused() {
        let mixed = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[],"manifests":[]}}"#);
        assert!(matches!(parsed(&mixed), Err(ManifestError::Mixed)));
        assert!(matches!(parsed("{}"), Err(ManifestError::Empty)));
        assert!(matches!(parsed(r#"{"schemaVersion":1,"fsLayers":[]}"#), Err(ManifestError::Schema1)));
    }

    #[test]
    fn annotations_are_known_by_their_names() {
        let with = |text: &str| {
            let text = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[]{text}}}"#);
            parsed(&text).unwrap().annotations()
        };
        assert_eq!(with(r#","annotations":{"b":"1","a":"2"}"#), ["a", "b"].map(str::to_owned).into());
        assert!(with("").is_empty() && with(r#","annotations":null"#).is_empty());
    }

    #[test]
    fn a_list_that_is_null_is_empty() {
        let image = parsed(&format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":null}}"#)).unwrap();
        assert!(matches!(image.children(), Children::Image { layers, .. } if layers.is_empty()));
        let index = parsed(r#"{"schemaVersion":2,"manifests":null}"#).unwrap();
        assert!(matches!(index.children(), Children::Index { manifests, .. } if manifests.is_empty()));
        let image =
            parsed(&format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[],"manifests":null}}"#));
        assert!(matches!(image.unwrap().children(), Children::Image { .. }));
        assert!(matches!(parsed(r#"{"layers":null,"manifests":null}"#), Err(ManifestError::Empty)));
        let mixed = parsed(&format!(r#"{{"schemaVersion":2,"config":{CONFIG},"manifests":null}}"#));
        assert!(matches!(mixed, Err(ManifestError::Mixed)));
    }

    #[test]
    fn an_index_that_calls_itself_an_image_is_refused() {
        let text =
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#;
        assert!(matches!(parsed(text), Err(ManifestError::MediaTypeMismatch { .. })));
    }

    #[test]
    fn bytes_of_another_digest_are_refused() {
        let raw = Bytes::from(format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[]}}"#));
        let descriptor = Descriptor::new(MediaType::ImageManifest, raw.len() as u64, sha256(b"other"));
        assert!(matches!(Manifest::parse(descriptor, raw), Err(ManifestError::DigestMismatch { .. })));
    }

    #[test]
    fn a_negative_size_is_refused() {
        let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, CONFIG.replace(":2,", ":-2,"));
        assert!(matches!(parsed(&text), Err(ManifestError::Json(_))));
    }
}
