use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::document::Documents;
use super::media::{is_attestation, is_image_config, is_manifest, is_schema_1};
use super::shown::shown;
use crate::content::Blob;
use crate::oci::{
    Children, Descriptor, Digest, Hasher, Manifest, ManifestError, Platform, SavedImage, is_foreign, is_layer,
};
use crate::port::{ImageTree, SourceError};

/// How deep indexes may nest.
const MAX_DEPTH: usize = 8;
/// Manifests that are reached in one store, each counted as often as it is listed: a few small indexes
/// that list one another many times would be more work and memory than any registry has manifests.
const MAX_NODES: usize = 20_000;

/// Where blobs are: a folder or a tar in the form of the image-layout spec.
pub(super) trait BlobStore {
    /// The blob of a digest; `None` where it is missing.
    ///
    /// # Errors
    /// When something stands there that is no readable file.
    fn blob(&self, digest: &Digest) -> Result<Option<Blob>, SourceError>;

    /// `oci-layout` or `index.json`.
    ///
    /// # Errors
    /// As `blob`.
    fn document(&self, name: &str) -> Result<Option<Blob>, SourceError>;
}

/// The name of a blob in a layout. A digest has neither dots nor slashes, so it leads nowhere else.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.digest())
}

/// What is at one manifest and below it.
#[derive(Debug, Clone)]
pub(super) struct Built {
    /// The manifest with all that it needs, or the first thing that is missing.
    pub(super) tree: Result<Arc<ImageTree>, String>,
    /// The image manifests, in their order.
    pub(super) leaves: Vec<Arc<Leaf>>,
    nodes: usize,
}

/// An image manifest somewhere below an index, or the image itself.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) digest: Digest,
    pub(super) tree: Result<Arc<ImageTree>, String>,
    pub(super) role: Role,
    pub(super) platform: Option<Platform>,
    pub(super) config: Option<Digest>,
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Image,
    /// Says something of an image, and runs nowhere.
    Attestation,
}

impl Built {
    fn missing(descriptor: &Descriptor) -> Self {
        let what = format!("manifest `{}`", descriptor.digest());
        let leaf = Leaf {
            digest: descriptor.digest().clone(),
            tree: Err(what.clone()),
            role: Role::Image,
            platform: None,
            config: None,
            notes: Vec::new(),
        };
        Self { tree: Err(what), leaves: vec![Arc::new(leaf)], nodes: 1 }
    }

    /// What the user should know of all images below.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for note in self.leaves.iter().flat_map(|leaf| &leaf.notes) {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
        notes
    }
}

impl Leaf {
    /// What the entry in an index says of the manifest goes before what the configuration says.
    fn described(self: Arc<Self>, entry: &Descriptor) -> Arc<Self> {
        if self.digest != *entry.digest() {
            return self;
        }
        let mut leaf = Self::clone(&self);
        leaf.platform = entry.platform().clone().or(leaf.platform);
        if is_attestation(entry) {
            leaf.role = Role::Attestation;
        }
        Arc::new(leaf)
    }
}

/// Builds the trees of manifests of one store. Every manifest is checked against its digest before
/// anything below it is looked at, so that no index can be below itself.
pub(super) struct Forest<'a> {
    pub(super) store: &'a dyn BlobStore,
    pub(super) documents: &'a Documents,
    /// By digest and media type: two entries may call the same bytes two things.
    built: HashMap<(Digest, String), Built>,
    blobs: HashMap<Digest, Option<Blob>>,
    /// Manifests that may still be reached.
    nodes_left: usize,
}

impl<'a> Forest<'a> {
    pub(super) fn new(store: &'a dyn BlobStore, documents: &'a Documents) -> Self {
        Self { store, documents, built: HashMap::new(), blobs: HashMap::new(), nodes_left: MAX_NODES }
    }

