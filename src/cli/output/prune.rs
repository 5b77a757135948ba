use serde::Serialize;

use super::json::{Place, Problem};
use super::table::aligned;
use super::{API_VERSION, document};
use crate::cli::facts::Facts;
use crate::cli::failure::Failure;
use crate::cli::screen::{escaped, short, size};
use crate::cli::settings::{Consent, Form};
use crate::prune::{Outcome, PruneReport, Untagged, Why};

/// What a run came to, beside its report.
pub(in crate::cli) struct PruneEnding<'a> {
    pub(in crate::cli) consent: Consent,
    pub(in crate::cli) facts: Option<&'a Facts>,
    pub(in crate::cli) failures: &'a [Failure],
    pub(in crate::cli) exit_code: u8,
}

impl PruneEnding<'_> {
    fn reference(&self, version: &Untagged) -> String {
        let host = self.facts.map(|facts| format!("{}/", facts.registry.host)).unwrap_or_default();
        format!("{host}{}@{}", version.repository, version.digest)
    }
}

/// What was deleted; after a dry run, what would be.
pub(in crate::cli) fn prune_names(report: &PruneReport, ending: &PruneEnding<'_>) -> String {
    let named = report.versions.iter().filter(|(_, outcome)| match outcome {
        Outcome::Deleted => true,
        Outcome::Planned => ending.consent == Consent::DryRun,
        _ => false,
    });
    named.map(|(version, _)| ending.reference(version) + "\n").collect()
}

pub(in crate::cli) fn prune_table(report: &PruneReport) -> String {
    if report.versions.is_empty() {
        return String::new();
    }
    let mut rows = vec![["IMAGE", "DIGEST", "CREATED", "SIZE", "STATUS", "WHY"].map(str::to_owned)];
    rows.extend(report.versions.iter().map(|(version, outcome)| {
        [
            version.repository.to_string(),
            short(&version.digest),
            escaped(&version.created),
            size(version.size),
            word(outcome).to_owned(),
            why(outcome).map(|why| escaped(&why)).unwrap_or_default(),
        ]
    }));
    aligned(&rows)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Planned => "planned",
        Outcome::Deleted => "deleted",
        Outcome::Gone => "gone",
        Outcome::Kept(_) => "kept",
        Outcome::Failed(_) => "failed",
        Outcome::Left => "cancelled",
    }
}

fn why(outcome: &Outcome) -> Option<String> {
    let Outcome::Kept(why) = outcome else { return None };
    Some(match why {
        Why::Tagged(tag) => format!("tagged {tag}"),
        Why::InUse(user) => format!("in use by {user}"),
        Why::Fresh => "newer than every tag".to_owned(),
        Why::Recent => "one of the newest".to_owned(),
        Why::PartOf(digest) => format!("part of {}", short(digest)),
        Why::SubjectOf(digest) => format!("subject of {}", short(digest)),
        Why::RefersTo(digest) => format!("refers to {}", short(digest)),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    dry_run: bool,
    #[serde(flatten)]
    place: Place<'a>,
    versions: Vec<Version>,
    summary: Summary,
    errors: Vec<Problem>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Version {
    reference: String,
    digest: String,
    created: String,
    size: u64,
    status: &'static str,
    reason: Option<String>,
}

/// `bytes_freed` is about what nothing needs any more, or would not after a dry run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    images: usize,
    deleted: usize,
    planned: usize,
    kept: usize,
    failed: usize,
    cancelled: usize,
    bytes_freed: u64,
}

impl Summary {
    fn of(report: &PruneReport) -> Self {
        let count = |words: &[&str]| {
            report.versions.iter().filter(|(_, outcome)| words.contains(&word(outcome))).count()
        };
        Self {
            images: report.images,
            deleted: count(&["deleted", "gone"]),
            planned: count(&["planned"]),
            kept: count(&["kept"]),
            failed: count(&["failed"]),
            cancelled: count(&["cancelled"]),
            bytes_freed: report.freed,
        }
    }
}

/// The document of `prune`.
pub(in crate::cli) fn prune_report(report: &PruneReport, ending: &PruneEnding<'_>, form: Form) -> String {
    let versions = report.versions.iter().map(|(version, outcome)| Version {
        reference: ending.reference(version),
        digest: version.digest.to_string(),
        created: version.created.clone(),
        size: version.size,
        status: word(outcome),
        reason: why(outcome),
    });
    let whole = Document {
        api_version: API_VERSION,
        kind: "PruneReport",
        dry_run: ending.consent == Consent::DryRun,
        place: ending.facts.map(Place::of).unwrap_or_default(),
        versions: versions.collect(),
        summary: Summary::of(report),
        errors: ending.failures.iter().map(Problem::of).collect(),
        exit_code: ending.exit_code,
    };
    document(&whole, form)
}
