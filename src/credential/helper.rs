use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::child::{self, Said};
use crate::port::{Identity, KeychainError, Secret};

/// How long a helper may take; some ask a server.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

const OUTPUT_LIMIT: usize = 64 * 1024;

/// How much of a helper's message is shown.
const SHOWN_LIMIT: usize = 1024;

/// The message by which a helper says that it has no such login. The protocol has no other way.
const NONE: &str = "credentials not found in native keychain";

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Letters, digits, `.`, `_` and `-`: it becomes part of a file's name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// This program is a helper itself. It knows the cluster's login and nothing else, and whoever looks here has
/// read that already or was told not to.
pub(super) fn is_ours(name: &str) -> bool {
    name.eq_ignore_ascii_case("idpbuilder")
}

/// Asks `docker-credential-NAME` for the login of a server. This takes the place of `docker_credential`'s
/// own call, which has no limit of time or size, searches relative folders of PATH, and takes a helper
/// that says "none" for a broken one. Nothing but `get` is ever asked.
///
/// # Errors
/// When it is not on `path`, is silent for `limit`, or fails.
pub(super) async fn get(
    name: &str,
    server: &str,
    path: Option<&OsStr>,
    limit: Duration,
) -> Result<Option<Identity>, KeychainError> {
    let helper = format!("docker-credential-{name}");
    let failed = |reason: String| KeychainError::HelperFailed { helper: helper.clone(), reason };
    let program = path
        .and_then(|path| located(&helper, path))
        .ok_or_else(|| KeychainError::HelperMissing { helper: helper.clone() })?;
    let mut command = Command::new(program);
    command.arg("get");
    let question = format!("{server}\n");
    let asked = child::ask(command, &question, OUTPUT_LIMIT as u64);
    let Said { status, out, err } = tokio::time::timeout(limit, asked)
        .await
        .map_err(|_| KeychainError::HelperSilent { helper: helper.clone(), seconds: limit.as_secs() })?
        .map_err(|error| failed(error.to_string()))?;
    if out.len() > OUTPUT_LIMIT {
        return Err(failed("it printed more than 64 KiB".to_owned()));
    }
    if status.success() {
        return login(&out).map_err(|reason| failed(reason.to_owned()));
    }
    refusal(&out, &err).map_or(Ok(None), |said| Err(failed(format!("{status}: {said}"))))
}

/// What a helper printed that knows the server, or a login of nothing.
pub(super) fn login(out: &[u8]) -> Result<Option<Identity>, &'static str> {
    serde_json::from_slice(out).map(|answer| identity(&answer)).map_err(|_| "it printed no login")
}

/// What a helper says that failed; `None` where it says that it has no such login.
pub(super) fn refusal(out: &[u8], err: &[u8]) -> Option<String> {
    let (out, err) = (message(out), message(err));
    // By the protocol the message is on standard output, where a login would be too.
    let said = if err.is_empty() && !out.starts_with('{') { out.clone() } else { err.clone() };
    (out != NONE && err != NONE).then_some(said)
}

/// An answer without a login is one too: some helpers print empty values.
fn identity(answer: &Answer) -> Option<Identity> {
    let Answer { username, secret } = answer;
    match username.as_str() {
        _ if secret.is_empty() => None,
        "<token>" => Some(Identity::Refresh(Secret::new(secret.clone()))),
        _ => Some(Identity::Password { username: username.clone(), password: Secret::new(secret.clone()) }),
    }
}

/// The first on PATH that can be run. Relative folders are passed over: they depend on where one stands.
fn located(helper: &str, path: &OsStr) -> Option<PathBuf> {
    let file = format!("{helper}{}", std::env::consts::EXE_SUFFIX);
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(&file)).find(|program| is_program(program))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

fn message(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for character in String::from_utf8_lossy(bytes).trim().chars().take(SHOWN_LIMIT) {
        if character.is_control() { shown.extend(character.escape_debug()) } else { shown.push(character) }
    }
    shown
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
