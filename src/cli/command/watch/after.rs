use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};

use crate::cli::environment::{PASSWORD, TOKEN};
use crate::cli::screen::pinned;
use crate::cli::stop::Stop;
use crate::report::ImageOutcome;

/// How the command of `--on-push` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ran {
    Well,
    /// What is told of it.
    Failed(String),
    /// The watch was ended first, and the command with it.
    Cut,
}

/// Runs the command of `--on-push` for an image that was pushed, and waits for its end. It gets no input, and
/// no secret that this program was told in the environment; what it prints goes to stderr.
pub(super) async fn run(words: &[OsString], image: &ImageOutcome, stop: &Stop) -> Ran {
    let Some((program, arguments)) = words.split_first() else { return Ran::Well };
    let mut command = Command::new(program);
    command.args(arguments).env_remove(PASSWORD).env_remove(TOKEN);
    command.env("IDPBUILDER_PUSH_REFERENCE", &image.reference).env("IDPBUILDER_PUSH_IMAGE", pinned(image));
    let digest = image.digest.as_ref().map(ToString::to_string);
    command.env("IDPBUILDER_PUSH_DIGEST", digest.unwrap_or_default());
    command.stdin(Stdio::null()).stdout(io::stderr()).stderr(Stdio::inherit()).kill_on_drop(true);
    // A group of its own, so that it is ended with all that it has started.
    #[cfg(unix)]
    command.process_group(0);
    let name = program.to_string_lossy();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ran::Failed(format!("`{name}` could not be run: {error}")),
    };
    tokio::select! {
        ended = child.wait() => return told(&name, ended),
        () = stop.asked.cancelled() => {}
    }
    end(&mut child, stop).await;
    Ran::Cut
}

fn told(name: &str, ended: io::Result<ExitStatus>) -> Ran {
    match ended {
        Ok(status) if status.success() => Ran::Well,
        Ok(status) => Ran::Failed(format!("`{name}` failed ({status})")),
        Err(error) => Ran::Failed(format!("`{name}` could not be waited for: {error}")),
    }
}

/// Asks it to end, and then does not ask any more.
async fn end(child: &mut Child, stop: &Stop) {
    signal(child, Ending::Asked);
    tokio::select! {
        _ = child.wait() => {}
        () = stop.at_once.cancelled() => signal(child, Ending::Forced),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Asked,
    Forced,
}

#[cfg(unix)]
fn signal(child: &Child, ending: Ending) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(leader) = leader {
        let signal = if ending == Ending::Asked { Signal::TERM } else { Signal::KILL };
        // It may be gone by itself.
        let _ = kill_process_group(leader, signal);
    }
}

#[cfg(not(unix))]
fn signal(child: &mut Child, _: Ending) {
    let _ = child.start_kill();
}
