use std::sync::Arc;

use bytes::Bytes;

use super::client::Image;
use crate::content::{Blob, Deferred, Parts};
use crate::oci::{
    Children, Descriptor, Digest, JSON_LIMIT, Manifest, Platform, SavedImage, is_foreign, sha256,
};
use crate::pack::{Encoding, Form};
use crate::port::{Content, FoundImage, ImageTree, Layer, PackIndex, Remembered};
use crate::source::media::{is_attestation, is_image_config};

/// How deep indexes may nest; deeper ones are exported.
const MAX_DEPTH: usize = 8;
/// The form in which a layer keeps its `diff_id` as digest: what is remembered of it is its length.
const AS_IT_STANDS: Form = Form::AsIs(Encoding::Tar);

/// An image as it was when the engine exported it before.
#[derive(Debug)]
pub(super) struct Recalled {
    pub(super) content: Content,
    pub(super) platforms: Vec<Platform>,
}

/// The image without an export, where all that is small of it was kept: the id is a digest, so that it says
/// what the image is. What is large is part of `whole`. Blocks the thread.
pub(super) fn recall(image: &Image, index: &dyn PackIndex, whole: &Arc<Deferred>) -> Option<Recalled> {
    let document = index.config(image.id.as_ref()?)?;
    if SavedImage::diff_ids(&document).is_ok_and(|diff_ids| diff_ids == image.diff_ids) {
        return unpacked(document, index, whole);
    }
    let manifest = Manifest::from_bytes(document).ok()?;
    let tree = Arc::new(tree(&manifest, index, whole, MAX_DEPTH)?);
    let platforms = platforms(&tree);
    Some(Recalled { content: content(tree, index)?, platforms })
}

/// Docker's graph drivers and Podman: the id is the digest of the configuration.
fn unpacked(config: Bytes, index: &dyn PackIndex, whole: &Arc<Deferred>) -> Option<Recalled> {
    let diff_ids = SavedImage::diff_ids(&config).ok()?;
    let layer = |diff_id: Digest| {
        let blob = whole.part(diff_id.clone(), length(&diff_id, index)?);
        Some(Layer { diff_id, encoding: Encoding::Tar, blob })
    };
    let layers = diff_ids.into_iter().map(layer).collect::<Option<_>>()?;
    let platforms = SavedImage::platform(&config).ok()?.into_iter().collect();
    Some(Recalled { content: Content::Unpacked { config, layers, exact: None }, platforms })
}

fn length(diff_id: &Digest, index: &dyn PackIndex) -> Option<u64> {
    index.packed(diff_id, AS_IT_STANDS).filter(|kept| kept.digest == *diff_id).map(|kept| kept.size)
}

/// The containerd store: the id is the digest of a manifest or an index.
fn tree(
    manifest: &Manifest,
    index: &dyn PackIndex,
    whole: &Arc<Deferred>,
    depth: usize,
) -> Option<ImageTree> {
    let mut found = ImageTree {
        manifest: manifest.clone(),
        blobs: Vec::new(),
        children: Vec::new(),
        referrers: Vec::new(),
    };
    match manifest.children() {
        Children::Index { manifests, .. } => {
            for entry in manifests {
                let child = Manifest::parse(entry.clone(), index.config(entry.digest())?).ok()?;
                found.children.push(Arc::new(tree(&child, index, whole, depth.checked_sub(1)?)?));
            }
        }
        Children::Image { config, layers, .. } => {
            let bytes = index.config(config.digest())?;
            found.blobs.push(((**config).clone(), Blob::Memory(bytes)));
            for layer in layers {
                // Whether a foreign layer is there was not kept.
                if is_foreign(layer) {
                    return None;
                }
                let blob = whole.part(layer.digest().clone(), layer.size());
                found.blobs.push((layer.clone(), blob));
            }
        }
    }
    Some(found)
}

/// As archives read it: layers that are not packed are packed by the push.
fn content(tree: Arc<ImageTree>, index: &dyn PackIndex) -> Option<Content> {
    let Children::Image { config, layers: listed, .. } = tree.manifest.children() else {
        return Some(Content::Exact(tree));
    };
    let Some(((_, Blob::Memory(bytes)), blobs)) =
        tree.blobs.split_first().filter(|_| is_image_config(config.media_type()))
    else {
        return Some(Content::Exact(tree));
    };
    let diff_ids = SavedImage::diff_ids(bytes).ok()?;
    if diff_ids.len() != listed.len() {
        return None;
    }
    let layers: Vec<Layer> = diff_ids
        .into_iter()
        .zip(blobs)
        .map(|(diff_id, (descriptor, blob))| {
            let encoding = encoding(descriptor, &diff_id, index)?;
            Some(Layer { diff_id, encoding, blob: blob.clone() })
        })
        .collect::<Option<_>>()?;
    if !layers.iter().any(|layer| layer.encoding == Encoding::Tar) {
        return Some(Content::Exact(tree));
    }
    Some(Content::Unpacked { config: bytes.clone(), layers, exact: Some(Arc::clone(&tree)) })
}

