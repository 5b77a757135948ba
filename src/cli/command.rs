//! The commands. Each is told how the program was called, and gives an exit code.

mod complete;
mod completion;
mod credential;
mod doctor;
mod list;
mod metadata;
mod prune;
mod push;
mod stage;
mod verify;
mod version;
mod watch;

pub(super) use complete::complete;
pub(super) use completion::{completion, script};
pub(super) use credential::credential;
pub(super) use doctor::doctor;
pub(super) use list::list;
pub(super) use metadata::metadata;
pub(super) use prune::prune;
pub(super) use push::push;
pub(super) use verify::verify;
pub(super) use version::version;
pub(super) use watch::watch;

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::process::ExitCode;

use super::args::{SearchArgs, SourceArgs};
use super::called::Called;
use super::environment::Environment;
use super::failure::{Class, Fault, LocalError, Scene, explain};
use super::screen::{self, Ink, Screen};
use super::settings::{Stderr, View};

/// What a command is told beside its arguments.
pub(super) struct Start {
    pub(super) called: Called,
    pub(super) environment: Environment,
    pub(super) stderr: Stderr,
}

impl Start {
    /// What advice is phrased with before anything is known of the registry.
    fn scene<'a>(&'a self, sources: &'a [String]) -> Scene<'a> {
        Scene {
            command: self.called.name(),
            typed: &[],
            sources,
            home: self.environment.home.as_deref(),
            facts: None,
        }
    }
}

/// What says where images are, as it is shown in advice.
fn shown(sources: &SourceArgs, search: &SearchArgs) -> Vec<String> {
    let manifests = search.from_manifests.iter().flat_map(|path| [FROM_MANIFESTS.as_ref(), path.as_os_str()]);
    let tagged = search.all_tagged.then_some(OsStr::new("--all-tagged"));
    let words = sources.words.iter().map(OsString::as_os_str).chain(manifests).chain(tagged);
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

const FROM_MANIFESTS: &str = "--from-manifests";

/// Tells why a command was not even begun.
pub(super) fn refuse(fault: &Fault, scene: &Scene<'_>, view: &View) -> ExitCode {
    let failure = explain(fault, scene);
    let exit_code = failure.class.number();
    let (paper, _) = screen::terminal(view.progress);
    Screen::new(paper, Ink::new(view.colour), view.detail).finished(&[failure], None, exit_code);
    ExitCode::from(exit_code)
}

/// Runs `work` to its end on a runtime, and leaves behind what it still holds: a thread that waits for a
/// disk or a terminal does not hold up the exit.
fn on_runtime<T>(work: impl Future<Output = T>) -> Result<T, LocalError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| LocalError::Runtime { source })?;
    let value = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(value)
}

/// An exit code of a class, or success.
fn number(class: Option<Class>) -> u8 {
    class.map_or(0, Class::number)
}
