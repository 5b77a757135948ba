use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::oci::{Digest, sha256};
use crate::port::{Images, InUse, ManifestName, PackageVersion, Packages, Refusal, Removed};

/// What a registry keeps, in memory.
#[derive(Default)]
struct Kept {
    listed: Vec<PackageVersion>,
    manifests: HashMap<(Repository, String), Bytes>,
    deleted: Mutex<Vec<Digest>>,
    refuses: HashMap<Digest, Refusal>,
}

impl Kept {
    /// Puts a manifest under its digest, and under a tag.
    fn put(&mut self, repository: &str, tag: Option<&str>, manifest: &Value) -> Digest {
        let repository: Repository = repository.parse().unwrap();
        let bytes = Bytes::from(manifest.to_string());
        let digest = sha256(&bytes);
        let tag = tag.map(|tag| ManifestName::Tag(tag.parse().unwrap()));
        for name in std::iter::once(ManifestName::Digest(digest.clone())).chain(tag) {
            self.manifests.insert((repository.clone(), name.as_str().to_owned()), bytes.clone());
            self.listed.push(PackageVersion {
                repository: repository.clone(),
                name,
                number: self.listed.len() as u64,
                created: String::new(),
            });
        }
        digest
    }
}

#[async_trait]
impl Packages for Kept {
    async fn versions(&self, _: &Images) -> Result<Vec<PackageVersion>, RegistryError> {
        Ok(self.listed.clone())
    }

    async fn manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Bytes>, RegistryError> {
        Ok(self.manifests.get(&(repository.clone(), name.as_str().to_owned())).cloned())
    }

    async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<Removed, RegistryError> {
        if let Some(refusal) = self.refuses.get(digest) {
            return Err(RegistryError::Refused {
                refusal: refusal.clone(),
                status: 403,
                subject: repository.to_string(),
                message: String::new(),
            });
        }
        self.deleted.lock().unwrap().push(digest.clone());
        Ok(Removed::Deleted)
    }
}

fn blob(text: &str, size: u64) -> Value {
    json!({ "mediaType": "application/octet-stream", "digest": sha256(text.as_bytes()), "size": size })
}

/// An image whose layers are named by words, of 1,000 bytes each.
fn image(layers: &[&str]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|layer| blob(layer, 1000)).collect();
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(&format!("{layers:?}"), 10), "layers": layers })
}

fn index(children: &[&Digest]) -> Value {
    let listed = |digest: &&Digest| json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1 });
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": children.iter().map(listed).collect::<Vec<_>>() })
}

fn everything() -> Images {
    Images::Below("o".parse().unwrap())
}

async fn looked(kept: &Kept) -> Plan {
    look(kept, &everything(), 0, &InUse::default()).await.unwrap()
}

fn doomed(plan: &Plan) -> Vec<&Digest> {
    plan.doomed.iter().map(|version| &version.digest).collect()
}

async fn deleted(kept: &Kept, plan: Plan) -> PruneReport {
    delete(plan, kept, &CancellationToken::new()).await
}

#[tokio::test]
async fn what_no_tag_needs_is_deleted_and_its_own_blobs_are_counted() {
    let mut kept = Kept::default();
    let old = image(&["base", "old"]);
    let first = kept.put("o/web", None, &old);
    kept.put("o/web", Some("dev"), &image(&["base", "new"]));
    let report = deleted(&kept, looked(&kept).await).await;
    assert_eq!(*kept.deleted.lock().unwrap(), [first]);
    // Its second layer, its configuration and its manifest; the first layer is the tag's too.
    assert_eq!(report.freed, 1000 + 10 + old.to_string().len() as u64);
    assert_eq!(report.images, 1);
}

