use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, ExecConfig};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::ClusterError;
use super::api::escaped;
use super::kubeconfig::Context;
use crate::child::{self, Said};

/// How long a plugin may take; those of the clouds ask a server.
const LIMIT: Duration = Duration::from_secs(15);

/// No answer is read beyond this many bytes; it is a token or a certificate with its key.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// What a plugin prints, of the kind `ExecCredential`.
#[derive(Deserialize)]
struct Answer {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Runs the plugin of a kubeconfig user and returns the login that it gives (client-go's protocol for
/// credential plugins). It has no terminal to ask on, and a process group of its own, which is ended when
/// the time is up.
///
/// # Errors
/// `PluginSilent` after 15 s; `PluginFailed` when it cannot be started, fails, or prints something else.
pub(super) async fn ask(exec: &ExecConfig, context: &Context) -> Result<AuthInfo, ClusterError> {
    ask_within(exec, context, LIMIT).await
}

async fn ask_within(exec: &ExecConfig, context: &Context, limit: Duration) -> Result<AuthInfo, ClusterError> {
    let name = escaped(exec.command.as_deref().unwrap_or_default());
    let failed = |reason: String| ClusterError::PluginFailed {
        context: context.name.clone(),
        command: name.clone(),
        reason,
    };
    tracing::info!(command = name, context = context.name, "running the credential plugin of the kubeconfig");
    let ran = tokio::time::timeout(limit, child::ask(command(exec), "", ANSWER_LIMIT)).await;
    let Said { status, out, err } = match ran {
        Ok(ran) => ran.map_err(|error| failed(error.to_string()))?,
        Err(_) => {
            return Err(ClusterError::PluginSilent {
                context: context.name.clone(),
                command: name,
                after: limit,
            });
        }
    };
    if !status.success() {
        return Err(failed(format!("{status}: {}", escaped(String::from_utf8_lossy(&err).trim()))));
    }
    let answer: Answer = serde_json::from_slice(&out).map_err(|_| failed("it printed no JSON".to_owned()))?;
    answer.status.and_then(login).ok_or_else(|| failed("it gave no login".to_owned()))
}

fn command(exec: &ExecConfig) -> Command {
    let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
    command.args(exec.args.iter().flatten());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    let spec = json!({ "interactive": false, "cluster": exec.cluster });
    let question = json!({ "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec });
    command.env("KUBERNETES_EXEC_INFO", question.to_string());
    command
}

/// kube takes a login as the kubeconfig has it, with certificate and key in base64. A plugin may give a
/// token, a certificate with its key, or both, and both are shown then.
fn login(status: Status) -> Option<AuthInfo> {
    let encode = |pem: String| STANDARD.encode(pem);
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut login = serde_json::Map::new();
    login.extend(filled(status.token).map(|token| ("token".to_owned(), json!(token))));
    let pair = filled(status.client_certificate_data).zip(filled(status.client_key_data));
    if let Some((certificate, key)) = pair {
        login.insert("client-certificate-data".to_owned(), json!(encode(certificate)));
        login.insert("client-key-data".to_owned(), json!(encode(key)));
    }
    if login.is_empty() { None } else { serde_json::from_value(login.into()).ok() }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {

    use super::*;
    use crate::child::tests::{until_ended, write_program};

    fn plugin(script: &str) -> (tempfile::TempDir, ExecConfig) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        write_program(&path, script);
        let command = Some(path.display().to_string());
        (folder, ExecConfig { command, api_version: Some("v1".into()), ..ExecConfig::default() })
    }

    fn context() -> Context {
        Context {
            name: "prod".into(),
            cluster: String::new(),
            server: String::new(),
            user: String::new(),
            plugin: None,
        }
    }

    async fn asked(script: &str, limit: Duration) -> Result<AuthInfo, ClusterError> {
        let (_folder, exec) = plugin(script);
        ask_within(&exec, &context(), limit).await
    }

    fn shape(login: &AuthInfo) -> serde_json::Value {
        serde_json::to_value(login).unwrap()
    }

    #[tokio::test]
    async fn a_token_or_a_certificate_with_its_key_is_a_login() {
        let token = r#"test -z "$IDPBUILDER_REGISTRY_PASSWORD" && echo '{"status":{"token":"made-up"}}'"#;
        assert_eq!(shape(&asked(token, LIMIT).await.unwrap())["token"], "made-up");
        let pair = r#"echo '{"status":{"clientCertificateData":"C","clientKeyData":"K"}}'"#;
        let pair = shape(&asked(pair, LIMIT).await.unwrap());
        assert_eq!(
            (&pair["client-certificate-data"], &pair["client-key-data"]),
            (&json!("Qw=="), &json!("Sw=="))
        );
    }

    #[tokio::test]
    async fn a_token_beside_a_certificate_is_kept() {
        let both = r#"echo '{"status":{"token":"made-up","clientCertificateData":"C","clientKeyData":"K"}}'"#;
        let expected =
            json!({ "token": "made-up", "client-certificate-data": "Qw==", "client-key-data": "Sw==" });
        assert_eq!(shape(&asked(both, LIMIT).await.unwrap()), expected);
        let empty = r#"echo '{"status":{"token":"made-up","clientCertificateData":"","clientKeyData":""}}'"#;
        assert_eq!(shape(&asked(empty, LIMIT).await.unwrap()), json!({ "token": "made-up" }));
    }

    #[tokio::test]
    async fn what_is_no_login_is_an_error_that_shows_no_output() {
        for (script, expected) in [
            ("echo made-up-secret", "it printed no JSON"),
            (r#"echo '{"status":{}}'"#, "it gave no login"),
            ("echo oops >&2; exit 3", "exit status: 3: oops"),
        ] {
            let Err(ClusterError::PluginFailed { reason, .. }) = asked(script, LIMIT).await else { panic!() };
            assert_eq!(reason, expected);
        }
    }

    #[tokio::test]
    async fn a_plugin_that_hangs_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
        let silent = asked(&script, Duration::from_millis(500)).await;
        assert!(matches!(silent, Err(ClusterError::PluginSilent { .. })));
        until_ended(&pid).await;
    }

    #[tokio::test]
    async fn endless_output_breaks_the_pipe() {
        let Err(ClusterError::PluginFailed { reason, .. }) = asked("exec yes", LIMIT).await else { panic!() };
        assert!(reason.contains("signal") || reason.contains("exit status"), "{reason}");
    }
}
