use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, Method};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{RegistryClient, refused};
use super::manifests::shown;
use super::request::{Scope, manifest_path, reading_manifest};
use crate::event::Meter;
use crate::oci::{Children, Descriptor, Digest, Manifest, MediaType, Repository, Tag, strict_json};
use crate::port::{ManifestName, RegistryError};

/// By it a registry says that it keeps the list itself.
pub(super) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

impl RegistryClient {
    /// Adds a manifest to the list of what refers to its subject, for a registry that keeps none
    /// (distribution-spec 1.1, "Pushing Manifests with Subject"). The caller has the repository's turn,
    /// so that no other push of this run changes the list meanwhile.
    pub(super) async fn list_referrer(
        &self,
        repository: &Repository,
        subject: &Digest,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        let Some(tag) = tag(subject) else { return Ok(()) };
        let name = ManifestName::Tag(tag);
        let (path, scope, text) =
            (manifest_path(repository, &name), Scope::of(repository), shown(repository, &name));
        let budget = &mut self.courier.policy.budget();
        let got = self.patiently(budget, &reading_manifest(Method::GET, &path), &scope, &text).await?;
        let list = match got.status.as_u16() {
            404 => None,
            200 => Some(got.body),
            _ => return Err(refused(&got, &text)),
        };
        match with_one_more(list, manifest) {
            Ok(None) => Ok(()),
            Ok(Some(list)) => self.put(repository, &name, &list, meter).await.map(drop),
            Err(reason) => Err(RegistryError::NoReferrersList { subject: text, reason }),
        }
    }
}

/// The referrers tag schema: algorithm and hash, what a tag cannot hold cut or replaced.
fn tag(subject: &Digest) -> Option<Tag> {
    let plain = |text: &str, longest: usize| -> String {
        let taken = text.chars().take(longest);
        taken.map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
    };
    let algorithm = subject.algorithm().to_string();
    format!("{}-{}", plain(&algorithm, 32), plain(subject.digest(), 64)).parse().ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

/// How a list describes a manifest: with its artifact type, which an image has by its configuration, and
/// all its annotations.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: &'a MediaType,
    digest: &'a Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

fn entry(manifest: &Manifest) -> Result<Value, serde_json::Error> {
    let Described { artifact_type, config, annotations } = serde_json::from_slice(manifest.raw())?;
    let of_config = config.map(|config| config.media_type().to_string());
    let descriptor = manifest.descriptor();
    serde_json::to_value(Entry {
        media_type: descriptor.media_type(),
        digest: descriptor.digest(),
        size: descriptor.size(),
        artifact_type: artifact_type.filter(|kind| !kind.is_empty()).or(of_config),
        annotations: annotations.filter(|annotations| !annotations.is_empty()),
    })
}

/// The list with the manifest in it, in the bytes that are to be put; `None` where it has it already. What
/// else stands in the list is kept.
///
/// # Errors
/// Why what stands under the tag is no list of referrers: it is never overwritten.
fn with_one_more(list: Option<Bytes>, manifest: &Manifest) -> Result<Option<Manifest>, String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    let mut document = match list {
        None => json!({ "schemaVersion": 2, "mediaType": MediaType::ImageIndex, "manifests": [] }),
        Some(raw) => {
            let found = Manifest::from_bytes(raw).map_err(|error| told(&error))?;
            let Children::Index { manifests, .. } = found.children() else {
                return Err("it is an image".to_owned());
            };
            if manifests.iter().any(|listed| listed.digest() == manifest.digest()) {
                return Ok(None);
            }
            strict_json(found.raw()).map_err(|error| told(&error))?
        }
    };
    let entry = entry(manifest).map_err(|error| told(&error))?;
    match document.get_mut("manifests").and_then(Value::as_array_mut) {
        Some(manifests) => manifests.push(entry),
        None => return Err("it lists nothing".to_owned()),
    }
    let raw = serde_json::to_vec(&document).map_err(|error| told(&error))?;
    Manifest::from_bytes(Bytes::from(raw)).map(Some).map_err(|error| told(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::sha256;

    fn manifest(document: &Value) -> Manifest {
        Manifest::from_bytes(Bytes::from(document.to_string())).unwrap()
    }

    fn config() -> Value {
        json!({ "mediaType": "application/vnd.example.config", "digest": sha256(b"{}").to_string(), "size": 2 })
    }

    fn listed(list: &Manifest) -> Vec<Value> {
        serde_json::from_slice::<Value>(list.raw()).unwrap()["manifests"].as_array().unwrap().clone()
    }

    #[test]
    fn a_tag_is_made_of_the_subjects_digest() {
        let hex = "0".repeat(64);
        let of = |digest: &str| tag(&digest.parse().unwrap()).unwrap().to_string();
        assert_eq!(of(&format!("sha256:{hex}")), format!("sha256-{hex}"));
        assert_eq!(of(&format!("sha512:{hex}{hex}")), format!("sha512-{hex}"));
    }

    #[test]
    fn a_list_begins_with_the_first_that_refers() {
        let signature = manifest(&json!({
            "schemaVersion": 2, "artifactType": "application/vnd.example.signature", "config": config(),
            "layers": [], "annotations": { "by": "somebody" },
        }));
        let list = with_one_more(None, &signature).unwrap().unwrap();
        assert_eq!(*list.descriptor().media_type(), MediaType::ImageIndex);
        assert_eq!(
            listed(&list),
            [json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": signature.digest().to_string(), "size": signature.raw().len(),
                "artifactType": "application/vnd.example.signature", "annotations": { "by": "somebody" },
            })]
        );
    }

    #[test]
    fn without_an_artifact_type_it_is_that_of_the_configuration() {
        let image = manifest(&json!({ "schemaVersion": 2, "config": config(), "layers": [] }));
        let list = with_one_more(None, &image).unwrap().unwrap();
        assert_eq!(listed(&list)[0]["artifactType"], "application/vnd.example.config");
        assert_eq!(listed(&list)[0].get("annotations"), None);
        let index = manifest(&json!({ "schemaVersion": 2, "manifests": [] }));
        assert_eq!(listed(&with_one_more(None, &index).unwrap().unwrap())[0].get("artifactType"), None);
    }

    #[test]
    fn a_list_keeps_what_it_has_and_nothing_is_in_it_twice() {
        let one = manifest(&json!({ "schemaVersion": 2, "config": config(), "layers": [] }));
        let two =
            manifest(&json!({ "schemaVersion": 2, "config": config(), "layers": [], "annotations": {} }));
        let mut document: Value =
            serde_json::from_slice(with_one_more(None, &one).unwrap().unwrap().raw()).unwrap();
        document["annotations"] = json!({ "kept": "1" });
        document["manifests"][0]["unknown"] = json!("kept");
        let list = with_one_more(Some(Bytes::from(document.to_string())), &two).unwrap().unwrap();
        let found: Value = serde_json::from_slice(list.raw()).unwrap();
        assert_eq!(
            (&found["annotations"]["kept"], &found["manifests"][0]["unknown"]),
            (&json!("1"), &json!("kept"))
        );
        assert_eq!(listed(&list).len(), 2);
        assert!(with_one_more(Some(list.raw().clone()), &two).unwrap().is_none());
    }

    #[test]
    fn what_is_no_list_is_never_overwritten() {
        let image = manifest(&json!({ "schemaVersion": 2, "config": config(), "layers": [] }));
        for other in [image.raw().clone(), Bytes::from_static(b"{}"), Bytes::from_static(b"\xff")] {
            assert!(with_one_more(Some(other), &image).is_err());
        }
    }
}