#[tokio::test]
async fn images_are_decided_each_for_itself() {
    let mut kept = Kept::default();
    let one = kept.put("o/one", None, &image(&["a"]));
    kept.put("o/two", Some("dev"), &image(&["a"]));
    let plan = looked(&kept).await;
    assert_eq!(doomed(&plan), [&one]);
    // The other image has the same layers, so that nothing but the record of them goes.
    assert_eq!(plan.freed(), 0);
}

#[tokio::test]
async fn nothing_of_an_image_is_deleted_whose_tags_cannot_be_read() {
    let mut kept = Kept::default();
    kept.put("o/odd", None, &image(&["a"]));
    kept.put("o/odd", Some("dev"), &image(&["b"]));
    let name = ("o/odd".parse().unwrap(), "dev".to_owned());
    let good = kept.put("o/web", None, &image(&["c"]));
    for odd in [None, Some(Bytes::from_static(b"{}"))] {
        match odd {
            Some(bytes) => kept.manifests.insert(name.clone(), bytes),
            None => kept.manifests.remove(&name),
        };
        let plan = looked(&kept).await;
        assert_eq!(doomed(&plan), [&good]);
        assert_eq!(plan.failed.len(), 1);
    }
}

#[tokio::test]
async fn bytes_of_another_digest_are_not_believed() {
    let mut kept = Kept::default();
    let digest = kept.put("o/web", None, &image(&["a"]));
    kept.manifests.insert(("o/web".parse().unwrap(), digest.to_string()), image(&["b"]).to_string().into());
    let plan = looked(&kept).await;
    assert!(matches!(&plan.failed[..], [(_, error)] if matches!(**error, PruneError::Digest { .. })));
}

#[tokio::test]
async fn an_index_goes_before_its_parts_and_keeps_them_if_it_stays() {
    let mut kept = Kept::default();
    let part = kept.put("o/web", None, &image(&["a"]));
    let whole = kept.put("o/web", None, &index(&[&part]));
    deleted(&kept, looked(&kept).await).await;
    assert_eq!(*kept.deleted.lock().unwrap(), [whole.clone(), part]);

    kept.deleted.lock().unwrap().clear();
    kept.refuses.insert(whole.clone(), Refusal::Other);
    let report = deleted(&kept, looked(&kept).await).await;
    assert!(kept.deleted.lock().unwrap().is_empty());
    let outcomes: Vec<&Outcome> = report.versions.iter().map(|(_, outcome)| outcome).collect();
    assert!(matches!(outcomes[..], [Outcome::Failed(_), Outcome::Kept(Why::PartOf(of))] if *of == whole));
}

#[tokio::test]
async fn a_missing_right_ends_the_deleting() {
    let mut kept = Kept::default();
    let digests = ["a", "b"].map(|layer| kept.put("o/web", None, &image(&[layer])));
    kept.refuses.extend(digests.map(|digest| (digest, Refusal::Denied)));
    let report = deleted(&kept, looked(&kept).await).await;
    let outcomes: Vec<&Outcome> = report.versions.iter().map(|(_, outcome)| outcome).collect();
    assert!(matches!(outcomes[..], [Outcome::Failed(_), Outcome::Left]));
    assert_eq!(report.freed, 0);
}

#[tokio::test]
async fn a_cancelled_run_deletes_nothing_more() {
    let mut kept = Kept::default();
    kept.put("o/web", None, &image(&["a"]));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let report = delete(looked(&kept).await, &kept, &cancel).await;
    assert!(matches!(report.versions[..], [(_, Outcome::Left)]));
}

#[tokio::test]
async fn what_became_needed_between_two_looks_stays() {
    let mut kept = Kept::default();
    let manifest = image(&["a"]);
    kept.put("o/web", None, &manifest);
    let old = kept.put("o/web", None, &image(&["b"]));
    let first = looked(&kept).await;
    kept.put("o/web", Some("dev"), &manifest);
    kept.put("o/web", None, &image(&["c"]));
    let plan = first.still(looked(&kept).await);
    // What came to be doomed since was shown to nobody.
    assert_eq!(doomed(&plan), [&old]);
}
