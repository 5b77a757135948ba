//! What is asked without a body: does it exist, what is it, away with it.

use serde_json::json;

use super::exchange::Exchange;
use super::http::{Answer, Head};
use super::route::Route;
use super::store::{Repository, Version};
use super::upload::name;

pub(super) fn answer(exchange: &Exchange<'_>, route: &Route) -> Answer {
    let reads = matches!(exchange.head.method.as_str(), "GET" | "HEAD");
    let answer = match (exchange.head.method.as_str(), route) {
        (_, Route::Ping) if reads => Answer::json(200, &json!({})),
        (_, Route::Blob { repository, digest }) if reads => blob(exchange, repository, digest),
        (_, Route::Manifest { repository, reference }) if reads => manifest(exchange, repository, reference),
        ("DELETE", Route::Blob { repository, digest }) => delete_blob(exchange, repository, digest),
        ("DELETE", Route::Manifest { repository, reference }) => {
            delete_manifest(exchange, repository, reference)
        }
        ("GET", Route::Tags { repository }) => tags(exchange, repository),
        (_, Route::Other) => Answer::text(404, "404 page not found"),
        _ => Answer::refused(405, "UNSUPPORTED", "the operation is unsupported"),
    };
    answer.with("Docker-Distribution-Api-Version", "registry/2.0")
}

fn blob(exchange: &Exchange<'_>, repository: &str, digest: &str) -> Answer {
    let repository = name(&exchange.shared.settings, repository);
    let found = exchange.shared.with(|state| state.store.blob(&repository, digest).cloned());
    match found {
        Some(bytes) => Answer::new(200)
            .with("Content-Type", "application/octet-stream")
            .with("Docker-Content-Digest", digest)
            .body(bytes),
        None => Answer::refused(404, "BLOB_UNKNOWN", "blob unknown to registry"),
    }
}

fn manifest(exchange: &Exchange<'_>, repository: &str, reference: &str) -> Answer {
    let settings = &exchange.shared.settings;
    let repository = name(settings, repository);
    let reference = if settings.manner.is_gitea() { reference.to_lowercase() } else { reference.to_owned() };
    let found = exchange.shared.with(|state| state.store.manifest(&repository, &reference).cloned());
    // distribution hides a manifest from a client that does not say that it knows the kind.
    let accepted = |found: &Version| settings.manner.is_gitea() || accepts(&exchange.head, &found.media_type);
    match found.filter(accepted) {
        Some(Version { digest, media_type, bytes, .. }) => Answer::new(200)
            .with("Content-Type", media_type)
            .with("Docker-Content-Digest", digest)
            .body(bytes),
        None => Answer::refused(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    }
}

fn accepts(head: &Head, media_type: &str) -> bool {
    let ranges = head.values("accept").flat_map(|value| value.split(','));
    let mut ranges = ranges.map(|range| range.split(';').next().unwrap_or_default().trim());
    ranges.any(|range| range == media_type || range == "*/*")
}

fn delete_blob(exchange: &Exchange<'_>, repository: &str, digest: &str) -> Answer {
    let repository = name(&exchange.shared.settings, repository);
    exchange.shared.with(|state| {
        if state.store.blob(&repository, digest).is_none() {
            return Answer::refused(404, "BLOB_UNKNOWN", "blob unknown to registry");
        }
        state.store.repository(&repository).blobs.remove(digest);
        Answer::new(202)
    })
}

fn delete_manifest(exchange: &Exchange<'_>, repository: &str, reference: &str) -> Answer {
    let repository = name(&exchange.shared.settings, repository);
    let removed = exchange.shared.with(|state| {
        let versions = &mut state.store.repository(&repository).versions;
        let before = versions.len();
        versions.retain(|name, version| name != reference && version.digest != reference);
        before - versions.len()
    });
    if removed == 0 { Answer::refused(404, "MANIFEST_UNKNOWN", "manifest unknown") } else { Answer::new(202) }
}

fn tags(exchange: &Exchange<'_>, repository: &str) -> Answer {
    let stored = name(&exchange.shared.settings, repository);
    exchange.shared.with(|state| match state.store.repositories.get(&stored) {
        Some(found) => Answer::json(200, &json!({ "name": repository, "tags": tag_names(found) })),
        None => Answer::refused(404, "NAME_UNKNOWN", "repository name not known to registry"),
    })
}

pub(super) fn tag_names(repository: &Repository) -> Vec<String> {
    repository.versions.keys().filter(|name| !name.contains(':')).cloned().collect()
}
