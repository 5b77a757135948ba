use tracing::{debug, info};

use super::screen::short;
use crate::event::{Event, Meter};
use crate::oci::Digest;
use crate::report::{ImageOutcome, Status};

/// Writes the run's facts to the log: start and end of each image at info, the rest at debug.
#[derive(Default)]
pub(super) struct Journal {
    under_way: Vec<UnderWay>,
}

struct UnderWay {
    digest: Digest,
    size: u64,
    meter: Meter,
    /// Tenths that were told.
    told: u64,
}

impl Journal {
    pub(super) fn record(&mut self, event: &Event) {
        match event {
            Event::ImageStarted { source, reference, .. } => {
                info!(image = %reference, source = %source, "push started");
            }
            Event::ImageFinished(outcome) => finished(outcome),
            Event::Planned { images, present, blobs, bytes, unknown } => {
                debug!(images, present, blobs, bytes, unknown, "planned");
            }
            Event::BlobStarted { digest, size, meter } => self.begin(digest, *size, meter, "layer started"),
            Event::PackStarted { diff_id, size, meter } => self.begin(diff_id, *size, meter, "packing"),
            Event::BlobFinished { digest, size, outcome } => {
                self.end(digest);
                debug!(layer = %digest, size, outcome = ?outcome, "layer finished");
            }
            Event::BlobFailed { digest } => {
                self.end(digest);
                debug!(layer = %digest, "layer given up");
            }
            Event::PackFinished { diff_id, digest, size } => {
                self.end(diff_id);
                debug!(diff_id = %diff_id, layer = %digest, size, "packed");
            }
            Event::BlobStoring { digest } => debug!(layer = %digest, "storing"),
            Event::Retrying { subject, reason, wait, attempt } => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                debug!(subject = %subject, reason = %reason, wait_ms, attempt, "retrying");
            }
            Event::ManifestPut { reference, digest } => {
                debug!(manifest = %reference, digest = %digest, "manifest put");
            }
            Event::SpoolStarted { source, size, .. } => {
                debug!(source = %source, size, "unpacking or reading into a temporary file");
            }
            Event::SpoolFinished { source } => debug!(source = %source, "read"),
            // The screen says these at every level of the log.
            Event::Skipped(_) | Event::Note(_) | Event::Warning(_) | Event::ImageFound { .. } => {}
        }
    }

    /// Tells of every transfer that came a tenth further since the last call.
    pub(super) fn tick(&mut self) {
        for one in &mut self.under_way {
            let tenths = one.meter.position().saturating_mul(10) / one.size.max(1);
            if tenths > one.told {
                one.told = tenths;
                debug!(layer = %short(&one.digest), percent = (tenths * 10).min(100), "layer under way");
            }
        }
    }

    fn begin(&mut self, digest: &Digest, size: u64, meter: &Meter, what: &'static str) {
        debug!(layer = %digest, size, "{what}");
        self.under_way.push(UnderWay { digest: digest.clone(), size, meter: meter.clone(), told: 0 });
    }

    fn end(&mut self, digest: &Digest) {
        if let Some(index) = self.under_way.iter().position(|one| one.digest == *digest) {
            self.under_way.swap_remove(index);
        }
    }
}

fn finished(outcome: &ImageOutcome) {
    let status = match outcome.status {
        Status::Pushed => "pushed",
        Status::Exists => "exists",
        Status::Planned => "planned",
        Status::Failed(_) => "failed",
        Status::Cancelled => "cancelled",
    };
    info!(
        image = %outcome.reference,
        status,
        digest = outcome.digest.as_ref().map(tracing::field::display),
        size = outcome.size,
        sent = outcome.bytes_sent,
        retries = outcome.retries,
        duration = %super::screen::duration(outcome.duration),
        "push finished"
    );
}
