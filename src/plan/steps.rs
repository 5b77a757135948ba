use std::collections::HashSet;
use std::sync::Arc;

use super::{Presence, Target};
use crate::content::Blob;
use crate::oci::{Descriptor, Digest, Manifest, Platform, Repository};
use crate::pack::{Form, Unpacked};
use crate::port::SourceName;
use crate::report::ImageError;

/// A step's place in the plan. A step needs only steps with smaller ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub(crate) usize);

/// Something to be done once for the whole run.
#[derive(Debug, Clone)]
pub struct Step {
    pub needs: Vec<StepId>,
    pub action: Action,
    /// Index of the image that the step's bytes are counted for: the first that needs it.
    pub image: usize,
}

impl Step {
    /// Whether it is a blob that the survey found in the registry.
    #[must_use]
    pub fn is_known_present(&self) -> bool {
        matches!(
            self.action,
            Action::Blob {
                content: BlobContent::Known { presence: Some(Presence::Present), .. }
                    | BlobContent::Remembered { .. },
                ..
            }
        )
    }
}

#[derive(Debug, Clone)]
pub enum Action {
    /// Makes a blob of a layer that has no registry digest yet.
    Pack {
        layer: Unpacked,
        form: Form,
    },
    Blob {
        repository: Repository,
        content: BlobContent,
    },
    /// By digest, so that it is complete before any tag shows it.
    /// `current` is what the image's tag points to: a manifest of that digest is there already.
    Manifest {
        repository: Repository,
        form: ManifestForm,
        current: Option<Digest>,
    },
    Tag {
        target: Target,
        manifest: StepId,
        current: Option<Digest>,
    },
}

#[derive(Debug, Clone)]
pub enum BlobContent {
    /// `presence` is what the survey heard; absent when it did not ask.
    Known { digest: Digest, blob: Blob, presence: Option<Presence> },
    /// A layer that was packed before, and that the registry has. It is read only if it is gone after all.
    Remembered { descriptor: Box<Descriptor>, layer: Unpacked, form: Form },
    /// What a pack step leaves.
    Packed(StepId),
}

#[derive(Debug, Clone)]
pub enum ManifestForm {
    /// Sent byte for byte.
    Verbatim(Manifest),
    /// Made when its layers are packed.
    Compose { config: Box<Descriptor>, layers: Vec<LayerSlot> },
}

#[derive(Debug, Clone)]
pub enum LayerSlot {
    Known(Box<Descriptor>),
    Packed(StepId),
}

/// One image under one target.
#[derive(Debug, Clone)]
pub struct PlannedImage {
    pub source: SourceName,
    pub target: Target,
    pub platforms: Vec<Platform>,
    pub fate: Fate,
    /// Of the root manifest, where it is known before packing.
    pub descriptor: Option<Descriptor>,
    /// Bytes of configuration, layers and manifests as far as they are known; unpacked layers count
    /// with their unpacked size.
    pub size: u64,
    pub layer_count: usize,
    /// Steps of its layers, in order; a configuration is none.
    pub layers: Vec<StepId>,
    /// All blob steps, configurations included.
    pub blobs: Vec<StepId>,
}

#[derive(Debug, Clone)]
pub enum Fate {
    /// The tag step is the image's last.
    Push {
        tag: StepId,
    },
    /// The registry has this manifest under this tag.
    Exists,
    Refused(Arc<ImageError>),
}

/// What there is to do. Built only by `plan`.
#[derive(Debug, Clone, Default)]
pub struct PushPlan {
    pub(crate) steps: Vec<Step>,
    pub(crate) images: Vec<PlannedImage>,
    /// Where no tag of the run points to anything yet: most likely nothing is there.
    pub(crate) new: HashSet<Repository>,
}

impl PushPlan {
    /// Every step needs only earlier ones.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether no tag of the run in this repository points to anything yet.
    #[must_use]
    pub fn is_new(&self, repository: &Repository) -> bool {
        self.new.contains(repository)
    }

    #[must_use]
    pub fn images(&self) -> &[PlannedImage] {
        &self.images
    }

    /// Blob steps that the registry is not known to have: how many, their bytes as far as they are
    /// known, and how many layers have no digest before they are packed.
    #[must_use]
    pub fn outstanding(&self) -> Outstanding {
        let mut outstanding = Outstanding::default();
        for step in &self.steps {
            let Action::Blob { content, .. } = &step.action else { continue };
            match content {
                BlobContent::Known { .. } | BlobContent::Remembered { .. } if step.is_known_present() => {}
                BlobContent::Remembered { .. } => {}
                BlobContent::Known { blob, .. } => {
                    outstanding.blobs += 1;
                    outstanding.bytes += blob.len();
                }
                BlobContent::Packed(_) => outstanding.unknown += 1,
            }
        }
        outstanding
    }
}

/// What may have to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outstanding {
    pub blobs: usize,
    pub bytes: u64,
    pub unknown: usize,
}
