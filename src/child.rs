//! Programs of others that are asked one thing: credential helpers and the plugins of a kubeconfig.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use zeroize::Zeroizing;

/// What this program is told by its environment and nobody else is.
const SECRETS: [&str; 3] =
    ["IDPBUILDER_REGISTRY_USERNAME", "IDPBUILDER_REGISTRY_PASSWORD", "IDPBUILDER_REGISTRY_TOKEN"];

/// What a child printed. It may be a secret.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: Zeroizing<Vec<u8>>,
    pub(crate) err: Zeroizing<Vec<u8>>,
}

/// Runs a command to its end with `input` on its standard input, which is nothing else: it has no terminal to ask
/// on. Of each stream no more than `limit` bytes are read, and one that tells that there are more; what is printed
/// beyond breaks the pipe. It has a process group of its own, which is ended with all that it started when
/// the answer is no longer waited for.
///
/// # Errors
/// When it cannot be started or its streams cannot be read.
pub(crate) async fn ask(mut command: Command, input: &str, limit: u64) -> io::Result<Said> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for secret in SECRETS {
        command.env_remove(secret);
    }
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (status, (), out, err) =
        tokio::try_join!(child.wait(), write(stdin, input), read(stdout, limit), read(stderr, limit))?;
    group.leave();
    Ok(Said { status, out, err })
}

/// It need not read what it is told.
async fn write(pipe: Option<ChildStdin>, input: &str) -> io::Result<()> {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    Ok(())
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    if let Some(pipe) = pipe {
        pipe.take(limit.saturating_add(1)).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Ends a child and what it started, unless it was left to itself.
struct Group(Option<u32>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id())
    }

    fn leave(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            end_group(leader);
        }
    }
}

#[cfg(unix)]
fn end_group(leader: u32) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(rustix::process::Pid::from_raw) {
        // It may be gone by itself.
        let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
    }
}

/// The child itself is ended by `kill_on_drop`.
#[cfg(not(unix))]
fn end_group(_: u32) {}

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    /// Written by a program of its own: a file that is open for writing in this process cannot be run, and a
    /// fork of another test may hold it open.
    pub(crate) fn write_program(path: &Path, script: &str) {
        let text = path.with_extension("text");
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        let installed =
            std::process::Command::new("install").args(["-m", "755"]).arg(text).arg(path).status();
        assert!(installed.unwrap().success());
    }

    /// Waits until the process whose id stands in a file is gone. Nobody may have waited for it yet: a zombie is
    /// ended too.
    pub(crate) async fn until_ended(pid: &Path) {
        let stat = format!("/proc/{}/stat", fs::read_to_string(pid).unwrap().trim());
        while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_child_that_is_given_up_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
        let waited = tokio::time::timeout(Duration::from_millis(500), ask(shell(&script), "", 10)).await;
        assert!(waited.is_err());
        until_ended(&pid).await;
    }

    #[tokio::test]
    async fn endless_output_breaks_the_pipe() {
        let said = ask(shell("exec yes"), "", 1000).await.unwrap();
        assert!(!said.status.success());
        assert_eq!(said.out.len(), 1001);
    }

    #[tokio::test]
    async fn a_child_that_does_not_read_its_input_ends_all_the_same() {
        let said = ask(shell("echo done"), &"x".repeat(1 << 20), 1000).await.unwrap();
        assert_eq!(&said.out[..], b"done\n");
    }
}
