use std::path::Path;

use super::advice::{listed, quoted};
use super::{Class, Failure, Scene};
use crate::cluster::ClusterError;

const WITHOUT_CLUSTER: &str = "--registry HOST:PORT with --username and --password-stdin";

pub(super) fn explain(error: &ClusterError, scene: &Scene<'_>) -> Failure {
    let of = |code| Failure::new(Class::Cluster, code, error.to_string()).chain(error);
    match error {
        ClusterError::NoKubeconfig { tried } => {
            let tried: Vec<String> = tried.iter().map(|path| scene.path(path)).collect();
            of("NO_KUBECONFIG")
                .detail(format!("tried: {}", listed(&tried)))
                .run("Create a cluster", "idpbuilder create")
                .run("Or name the file", scene.with("--kubeconfig FILE"))
                .run("Or push without a cluster", WITHOUT_CLUSTER)
        }
        ClusterError::Kubeconfig { path, .. } => of("KUBECONFIG")
            .run(
                "See what kubectl makes of it",
                format!("kubectl config view --kubeconfig {}", quoted(&path.display().to_string())),
            )
            .run("Or name another one", scene.with("--kubeconfig FILE")),
        ClusterError::ContextNotFound { context, kubeconfig, contexts } => {
            let failure = of("NO_CONTEXT").detail(contexts_of(kubeconfig, contexts, scene));
            pick_another(failure, Some(context), contexts, scene)
        }
        ClusterError::NoCluster { context, kubeconfig, contexts } => {
            let failure = of("NO_CLUSTER").detail(contexts_of(kubeconfig, contexts, scene));
            let failure = failure.run("Create it", "idpbuilder create");
            pick_another(failure, context.as_deref(), contexts, scene)
                .run("Or push without one", WITHOUT_CLUSTER)
        }
        ClusterError::Several { contexts } => {
            contexts.iter().fold(of("SEVERAL_CLUSTERS"), |failure, context| {
                failure.run(format!("For {context}"), scene.with(&chosen(context)))
            })
        }
        _ => api(error, of, scene),
    }
}

fn api(error: &ClusterError, of: impl Fn(&'static str) -> Failure, scene: &Scene<'_>) -> Failure {
    match error {
        ClusterError::Unreachable { reason, .. } => of("CLUSTER_UNREACHABLE")
            .cause(reason.clone())
            .run("See whether it runs", "docker ps --filter name=-control-plane")
            .run("Start it, or create it anew", "idpbuilder create")
            .run("Or push without it", WITHOUT_CLUSTER)
            .may_be_retried(),
        ClusterError::Unauthenticated { context, .. } => of("CLUSTER_LOGIN")
            .run("Write the kubeconfig anew", "kind export kubeconfig --name CLUSTER")
            .run("See who you are to it", format!("kubectl --context {context} auth whoami")),
        ClusterError::Forbidden { context, verb, resource, .. } => {
            forbidden(of("CLUSTER_FORBIDDEN"), context, (verb, resource), scene)
        }
        ClusterError::PluginSilent { command, .. } => of("CLUSTER_LOGIN")
            .say(format!("Run `{command}` by hand: it may be waiting for a login"))
            .may_be_retried(),
        ClusterError::SecretNotFound { context, .. } => of("NO_SECRET")
            .say("Gitea may still be starting: it is ready when the secret is there")
            .run("See which there are", format!("kubectl --context {context} -n gitea get secrets"))
            .run("Or name it", scene.with("--secret NAMESPACE/NAME"))
            .may_be_retried(),
        ClusterError::SecretIncomplete { found, .. } => {
            let keys = if found.is_empty() { "none".to_owned() } else { listed(found) };
            of("SECRET_INCOMPLETE")
                .detail(format!("keys that it has: {keys}"))
                .run("Name another secret", scene.with("--secret NAMESPACE/NAME"))
                .run("Or give the login", scene.again("--username USER --password-stdin"))
        }
        ClusterError::Localbuild { .. } => of("LOCALBUILD")
            .run("Create the cluster anew", "idpbuilder create --recreate")
            .run("Or name the registry", scene.with("--registry HOST:PORT")),
        _ => of("CLUSTER_API")
            .run("See whether it works at all", "kubectl get --raw /readyz")
            .run("Or push without it", WITHOUT_CLUSTER)
            .may_be_retried(),
    }
}

/// `--name` for a context of idpbuilder's own naming, `--context` for any other.
fn chosen(context: &str) -> String {
    match context.strip_prefix("kind-") {
        Some(name) => format!("--name {name}"),
        None => format!("--context {context}"),
    }
}

fn contexts_of(kubeconfig: &str, contexts: &[String], scene: &Scene<'_>) -> String {
    let contexts = if contexts.is_empty() { "none".to_owned() } else { listed(contexts) };
    format!("kubeconfig: {} (contexts: {contexts})", scene.path(Path::new(kubeconfig)))
}

/// Names the first context that looks like an idpbuilder cluster and is not the one that failed.
fn pick_another(failure: Failure, context: Option<&str>, contexts: &[String], scene: &Scene<'_>) -> Failure {
    let other = contexts.iter().find(|other| other.starts_with("kind-") && Some(other.as_str()) != context);
    match other {
        Some(other) => failure.run("Or pick another one", scene.with(&chosen(other))),
        None => failure,
    }
}

/// The least that lets a user read the login; `kubectl apply` takes it as it stands.
const ROLE: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: idpbuilder-push, namespace: gitea}
rules: [{apiGroups: [\"\"], resources: [secrets], resourceNames: [gitea-credential], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: idpbuilder-push, namespace: gitea}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: idpbuilder-push}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: USER}]";

/// For what no namespace holds.
const CLUSTER_ROLE: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: idpbuilder-push}
rules: [{apiGroups: [idpbuilder.cnoe.io], resources: [localbuilds], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: idpbuilder-push}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: idpbuilder-push}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: USER}]";

fn forbidden(failure: Failure, context: &str, (verb, resource): (&str, &str), scene: &Scene<'_>) -> Failure {
    let role = if resource.starts_with("localbuilds") { CLUSTER_ROLE } else { ROLE };
    failure
        .detail(format!("verb: {verb}, resource: {resource}"))
        .copy("Let somebody with the right apply this, with USER filled in", role)
        .run("See what you may do", format!("kubectl --context {context} auth can-i --list -n gitea"))
        .run("Or take another context", scene.with("--context CONTEXT"))
        .run("Or push without the cluster", WITHOUT_CLUSTER)
}
