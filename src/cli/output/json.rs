use std::time::Duration;

use serde::Serialize;

use super::table::word;
use super::{API_VERSION, document};
use crate::cli::facts::Facts;
use crate::cli::failure::{Failure, Retry, Scene, clean, one};
use crate::cli::screen::Counts;
use crate::cli::settings::Form;
use crate::job::StopAfter;
use crate::report::{ImageOutcome, LayerCounts, PushReport, Status};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    dry_run: bool,
    #[serde(flatten)]
    place: Place<'a>,
    /// Of layers that were not packed yet.
    compression: Option<String>,
    images: Vec<Image>,
    summary: Summary,
    /// Why the run as a whole could not go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    exit_code: u8,
}

/// Where a run goes, and as whom; nothing of it is known of a run that did not get so far.
#[derive(Serialize, Default)]
pub(in crate::cli) struct Place<'a> {
    cluster: Option<Cluster<'a>>,
    registry: Option<Registry<'a>>,
    auth: Option<Auth<'a>>,
}

impl<'a> Place<'a> {
    pub(in crate::cli) fn of(facts: &'a Facts) -> Self {
        let Facts { cluster, registry, auth } = facts;
        Self {
            cluster: cluster
                .as_ref()
                .map(|cluster| Cluster { name: &cluster.name, context: &cluster.context }),
            registry: Some(Registry {
                host: &registry.host,
                address: registry.address.as_deref(),
                tls: registry.tls.word(),
                source: &registry.source,
            }),
            auth: Some(Auth { source: auth.source.to_string(), username: auth.username.as_deref() }),
        }
    }
}

#[derive(Serialize)]
struct Cluster<'a> {
    name: &'a str,
    context: &'a str,
}

#[derive(Serialize)]
struct Registry<'a> {
    host: &'a str,
    address: Option<&'a str>,
    tls: &'static str,
    source: &'a str,
}

#[derive(Serialize)]
struct Auth<'a> {
    source: String,
    username: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    source: String,
    reference: Option<String>,
    digest: Option<String>,
    media_type: Option<String>,
    platforms: Vec<String>,
    status: &'static str,
    size: u64,
    layers: Layers,
    bytes_sent: u64,
    retries: u64,
    duration_ms: u64,
    phases: Phases,
    error: Option<Problem>,
}

#[derive(Serialize)]
struct Layers {
    total: usize,
    uploaded: usize,
    existing: usize,
    mounted: usize,
}

#[derive(Serialize)]
struct Phases {
    #[serde(rename = "packMs")]
    pack: u64,
    #[serde(rename = "uploadMs")]
    upload: u64,
    #[serde(rename = "manifestMs")]
    manifest: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Summary {
    pushed: usize,
    existing: usize,
    planned: usize,
    failed: usize,
    cancelled: usize,
    bytes_sent: u64,
    duration_ms: u64,
}

impl Summary {
    pub(in crate::cli) fn of(report: &PushReport) -> Self {
        let counts = Counts::of(report);
        Self {
            pushed: counts.pushed,
            existing: counts.exists,
            planned: counts.planned,
            failed: counts.failed,
            cancelled: counts.cancelled,
            bytes_sent: report.bytes_sent,
            duration_ms: milliseconds(report.duration),
        }
    }
}

/// An error for programs.
#[derive(Serialize)]
pub(in crate::cli) struct Problem {
    code: &'static str,
    message: String,
    hints: Vec<String>,
    cause: Vec<String>,
    retryable: bool,
}

impl Problem {
    pub(in crate::cli) fn of(failure: &Failure) -> Self {
        Self {
            code: failure.code,
            message: clean(&failure.message),
            hints: failure.hints(),
            cause: failure.causes.iter().map(|cause| clean(cause)).collect(),
            retryable: failure.retry == Retry::MayHelp,
        }
    }
}

/// What a run came to, beside its report.
pub(in crate::cli) struct Ending<'a> {
    pub(in crate::cli) stop: StopAfter,
    pub(in crate::cli) facts: Option<&'a Facts>,
    /// Why the run could not go on at all.
    pub(in crate::cli) failure: Option<&'a Failure>,
    pub(in crate::cli) exit_code: u8,
}

/// The document of a push or a dry run, one entry an image and target tag.
pub(in crate::cli) fn push_report(
    report: &PushReport,
    ending: &Ending<'_>,
    scene: &Scene<'_>,
    form: Form,
) -> String {
    document(&whole(report, ending, scene), form)
}

/// The same document as one of many: a line of JSON, or what stands behind a mark of YAML (1.2, 9.2).
pub(in crate::cli) fn push_lines(
    report: &PushReport,
    ending: &Ending<'_>,
    scene: &Scene<'_>,
    form: Form,
) -> String {
    let whole = whole(report, ending, scene);
    match form {
        Form::Json => serde_json::to_string(&whole).unwrap_or_default() + "\n",
        Form::Yaml => format!("---\n{}", document(&whole, form)),
    }
}

fn whole<'a>(report: &PushReport, ending: &Ending<'a>, scene: &Scene<'_>) -> Document<'a> {
    Document {
        api_version: API_VERSION,
        kind: "PushReport",
        dry_run: ending.stop == StopAfter::Plan,
        place: ending.facts.map(Place::of).unwrap_or_default(),
        compression: report.compression.map(|compression| compression.to_string()),
        images: report.images.iter().map(|image| entry(image, scene)).collect(),
        summary: Summary::of(report),
        error: ending.failure.map(Problem::of),
        exit_code: ending.exit_code,
    }
}

fn entry(image: &ImageOutcome, scene: &Scene<'_>) -> Image {
    let LayerCounts { total, uploaded, existing, mounted } = image.layers;
    Image {
        source: image.source.0.clone(),
        reference: Some(image.reference.clone()).filter(|reference| !reference.is_empty()),
        digest: image.digest.as_ref().map(ToString::to_string),
        media_type: image.media_type.as_ref().map(ToString::to_string),
        platforms: image.platforms.iter().map(super::list::platform).collect(),
        status: word(&image.status),
        size: image.size,
        layers: Layers { total, uploaded, existing, mounted },
        bytes_sent: image.bytes_sent,
        retries: image.retries,
        duration_ms: milliseconds(image.duration),
        phases: Phases {
            pack: milliseconds(image.phases.pack),
            upload: milliseconds(image.phases.upload),
            manifest: milliseconds(image.phases.manifest),
        },
        error: match &image.status {
            Status::Failed(error) => Some(Problem::of(&one(error, scene))),
            _ => None,
        },
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
