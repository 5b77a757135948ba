use serde::Deserialize;
use serde_json::Value;

use super::api::Api;
use super::choose::{Choice, choose};
use super::kubeconfig::{self, Loaded};
use super::request::Request;
use super::{Cluster, ClusterError, Query};
use crate::oci::Digest;
use crate::port::InUse;

/// What runs images: group and version, plural, and the word for one of them.
const KINDS: [Kind; 8] = [
    Kind { api: "/api/v1", plural: "pods", word: "pod" },
    Kind { api: "/apis/apps/v1", plural: "deployments", word: "deployment" },
    Kind { api: "/apis/apps/v1", plural: "statefulsets", word: "statefulset" },
    Kind { api: "/apis/apps/v1", plural: "daemonsets", word: "daemonset" },
    Kind { api: "/apis/apps/v1", plural: "replicasets", word: "replicaset" },
    Kind { api: "/apis/batch/v1", plural: "jobs", word: "job" },
    Kind { api: "/apis/batch/v1", plural: "cronjobs", word: "cronjob" },
    // What StatefulSets and DaemonSets can be rolled back to.
    Kind { api: "/apis/apps/v1", plural: "controllerrevisions", word: "controllerrevision" },
];

/// Pages of one kind that are read at most, of `request::PAGE` objects each.
const PAGES: usize = 1000;

#[derive(Debug, Clone, Copy)]
struct Kind {
    api: &'static str,
    plural: &'static str,
    word: &'static str,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<Workload>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Workload {
    #[serde(default)]
    metadata: Meta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
    /// A `ControllerRevision` has no spec, but part of one here.
    #[serde(default)]
    data: Value,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
}

/// The digests that the cluster's workloads name, in all namespaces. A kind that this user may not list is
/// named in the answer.
///
/// # Errors
/// When the API does not answer, or answers with anything else than a list or a missing right: what runs
/// is then not known.
pub async fn workloads(query: &Query, cluster: &Cluster) -> Result<InUse, ClusterError> {
    let kubeconfig = kubeconfig::load(&query.kubeconfig)?;
    let Choice::Named(context, allowed) = known(&kubeconfig, query, cluster)? else {
        return Ok(InUse::default());
    };
    let api = Api::new(&kubeconfig, context, allowed, query.timeout).await?;
    let mut in_use = InUse::default();
    for kind in KINDS {
        match read(&api, kind, &mut in_use).await {
            Err(ClusterError::Forbidden { .. }) => in_use.unseen.push(kind.plural.to_owned()),
            read => read?,
        }
    }
    Ok(in_use)
}

/// The context is known by now; its plugin is run only if the user named it.
fn known<'a>(kubeconfig: &'a Loaded, query: &Query, cluster: &Cluster) -> Result<Choice<'a>, ClusterError> {
    let named = Query { name: None, context: Some(cluster.context.clone()), ..query.clone() };
    choose(kubeconfig, &named)
}

async fn read(api: &Api, kind: Kind, in_use: &mut InUse) -> Result<(), ClusterError> {
    let mut next = None;
    for _ in 0..PAGES {
        let page = Request::workloads((kind.api, kind.plural), next.as_deref());
        // No such kind: no such workload.
        let Some(list) = api.get::<List>(&page).await? else { return Ok(()) };
        for workload in &list.items {
            note(workload, kind, in_use);
        }
        next = list.metadata.next.filter(|next| !next.is_empty());
        if next.is_none() {
            return Ok(());
        }
    }
    Err(api.failed(format!("{} have no end", kind.plural)))
}

fn note(workload: &Workload, kind: Kind, in_use: &mut InUse) {
    let Meta { name, namespace } = &workload.metadata;
    let mut digests = Vec::new();
    collect(&workload.spec, &mut digests);
    collect(&workload.status, &mut digests);
    collect(&workload.data, &mut digests);
    for digest in digests {
        let by = || super::api::escaped(&format!("{} {namespace}/{name}", kind.word));
        in_use.digests.entry(digest).or_insert_with(by);
    }
}

