use std::collections::HashMap;

use crate::content::Blob;
use crate::oci::Descriptor;
use crate::pack::Packed;
use crate::plan::{Action, BlobContent, Step, StepId};

/// What pack steps left. A descriptor stays, since a manifest names it; bytes, which are memory or an
/// open file, are held only until every upload of them has ended.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    descriptors: HashMap<StepId, Box<Descriptor>>,
    blobs: HashMap<StepId, Blob>,
    /// Uploads of a pack step's bytes that have not ended.
    uploads: HashMap<StepId, usize>,
}

impl Shelf {
    pub(super) fn new(steps: &[Step]) -> Self {
        let mut shelf = Self::default();
        for pack in steps.iter().filter_map(pack_of) {
            *shelf.uploads.entry(pack).or_default() += 1;
        }
        shelf
    }

    pub(super) fn keep(&mut self, pack: StepId, packed: Packed) {
        self.descriptors.insert(pack, packed.descriptor);
        if self.uploads.get(&pack).is_some_and(|uploads| *uploads > 0) {
            self.blobs.insert(pack, packed.blob);
        }
    }

    pub(super) fn upload_ended(&mut self, pack: StepId) {
        let Some(uploads) = self.uploads.get_mut(&pack) else { return };
        *uploads = uploads.saturating_sub(1);
        if *uploads == 0 {
            self.blobs.remove(&pack);
        }
    }

    /// One upload more. Returns whether its bytes are still here.
    pub(super) fn upload_again(&mut self, pack: StepId) -> bool {
        *self.uploads.entry(pack).or_default() += 1;
        self.blobs.contains_key(&pack)
    }

    /// How many packed layers are held.
    pub(super) fn held(&self) -> usize {
        self.blobs.len()
    }

    pub(super) fn blob(&self, pack: StepId) -> Option<&Blob> {
        self.blobs.get(&pack)
    }

    pub(super) fn descriptor(&self, pack: StepId) -> Option<&Descriptor> {
        self.descriptors.get(&pack).map(|descriptor| &**descriptor)
    }
}

/// The pack step whose bytes a step uploads.
pub(super) fn pack_of(step: &Step) -> Option<StepId> {
    match &step.action {
        Action::Blob { content: BlobContent::Packed(pack), .. } => Some(*pack),
        _ => None,
    }
}
