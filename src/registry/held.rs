use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;

use super::client::{RegistryClient, refused};
use super::manifests::shown;
use super::received::Received;
use super::request::{Scope, blob_path, call, manifest_path, reading_manifest};
use super::transport::Call;
use crate::event::Meter;
use crate::oci::{Descriptor, Hasher, JSON_LIMIT, Repository, Tag};
use crate::port::{Document, HeldBlob, HeldManifest, ManifestName, RegistryContent, RegistryError};

impl RegistryClient {
    /// One that is longer than any document is none.
    pub(super) async fn read_document(
        &self,
        repository: &Repository,
        document: Document,
        descriptor: &Descriptor,
    ) -> Result<Option<Bytes>, RegistryError> {
        let digest = descriptor.digest();
        if descriptor.size() > JSON_LIMIT {
            return Ok(None);
        }
        let (path, subject) = match document {
            Document::Manifest => {
                let name = ManifestName::Digest(digest.clone());
                (manifest_path(repository, &name), shown(repository, &name))
            }
            Document::Config => (blob_path(repository, digest), format!("{repository}@{digest}")),
        };
        let received = Received::document();
        let get = match document {
            Document::Manifest => reading_manifest(Method::GET, &path),
            Document::Config => call(Method::GET, &path),
        };
        let get = Call { received: Some(&received), ..get };
        let mut budget = self.courier.policy.budget();
        let got = self.patiently(&mut budget, &get, &Scope::of(repository), &subject).await?;
        let got = self.followed(got, &get, &subject).await?;
        match got.status.as_u16() {
            200 => {
                let bytes = received.into_bytes();
                let mut hasher = Hasher::of(digest)?;
                hasher.update(&bytes);
                Ok((hasher.finish() == *digest).then_some(bytes))
            }
            404 => Ok(None),
            _ => Err(refused(&got, &subject)),
        }
    }

    /// GET of `tags/list`, once. What is no tag is passed over.
    pub(super) async fn read_tags(&self, repository: &Repository) -> Vec<Tag> {
        let path = format!("/v2/{repository}/tags/list");
        let got = self.attempt(&call(Method::GET, &path), &Scope::of(repository), &self.cancel).await;
        match got {
            Ok(answer) if answer.status == StatusCode::OK => {
                let list = serde_json::from_slice(&answer.body).unwrap_or(TagList { tags: None });
                list.tags.into_iter().flatten().filter_map(|tag| tag.parse().ok()).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct TagList {
    /// Some registries write `null` for none.
    tags: Option<Vec<String>>,
}

#[async_trait]
impl RegistryContent for RegistryClient {
    async fn held_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<HeldManifest>, RegistryError> {
        let (path, subject) = (manifest_path(repository, name), shown(repository, name));
        let received = Received::document();
        let get = Call { received: Some(&received), ..reading_manifest(Method::GET, &path) };
        let mut budget = self.courier.policy.budget();
        let got = self.patiently(&mut budget, &get, &Scope::of(repository), &subject).await?;
        match got.status.as_u16() {
            200 => {
                let said = got.digest().transpose().map_err(|text| self.no_digest(&text))?;
                Ok(Some(HeldManifest { raw: received.into_bytes(), said }))
            }
            404 => Ok(None),
            _ => Err(refused(&got, &subject)),
        }
    }

    async fn held_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        meter: &Meter,
    ) -> Result<Option<HeldBlob>, RegistryError> {
        let (digest, size) = (descriptor.digest(), descriptor.size());
        let (path, subject) = (blob_path(repository, digest), format!("{repository}@{digest}"));
        let received = Received::blob(digest, size, meter)?;
        let get = Call { received: Some(&received), ..call(Method::GET, &path) };
        let mut budget = self.courier.policy.budget();
        let got = self.patiently(&mut budget, &get, &Scope::of(repository), &subject).await?;
        let got = self.followed(got, &get, &subject).await?;
        match (got.status.as_u16(), received.digest()) {
            (200, Some(digest)) => {
                let whole = got.content_length().filter(|_| received.is_too_long());
                Ok(Some(HeldBlob { size: whole.unwrap_or_else(|| received.size()), digest }))
            }
            (404, _) => Ok(None),
            _ => Err(refused(&got, &subject)),
        }
    }
}
