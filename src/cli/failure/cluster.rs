use std::path::Path;

use super::advice::{listed, quoted};
use super::{Class, Failure, Scene};
use crate::cluster::ClusterError;

/// A cluster has one Localbuild; more than these make no list that is read.
const SHOWN_CLUSTERS: usize = 3;

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
            .run("See who you are to it", format!("kubectl --context {} auth whoami", quoted(context))),
        ClusterError::Forbidden { context, user, verb, resource, .. } => {
            forbidden(of("CLUSTER_FORBIDDEN"), (context, user.as_deref()), (verb, resource), scene)
        }
        ClusterError::PluginSilent { command, .. } => of("CLUSTER_LOGIN")
            .say(format!("Run `{command}` by hand: it may be waiting for a login"))
            .may_be_retried(),
        ClusterError::SecretNotFound { context, looked_for } => {
            let namespace = looked_for.first().map_or("gitea", |secret| &secret.namespace);
            let all = format!("kubectl --context {} -n {namespace} get secrets", quoted(context));
            of("NO_SECRET")
                .say("Gitea may still be starting: it is ready when the secret is there")
                .run("See which there are", all)
                .run("Or name it", scene.with("--secret NAMESPACE/NAME"))
                .may_be_retried()
        }
        ClusterError::SecretIncomplete { found, .. } => {
            let keys = if found.is_empty() { "none".to_owned() } else { listed(found) };
            of("SECRET_INCOMPLETE")
                .detail(format!("keys that it has: {keys}"))
                .run("Name another secret", scene.with("--secret NAMESPACE/NAME"))
                .run("Or give the login", scene.again("--username USER --password-stdin"))
        }
        _ => choice(error, of, scene),
    }
}

/// What another choice of the user's mends; the rest may mend itself.
fn choice(error: &ClusterError, of: impl Fn(&'static str) -> Failure, scene: &Scene<'_>) -> Failure {
    match error {
        ClusterError::Context { context, .. } => of("KUBECONFIG")
            .run(
                "See what kubectl makes of it",
                format!("kubectl --context {} config view --minify", quoted(context)),
            )
            .run("Or take another context", scene.with("--context CONTEXT")),
        ClusterError::PluginUnasked { context, .. } => of("CLUSTER_LOGIN")
            .run("Let it run", scene.with(&format!("--context {}", quoted(context))))
            .run("Or push without the cluster", WITHOUT_CLUSTER),
        ClusterError::SeveralLocalbuilds { context, names } => {
            names.iter().take(SHOWN_CLUSTERS).fold(of("SEVERAL_CLUSTERS"), |failure, name| {
                let flags = format!("--context {} --name {}", quoted(context), quoted(name));
                failure.run(format!("For {name}"), scene.with(&flags))
            })
        }
        ClusterError::PlainHttp { registry, .. } => {
            let flags =
                format!("--registry {} --plain-http --username USER --password-stdin", quoted(registry));
            of("LOCALBUILD").run("If you trust the network, name the registry", scene.with(&flags))
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
        Some(name) => format!("--name {}", quoted(name)),
        None => format!("--context {}", quoted(context)),
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

fn forbidden(
    failure: Failure,
    (context, user): (&str, Option<&str>),
    (verb, resource): (&str, &str),
    scene: &Scene<'_>,
) -> Failure {
    let failure = failure.detail(format!("verb: {verb}, resource: {resource}"));
    let failure = match granting(resource, user) {
        Some([role, binding]) => {
            let and = if user.is_some() { "And" } else { "And, with USER filled in" };
            failure.run("Let somebody with the right run", role).run(and, binding)
        }
        None => failure.say("Let somebody with the right grant it"),
    };
    failure
        .run(
            "See what you may do",
            format!("kubectl --context {} auth can-i --list -n gitea", quoted(context)),
        )
        .run("Or take another context", scene.with("--context CONTEXT"))
        .run("Or push without the cluster", WITHOUT_CLUSTER)
}

/// The least that lets the user go on, as commands: they can be pasted however far they are indented.
fn granting(resource: &str, user: Option<&str>) -> Option<[String; 2]> {
    let role = "idpbuilder-push";
    let (kind, flags, namespace) = match resource.split_once(' ') {
        Some(("secrets", secret)) => {
            let (namespace, name) = secret.split_once('/')?;
            let flags = format!("--verb=get --resource=secrets --resource-name={}", quoted(name));
            ("role", flags, format!(" -n {}", quoted(namespace)))
        }
        _ if resource.starts_with(LOCALBUILDS) => {
            ("clusterrole", format!("--verb=get,list --resource={LOCALBUILDS}"), String::new())
        }
        _ => return None,
    };
    let binding = format!("kubectl create {kind}binding {role}{namespace} --{kind}={role} {}", subject(user));
    Some([format!("kubectl create {kind} {role}{namespace} {flags}"), binding])
}

const LOCALBUILDS: &str = "localbuilds.idpbuilder.cnoe.io";

fn subject(user: Option<&str>) -> String {
    let name = user.unwrap_or("USER");
    match name.strip_prefix("system:serviceaccount:") {
        Some(account) => format!("--serviceaccount={}", quoted(account)),
        None => format!("--user={}", quoted(name)),
    }
}
