use super::SecretName;

/// One thing to read from the API. Made without I/O, so that the whole list of what is asked stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// With the query.
    pub(super) path: String,
    pub(super) verb: &'static str,
    /// As messages name it: `secrets gitea/gitea-credential`.
    pub(super) resource: String,
}

/// A page of pods is far below the longest answer that is read.
const PAGE: usize = 50;

const LOCALBUILDS: &str = "localbuilds.idpbuilder.cnoe.io";

impl Request {
    pub(super) fn localbuilds() -> Self {
        Self { path: localbuilds_path(), verb: "list", resource: LOCALBUILDS.to_owned() }
    }

    /// `name` must be the name of an object.
    pub(super) fn localbuild(name: &str) -> Self {
        let path = format!("{}/{name}", localbuilds_path());
        Self { path, verb: "get", resource: format!("{LOCALBUILDS} {name}") }
    }

    /// By name: a list would return the contents of all. The name must be valid.
    pub(super) fn secret(secret: &SecretName) -> Self {
        Self::get("/api/v1", "secrets", secret)
    }

    pub(super) fn config_map(name: &SecretName) -> Self {
        Self::get("/api/v1", "configmaps", name)
    }

    pub(super) fn ingress(name: &SecretName) -> Self {
        Self::get("/apis/networking.k8s.io/v1", "ingresses", name)
    }

    /// A local cluster has few nodes; a hundred are enough to know their platforms.
    pub(super) fn nodes() -> Self {
        Self { path: "/api/v1/nodes?limit=100".to_owned(), verb: "list", resource: "nodes".to_owned() }
    }

    /// One page of all objects of a kind, in all namespaces.
    pub(super) fn workloads((api, plural): (&str, &str), next: Option<&str>) -> Self {
        let next = next.map(|token| {
            format!(
                "&continue={}",
                percent_encoding::utf8_percent_encode(token, percent_encoding::NON_ALPHANUMERIC)
            )
        });
        let path = format!("{api}/{plural}?limit={PAGE}{}", next.unwrap_or_default());
        Self { path, verb: "list", resource: plural.to_owned() }
    }

    fn get(api: &str, plural: &str, object: &SecretName) -> Self {
        let path = format!("{api}/namespaces/{}/{plural}/{}", object.namespace, object.name);
        Self { path, verb: "get", resource: format!("{plural} {object}") }
    }
}

fn localbuilds_path() -> String {
    "/apis/idpbuilder.cnoe.io/v1alpha1/localbuilds".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_the_object_as_messages_do() {
        let secret = Request::secret(&SecretName::new("gitea", "gitea-credential"));
        assert_eq!(secret.path, "/api/v1/namespaces/gitea/secrets/gitea-credential");
        assert_eq!((secret.verb, secret.resource.as_str()), ("get", "secrets gitea/gitea-credential"));
        let localbuild = Request::localbuild("localdev");
        assert_eq!(localbuild.path, "/apis/idpbuilder.cnoe.io/v1alpha1/localbuilds/localdev");
        assert_eq!(localbuild.resource, "localbuilds.idpbuilder.cnoe.io localdev");
    }

    #[test]
    fn the_next_page_is_asked_for_as_the_last_one_said() {
        let path = |next| Request::workloads(("/apis/apps/v1", "deployments"), next).path;
        assert_eq!(path(None), "/apis/apps/v1/deployments?limit=50");
        assert_eq!(path(Some("a=&b")), "/apis/apps/v1/deployments?limit=50&continue=a%3D%26b");
    }
}
