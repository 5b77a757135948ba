//! Manifests on their way in (distribution-spec 1.1, "Pushing Manifests").

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use super::exchange::Exchange;
use super::http::Answer;
use super::route::is_tag;
use super::settings::{Manner, Referrers, Settings};
use super::state::State;
use super::store::{Version, digest_like, is_digest, sha256};
use super::upload::name;
use super::wire::Cut;

const IMAGES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// What one manifest asks of the registry.
struct Put<'a> {
    settings: &'a Settings,
    repository: String,
    /// A tag or a digest.
    reference: String,
    media_type: String,
    bytes: Bytes,
    json: Value,
}

/// What a manifest refers to.
struct Child {
    digest: String,
    size: u64,
    /// Foreign layers need not be there, except on Gitea.
    has_urls: bool,
}

pub(super) async fn put(
    exchange: &mut Exchange<'_>,
    repository: &str,
    reference: &str,
) -> Result<Answer, Cut> {
    let shared = exchange.shared.clone();
    let settings = &shared.settings;
    let gitea = settings.manner.is_gitea();
    if !is_digest(reference) && !is_tag(reference) {
        let code = if gitea { "MANIFEST_INVALID" } else { "TAG_INVALID" };
        return Ok(Answer::refused(400, code, "Tag is invalid"));
    }
    let Some(body) = exchange.whole_body(settings.manifest_limit).await? else {
        return Ok(Answer::refused(413, "MANIFEST_INVALID", "Manifest exceeds maximum size"));
    };
    let content_type = exchange.head.header("content-type").unwrap_or_default();
    let media_type = match media_type(settings, content_type) {
        Ok(media_type) => media_type,
        Err(refusal) => return Ok(refusal),
    };
    let Ok(json) = serde_json::from_slice::<Value>(&body) else {
        return Ok(if gitea { Answer::new(500) } else { invalid("the manifest is no JSON") });
    };
    let said = json.get("mediaType").and_then(Value::as_str);
    if said.is_some_and(|said| said != media_type) {
        exchange.violation(&format!("the manifest says that it is {said:?}, Content-Type says {media_type}"));
        if !gitea {
            return Ok(invalid("mediaType and Content-Type differ"));
        }
    }
    // Gitea folds tags to lower case.
    let reference = if gitea { reference.to_lowercase() } else { reference.to_owned() };
    let repository = name(settings, repository);
    let put = Put { settings, repository, reference, media_type, bytes: body.into(), json };
    Ok(shared.with(|state| put.decide(state)))
}

fn media_type(settings: &Settings, content_type: &str) -> Result<String, Answer> {
    let gitea = settings.manner.is_gitea();
    let plain = content_type.split(';').next().unwrap_or_default().trim();
    let known = IMAGES.contains(&plain) || INDEXES.contains(&plain);
    if plain.starts_with("application/vnd.docker.distribution.manifest.v1+") && gitea {
        return Err(Answer::refused(501, "UNSUPPORTED", "Schema 1 is not supported"));
    }
    if !known || (gitea && plain != content_type) {
        return Err(invalid(&format!("`{content_type}` is no media type of a manifest")));
    }
    Ok(plain.to_owned())
}

fn invalid(message: &str) -> Answer {
    Answer::refused(400, "MANIFEST_INVALID", message)
}