/// Every `image` and `imageID` below, and the `reference` of a volume that is an image, wherever the kind
/// has its pods. JSON is parsed with a bound on its
/// depth, and so is this.
fn collect(value: &Value, digests: &mut Vec<Digest>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if matches!(key.as_str(), "image" | "imageID" | "reference") => {
                        digests.extend(digest_of(text));
                    }
                    other => collect(other, digests),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, digests)),
        _ => {}
    }
}

/// `host/name@sha256:...`, `docker-pullable://host/name@sha256:...`, or a digest alone.
fn digest_of(image: &str) -> Option<Digest> {
    let digest = image.rsplit_once('@').map_or(image, |(_, digest)| digest);
    let digest = digest.rsplit_once("://").map_or(digest, |(_, digest)| digest);
    digest.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hex(character: char) -> String {
        format!("sha256:{}", character.to_string().repeat(64))
    }

    #[test]
    fn a_digest_is_read_from_any_form_of_an_image() {
        let digest = hex('a');
        for image in [
            format!("r:8443/o/web@{digest}"),
            format!("r:8443/o/web:1@{digest}"),
            format!("docker-pullable://r/web@{digest}"),
            format!("docker://{digest}"),
            digest.clone(),
        ] {
            assert_eq!(digest_of(&image), digest.parse().ok(), "{image}");
        }
        for image in ["", "web", "r:8443/o/web:1", "web@", "web@sha256:1", "@", "://"] {
            assert_eq!(digest_of(image), None, "{image}");
        }
    }

    #[test]
    fn images_are_found_wherever_a_kind_has_its_pods() {
        let image = |character| json!([{ "image": format!("r/web@{}", hex(character)), "name": "c" }]);
        let pod = json!({ "containers": image('a'), "initContainers": image('b'), "ephemeralContainers": image('c') });
        let cronjob = json!({ "metadata": { "name": "nightly", "namespace": "default" },
            "spec": { "jobTemplate": { "spec": { "template": { "spec": pod } } } },
            "status": { "containerStatuses": [{ "image": "r/web:1", "imageID": format!("r/web@{}", hex('d')) }] } });
        let workload: Workload = serde_json::from_value(cronjob).unwrap();
        let mut in_use = InUse::default();
        note(&workload, KINDS[6], &mut in_use);
        assert_eq!(in_use.digests.len(), 4);
        for character in ['a', 'b', 'c', 'd'] {
            let user = in_use.digests.get(&hex(character).parse().unwrap());
            assert_eq!(user.map(String::as_str), Some("cronjob default/nightly"), "{character}");
        }
    }

    #[test]
    fn a_volume_that_is_an_image_is_in_use() {
        let volume = json!({ "name": "v", "image": { "reference": format!("r/web@{}", hex('a')) } });
        let pod = json!({ "metadata": { "name": "p", "namespace": "n" }, "spec": { "volumes": [volume] } });
        let mut in_use = InUse::default();
        note(&serde_json::from_value(pod).unwrap(), KINDS[0], &mut in_use);
        assert_eq!(in_use.digests.get(&hex('a').parse().unwrap()).map(String::as_str), Some("pod n/p"));
    }

    #[test]
    fn what_a_set_can_be_rolled_back_to_is_in_use() {
        let pod = json!({ "containers": [{ "image": format!("r/web@{}", hex('a')) }] });
        let data = json!({ "spec": { "template": { "spec": pod, "$patch": "replace" } } });
        let revision =
            json!({ "metadata": { "name": "db-1", "namespace": "n" }, "data": data, "revision": 1 });
        let mut in_use = InUse::default();
        note(&serde_json::from_value(revision).unwrap(), KINDS[7], &mut in_use);
        let user = in_use.digests.get(&hex('a').parse().unwrap());
        assert_eq!(user.map(String::as_str), Some("controllerrevision n/db-1"));
    }

    #[test]
    fn what_is_asked_for_is_what_the_rights_state() {
        let listed = |group: &str, plural: &str| {
            super::super::RIGHTS
                .iter()
                .any(|right| right.verbs == ["list"] && right.group == group && right.resource == plural)
        };
        for Kind { api, plural, .. } in KINDS {
            let group = api.strip_prefix("/apis/").and_then(|api| api.split('/').next()).unwrap_or("");
            assert!(listed(group, plural), "{plural}");
        }
    }
}
