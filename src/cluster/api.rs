use std::error::Error;
use std::time::Duration;

use http::{StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::config::AuthInfo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ClusterError;
use super::choose::Plugin;
use super::config::config;
use super::kubeconfig::{Context, Loaded};
use super::plugin;
use super::request::Request;

/// No answer is read beyond this many bytes. etcd takes objects up to 1.5 MiB.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// How much of a server's text is shown.
const SHOWN_LIMIT: usize = 1024;

/// The API of one context. It is asked one thing after another: in parallel, kube opens further
/// connections and each costs more than all the requests.
pub(super) struct Api {
    client: kube::Client,
    pub(super) context: Context,
    /// For one request, the connection included.
    pub(super) limit: Duration,
}

impl Api {
    /// Builds the client; nothing is contacted but the plugin that the context's user logs in with.
    pub(super) async fn new(
        kubeconfig: &Loaded,
        context: &Context,
        allowed: Plugin,
        limit: Duration,
    ) -> Result<Self, ClusterError> {
        let refused = |reason: String| ClusterError::Context { context: context.name.clone(), reason };
        let mut config = config(&kubeconfig.document, context).map_err(refused)?;
        log_in(&mut config.auth_info, context, allowed).await?;
        tracing::debug!(
            context = context.name,
            server = context.server,
            skips_verification = config.accept_invalid_certs,
            by_proxy = config.proxy_url.is_some(),
            "asking the Kubernetes API"
        );
        let client = kube::Client::try_from(config).map_err(|error| refused(cause(&error)))?;
        Ok(Self { client, context: context.clone(), limit })
    }

    /// `None` for what is not there, be it the object or its whole kind.
    ///
    /// The answer is parsed here and not by kube, which reads answers of any length and logs the text of
    /// one that it cannot parse, be it a secret.
    ///
    /// # Errors
    /// `Unreachable`, `Unauthenticated`, `Forbidden`, and `Api` for all else that is no success.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<Option<T>, ClusterError> {
        let (status, body) = tokio::time::timeout(self.limit, self.send(request))
            .await
            .map_err(|_| self.unreachable(format!("no answer within {:?}", self.limit)))??;
        tracing::debug!(path = request.path, status = status.as_u16(), "Kubernetes API");
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => serde_json::from_slice(&body).map(Some).map_err(|error| {
                self.failed(format!(
                    "{} are of another shape than expected ({:?})",
                    request.resource,
                    error.classify()
                ))
            }),
            status => Err(self.refusal(request, status, &message(&body))),
        }
    }

    async fn send(&self, request: &Request) -> Result<(StatusCode, Zeroizing<Vec<u8>>), ClusterError> {
        let asked = http::Request::get(&request.path)
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| self.failed(error.to_string()))?;
        let answer = self.client.send(asked).await.map_err(|error| self.unreachable(cause(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
        let body = body.map_err(|error| self.failed(cause(error.as_ref())))?.to_bytes();
        Ok((status, Zeroizing::new(body.into())))
    }

    fn refusal(&self, request: &Request, status: StatusCode, message: &str) -> ClusterError {
        let context = self.context.name.clone();
        match status {
            StatusCode::UNAUTHORIZED => ClusterError::Unauthenticated { context, reason: message.to_owned() },
            StatusCode::FORBIDDEN => ClusterError::Forbidden {
                context,
                user: user_in(message).map(str::to_owned),
                login: self.context.user.clone(),
                verb: request.verb,
                resource: request.resource.clone(),
            },
            status => self.failed(format!("{} for {}: {message}", status.as_u16(), request.resource)),
        }
    }

    fn unreachable(&self, reason: String) -> ClusterError {
        let Context { name, server, .. } = &self.context;
        ClusterError::Unreachable { context: name.clone(), server: server.clone(), reason }
    }

    pub(super) fn failed(&self, reason: String) -> ClusterError {
        ClusterError::Api { context: self.context.name.clone(), reason }
    }
}

/// Replaces the plugin by what it says, or refuses to run it: kube's own way has no time limit.
async fn log_in(login: &mut AuthInfo, context: &Context, allowed: Plugin) -> Result<(), ClusterError> {
    let Some(command) = context.plugin.clone() else { return Ok(()) };
    if allowed == Plugin::Refused {
        return Err(ClusterError::PluginUnasked { context: context.name.clone(), command });
    }
    let Some(exec) = login.exec.take() else {
        // kubectl has no auth-provider any more; kube would run the program of one, without a limit.
        let reason = "the kubeconfig's auth-provider is no longer supported by Kubernetes".to_owned();
        return Err(ClusterError::PluginFailed { context: context.name.clone(), command, reason });
    };
    let answer = plugin::ask(&exec, context).await?;
    login.token = answer.token;
    login.client_certificate_data = answer.client_certificate_data;
    login.client_key_data = answer.client_key_data;
    Ok(())
}

/// The text of a Kubernetes `Status`, or of an answer that is none.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    let text = serde_json::from_slice(body)
        .map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |status: Status| status.message);
    escaped(text.trim())
}

/// Text of others: control characters escaped, cut to a length.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(SHOWN_LIMIT) {
        if character.is_control() { shown.extend(character.escape_debug()) } else { shown.push(character) }
    }
    shown
}

/// `User "dev" cannot get resource ...`: the API says whom it took us for.
fn user_in(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    Some(user).filter(|user| !user.is_empty())
}

/// What is at the bottom of an error: the layers above it say only that a request failed.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    escaped(&last.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_taken_from_the_message() {
        let message =
            "secrets \"gitea-credential\" is forbidden: User \"system:serviceaccount:a:b\" cannot get";
        assert_eq!(user_in(message), Some("system:serviceaccount:a:b"));
        for other in ["", "User \"", "User \"\"", "forbidden"] {
            assert_eq!(user_in(other), None, "{other}");
        }
    }

    #[test]
    fn text_of_the_server_is_bounded_and_has_no_control_characters() {
        assert_eq!(message(br#"{"kind":"Status","message":"no\u001b[2Jway\n"}"#), "no\\u{1b}[2Jway");
        assert_eq!(message(b"404 page not found\n"), "404 page not found");
        assert_eq!(message(&[b'x'; 5000]).len(), SHOWN_LIMIT);
    }
}
