use std::collections::HashMap;

use bytes::Bytes;

use super::steps::{
    Action, BlobContent, Fate, LayerSlot, ManifestForm, PlannedImage, PushPlan, Step, StepId,
};
use super::{Presence, Target};
use crate::content::Blob;
use crate::job::Compression;
use crate::oci::{Descriptor, Digest, MediaType, Repository, sha256};
use crate::pack::{Encoding, Form, Unpacked};
use crate::port::{Content, FoundImage, ImageTree, Layer};

/// Builds the steps of all images, children first and each blob once for (repository, digest).
pub(super) struct Graph {
    plan: PushPlan,
    compression: Compression,
    packs: HashMap<(Digest, Form), StepId>,
    blobs: HashMap<(Repository, Digest), StepId>,
    packed_blobs: HashMap<(Repository, StepId), StepId>,
    manifests: HashMap<(Repository, Digest), StepId>,
    presence: HashMap<(Repository, Digest), Presence>,
}

/// What one image adds up to while its steps are made.
#[derive(Default)]
struct Tally {
    size: u64,
    layers: Vec<StepId>,
    blobs: Vec<StepId>,
    /// What the image's tag points to now.
    current: Option<Digest>,
}

impl Graph {
    pub(super) fn new(compression: Compression, presence: HashMap<(Repository, Digest), Presence>) -> Self {
        Self {
            plan: PushPlan::default(),
            compression,
            packs: HashMap::new(),
            blobs: HashMap::new(),
            packed_blobs: HashMap::new(),
            manifests: HashMap::new(),
            presence,
        }
    }

    pub(super) fn finish(self) -> PushPlan {
        self.plan
    }

    /// An image that needs no steps: there already, or refused.
    pub(super) fn settled(&mut self, image: &FoundImage, target: Target, fate: Fate) {
        let descriptor = exact(image, self.compression).map(|tree| tree.manifest.descriptor().clone());
        self.plan.images.push(PlannedImage {
            source: image.source.clone(),
            target,
            platforms: image.platforms.clone(),
            fate,
            descriptor,
            size: 0,
            layers: Vec::new(),
            blobs: Vec::new(),
        });
    }

    /// All steps of an image, its tag last. `current` is what the tag points to now.
    pub(super) fn add(&mut self, image: &FoundImage, target: Target, current: Option<Digest>) {
        let mut tally = Tally { current: current.clone(), ..Tally::default() };
        let repository = target.repository.clone();
        let (manifest, descriptor) = match (exact(image, self.compression), &image.content) {
            (Some(tree), _) => {
                (self.tree(tree, &repository, &mut tally), Some(tree.manifest.descriptor().clone()))
            }
            (None, Content::Unpacked { config, layers, .. }) => {
                (self.unpacked(config, layers, &repository, &mut tally), None)
            }
            (None, Content::Exact(_)) => return,
        };
        let tag = Action::Tag { target: target.clone(), manifest, current };
        let tag = self.push_step(vec![manifest], tag);
        self.plan.images.push(PlannedImage {
            source: image.source.clone(),
            target,
            platforms: image.platforms.clone(),
            fate: Fate::Push { tag },
            descriptor,
            size: tally.size,
            layers: tally.layers,
            blobs: tally.blobs,
        });
    }

    fn tree(&mut self, tree: &ImageTree, repository: &Repository, tally: &mut Tally) -> StepId {
        let mut needs: Vec<StepId> =
            tree.children.iter().map(|child| self.tree(child, repository, tally)).collect();
        for (position, (descriptor, blob)) in tree.blobs.iter().enumerate() {
            let step = self.known_blob(repository, descriptor, blob);
            tally.size += descriptor.size();
            tally.blobs.push(step);
            if position > 0 {
                tally.layers.push(step);
            }
            needs.push(step);
        }
        tally.size += tree.manifest.descriptor().size();
        let key = (repository.clone(), tree.manifest.digest().clone());
        if let Some(step) = self.manifests.get(&key) {
            return *step;
        }
        let form = ManifestForm::Verbatim(tree.manifest.clone());
        let current = tally.current.clone();
        let step = self.push_step(needs, Action::Manifest { repository: repository.clone(), form, current });
        self.manifests.insert(key, step);
        step
    }