    /// The manifest that `descriptor` names and all below it.
    ///
    /// # Errors
    /// When something is there and is not what it should be. What is missing is part of the answer.
    pub(super) fn tree(&mut self, descriptor: &Descriptor, depth: usize) -> Result<Built, SourceError> {
        self.check_kind(descriptor)?;
        self.spend(1)?;
        let Some(blob) = self.fetch(descriptor)? else { return Ok(Built::missing(descriptor)) };
        let key = (descriptor.digest().clone(), descriptor.media_type().to_string());
        if let Some(built) = self.built.get(&key).cloned() {
            self.spend(built.nodes.saturating_sub(1))?;
            return Ok(built);
        }
        if depth > MAX_DEPTH {
            return Err(self.documents.damaged(&format!("its indexes nest deeper than {MAX_DEPTH}")));
        }
        let raw = self.documents.read(descriptor.digest().as_ref(), &blob)?;
        let manifest =
            Manifest::parse(descriptor.clone(), raw).map_err(|source| self.fault(descriptor, source))?;
        let built = self.below(&manifest, depth)?;
        self.built.insert(key, built.clone());
        Ok(built)
    }

    /// All below a manifest whose bytes are at hand.
    ///
    /// # Errors
    /// As `tree`.
    pub(super) fn below(&mut self, manifest: &Manifest, depth: usize) -> Result<Built, SourceError> {
        match manifest.children() {
            Children::Image { config, layers, .. } => self.image(manifest, config, layers),
            Children::Index { manifests, .. } => self.index(manifest, manifests, depth),
        }
    }

    fn spend(&mut self, nodes: usize) -> Result<(), SourceError> {
        let left = self.nodes_left.checked_sub(nodes);
        let too_many =
            || self.documents.damaged(&format!("its indexes lead to more than {MAX_NODES} manifests"));
        self.nodes_left = left.ok_or_else(too_many)?;
        Ok(())
    }

    fn check_kind(&self, descriptor: &Descriptor) -> Result<(), SourceError> {
        let media_type = descriptor.media_type();
        if is_schema_1(media_type) {
            return Err(self.fault(descriptor, ManifestError::Schema1));
        }
        if !is_manifest(media_type) {
            let what = shown(media_type.as_ref());
            let reason =
                format!("an index lists `{}` of type `{what}`, which is no manifest", descriptor.digest());
            return Err(self.documents.damaged(&reason));
        }
        Ok(())
    }

    fn image(
        &mut self,
        manifest: &Manifest,
        config: &Descriptor,
        layers: &[Descriptor],
    ) -> Result<Built, SourceError> {
        let (mut notes, mut blobs, mut missing) = (Vec::new(), Vec::new(), None);
        let mut platform = None;
        match self.fetch(config)? {
            Some(blob) => {
                platform = self.platform(config, &blob, &mut notes)?;
                blobs.push((config.clone(), blob));
            }
            None => missing = Some(format!("configuration `{}`", config.digest())),
        }
        for layer in layers {
            if is_foreign(layer) {
                notes.push(format!("layer `{}` belongs to others and is not uploaded", layer.digest()));
            } else if let Some(blob) = self.fetch(layer)? {
                if is_image_config(config.media_type()) && !is_layer(layer) {
                    let (digest, kind) = (layer.digest(), shown(layer.media_type().as_ref()));
                    notes.push(format!("layer `{digest}` is of the unknown type `{kind}`"));
                }
                blobs.push((layer.clone(), blob));
            } else {
                missing.get_or_insert_with(|| format!("layer `{}`", layer.digest()));
            }
        }
        let whole = || {
            Arc::new(ImageTree {
                manifest: manifest.clone(),
                blobs,
                children: Vec::new(),
                referrers: Vec::new(),
            })
        };
        let tree = missing.map_or_else(|| Ok(whole()), Err);
        let leaf = Leaf {
            digest: manifest.digest().clone(),
            tree: tree.clone(),
            role: Role::Image,
            platform,
            config: Some(config.digest().clone()),
            notes,
        };
        Ok(Built { tree, leaves: vec![Arc::new(leaf)], nodes: 1 })
    }

