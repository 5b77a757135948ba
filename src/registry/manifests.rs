use http::{HeaderValue, Method, header};

use super::answer::Answer;
use super::client::{RegistryClient, faults, refused};
use super::courier::{Setback, error};
use super::referrers::OCI_SUBJECT;
use super::request::{Scope, call, manifest_path, reading_manifest};
use super::retry::Budget;
use super::transport::{Call, Content};
use crate::event::Meter;
use crate::oci::{Descriptor, Manifest, MediaType, Repository, sha256};
use crate::port::{ManifestName, NetworkFault, RegistryError};

impl RegistryClient {
    /// HEAD; GET where a registry has no HEAD or leaves the digest out of it.
    pub(super) async fn read_manifest(
        &self,
        budget: &mut Budget,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let (path, scope) = (manifest_path(repository, name), Scope::of(repository));
        let subject = shown(repository, name);
        let head = self.patiently(budget, &reading_manifest(Method::HEAD, &path), &scope, &subject).await?;
        let digest = match (head.status.as_u16(), head.digest()) {
            (404, _) => return Ok(None),
            (405 | 501, _) | (200, None) => None,
            (200, Some(Ok(digest))) => Some((digest, head.content_length().unwrap_or(0))),
            (200, Some(Err(text))) => return Err(self.no_digest(&text)),
            _ => return Err(refused(&head, &subject)),
        };
        if let Some((digest, size)) = digest {
            return Ok(Some(Descriptor::new(media_type(&head), size, digest)));
        }
        let got = self.patiently(budget, &reading_manifest(Method::GET, &path), &scope, &subject).await?;
        match got.status.as_u16() {
            404 => Ok(None),
            200 => Ok(Some(Descriptor::new(media_type(&got), got.body.len() as u64, sha256(&got.body)))),
            _ => Err(refused(&got, &subject)),
        }
    }

    /// PUT, one at a time for each repository, and what follows for a manifest with a subject.
    pub(super) async fn write_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        let turn = self.turn(repository);
        let _turn = turn.lock().await;
        let answer = self.put(repository, name, manifest, meter).await?;
        match manifest.subject() {
            Some(subject) if answer.is_none_or(|answer| answer.header(&OCI_SUBJECT).is_none()) => {
                self.list_referrer(repository, subject.digest(), manifest, meter).await
            }
            _ => Ok(()),
        }
    }

    /// An answer that is lost is asked for, since the manifest may have arrived; the content decides, so
    /// that doing it twice is harmless. It is done twice where the answer itself is needed, and `None` is
    /// for a manifest that is there without one.
    pub(super) async fn put(
        &self,
        repository: &Repository,
        name: &ManifestName,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<Option<Answer>, RegistryError> {
        let (path, scope) = (manifest_path(repository, name), Scope::of(repository));
        let subject = shown(repository, name);
        let mut put = Call { content: Content::Bytes(manifest.raw().clone()), ..call(Method::PUT, &path) };
        if let Ok(value) = HeaderValue::from_str(manifest.descriptor().media_type().as_ref()) {
            put.headers.insert(header::CONTENT_TYPE, value);
        }
        let mut budget = self.courier.policy.budget();
        loop {
            let sent = match faults(self.attempt(&put, &scope, &self.cancel).await)? {
                Ok(answer) if answer.status.is_success() => {
                    return self.compare(&answer, manifest, subject).map(|()| Some(answer));
                }
                sent => sent,
            };
            let Some(setback) = Setback::of(&self.courier.origin, sent.as_ref()) else {
                return match sent {
                    Ok(answer) => Err(refused(&answer, &subject)),
                    Err(fault) => Err(error(&self.courier.origin, &subject, fault)),
                };
            };
            self.courier.sit_through(&mut budget, &subject, setback, &self.cancel).await?;
            meter.count_retry();
            if manifest.subject().is_some() {
                continue;
            }
            let there = self.read_manifest(&mut budget, repository, name).await?;
            if there.is_some_and(|there| there.digest() == manifest.digest()) {
                return Ok(None);
            }
        }
    }

    /// Gitea does not compare a manifest with the digest that it is put under.
    fn compare(&self, answer: &Answer, manifest: &Manifest, subject: String) -> Result<(), RegistryError> {
        match answer.digest() {
            Some(Ok(digest)) if digest != *manifest.digest() => Err(RegistryError::DigestMismatch {
                subject,
                expected: manifest.digest().clone(),
                found: digest.to_string(),
            }),
            Some(Err(text)) => Err(self.no_digest(&text)),
            _ => Ok(()),
        }
    }

    pub(super) fn no_digest(&self, text: &str) -> RegistryError {
        let reason = format!("`{text}` is no digest");
        RegistryError::Network {
            origin: self.courier.origin.clone(),
            source: NetworkFault::Answer { reason },
        }
    }
}

pub(super) fn shown(repository: &Repository, name: &ManifestName) -> String {
    match name {
        ManifestName::Tag(tag) => format!("{repository}:{tag}"),
        ManifestName::Digest(digest) => format!("{repository}@{digest}"),
    }
}

/// Parameters (`; charset=utf-8`) are not part of it.
fn media_type(answer: &Answer) -> MediaType {
    let text = answer.header(&header::CONTENT_TYPE).unwrap_or_default();
    MediaType::from(text.split(';').next().unwrap_or_default().trim())
}