/// A tar is what was seen to be one, and not what its media type says.
fn encoding(descriptor: &Descriptor, diff_id: &Digest, index: &dyn PackIndex) -> Option<Encoding> {
    let media_type = descriptor.media_type().as_ref();
    match (descriptor.digest() == diff_id, length(diff_id, index)) {
        (true, kept) => kept.map(|_| Encoding::Tar),
        (false, _) if media_type.ends_with("zstd") => Some(Encoding::Zstd),
        (false, _) if media_type.ends_with("gzip") => Some(Encoding::Gzip),
        (false, _) => None,
    }
}

fn platforms(tree: &ImageTree) -> Vec<Platform> {
    let Children::Index { manifests, .. } = tree.manifest.children() else {
        return of_config(tree).into_iter().collect();
    };
    let named = manifests.iter().zip(&tree.children).filter(|(entry, _)| !is_attestation(entry));
    named
        .flat_map(|(entry, child)| match entry.platform() {
            Some(platform) => vec![platform.clone()],
            None => platforms(child),
        })
        .collect()
}

fn of_config(tree: &ImageTree) -> Option<Platform> {
    let (_, blob) = tree.blobs.first()?;
    SavedImage::platform(&blob.read_all(JSON_LIMIT).ok()?).ok()?
}

/// Keeps what is small of an exported image, if its id is the digest of that. Blocks the thread.
pub(super) fn remember(image: &mut FoundImage, id: &Digest, index: &dyn PackIndex) {
    match &mut image.content {
        Content::Unpacked { config, layers, exact } if sha256(config) == *id => {
            // The engine makes a manifest for each export; the image has none.
            *exact = None;
            index.keep_config(config);
            keep_lengths(layers, index);
        }
        Content::Unpacked { layers, exact: Some(tree), .. } if tree.manifest.digest() == id => {
            keep_tree(tree, index);
            keep_lengths(layers, index);
        }
        Content::Exact(tree) if tree.manifest.digest() == id => keep_tree(tree, index),
        _ => {}
    }
}

/// Replaces what was remembered of an image's layers by what a new export has: the one before may have been
/// wrong, which nobody sees until a layer is read.
pub(super) fn correct(content: &Content, index: &dyn PackIndex) {
    if let Content::Unpacked { layers, .. } = content {
        keep_lengths(layers, index);
    }
}

fn keep_lengths(layers: &[Layer], index: &dyn PackIndex) {
    for layer in layers.iter().filter(|layer| layer.encoding == Encoding::Tar) {
        let kept = Remembered { digest: layer.diff_id.clone(), size: layer.blob.len() };
        index.keep_packed(&layer.diff_id, AS_IT_STANDS, &kept);
    }
}

fn keep_tree(tree: &ImageTree, index: &dyn PackIndex) {
    index.keep_config(tree.manifest.raw());
    if let Some(Ok(config)) = tree.blobs.first().map(|(_, blob)| blob.read_all(JSON_LIMIT)) {
        index.keep_config(&config);
    }
    for child in &tree.children {
        keep_tree(child, index);
    }
}

/// The large parts of an exported image, by what `recall` calls them.
pub(super) fn parts(content: &Content) -> Parts {
    let mut parts = Parts::new();
    match content {
        Content::Exact(tree) => collect(tree, &mut parts),
        Content::Unpacked { layers, exact, .. } => {
            if let Some(tree) = exact {
                collect(tree, &mut parts);
            }
            let tars = layers.iter().filter(|layer| layer.encoding == Encoding::Tar);
            parts.extend(tars.map(|layer| (layer.diff_id.clone(), layer.blob.clone())));
        }
    }
    parts
}

fn collect(tree: &ImageTree, parts: &mut Parts) {
    parts.extend(tree.blobs.iter().map(|(descriptor, blob)| (descriptor.digest().clone(), blob.clone())));
    for child in &tree.children {
        collect(child, parts);
    }
}
