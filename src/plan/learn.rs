use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::foresight::{Foresight, config_descriptor};
use super::{Addressed, Target};
use crate::job::World;
use crate::oci::{Children, Descriptor, Digest, Manifest, MediaType, Repository, SavedImage};
use crate::pack::{Codec, Form};
use crate::port::{Content, Document, FoundImage, PackIndex, RegistryError, Remembered};

/// What a repository's own images say of layers, beside what was packed here before. A configuration pins
/// the unpacked layers of its image in the order in which the manifest names them packed, so that whoever has
/// no cache need not pack what is there already. Runtimes hold an image to the same pairs when they unpack it.
struct Learned {
    kept: Arc<dyn PackIndex>,
    pairs: HashMap<(Digest, Form), Remembered>,
}

impl PackIndex for Learned {
    fn packed(&self, diff_id: &Digest, form: Form) -> Option<Remembered> {
        self.kept.packed(diff_id, form).or_else(|| self.pairs.get(&(diff_id.clone(), form)).cloned())
    }

    fn keep_packed(&self, diff_id: &Digest, form: Form, packed: &Remembered) {
        self.kept.keep_packed(diff_id, form, packed);
    }

    fn config(&self, digest: &Digest) -> Option<Bytes> {
        self.kept.config(digest)
    }

    fn keep_config(&self, config: &Bytes) {
        self.kept.keep_config(config);
    }
}

/// Asks the images that the tags point to now for the layers that nothing is known of. Nothing depends on it:
/// what cannot be read is not learned.
pub(super) async fn learn(
    addressed: &[Addressed],
    current: &HashMap<Target, Result<Option<Descriptor>, RegistryError>>,
    foresight: Foresight,
    (world, at_once): (&World, usize),
) -> Foresight {
    let unknown: Vec<(&Addressed, &Descriptor)> = addressed
        .iter()
        .filter(|one| foresight.manifest(&one.image).is_none())
        .filter_map(|one| Some((one, current.get(&one.target)?.as_ref().ok()?.as_ref()?)))
        .collect();
    let asked: HashMap<(&Repository, &Digest), &Descriptor> =
        unknown.iter().map(|(one, there)| ((&one.target.repository, there.digest()), *there)).collect();
    let asked = asked.into_iter().map(|((repository, _), there)| {
        let configs = unknown.iter().filter_map(|(one, _)| config(&one.image)).collect();
        layers(repository, there, configs, world)
    });
    let known: HashMap<Digest, Descriptor> = stream::iter(asked)
        .buffer_unordered(at_once)
        .flat_map(|layers| stream::iter(layers.unwrap_or_default()))
        .collect()
        .await;
    let mut pairs = HashMap::new();
    for (one, _) in &unknown {
        let Content::Unpacked { layers, .. } = &one.image.content else { continue };
        for layer in layers {
            let form = foresight.form(layer);
            if let Some(there) = known.get(&layer.diff_id).filter(|there| is_of_form(there, form)) {
                let remembered = Remembered { digest: there.digest().clone(), size: there.size() };
                pairs.insert((layer.diff_id.clone(), form), remembered);
            }
        }
    }
    Foresight { index: Arc::new(Learned { kept: Arc::clone(&foresight.index), pairs }), ..foresight }
}

fn config(image: &FoundImage) -> Option<&Bytes> {
    match &image.content {
        Content::Unpacked { config, .. } => Some(config),
        Content::Exact(_) => None,
    }
}

/// The layers of an image of the registry, by the digests of what they unpack to. `ours` need not be read.
async fn layers(
    repository: &Repository,
    there: &Descriptor,
    ours: Vec<&Bytes>,
    world: &World,
) -> Option<Vec<(Digest, Descriptor)>> {
    let read = async |document, descriptor: &Descriptor| {
        world.reader.document(repository, document, descriptor).await.ok().flatten()
    };
    let manifest = Manifest::from_bytes(read(Document::Manifest, there).await?).ok()?;
    let Children::Image { config, layers, .. } = manifest.children() else { return None };
    let own = ours.into_iter().find(|own| config_descriptor(own).digest() == config.digest());
    let document = match own {
        Some(own) => own.clone(),
        None => read(Document::Config, config).await?,
    };
    let diff_ids = SavedImage::diff_ids(&document).ok()?;
    (diff_ids.len() == layers.len()).then(|| diff_ids.into_iter().zip(layers.iter().cloned()).collect())
}

/// What the user wants packed by zstd is not taken as gzip; at which level it was packed is the same to all.
fn is_of_form(layer: &Descriptor, form: Form) -> bool {
    const DOCKER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let Form::Packed(encoder) = form else { return false };
    match layer.media_type() {
        MediaType::ImageLayerGzip => encoder.codec() == Codec::Gzip,
        MediaType::Other(other) if other == DOCKER_GZIP => encoder.codec() == Codec::Gzip,
        MediaType::ImageLayerZstd => encoder.codec() == Codec::Zstd,
        _ => false,
    }
}
