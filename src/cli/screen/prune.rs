use super::text::{escaped, short, size};
use crate::prune::{Outcome, Plan, PruneReport, Untagged, Why};

/// What is to be deleted, a line each.
pub(in crate::cli) fn doomed(plan: &Plan) -> Vec<String> {
    plan.doomed.iter().map(line).collect()
}

fn line(version: &Untagged) -> String {
    let Untagged { repository, digest, created, size: bytes, .. } = version;
    format!("  {repository}  {}  {}  {}", short(digest), escaped(created), size(*bytes))
}

/// How many there are to be deleted, and what that is good for.
pub(in crate::cli) fn about(plan: &Plan) -> String {
    let bytes = size(plan.freed());
    format!("{} of {} to delete, about {bytes}", versions(plan.doomed.len()), images(plan.images))
}

/// What became of all versions.
pub(in crate::cli) fn pruned(report: &PruneReport) -> Vec<String> {
    let count = |is: fn(&Outcome) -> bool| report.versions.iter().filter(|(_, outcome)| is(outcome)).count();
    let deleted = count(|outcome| matches!(outcome, Outcome::Deleted | Outcome::Gone));
    let planned = count(|outcome| matches!(outcome, Outcome::Planned));
    let left = count(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Left));
    let mut lines = Vec::new();
    if deleted > 0 {
        lines.push(format!("deleted {}, about {}", versions(deleted), size(report.freed)));
        lines.push("Gitea frees the space when it cleans up, by default at midnight".to_owned());
    } else if planned > 0 {
        lines.push("nothing was deleted".to_owned());
    } else if left == 0 && (report.failed.is_empty() || report.images > report.failed.len()) {
        let looked = report.images.saturating_sub(report.failed.len());
        lines.push(format!("nothing to delete in {}", images(looked)));
    }
    if left > 0 {
        lines.push(format!("{} not deleted", versions(left)));
    }
    lines.extend(kept(report));
    lines
}

/// `kept: 2 tagged, 1 in use (pod default/web), 3 of the newest`.
fn kept(report: &PruneReport) -> Option<String> {
    let (mut tagged, mut fresh, mut recent, mut others) = (0, 0, 0, 0);
    let mut users: Vec<&str> = Vec::new();
    for (_, outcome) in &report.versions {
        match outcome {
            Outcome::Kept(Why::Tagged(_)) => tagged += 1,
            Outcome::Kept(Why::Fresh) => fresh += 1,
            Outcome::Kept(Why::Recent) => recent += 1,
            Outcome::Kept(Why::InUse(user)) => users.push(user),
            Outcome::Kept(Why::PartOf(_) | Why::SubjectOf(_) | Why::RefersTo(_)) => others += 1,
            _ => {}
        }
    }
    let mut parts = Vec::new();
    let mut tell = |n: usize, text: String| {
        if n > 0 {
            parts.push(format!("{n} {text}"));
        }
    };
    tell(tagged, "tagged".to_owned());
    tell(users.len(), format!("in use ({})", some(&users)));
    tell(fresh, "newer than every tag".to_owned());
    tell(recent, "of the newest".to_owned());
    tell(others, "that one of them needs".to_owned());
    (!parts.is_empty()).then(|| format!("kept: {}", parts.join(", ")))
}

fn some(users: &[&str]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> = users.iter().take(SHOWN).map(|user| escaped(user)).collect();
    if users.len() > SHOWN {
        shown.push("and others".to_owned());
    }
    shown.join(", ")
}

fn versions(n: usize) -> String {
    format!("{n} untagged {}", if n == 1 { "version" } else { "versions" })
}

fn images(n: usize) -> String {
    format!("{n} {}", if n == 1 { "image" } else { "images" })
}
