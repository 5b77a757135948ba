use std::collections::HashMap;

use bytes::Bytes;

use super::foresight::{Foresight, config_descriptor};
use super::steps::{
    Action, BlobContent, Fate, LayerSlot, ManifestForm, PlannedImage, PushPlan, Step, StepId,
};
use super::{Presence, Target};
use crate::content::Blob;
use crate::oci::{Descriptor, Digest, Repository};
use crate::pack::{Encoding, Form, Unpacked};
use crate::port::{Content, FoundImage, ImageTree, Layer};

/// Builds the steps of all images, children first and each blob once for (repository, digest).
pub(super) struct Graph {
    plan: PushPlan,
    foresight: Foresight,
    packs: HashMap<(Digest, Form), StepId>,
    blobs: HashMap<(Repository, Digest), StepId>,
    packed_blobs: HashMap<(Repository, StepId), StepId>,
    manifests: HashMap<(Repository, Digest), StepId>,
    /// By the digest of the configuration: their own is known when they are packed.
    composed: HashMap<(Repository, Digest), StepId>,
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
    pub(super) fn new(foresight: Foresight, presence: HashMap<(Repository, Digest), Presence>) -> Self {
        Self {
            plan: PushPlan::default(),
            foresight,
            packs: HashMap::new(),
            blobs: HashMap::new(),
            packed_blobs: HashMap::new(),
            manifests: HashMap::new(),
            composed: HashMap::new(),
            presence,
        }
    }

    pub(super) fn finish(self) -> PushPlan {
        self.plan
    }

    /// An image that needs no steps: there already, or refused.
    pub(super) fn settled(&mut self, image: &FoundImage, target: Target, fate: Fate) {
        let descriptor = self.foresight.manifest(image).map(|manifest| manifest.descriptor().clone());
        let (size, layer_count) = self.foresight.weight(image);
        self.plan.images.push(PlannedImage {
            source: image.source.clone(),
            target,
            platforms: image.platforms.clone(),
            fate,
            descriptor,
            size,
            layer_count,
            layers: Vec::new(),
            blobs: Vec::new(),
        });
    }

    /// All steps of an image, its tag last. `current` is what the tag points to now.
    pub(super) fn add(&mut self, image: &FoundImage, target: Target, current: Option<Digest>) {
        let mut tally = Tally { current: current.clone(), ..Tally::default() };
        let repository = target.repository.clone();
        let descriptor = self.foresight.manifest(image).map(|manifest| manifest.descriptor().clone());
        let tree = self.foresight.exact(image);
        let manifest = match (tree, &image.content) {
            (Some(tree), _) => self.tree(tree, &repository, &mut tally),
            (None, Content::Unpacked { config, layers, .. }) => {
                self.unpacked(config, layers, &repository, &mut tally)
            }
            (None, Content::Exact(_)) => return,
        };
        let mut needs = vec![manifest];
        needs.extend(tree.into_iter().flat_map(|tree| self.referrers(tree, &repository, &mut tally)));
        // With something new that refers to it, an image whose tag stands is pushed all the same.
        let current = current.filter(|_| needs.len() == 1);
        let tag = Action::Tag { target: target.clone(), manifest, current };
        let tag = self.push_step(needs, tag);
        self.plan.images.push(PlannedImage {
            source: image.source.clone(),
            target,
            platforms: image.platforms.clone(),
            fate: Fate::Push { tag },
            descriptor,
            size: tally.size,
            layer_count: tally.layers.len(),
            layers: tally.layers,
            blobs: tally.blobs,
        });
    }

    /// Manifests that refer to the image: each behind its subject, all before the tag. Their layers are
    /// none of the image's.
    fn referrers(&mut self, tree: &ImageTree, repository: &Repository, tally: &mut Tally) -> Vec<StepId> {
        let mut of_referrers = Tally::default();
        let steps = tree
            .referrers
            .iter()
            .map(|referrer| self.tree(referrer, repository, &mut of_referrers))
            .collect();
        tally.size += of_referrers.size;
        tally.blobs.extend(of_referrers.blobs);
        steps
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
        let subject = tree.manifest.subject().map(|subject| (repository.clone(), subject.digest().clone()));
        needs.extend(subject.and_then(|subject| self.manifests.get(&subject)).copied());
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
            tally.size += match &slot {
                LayerSlot::Known(descriptor) => descriptor.size(),
                LayerSlot::Packed(_) => layer.blob.len(),
            };
            tally.blobs.push(step);
            tally.layers.push(step);
            needs.push(step);
            slots.push(slot);
        }
        // The configuration names its layers, so that images of one configuration are one manifest.
        let key = (repository.clone(), config_descriptor.digest().clone());
        if let Some(step) = self.composed.get(&key) {
            return *step;
        }
        let form = ManifestForm::Compose { config: Box::new(config_descriptor), layers: slots };
        let current = tally.current.clone();
        let step = self.push_step(needs, Action::Manifest { repository: repository.clone(), form, current });
        self.composed.insert(key, step);
        step
    }

    fn layer(&mut self, repository: &Repository, layer: &Layer) -> (StepId, LayerSlot) {
        let form = self.foresight.form(layer);
        if let Some(descriptor) = self.foresight.layer(layer)
            && let Some(step) = self.foreseen_blob(repository, &descriptor, layer)
        {
            return (step, LayerSlot::Known(Box::new(descriptor)));
        }
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

    /// A layer whose digest is known without reading it. One that the registry lacks has to be packed
    /// after all, and that is a step of its own.
    fn foreseen_blob(
        &mut self,
        repository: &Repository,
        descriptor: &Descriptor,
        layer: &Layer,
    ) -> Option<StepId> {
        let form = self.foresight.form(layer);
        if form == Form::AsIs(Encoding::Tar) {
            return Some(self.known_blob(repository, descriptor, &layer.blob));
        }
        let key = (repository.clone(), descriptor.digest().clone());
        if self.presence.get(&key) != Some(&Presence::Present) {
            return None;
        }
        if let Some(step) = self.blobs.get(&key) {
            return Some(*step);
        }
        let layer = Unpacked { blob: layer.blob.clone(), diff_id: layer.diff_id.clone() };
        let content = BlobContent::Remembered { descriptor: Box::new(descriptor.clone()), layer, form };
        let step = self.push_step(Vec::new(), Action::Blob { repository: repository.clone(), content });
        self.blobs.insert(key, step);
        Some(step)
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
