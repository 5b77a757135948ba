use serde::Serialize;

use super::json::{Place, Problem};
use super::table::aligned;
use super::{API_VERSION, document};
use crate::cli::facts::Facts;
use crate::cli::failure::{Failure, Scene, clean, of_verified};
use crate::cli::screen::{escaped, pinned_as, short, size};
use crate::cli::settings::Form;
use crate::verify::{Depth, Difference, Part, Standing, Verified, VerifyReport};

/// One `reference@digest` a line, for what is as it should be.
pub(in crate::cli) fn verify_names(report: &VerifyReport) -> String {
    let same = report.images.iter().filter(|image| matches!(image.standing, Standing::Same));
    same.map(|image| pinned(image) + "\n").collect()
}

fn pinned(image: &Verified) -> String {
    let digest = image.digest.as_ref().filter(|_| !image.reference.contains('@'));
    pinned_as(&image.reference, digest)
}

/// One row an image and name.
pub(in crate::cli) fn verify_table(report: &VerifyReport) -> String {
    let mut rows = vec![["REFERENCE", "DIGEST", "STATUS", "BLOBS", "SIZE", "DIFFERENCES"].map(str::to_owned)];
    rows.extend(report.images.iter().map(|image| {
        [
            escaped(&image.name()),
            image.digest.as_ref().map_or_else(|| "-".to_owned(), short),
            standing(&image.standing).to_owned(),
            image.checked.blobs.to_string(),
            size(image.checked.bytes),
            image.differences.len().to_string(),
        ]
    }));
    aligned(&rows)
}

/// The word for how an image stands, the same everywhere.
fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Same => "ok",
        Standing::Missing => "missing",
        Standing::Different => "different",
        Standing::Damaged => "damaged",
        Standing::Failed(_) => "failed",
        Standing::Cancelled => "cancelled",
    }
}

/// What a run came to, beside its report.
pub(in crate::cli) struct VerifyEnding<'a> {
    pub(in crate::cli) depth: Depth,
    pub(in crate::cli) facts: Option<&'a Facts>,
    /// Why the run could not go on at all.
    pub(in crate::cli) failure: Option<&'a Failure>,
    pub(in crate::cli) exit_code: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// `sizes` or `digests`.
    depth: &'static str,
    #[serde(flatten)]
    place: Place<'a>,
    images: Vec<Image>,
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    exit_code: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    source: Option<String>,
    reference: Option<String>,
    digest: Option<String>,
    media_type: Option<String>,
    status: &'static str,
    checked: Checked,
    differences: Vec<Named>,
    error: Option<Problem>,
}

#[derive(Serialize)]
struct Checked {
    manifests: usize,
    blobs: usize,
    bytes: u64,
}

/// What `digest` names is what should be there; `found` is what is.
#[derive(Serialize, Default)]
struct Named {
    kind: &'static str,
    part: Option<&'static str>,
    digest: Option<String>,
    size: Option<u64>,
    found: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Found {
    digest: String,
    size: Option<u64>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Summary {
    ok: usize,
    missing: usize,
    different: usize,
    damaged: usize,
    failed: usize,
    cancelled: usize,
    duration_ms: u64,
}

/// The document of `verify`, one entry an image and name.
pub(in crate::cli) fn verify_report(
    report: &VerifyReport,
    ending: &VerifyEnding<'_>,
    scene: &Scene<'_>,
    form: Form,
) -> String {
    let whole = Document {
        api_version: API_VERSION,
        kind: "VerifyReport",
        depth: match ending.depth {
            Depth::Sizes => "sizes",
            Depth::Digests => "digests",
        },
        place: ending.facts.map(Place::of).unwrap_or_default(),
        images: report.images.iter().map(|image| entry(image, scene)).collect(),
        summary: summary(report),
        error: ending.failure.map(Problem::of),
        exit_code: ending.exit_code,
    };
    document(&whole, form)
}

fn summary(report: &VerifyReport) -> Summary {
    let duration_ms = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX);
    let mut summary = Summary { duration_ms, ..Summary::default() };
    for image in &report.images {
        match image.standing {
            Standing::Same => summary.ok += 1,
            Standing::Missing => summary.missing += 1,
            Standing::Different => summary.different += 1,
            Standing::Damaged => summary.damaged += 1,
            Standing::Failed(_) => summary.failed += 1,
            Standing::Cancelled => summary.cancelled += 1,
        }
    }
    summary
}

fn entry(image: &Verified, scene: &Scene<'_>) -> Image {
    let checked = image.checked;
    Image {
        source: image.source.as_ref().map(ToString::to_string),
        reference: Some(image.reference.clone()).filter(|reference| !reference.is_empty()),
        digest: image.digest.as_ref().map(ToString::to_string),
        media_type: image.media_type.as_ref().map(ToString::to_string),
        status: standing(&image.standing),
        checked: Checked { manifests: checked.manifests, blobs: checked.blobs, bytes: checked.bytes },
        differences: image.differences.iter().map(named).collect(),
        error: of_verified(image, scene).as_ref().map(Problem::of),
    }
}

fn named(difference: &Difference) -> Named {
    let text = ToString::to_string;
    match difference {
        Difference::Absent => Named { kind: "absent", ..Named::default() },
        Difference::Other { part, expected, found } => Named {
            kind: "other",
            part: Some(part_word(*part)),
            digest: Some(text(expected)),
            found: found.as_ref().map(|found| Found { digest: text(found), size: None }),
            ..Named::default()
        },
        Difference::Missing { part, digest, size } => Named {
            kind: "missing",
            part: Some(part_word(*part)),
            digest: Some(text(digest)),
            size: Some(*size),
            ..Named::default()
        },
        Difference::Damaged { part, digest, size, found } => Named {
            kind: "damaged",
            part: Some(part_word(*part)),
            digest: Some(text(digest)),
            size: *size,
            found: Some(Found { digest: text(&found.digest), size: Some(found.size) }),
            ..Named::default()
        },
        Difference::Unreadable { digest, reason } => Named {
            kind: "unreadable",
            part: Some(part_word(Part::Manifest)),
            digest: Some(text(digest)),
            reason: Some(clean(reason)),
            ..Named::default()
        },
    }
}

fn part_word(part: Part) -> &'static str {
    match part {
        Part::Manifest => "manifest",
        Part::Config => "config",
        Part::Layer => "layer",
    }
}
