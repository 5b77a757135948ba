use anyhow::Result;
use serde_json::{Value, json};

use super::gitea::Gitea;
use super::ingress::Ingress;
use super::kube_api::KubeApi;

/// Writes down in the API what `idpbuilder create` does, for this Gitea behind this ingress.
pub(crate) fn describe_cluster(api: &KubeApi, gitea: &Gitea, ingress: &Ingress) -> Result<()> {
    let mut first = vec![localbuild_definition()];
    first.extend(["gitea", "ingress-nginx", "argocd"].map(|name| object("v1", "Namespace", "", name)));
    api.apply(&first)?;
    api.kubectl(&[
        "wait",
        "--for=condition=established",
        "crd/localbuilds.idpbuilder.cnoe.io",
        "--timeout=20s",
    ])?;
    let mut objects = vec![localbuild("localdev", &customization(ingress)), ingress_object()];
    objects.push(credential("gitea-credential", Gitea::ADMIN, &gitea.password, &gitea.token));
    objects.extend(certificate_copies(&ingress.certificate.pem));
    objects.extend([
        finder_role(),
        binding("localbuild-finder", "User", "developer"),
        binding("cluster-admin", "Group", "kubeadm:cluster-admins"),
    ]);
    api.apply(&objects)?;
    let status = json!({ "status": { "gitea": { "available": true, "externalURL": format!("https://{}", ingress.registry()),
        "adminUserSecretNameecret": "gitea-credential", "adminUserSecretNamespace": "gitea" } } });
    let patch = [
        "patch",
        "localbuild",
        "localdev",
        "--subresource=status",
        "--type=merge",
        "-p",
        &status.to_string(),
    ];
    api.kubectl(&patch).map(drop)
}

/// A secret in the namespace `gitea`, for the cluster's own or for one that a test points at.
pub(crate) fn credential(name: &str, username: &str, password: &str, token: &str) -> Value {
    let mut secret = object("v1", "Secret", "gitea", name);
    secret["stringData"] = json!({ "username": username, "password": password, "token": token });
    secret
}

/// What `idpbuilder create` was told, as the cluster keeps it.
pub(crate) fn localbuild(name: &str, customization: &Value) -> Value {
    let mut localbuild = object("idpbuilder.cnoe.io/v1alpha1", "Localbuild", "", name);
    localbuild["spec"] = json!({ "buildCustomization": customization });
    localbuild
}

fn customization(ingress: &Ingress) -> Value {
    json!({ "protocol": "https", "host": Ingress::HOST, "ingressHost": Ingress::HOST,
        "port": ingress.port.to_string(), "usePathRouting": false,
        "selfSignedCert": ingress.certificate.pem, "staticPassword": false })
}

/// The least that the API server asks of a definition; idpbuilder's own names every field.
fn localbuild_definition() -> Value {
    let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let mut definition =
        object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "localbuilds.idpbuilder.cnoe.io");
    definition["spec"] = json!({ "group": "idpbuilder.cnoe.io", "scope": "Cluster",
        "names": { "kind": "Localbuild", "listKind": "LocalbuildList", "plural": "localbuilds", "singular": "localbuild" },
        "versions": [{ "name": "v1alpha1", "served": true, "storage": true, "subresources": { "status": {} },
            "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": any, "status": any } } } }] });
    definition
}

fn ingress_object() -> Value {
    let mut ingress = object("networking.k8s.io/v1", "Ingress", "gitea", "my-gitea-custom");
    ingress["metadata"]["annotations"] = json!({ "nginx.ingress.kubernetes.io/proxy-body-size": "1024m" });
    let backend = json!({ "service": { "name": "my-gitea-http", "port": { "number": 3000 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    let host = format!("gitea.{}", Ingress::HOST);
    ingress["spec"] =
        json!({ "ingressClassName": "nginx", "rules": [{ "host": host, "http": { "paths": paths } }] });
    ingress
}

/// The certificate stands in three places; only the first has the key too, which nobody needs here.
fn certificate_copies(pem: &str) -> [Value; 3] {
    let mut shown = object("v1", "Secret", "ingress-nginx", "idpbuilder-cert");
    shown["stringData"] = json!({ "tls.crt": pem });
    let mut documented = object("v1", "Secret", "default", "idpbuilder-cert");
    documented["stringData"] = json!({ "ca.crt": pem });
    let mut open = object("v1", "ConfigMap", "argocd", "argocd-tls-certs-cm");
    open["data"] = json!({ (Ingress::HOST): pem });
    [shown, documented, open]
}

/// `developer` may find the cluster, and read no secret.
fn finder_role() -> Value {
    let mut role = object(RBAC, "ClusterRole", "", "localbuild-finder");
    role["rules"] = json!([{ "apiGroups": ["idpbuilder.cnoe.io"], "resources": ["localbuilds"], "verbs": ["get", "list"] }]);
    role
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn binding(role: &str, kind: &str, subject: &str) -> Value {
    let group = "rbac.authorization.k8s.io";
    let mut binding = object(RBAC, "ClusterRoleBinding", "", subject);
    binding["roleRef"] = json!({ "apiGroup": group, "kind": "ClusterRole", "name": role });
    binding["subjects"] = json!([{ "apiGroup": group, "kind": kind, "name": subject }]);
    binding
}

fn object(version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut metadata = json!({ "name": name });
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    json!({ "apiVersion": version, "kind": kind, "metadata": metadata })
}