    fn unpacked(
        &mut self,
        config: &Bytes,
        layers: &[Layer],
        repository: &Repository,
        tally: &mut Tally,
    ) -> StepId {
        let config_descriptor = config_descriptor(config);
        let config_step = self.known_blob(repository, &config_descriptor, &Blob::Memory(config.clone()));
        tally.size += config_descriptor.size();
        tally.blobs.push(config_step);
        let mut needs = vec![config_step];
        let mut slots = Vec::new();
        for layer in layers {
            let (step, slot) = self.layer(repository, layer);
            tally.size += layer.blob.len();
            tally.blobs.push(step);
            tally.layers.push(step);
            needs.push(step);
            slots.push(slot);
        }
        let form = ManifestForm::Compose { config: Box::new(config_descriptor), layers: slots };
        let current = tally.current.clone();
        self.push_step(needs, Action::Manifest { repository: repository.clone(), form, current })
    }

    fn layer(&mut self, repository: &Repository, layer: &Layer) -> (StepId, LayerSlot) {
        let form = match (layer.encoding, self.compression) {
            (Encoding::Tar, Compression::Gzip) => Form::Gzip,
            (Encoding::Tar, Compression::None) => {
                let descriptor =
                    Descriptor::new(MediaType::ImageLayer, layer.blob.len(), layer.diff_id.clone());
                let step = self.known_blob(repository, &descriptor, &layer.blob);
                return (step, LayerSlot::Known(Box::new(descriptor)));
            }
            (encoding, _) => Form::AsIs(encoding),
        };
        let pack = self.pack_step(layer, form);
        let key = (repository.clone(), pack);
        let step = if let Some(step) = self.packed_blobs.get(&key) {
            *step
        } else {
            let action = Action::Blob { repository: repository.clone(), content: BlobContent::Packed(pack) };
            let step = self.push_step(vec![pack], action);
            self.packed_blobs.insert(key, step);
            step
        };
        (step, LayerSlot::Packed(pack))
    }

    fn pack_step(&mut self, layer: &Layer, form: Form) -> StepId {
        let key = (layer.diff_id.clone(), form);
        if let Some(step) = self.packs.get(&key) {
            return *step;
        }
        let unpacked = Unpacked { blob: layer.blob.clone(), diff_id: layer.diff_id.clone() };
        let step = self.push_step(Vec::new(), Action::Pack { layer: unpacked, form });
        self.packs.insert(key, step);
        step
    }

    fn known_blob(&mut self, repository: &Repository, descriptor: &Descriptor, blob: &Blob) -> StepId {
        let key = (repository.clone(), descriptor.digest().clone());
        if let Some(step) = self.blobs.get(&key) {
            return *step;
        }
        let presence = self.presence.get(&key).copied();
        let content = BlobContent::Known { digest: key.1.clone(), blob: blob.clone(), presence };
        let step = self.push_step(Vec::new(), Action::Blob { repository: repository.clone(), content });
        self.blobs.insert(key, step);
        step
    }

    fn push_step(&mut self, needs: Vec<StepId>, action: Action) -> StepId {
        let id = StepId(self.plan.steps.len());
        self.plan.steps.push(Step { needs, action, image: self.plan.images.len() });
        id
    }
}

/// The image byte for byte, where it goes up so.
pub(super) fn exact(image: &FoundImage, compression: Compression) -> Option<&ImageTree> {
    match (&image.content, compression) {
        (Content::Exact(tree), _) | (Content::Unpacked { exact: Some(tree), .. }, Compression::None) => {
            Some(tree)
        }
        (Content::Unpacked { .. }, _) => None,
    }
}

/// The descriptor of a packed image's configuration.
pub(super) fn config_descriptor(config: &Bytes) -> Descriptor {
    Descriptor::new(MediaType::ImageConfig, config.len() as u64, sha256(config))
}
