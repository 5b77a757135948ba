use std::sync::Arc;

use bytes::Bytes;

use crate::job::Compression;
use crate::oci::{Descriptor, Manifest, MediaType, compose, sha256};
use crate::pack::{Encoding, Form};
use crate::port::{Content, FoundImage, ImageTree, Layer, PackIndex};

/// What is known of images before a byte of their layers is read: digests of exact content, and what
/// layers became when they were packed before.
#[derive(Clone)]
pub(super) struct Foresight {
    pub(super) compression: Compression,
    pub(super) index: Arc<dyn PackIndex>,
}

impl Foresight {
    /// The image byte for byte, where it goes up so.
    pub(super) fn exact<'a>(&self, image: &'a FoundImage) -> Option<&'a ImageTree> {
        match (&image.content, self.compression) {
            (Content::Exact(tree), _) | (Content::Unpacked { exact: Some(tree), .. }, Compression::None) => {
                Some(tree)
            }
            (Content::Unpacked { .. }, _) => None,
        }
    }

    /// What is done to a layer that has no descriptor.
    pub(super) fn form(&self, layer: &Layer) -> Form {
        match (layer.encoding, self.compression) {
            (Encoding::Tar, Compression::Pack(encoder)) => Form::Packed(encoder),
            (encoding, _) => Form::AsIs(encoding),
        }
    }

    /// The descriptor that a layer will have, where that is known.
    pub(super) fn layer(&self, layer: &Layer) -> Option<Descriptor> {
        let form = self.form(layer);
        if form == Form::AsIs(Encoding::Tar) {
            return Some(Descriptor::new(form.media_type(), layer.blob.len(), layer.diff_id.clone()));
        }
        let remembered = self.index.packed(&layer.diff_id, form)?;
        Some(Descriptor::new(form.media_type(), remembered.size, remembered.digest))
    }

    /// The manifest that the image will have, where that is known: it may be all that has to be asked for.
    pub(super) fn manifest(&self, image: &FoundImage) -> Option<Manifest> {
        if let Some(tree) = self.exact(image) {
            return Some(tree.manifest.clone());
        }
        let Content::Unpacked { config, layers, .. } = &image.content else { return None };
        let layers: Option<Vec<Descriptor>> = layers.iter().map(|layer| self.layer(layer)).collect();
        compose(config_descriptor(config), layers?).ok()
    }

    /// Bytes of configuration, layers and manifests, and how many layers: packed sizes where they are known.
    pub(super) fn weight(&self, image: &FoundImage) -> (u64, usize) {
        if let Some(tree) = self.exact(image) {
            let (size, layers) = weight(tree);
            return (size + tree.referrers.iter().map(|referrer| weight(referrer).0).sum::<u64>(), layers);
        }
        let Content::Unpacked { config, layers, .. } = &image.content else { return (0, 0) };
        let size = |layer: &Layer| {
            self.layer(layer).map_or_else(|| layer.blob.len(), |descriptor| descriptor.size())
        };
        (layers.iter().map(size).sum::<u64>() + config.len() as u64, layers.len())
    }
}

fn weight(tree: &ImageTree) -> (u64, usize) {
    let own: u64 = tree.blobs.iter().map(|(descriptor, _)| descriptor.size()).sum();
    let own = own + tree.manifest.descriptor().size();
    let layers = tree.blobs.len().saturating_sub(1);
    tree.children.iter().map(|child| weight(child)).fold((own, layers), |a, b| (a.0 + b.0, a.1 + b.1))
}

/// The descriptor of a packed image's configuration.
pub(super) fn config_descriptor(config: &Bytes) -> Descriptor {
    Descriptor::new(MediaType::ImageConfig, config.len() as u64, sha256(config))
}
