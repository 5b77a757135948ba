use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::facts::Facts;
use crate::cli::failure::Failure;
use crate::cli::output::{Place, Problem, Summary, word};
use crate::event::{BlobOutcome, Event, Meter};
use crate::oci::Digest;
use crate::port::SourceName;
use crate::report::{ImageOutcome, PushReport};

/// Raised when a type or a field goes away or means something else; more of them may come at any time.
const SCHEMA_VERSION: u8 = 1;
/// How often bytes are told of.
const EVERY: Duration = Duration::from_millis(250);

/// Tells programs what happens: one JSON object a line, for each fact, and how far transfers are.
pub(in crate::cli) struct JsonLines {
    out: Box<dyn Write + Send>,
    moving: Vec<Moving>,
    sampled: Option<Instant>,
}

/// Bytes on their way, and how many were told of.
struct Moving {
    what: What,
    size: Option<u64>,
    meter: Meter,
    told: (u64, u64),
}

#[derive(PartialEq, Eq)]
enum What {
    Spool(SourceName),
    Pack(Digest),
    Blob(Digest),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    schema_version: u8,
    #[serde(flatten)]
    fact: &'a Fact<'a>,
}

/// Sizes and positions are in bytes. `position` is where a transfer stands, and goes back on a retry; `sent`
/// counts every byte that went out.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Fact<'a> {
    Connected {
        #[serde(flatten)]
        place: Place<'a>,
    },
    Skipped {
        path: String,
        reason: &'a str,
    },
    Note {
        text: &'a str,
    },
    Warning {
        text: &'a str,
    },
    SpoolStarted {
        source: &'a str,
        size: Option<u64>,
    },
    SpoolProgress {
        source: &'a str,
        size: Option<u64>,
        position: u64,
    },
    SpoolFinished {
        source: &'a str,
    },
    ImageFound {
        source: &'a str,
    },
    Planned {
        images: usize,
        present: usize,
        blobs: usize,
        bytes: u64,
        unknown: usize,
    },
    ImageStarted {
        source: &'a str,
        reference: &'a str,
    },
    PackStarted {
        diff_id: &'a Digest,
        size: u64,
    },
    PackProgress {
        diff_id: &'a Digest,
        size: Option<u64>,
        position: u64,
    },
    PackFinished {
        diff_id: &'a Digest,
        digest: &'a Digest,
        size: u64,
    },
    BlobStarted {
        digest: &'a Digest,
        size: u64,
    },
    BlobProgress {
        digest: &'a Digest,
        size: Option<u64>,
        position: u64,
        sent: u64,
        retries: u64,
    },
    BlobStoring {
        digest: &'a Digest,
    },
    BlobFinished {
        digest: &'a Digest,
        size: u64,
        outcome: &'static str,
    },
    BlobFailed {
        digest: &'a Digest,
    },
    Retrying {
        subject: &'a str,
        reason: &'a str,
        wait_ms: u128,
        attempt: u32,
    },
    ManifestPut {
        reference: &'a str,
        digest: &'a Digest,
    },
    ImageFinished {
        source: &'a str,
        reference: &'a str,
        digest: Option<&'a Digest>,
        status: &'static str,
        bytes_sent: u64,
        duration_ms: u128,
    },
    Error {
        #[serde(flatten)]
        problem: Problem,
    },
    Finished {
        summary: Option<Summary>,
        exit_code: u8,
    },
}

