use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

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
    let ran = tokio::time::timeout(limit, run(&program, format!("{server}\n"))).await;
    let Ran { status, out, err } = ran
        .map_err(|_| KeychainError::HelperSilent { helper: helper.clone(), seconds: limit.as_secs() })?
        .map_err(|error| failed(error.to_string()))?;
    if out.len() > OUTPUT_LIMIT {
        return Err(failed("it printed more than 64 KiB".to_owned()));
    }
    if status.success() {
        let answer = serde_json::from_slice(&out).map_err(|_| failed("it printed no login".to_owned()))?;
        return Ok(identity(&answer));
    }
    let (out, err) = (message(&out), message(&err));
    if out == NONE || err == NONE {
        return Ok(None);
    }
    // By the protocol the message is on standard output, where a login would be too.
    let said = if err.is_empty() && !out.starts_with('{') { out } else { err };
    Err(failed(format!("{status}: {said}")))
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

struct Ran {
    status: ExitStatus,
    out: Zeroizing<Vec<u8>>,
    err: Zeroizing<Vec<u8>>,
}

async fn run(program: &Path, input: String) -> io::Result<Ran> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for ours in ["IDPBUILDER_REGISTRY_USERNAME", "IDPBUILDER_REGISTRY_PASSWORD", "IDPBUILDER_REGISTRY_TOKEN"]
    {
        command.env_remove(ours);
    }
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.kill_on_drop(true).spawn()?;
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (status, (), out, err) =
        tokio::try_join!(child.wait(), write(stdin, input), read(stdout), read(stderr))?;
    group.leave();
    Ok(Ran { status, out, err })
}

/// A helper need not read what it is told.
async fn write(pipe: Option<ChildStdin>, input: String) -> io::Result<()> {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    Ok(())
}

/// What is printed beyond the limit, and one byte that tells, breaks the pipe.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    if let Some(pipe) = pipe {
        pipe.take(OUTPUT_LIMIT as u64 + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The process group of a helper: ended with all that it started, unless it came to its end by itself.
struct Group(Option<u32>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id())
    }

    fn leave(&mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            // It may be gone by itself.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
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
pub(super) mod tests;
