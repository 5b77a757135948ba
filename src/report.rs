//! Step 4: what became of each image.

use std::sync::Arc;
use std::time::Duration;

use crate::job::Compression;
use crate::plan::{Fate, PlannedImage, PushPlan, Step, StepId};
use crate::port::{SourceError, SourceName};

pub use crate::outcome::{ImageError, ImageOutcome, LayerCounts, Phases, Status};

fn planned(image: &PlannedImage, plan: &PushPlan) -> ImageOutcome {
    let present = |id: &&StepId| plan.steps().get(id.0).is_some_and(Step::is_known_present);
    ImageOutcome {
        reference: image.target.to_string(),
        digest: image.descriptor.as_ref().map(|root| root.digest().clone()),
        media_type: image.descriptor.as_ref().map(|root| root.media_type().clone()),
        platforms: image.platforms.clone(),
        status: match &image.fate {
            Fate::Push { .. } => Status::Planned,
            Fate::Exists => Status::Exists,
            Fate::Refused(error) => Status::Failed(Arc::clone(error)),
        },
        size: image.size,
        layers: LayerCounts {
            total: image.layer_count,
            existing: match image.fate {
                Fate::Exists => image.layer_count,
                _ => image.layers.iter().filter(present).count(),
            },
            ..LayerCounts::default()
        },
        ..ImageOutcome::of(image.source.clone())
    }
}

/// The answer of a run.
#[derive(Debug, Clone, Default)]
pub struct PushReport {
    pub images: Vec<ImageOutcome>,
    /// What layers were packed to that were not packed yet; absent for a run that did not get so far.
    pub compression: Option<Compression>,
    pub bytes_sent: u64,
    pub duration: Duration,
}

/// The run as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All pushed, present already, or planned.
    Done,
    SomeFailed,
    Cancelled,
}

impl PushReport {
    /// The report of a dry run: what the plan says, nothing sent.
    #[must_use]
    pub fn planned(plan: &PushPlan) -> Self {
        let images = plan.images().iter().map(|image| planned(image, plan)).collect();
        Self { images, ..Self::default() }
    }

    /// Adds the sources that gave no image.
    #[must_use]
    pub fn with_failed_sources(mut self, failed: Vec<(SourceName, SourceError)>) -> Self {
        self.images.extend(failed.into_iter().map(|(source, error)| ImageOutcome {
            status: Status::Failed(Arc::new(ImageError::Source(error))),
            ..ImageOutcome::of(source)
        }));
        self
    }

    /// Sets what layers were packed to.
    #[must_use]
    pub fn packed_by(self, compression: Compression) -> Self {
        Self { compression: Some(compression), ..self }
    }

    /// Sets how long the whole run took.
    #[must_use]
    pub fn lasting(self, duration: Duration) -> Self {
        Self { duration, ..self }
    }

    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.images.iter().any(|image| matches!(image.status, Status::Cancelled)) {
            return Verdict::Cancelled;
        }
        if self.images.iter().any(|image| matches!(image.status, Status::Failed(_))) {
            return Verdict::SomeFailed;
        }
        Verdict::Done
    }

    /// The errors of all images that failed, in the order of the report.
    pub fn errors(&self) -> impl Iterator<Item = (&ImageOutcome, &ImageError)> {
        self.images.iter().filter_map(|image| match &image.status {
            Status::Failed(error) => Some((image, &**error)),
            _ => None,
        })
    }
}
