use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::foresight::{Foresight, config_descriptor};
use super::survey::Current;
use super::{Addressed, Target};
use crate::job::World;
use crate::oci::{Children, Descriptor, Digest, Manifest, MediaType, Repository, SavedImage, Tag};
use crate::pack::{Codec, Form};
use crate::port::{Content, Document, FoundImage, ManifestName, PackIndex, Remembered};

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

/// Bytes to be packed from which on it costs less to ask for the images beside a new tag.
const WORTH_ASKING: u64 = 8 * 1024 * 1024;
/// Images that are asked beside a new tag.
const NEIGHBOURS: usize = 3;

/// Asks the images that the tags point to now for the layers that nothing is known of; under a new tag, those
/// under the tags most like it. Nothing depends on it: what cannot be read is not learned.
pub(super) async fn learn(
    addressed: &[Addressed],
    current: &HashMap<Target, Current>,
    foresight: Foresight,
    (world, at_once): (&World, usize),
) -> Foresight {
    let unknown: Vec<&Addressed> =
        addressed.iter().filter(|one| foresight.manifest(&one.image).is_none()).collect();
    let asked = teachers(&unknown, current, &foresight, (world, at_once)).await;
    let asked = asked.iter().map(|((repository, _), there)| {
        let configs = unknown.iter().filter_map(|one| config(&one.image)).collect();
        layers(repository, there, configs, world)
    });
    let known: HashMap<Digest, Descriptor> = stream::iter(asked)
        .buffer_unordered(at_once)
        .flat_map(|layers| stream::iter(layers.unwrap_or_default()))
        .collect()
        .await;
    let mut pairs = HashMap::new();
    for one in &unknown {
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

/// The images of the registry that may have layers of ours.
async fn teachers(
    unknown: &[&Addressed],
    current: &HashMap<Target, Current>,
    foresight: &Foresight,
    (world, at_once): (&World, usize),
) -> HashMap<(Repository, Digest), Descriptor> {
    let mut teachers = HashMap::new();
    for one in unknown {
        if let Some(Ok(Some(there))) = current.get(&one.target) {
            teachers.insert((one.target.repository.clone(), there.digest().clone()), there.clone());
        }
    }
    let taught: HashSet<Repository> = teachers.keys().map(|(repository, _)| repository.clone()).collect();
    let alone = unknown.iter().filter(|one| {
        let new = matches!(current.get(&one.target), Some(Ok(None)));
        new && !taught.contains(&one.target.repository) && to_pack(&one.image, foresight) >= WORTH_ASKING
    });
    let alone: HashMap<&Repository, &Target> =
        alone.map(|one| (&one.target.repository, &one.target)).collect();
    let found: Vec<_> = stream::iter(alone.into_values().map(|target| neighbours(target, world)))
        .buffer_unordered(at_once)
        .collect()
        .await;
    teachers.extend(found.into_iter().flatten());
    teachers
}

/// Bytes of layers that nothing is known of yet.
fn to_pack(image: &FoundImage, foresight: &Foresight) -> u64 {
    let Content::Unpacked { layers, .. } = &image.content else { return 0 };
    layers.iter().filter(|layer| foresight.layer(layer).is_none()).map(|layer| layer.blob.len()).sum()
}

/// What stands under the tags of a repository that are most like a new one.
async fn neighbours(target: &Target, world: &World) -> Vec<((Repository, Digest), Descriptor)> {
    let tags = most_like(&target.tag, world.reader.tags(&target.repository).await);
    let heads = tags.into_iter().map(|tag| async move {
        let name = ManifestName::Tag(tag);
        world.reader.manifest(&target.repository, &name).await.ok().flatten()
    });
    let there = join_all(heads).await.into_iter().flatten();
    there.map(|there| ((target.repository.clone(), there.digest().clone()), there)).collect()
}

/// The tag before ours is most likely spelt like it, and sorts last of those; `latest` is asked in any case.
fn most_like(ours: &Tag, tags: Vec<Tag>) -> Vec<Tag> {
    let alike = |tag: &Tag| {
        let pairs = tag.as_str().bytes().zip(ours.as_str().bytes());
        pairs.take_while(|(theirs, ours)| theirs == ours).count()
    };
    let mut tags = tags;
    tags.sort_by_cached_key(|tag| Reverse((*tag == Tag::latest(), alike(tag), tag.clone())));
    tags.truncate(NEIGHBOURS);
    tags
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

#[cfg(test)]
mod tests {
    use super::*;

    fn like(ours: &str, tags: &[&str]) -> Vec<String> {
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        most_like(&ours.parse().unwrap(), tags).into_iter().map(|tag| tag.to_string()).collect()
    }

    #[test]
    fn the_tags_most_like_a_new_one_are_asked() {
        assert_eq!(like("1.4.3", &["0.9", "1.3.9", "1.4.1", "1.4.2", "2.0"]), ["1.4.2", "1.4.1", "1.3.9"]);
    }

    #[test]
    fn latest_is_asked_in_any_case() {
        assert_eq!(like("v9", &["latest", "v6", "v7", "v8"]), ["latest", "v8", "v7"]);
        assert_eq!(like("v9", &["a"]), ["a"]);
    }
}
