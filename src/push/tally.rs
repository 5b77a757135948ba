use std::time::{Duration, Instant};

use super::schedule::{Ended, Schedule, Settled};
use super::step::{Counted, Done, Finished};
use crate::event::{BlobOutcome, Event, Events};
use crate::oci::Descriptor;
use crate::plan::{Action, Fate, PlannedImage, PushPlan, StepId};
use crate::report::{ImageOutcome, LayerCounts, Phases, PushReport, Status};

/// Counts what steps did and turns it into the report, image by image, as they are settled.
pub(super) struct Tally<'a> {
    plan: &'a PushPlan,
    steps: Vec<Option<Counted>>,
    images: Vec<Progress>,
}

#[derive(Default)]
struct Progress {
    began: Option<Instant>,
    phases: Phases,
    bytes_sent: u64,
    retries: u64,
    root: Option<Descriptor>,
    outcome: Option<ImageOutcome>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(plan: &'a PushPlan) -> Self {
        let images = plan
            .images()
            .iter()
            .map(|image| Progress { root: image.descriptor.clone(), ..Progress::default() })
            .collect();
        Self { plan, steps: plan.steps().iter().map(|_| None).collect(), images }
    }

    /// The first step of an image begins.
    pub(super) fn begin(&mut self, image: usize, events: &Events) {
        let (Some(progress), Some(planned)) = (self.images.get_mut(image), self.plan.images().get(image))
        else {
            return;
        };
        if progress.began.is_none() {
            progress.began = Some(Instant::now());
            events.emit(Event::ImageStarted {
                image,
                source: planned.source.clone(),
                reference: planned.target.to_string(),
            });
        }
    }

    pub(super) fn count(&mut self, finished: &Finished, plan: &PushPlan) {
        let Some(step) = plan.steps().get(finished.id.0) else { return };
        let Some(progress) = self.images.get_mut(step.image) else { return };
        match step.action {
            Action::Pack { .. } => progress.phases.pack += finished.took,
            Action::Blob { .. } => progress.phases.upload += finished.took,
            Action::Manifest { .. } | Action::Tag { .. } => progress.phases.manifest += finished.took,
        }
        progress.bytes_sent += finished.counted.bytes_sent;
        progress.retries += finished.counted.retries;
        // The root is the last manifest of an image.
        if let Ended::Done(Done::Manifest(manifest)) = &finished.ended {
            progress.root = Some(manifest.descriptor().clone());
        }
        if let Some(slot) = self.steps.get_mut(finished.id.0) {
            let mut counted = finished.counted.clone();
            // In a second round what was sent in the first is there already.
            counted.outcome = match slot.as_ref().and_then(|before| before.outcome) {
                Some(BlobOutcome::Uploaded) => Some(BlobOutcome::Uploaded),
                _ => counted.outcome,
            };
            *slot = Some(counted);
        }
    }

    /// Tells of every image that has come to its end since the last call.
    pub(super) fn settle(&mut self, schedule: &Schedule<'_>, events: &Events) {
        for index in 0..self.images.len() {
            let Some(planned) = self.plan.images().get(index) else { continue };
            if self.images.get(index).is_none_or(|progress| progress.outcome.is_some()) {
                continue;
            }
            let Some(status) = self.status(&planned.fate, schedule) else { continue };
            let outcome = self.outcome(index, planned, status, schedule);
            events.emit(Event::ImageFinished(Box::new(outcome.clone())));
            if let Some(progress) = self.images.get_mut(index) {
                progress.outcome = Some(outcome);
            }
        }
    }

    fn status(&self, fate: &Fate, schedule: &Schedule<'_>) -> Option<Status> {
        match fate {
            Fate::Exists => Some(Status::Exists),
            Fate::Refused(error) => Some(Status::Failed(std::sync::Arc::clone(error))),
            Fate::Push { tag } => Some(match schedule.settled(*tag)? {
                Settled::Done if self.step(*tag).is_some_and(|step| step.tag_was_there) => Status::Exists,
                Settled::Done => Status::Pushed,
                Settled::Failed(error) => Status::Failed(error),
                Settled::Cancelled => Status::Cancelled,
            }),
        }
    }

    fn outcome(
        &self,
        index: usize,
        planned: &PlannedImage,
        status: Status,
        schedule: &Schedule<'_>,
    ) -> ImageOutcome {
        let default = Progress::default();
        let progress = self.images.get(index).unwrap_or(&default);
        let root = match &planned.fate {
            // Two tags of one image share its manifest step, which counts for the first of them.
            Fate::Push { tag } => self.root_of(*tag, schedule).or_else(|| progress.root.clone()),
            _ => progress.root.clone(),
        };
        ImageOutcome {
            source: planned.source.clone(),
            reference: planned.target.to_string(),
            digest: root.as_ref().map(|root| root.digest().clone()),
            media_type: root.map(|root| root.media_type().clone()),
            platforms: planned.platforms.clone(),
            status,
            size: planned.size,
            layers: self.layers(index, planned),
            bytes_sent: progress.bytes_sent,
            retries: progress.retries,
            duration: progress.began.map(|began| began.elapsed()).unwrap_or_default(),
            phases: progress.phases,
        }
    }

    fn root_of(&self, tag: StepId, schedule: &Schedule<'_>) -> Option<Descriptor> {
        let Action::Tag { manifest, .. } = &self.plan.steps().get(tag.0)?.action else { return None };
        schedule.manifest(*manifest).map(|manifest| manifest.descriptor().clone())
    }

    /// A layer that another image of the run brought counts as existing here.
    fn layers(&self, index: usize, planned: &PlannedImage) -> LayerCounts {
        let mut layers = LayerCounts { total: planned.layer_count, ..LayerCounts::default() };
        if matches!(planned.fate, Fate::Exists) {
            layers.existing = planned.layer_count;
        }
        for id in &planned.layers {
            let owned = self.plan.steps().get(id.0).is_some_and(|step| step.image == index);
            match self.step(*id).and_then(|step| step.outcome) {
                Some(BlobOutcome::Uploaded) if owned => layers.uploaded += 1,
                Some(BlobOutcome::Mounted) if owned => layers.mounted += 1,
                Some(_) => layers.existing += 1,
                None => {}
            }
        }
        layers
    }

    fn step(&self, id: StepId) -> Option<&Counted> {
        self.steps.get(id.0)?.as_ref()
    }

    pub(super) fn report(self, duration: Duration) -> PushReport {
        let images: Vec<ImageOutcome> =
            self.images.into_iter().filter_map(|progress| progress.outcome).collect();
        let bytes_sent = images.iter().map(|image| image.bytes_sent).sum();
        PushReport { images, bytes_sent, duration, compression: None }
    }
}
