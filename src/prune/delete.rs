use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::look::concerns_all;
use super::{Outcome, Plan, PruneReport, Untagged, Why, freed};
use crate::oci::{Digest, Repository};
use crate::port::{Packages, RegistryError, Removed};

/// Deletes what the plan says, an index before its parts, so that no index stands without them; the parts
/// of one that could not be deleted stay. What would fail for the others too ends the deleting.
pub async fn delete(plan: Plan, packages: &dyn Packages, cancel: &CancellationToken) -> PruneReport {
    let Plan { mut doomed, kept, failed, images, needed, .. } = plan;
    doomed.sort_by_key(|version| version.children.is_empty());
    let mut versions: Vec<(Untagged, Outcome)> = Vec::new();
    let mut parts: HashMap<(Repository, Digest), Digest> = HashMap::new();
    let mut can_go_on = true;
    for version in doomed {
        let key = (version.repository.clone(), version.digest.clone());
        let outcome = if !can_go_on || cancel.is_cancelled() {
            Outcome::Left
        } else if let Some(index) = parts.get(&key) {
            Outcome::Kept(Why::PartOf(index.clone()))
        } else {
            match packages.delete(&version.repository, &version.digest).await {
                Ok(Removed::Deleted) => Outcome::Deleted,
                Ok(Removed::Gone) => Outcome::Gone,
                Err(RegistryError::Cancelled) => Outcome::Left,
                Err(error) => {
                    can_go_on = !concerns_all(&error);
                    Outcome::Failed(Arc::new(error))
                }
            }
        };
        if !matches!(outcome, Outcome::Deleted | Outcome::Gone) {
            for child in &version.children {
                parts.insert((version.repository.clone(), child.clone()), version.digest.clone());
            }
        }
        versions.push((version, outcome));
    }
    versions.extend(kept.into_iter().map(|(version, why)| (version, Outcome::Kept(why))));
    let is_gone = |outcome: &Outcome| matches!(outcome, Outcome::Deleted | Outcome::Gone);
    let (gone, stays): (Vec<_>, Vec<_>) = versions.iter().partition(|(_, outcome)| is_gone(outcome));
    let stays = stays.iter().flat_map(|(version, _)| &version.blobs).chain(&needed);
    let freed = freed(gone.iter().map(|(version, _)| version), stays);
    PruneReport { versions, failed, images, freed }
}
