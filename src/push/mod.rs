//! Step 3: runs what the schedule says is ready, within its budgets.
//!
//! One loop owns all state. Retry is not here: an error that reaches the loop is final. Cancelling is
//! a value that running steps see; the loop waits for them, so that sessions are closed and the report
//! is whole.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

mod blob;
mod manifest;
mod queue;
mod schedule;
mod shelf;
mod step;
mod tally;

use crate::event::{Event, Events};
use crate::job::{Job, OnFailure, World};
use crate::pack::Crew;
use crate::plan::{Action, PushPlan};
use crate::port::{Refusal, RegistryError};
use crate::report::{ImageError, PushReport};
use schedule::{Ended, Schedule};
use step::{Finished, Scene};
use tally::Tally;

/// Pushes the plan. What became of each image is in the report; nothing here is an `Err`.
pub async fn push(
    plan: PushPlan,
    job: &Job,
    world: &World,
    events: &Events,
    cancel: &CancellationToken,
) -> PushReport {
    let began = Instant::now();
    let crew = Arc::new(Crew::new(job.limits.threads));
    let mut schedule = Schedule::new(&plan, job.limits);
    let mut tally = Tally::new(&plan);
    let mut running = FuturesUnordered::new();
    let scene = Scene { world, plan: &plan, crew: &crew, events, cancel, existing: job.existing };
    tally.settle(&schedule, events);
    loop {
        if cancel.is_cancelled() {
            schedule.stop();
        }
        while let Some(id) = schedule.next() {
            let Some(step) = plan.steps().get(id.0) else { break };
            tally.begin(step.image, events);
            running.push(step::run(id, step::prepare(step, id, &schedule), scene));
        }
        let finished = tokio::select! {
            finished = running.next() => finished,
            () = cancel.cancelled(), if !cancel.is_cancelled() => continue,
        };
        let Some(finished) = finished else { break };
        tally.count(&finished, &plan);
        record(finished, &mut schedule, job.on_failure, &plan, events);
        tally.settle(&schedule, events);
    }
    schedule.stop();
    tally.settle(&schedule, events);
    tally.report(began.elapsed())
}

fn record(
    finished: Finished,
    schedule: &mut Schedule<'_>,
    on_failure: OnFailure,
    plan: &PushPlan,
    events: &Events,
) {
    let lost = matches!(
        &finished.ended,
        Ended::Failed(ImageError::Registry(RegistryError::Refused { refusal: Refusal::BlobUnknown, .. }))
    );
    let is_manifest =
        matches!(plan.steps().get(finished.id.0).map(|step| &step.action), Some(Action::Manifest { .. }));
    if lost && is_manifest && schedule.reopen(finished.id) {
        events
            .emit(Event::Note("the registry lost a blob of the image; asking for all of them again".into()));
        return;
    }
    let failed = matches!(finished.ended, Ended::Failed(_));
    schedule.record(finished.id, finished.ended);
    if failed && on_failure == OnFailure::Stop {
        schedule.stop();
    }
}

#[cfg(test)]
mod tests;
