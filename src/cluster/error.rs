use std::path::PathBuf;
use std::time::Duration;

use super::SecretName;

/// Why the cluster could not be asked, or has no registry to give. All of them are exit code 5.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("no kubeconfig found")]
    NoKubeconfig { tried: Vec<PathBuf> },
    #[error("could not read the kubeconfig `{}`: {reason}", path.display())]
    Kubeconfig { path: PathBuf, reason: String },
    /// `--context` or `--name` names a context that the kubeconfig does not have.
    #[error("the kubeconfig has no context {context:?}")]
    ContextNotFound { context: String, kubeconfig: String, contexts: Vec<String> },
    /// No context can be an idpbuilder cluster, or the one that was chosen serves no Localbuild.
    #[error("no idpbuilder cluster found{}", for_context(context.as_deref()))]
    NoCluster { context: Option<String>, kubeconfig: String, contexts: Vec<String> },
    #[error("several contexts are idpbuilder clusters: {}", contexts.join(", "))]
    Several { contexts: Vec<String> },
    /// Nothing was asked: what the kubeconfig says of the context is of no use.
    #[error("context {context:?} of the kubeconfig cannot be used: {reason}")]
    Context { context: String, reason: String },
    #[error("the Kubernetes API of context {context:?} does not answer ({server})")]
    Unreachable { context: String, server: String, reason: String },
    #[error("the Kubernetes API of context {context:?} refused the login of the kubeconfig: {reason}")]
    Unauthenticated { context: String, reason: String },
    /// `user` is whom the API took us for, in its words, where it says so: `dev`, or
    /// `system:serviceaccount:NAMESPACE:NAME`. `login` is what the kubeconfig calls it.
    #[error("{} may not {verb} {resource} (context {context:?})", shown(user.as_deref(), login))]
    Forbidden { context: String, user: Option<String>, login: String, verb: &'static str, resource: String },
    #[error("the credential plugin `{command}` of context {context:?} gave no answer within {} s", after.as_secs())]
    PluginSilent { context: String, command: String, after: Duration },
    #[error("the credential plugin `{command}` of context {context:?} failed: {reason}")]
    PluginFailed { context: String, command: String, reason: String },
    /// Nobody named the context, and no program is run unasked.
    #[error("context {context:?} logs in with the plugin `{command}`, which is run only for --context")]
    PluginUnasked { context: String, command: String },
    #[error("context {context:?} has several Localbuilds: {}", names.join(", "))]
    SeveralLocalbuilds { context: String, names: Vec<String> },
    /// A login does not go over plain HTTP to another machine because a cluster says so.
    #[error("Localbuild {name:?} says protocol http for {registry}, which is not this machine")]
    PlainHttp { name: String, registry: String },
    /// None of `looked_for` is there.
    #[error("secret {} not found (context {context:?})", listed(looked_for))]
    SecretNotFound { context: String, looked_for: Vec<SecretName> },
    /// `found` are names of keys, never values.
    #[error("secret {secret} has no usable {missing:?}: {reason}")]
    SecretIncomplete { secret: SecretName, missing: &'static str, found: Vec<String>, reason: String },
    #[error("Localbuild {name:?} says {field} = {value:?}, which is no registry address")]
    Localbuild { name: String, field: &'static str, value: String },
    #[error("the Kubernetes API of context {context:?} failed: {reason}")]
    Api { context: String, reason: String },
}

fn shown(user: Option<&str>, login: &str) -> String {
    match user {
        Some(user) => format!("user {user:?}"),
        None => format!("the kubeconfig's user {login:?}"),
    }
}

fn for_context(context: Option<&str>) -> String {
    context.map(|context| format!(" for context {context:?}")).unwrap_or_default()
}

fn listed(secrets: &[SecretName]) -> String {
    secrets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