impl JsonLines {
    pub(in crate::cli) fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out, moving: Vec::new(), sampled: None }
    }

    pub(super) fn connected(&mut self, facts: &Facts) {
        self.write(&Fact::Connected { place: Place::of(facts) });
    }

    pub(super) fn error(&mut self, failure: &Failure) {
        self.write(&Fact::Error { problem: Problem::of(failure) });
    }

    /// The last line. A run that had nothing to report has no summary.
    pub(super) fn finished(&mut self, report: Option<&PushReport>, exit_code: u8) {
        self.write(&Fact::Finished { summary: report.map(Summary::of), exit_code });
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.follow(event);
        self.write(&fact(event));
    }

    /// Begins and ends what `tick` tells of.
    fn follow(&mut self, event: &Event) {
        let (what, size, meter) = match event {
            Event::SpoolStarted { source, size, meter } => (What::Spool(source.clone()), *size, meter),
            Event::PackStarted { diff_id, size, meter } => (What::Pack(diff_id.clone()), Some(*size), meter),
            Event::BlobStarted { digest, size, meter } => (What::Blob(digest.clone()), Some(*size), meter),
            Event::SpoolFinished { source } => return self.end(&What::Spool(source.clone())),
            Event::PackFinished { diff_id, .. } => return self.end(&What::Pack(diff_id.clone())),
            Event::BlobFinished { digest, .. } | Event::BlobFailed { digest } => {
                return self.end(&What::Blob(digest.clone()));
            }
            _ => return,
        };
        self.moving.push(Moving { what, size, meter: meter.clone(), told: (0, 0) });
    }

    fn end(&mut self, what: &What) {
        if let Some(index) = self.moving.iter().position(|moving| moving.what == *what) {
            self.moving.remove(index);
        }
    }

    /// Tells of the bytes that moved since the last time.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.sampled.is_some_and(|sampled| now.duration_since(sampled) < EVERY) {
            return;
        }
        self.sampled = Some(now);
        let mut moving = std::mem::take(&mut self.moving);
        for moving in &mut moving {
            let at = (moving.meter.position(), moving.meter.sent());
            if at != moving.told {
                moving.told = at;
                self.write(&moving.fact());
            }
        }
        self.moving = moving;
    }

    /// A whole line at once, since logs are written beside it. A closed stderr stops no push.
    fn write(&mut self, fact: &Fact<'_>) {
        let line = serde_json::to_string(&Line { schema_version: SCHEMA_VERSION, fact });
        if let Ok(line) = line {
            let _ = self.out.write_all((line + "\n").as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

impl Moving {
    fn fact(&self) -> Fact<'_> {
        let Self { what, size, meter, told: (position, sent) } = self;
        let (size, position) = (*size, *position);
        match what {
            What::Spool(source) => Fact::SpoolProgress { source: &source.0, size, position },
            What::Pack(diff_id) => Fact::PackProgress { diff_id, size, position },
            What::Blob(digest) => {
                Fact::BlobProgress { digest, size, position, sent: *sent, retries: meter.retries() }
            }
        }
    }
}

fn fact(event: &Event) -> Fact<'_> {
    match event {
        Event::Skipped(skipped) => {
            Fact::Skipped { path: skipped.path.display().to_string(), reason: &skipped.reason }
        }
        Event::Note(text) => Fact::Note { text },
        Event::Warning(text) => Fact::Warning { text },
        Event::ImageFound { source } => Fact::ImageFound { source: &source.0 },
        Event::Planned { images, present, blobs, bytes, unknown } => {
            let (images, present, blobs, bytes, unknown) = (*images, *present, *blobs, *bytes, *unknown);
            Fact::Planned { images, present, blobs, bytes, unknown }
        }
        Event::ImageStarted { source, reference, .. } => Fact::ImageStarted { source: &source.0, reference },
        Event::ManifestPut { reference, digest } => Fact::ManifestPut { reference, digest },
        Event::ImageFinished(outcome) => finished(outcome),
        Event::Retrying { subject, reason, wait, attempt } => {
            Fact::Retrying { subject, reason, wait_ms: wait.as_millis(), attempt: *attempt }
        }
        Event::SpoolStarted { source, size, .. } => Fact::SpoolStarted { source: &source.0, size: *size },
        Event::SpoolFinished { source } => Fact::SpoolFinished { source: &source.0 },
        Event::PackStarted { diff_id, size, .. } => Fact::PackStarted { diff_id, size: *size },
        Event::PackFinished { diff_id, digest, size } => Fact::PackFinished { diff_id, digest, size: *size },
        Event::BlobStarted { digest, size, .. } => Fact::BlobStarted { digest, size: *size },
        Event::BlobStoring { digest } => Fact::BlobStoring { digest },
        Event::BlobFinished { digest, size, outcome } => {
            Fact::BlobFinished { digest, size: *size, outcome: how(*outcome) }
        }
        Event::BlobFailed { digest } => Fact::BlobFailed { digest },
    }
}

fn how(outcome: BlobOutcome) -> &'static str {
    match outcome {
        BlobOutcome::Uploaded => "uploaded",
        BlobOutcome::Mounted => "mounted",
        BlobOutcome::Present => "present",
        BlobOutcome::Read => "read",
    }
}

fn finished(outcome: &ImageOutcome) -> Fact<'_> {
    Fact::ImageFinished {
        source: &outcome.source.0,
        reference: &outcome.reference,
        digest: outcome.digest.as_ref(),
        status: word(&outcome.status),
        bytes_sent: outcome.bytes_sent,
        duration_ms: outcome.duration.as_millis(),
    }
}

#[cfg(test)]
mod tests;