    fn index(
        &mut self,
        manifest: &Manifest,
        manifests: &[Descriptor],
        depth: usize,
    ) -> Result<Built, SourceError> {
        let (mut children, mut leaves) = (Vec::new(), Vec::new());
        let (mut missing, mut nodes) = (None, 1);
        let mut seen = HashSet::new();
        for entry in manifests {
            if !seen.insert(entry.digest()) {
                continue;
            }
            let built = self.tree(entry, depth + 1)?;
            nodes += built.nodes;
            leaves.extend(built.leaves.into_iter().map(|leaf| leaf.described(entry)));
            match built.tree {
                Ok(child) => children.push(child),
                Err(what) => {
                    missing.get_or_insert(what);
                }
            }
        }
        let whole = || {
            Arc::new(ImageTree {
                manifest: manifest.clone(),
                blobs: Vec::new(),
                children,
                referrers: Vec::new(),
            })
        };
        Ok(Built { tree: missing.map_or_else(|| Ok(whole()), Err), leaves, nodes })
    }

    /// What the image runs on; a note where the configuration is not that of an image.
    fn platform(
        &self,
        config: &Descriptor,
        blob: &Blob,
        notes: &mut Vec<String>,
    ) -> Result<Option<Platform>, SourceError> {
        if !is_image_config(config.media_type()) {
            let kind = shown(config.media_type().as_ref());
            notes.push(format!(
                "its configuration is of type `{kind}`: it is pushed as it stands, as an artifact"
            ));
            return Ok(None);
        }
        let bytes = self.documents.read_exact(config, blob)?;
        SavedImage::platform(&bytes).map_err(|source| SourceError::Json {
            path: self.documents.path().to_owned(),
            entry: format!("configuration {}", config.digest()),
            source,
        })
    }

    /// The blob of a descriptor, of the size that it says.
    fn fetch(&mut self, descriptor: &Descriptor) -> Result<Option<Blob>, SourceError> {
        let digest = descriptor.digest();
        Hasher::of(digest).map_err(|error| self.documents.damaged(&error.to_string()))?;
        let embedded = self.embedded(descriptor)?;
        let stored = if let Some(stored) = self.blobs.get(digest) {
            stored.clone()
        } else {
            let stored = self.store.blob(digest)?;
            self.blobs.insert(digest.clone(), stored.clone());
            stored
        };
        let found = stored.or(embedded);
        match &found {
            Some(blob) if blob.len() != descriptor.size() => {
                let (len, size) = (blob.len(), descriptor.size());
                let reason = format!("`{digest}` has {len} bytes, its descriptor says {size}");
                Err(self.documents.damaged(&reason))
            }
            _ => Ok(found),
        }
    }

    /// The content that stands in the descriptor itself (image-spec, "Embedded Content").
    fn embedded(&self, descriptor: &Descriptor) -> Result<Option<Blob>, SourceError> {
        let Some(text) = descriptor.data() else { return Ok(None) };
        let bytes = BASE64.decode(text).ok().map(Bytes::from);
        if let Some(bytes) = bytes.filter(|bytes| digest_is(descriptor.digest(), bytes)) {
            return Ok(Some(Blob::Memory(bytes)));
        }
        let reason = format!("the data in the descriptor of `{}` is of another digest", descriptor.digest());
        Err(self.documents.damaged(&reason))
    }

    fn fault(&self, descriptor: &Descriptor, source: ManifestError) -> SourceError {
        let entry = format!("manifest {}", descriptor.digest());
        SourceError::Manifest { path: self.documents.path().to_owned(), entry, source }
    }
}

fn digest_is(digest: &Digest, bytes: &[u8]) -> bool {
    Hasher::of(digest).is_ok_and(|mut hasher| {
        hasher.update(bytes);
        hasher.finish() == *digest
    })
}