impl Put<'_> {
    fn gitea(&self) -> bool {
        self.settings.manner.is_gitea()
    }

    fn is_index(&self) -> bool {
        INDEXES.contains(&self.media_type.as_str())
    }

    fn decide(&self, state: &mut State) -> Answer {
        let is_index = self.is_index();
        let fields = |names: &[&str]| names.iter().all(|name| self.json.get(name).is_some());
        if self.json.get("schemaVersion") != Some(&Value::from(2)) {
            return invalid("schemaVersion is not 2");
        }
        if fields(&["manifests"]) != is_index || fields(&["config", "layers"]) == is_index {
            return invalid("the manifest is not of its kind, or of two kinds");
        }
        let children = if is_index { self.children("manifests") } else { self.blobs() };
        let Some(children) = children else { return invalid("a descriptor lacks its digest or size") };
        let refusal = if is_index {
            self.refused_index(state, &children)
        } else {
            self.refused_image(state, &children)
        };
        refusal.or_else(|| self.refused_digest()).unwrap_or_else(|| self.store(state, &children))
    }

    /// The configuration and the layers.
    fn blobs(&self) -> Option<Vec<Child>> {
        let mut blobs = vec![child(self.json.get("config")?)?];
        blobs.extend(self.children("layers")?);
        Some(blobs)
    }

    fn children(&self, field: &str) -> Option<Vec<Child>> {
        self.json.get(field)?.as_array()?.iter().map(child).collect()
    }

    fn refused_image(&self, state: &mut State, children: &[Child]) -> Option<Answer> {
        for child in children {
            match state.store.blob(&self.repository, &child.digest) {
                None if child.has_urls && !self.gitea() => {}
                None => return Some(self.blob_unknown(state, child)),
                Some(blob) if blob.len() as u64 != child.size => {
                    return Some(Answer::refused(
                        400,
                        "SIZE_INVALID",
                        "provided length did not match content length",
                    ));
                }
                Some(_) => {}
            }
        }
        // Gitea 1.24 reads the configuration of everything.
        let config = children.first().and_then(|config| state.store.blob(&self.repository, &config.digest));
        let readable = config.is_none_or(|config| serde_json::from_slice::<Value>(config).is_ok());
        (self.settings.manner == Manner::Gitea124 && !readable).then(|| Answer::new(500))
    }

    fn refused_index(&self, state: &mut State, children: &[Child]) -> Option<Answer> {
        for child in children {
            let found = state.store.manifest(&self.repository, &child.digest).cloned();
            match found {
                None => return Some(self.manifest_unknown(state, child)),
                Some(found) if self.gitea() && !IMAGES.contains(&found.media_type.as_str()) => {
                    return Some(invalid("an index in an index"));
                }
                Some(found) if found.bytes.len() as u64 != child.size => {
                    return Some(Answer::refused(400, "SIZE_INVALID", "a manifest has another size"));
                }
                Some(_) => {}
            }
        }
        None
    }

    fn blob_unknown(&self, state: &mut State, child: &Child) -> Answer {
        self.too_early(state, child);
        if self.gitea() {
            return Answer::refused(404, "BLOB_UNKNOWN", "blob unknown to registry");
        }
        Answer::refused(400, "MANIFEST_BLOB_UNKNOWN", &format!("blob {} unknown to registry", child.digest))
    }

    fn manifest_unknown(&self, state: &mut State, child: &Child) -> Answer {
        self.too_early(state, child);
        let status = if self.gitea() { 404 } else { 400 };
        Answer::refused(status, "MANIFEST_BLOB_UNKNOWN", "a manifest of the index is unknown to registry")
    }

    fn too_early(&self, state: &mut State, child: &Child) {
        if !state.store.lost.contains(&(self.repository.clone(), child.digest.clone())) {
            let Self { repository, reference, .. } = self;
            state.violation(format!("`{repository}:{reference}` was put before {} was there", child.digest));
        }
    }

    /// Gitea does not compare.
    fn refused_digest(&self) -> Option<Answer> {
        let named = Some(&self.reference).filter(|reference| is_digest(reference) && !self.gitea())?;
        let differs = digest_like(named, &self.bytes).as_ref() != Some(named);
        differs
            .then(|| Answer::refused(400, "DIGEST_INVALID", "provided digest did not match uploaded content"))
    }

    fn store(&self, state: &mut State, children: &[Child]) -> Answer {
        let digest = if is_digest(&self.reference) && !self.gitea() {
            self.reference.clone()
        } else {
            sha256(&self.bytes)
        };
        let blobs: BTreeSet<String> = if self.is_index() {
            BTreeSet::new()
        } else {
            children.iter().map(|child| child.digest.clone()).collect()
        };
        let (media_type, bytes) = (self.media_type.clone(), self.bytes.clone());
        let version = Version { digest: digest.clone(), media_type, bytes, blobs, made: state.tick() };
        let repository = state.store.repository(&self.repository);
        if self.gitea() {
            // The blobs move into the version, and go with it when its tag is overwritten.
            repository.blobs.retain(|blob| !version.blobs.contains(blob));
        } else {
            repository.versions.insert(digest.clone(), version.clone());
        }
        repository.versions.insert(self.reference.clone(), version);
        let answer = Answer::new(201)
            .with("Location", format!("/v2/{}/manifests/{}", self.repository, self.reference))
            .with("Docker-Content-Digest", digest);
        let subject = self.json.get("subject").and_then(|subject| subject.get("digest")?.as_str());
        match subject.filter(|_| self.settings.referrers == Referrers::Kept) {
            Some(subject) => answer.with("OCI-Subject", subject),
            None => answer,
        }
    }
}

fn child(descriptor: &Value) -> Option<Child> {
    Some(Child {
        digest: descriptor.get("digest")?.as_str().filter(|digest| is_digest(digest))?.to_owned(),
        size: descriptor.get("size")?.as_u64()?,
        has_urls: descriptor.get("urls").is_some(),
    })
}
