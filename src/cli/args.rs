//! What was typed. What it means is in `settings`; nothing below that sees a flag.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
pub(super) use clap_complete::Shell;

mod completion;
mod doctor;
mod help;
mod place;
mod prune;
mod run;
mod verify;
mod view;
mod watch;

pub(super) use completion::CompletionArgs;
pub(super) use doctor::DoctorArgs;
pub(super) use place::{AuthArg, ClusterArgs, LoginArgs, ReachArgs, TlsArgs};
pub(super) use prune::{KEEP, PruneArgs};
pub(super) use run::{ContentArgs, ModeArgs, NameArgs, RequestArgs, SearchArgs, TransferArgs};
pub(super) use verify::VerifyArgs;
pub(super) use view::{ColourArg, LevelArg, LogFormatArg, OutputArg, ProgressArg, VersionFormArg, ViewArgs};
pub(super) use watch::WatchArgs;

use super::called::Called;

#[derive(Debug, Parser)]
#[command(
    name = "idpbuilder-push",
    version,
    about = "Push container images to the registry of an idpbuilder cluster, or to any OCI registry",
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP
)]
struct Typed {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    push: PushArgs,
}

const AFTER_HELP: &str = "\
Without --registry the registry, its certificate and the login are read from the cluster.
--username, --password, --token and --insecure are about the registry, never the Kubernetes API.
stdout has the result only: one reference with its digest a line, or what -o asks for.
auto packs layers as zstd for the cluster's own registry, and as gzip elsewhere.

Exit codes: 0 done, 1 mixed or internal, 2 usage, 3 no image or damaged, 4 login failed,
5 Kubernetes, 6 network or TLS, 7 refused by the registry, 8 verify found a difference, 130 and 143
interrupted.";

const SOURCE_HELP: &str = "\
FILE.tar[.gz|.zst|.xz|.bz2] of docker save or OCI, - for one on standard input, DIR of an OCI layout or to search, \
REF in Docker or Podman; outright docker-archive:FILE[:REF], oci-archive:FILE[:TAG], oci:DIR[:TAG], \
docker-daemon:REF, podman:REF";

const COMPLETION_HELP: &str = "\
The script is for the file that printed it, under that file's name.
  bash        source <(idpbuilder-push completion bash)
  zsh         idpbuilder-push completion zsh > ~/.zfunc/_idpbuilder-push, with ~/.zfunc in fpath
  fish        idpbuilder-push completion fish | source
  powershell  idpbuilder-push completion powershell | Out-String | Invoke-Expression
  elvish      eval (idpbuilder-push completion elvish | slurp)
kubectl completes `kubectl idpbuilder-push` once it finds a program for that on PATH, besides its own script
of `kubectl completion`:
  kubectl     idpbuilder-push completion kubectl --install";

/// What is to be run.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Push; the word may be left out
    #[command(hide = true)]
    Push(Box<PushArgs>),
    /// Show what a push would find and call it; asks nobody
    List(Box<ListArgs>),
    /// Compare what the registry holds with the sources
    Verify(Box<VerifyArgs>),
    /// Push again whenever the source changes, until Ctrl-C
    Watch(Box<WatchArgs>),
    /// Delete the untagged versions that pushes left behind on Gitea
    Prune(Box<PruneArgs>),
    /// Try all that a push needs, and say what mends what is broken
    Doctor(Box<DoctorArgs>),
    /// Print a script by which a shell completes words
    #[command(after_help = COMPLETION_HELP)]
    Completion(CompletionArgs),
    /// Print the version
    Version(VersionArgs),
    /// Print the plugin's description for a host command line
    #[command(hide = true)]
    PluginMetadata,
}

#[derive(Debug, Args)]
pub(super) struct PushArgs {
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    #[command(flatten)]
    pub(super) reach: ReachArgs,
    #[command(flatten)]
    pub(super) names: NameArgs,
    #[command(flatten)]
    pub(super) search: SearchArgs,
    #[command(flatten)]
    pub(super) content: ContentArgs,
    #[command(flatten)]
    pub(super) mode: ModeArgs,
    #[command(flatten)]
    pub(super) transfer: TransferArgs,
    #[command(flatten)]
    pub(super) view: ViewArgs,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    #[arg(short, long, value_name = "HOST[/PATH]", value_parser = super::value::registry, help = "The registry that names are made for [env: IDPBUILDER_REGISTRY_URL]")]
    pub(super) registry: Option<super::value::RegistryAddress>,
    #[command(flatten)]
    pub(super) names: NameArgs,
    #[command(flatten)]
    pub(super) search: SearchArgs,
    #[command(flatten)]
    pub(super) view: ViewArgs,
}

#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub(super) words: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct VersionArgs {
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub(super) output: VersionFormArg,
}

/// A word that could be a command as well as a source.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` is a command, and stands before all flags")]
pub(super) struct CommandWord {
    pub(super) word: String,
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArgsError {
    /// Usage errors, and the texts of `--help` and `--version`.
    #[error(transparent)]
    Clap(#[from] clap::Error),
    #[error(transparent)]
    CommandWord(#[from] CommandWord),
}

/// Parses the arguments, the program's own name first.
///
/// # Errors
/// For usage errors, and for `--help` and `--version`, which clap hands out as errors.
pub(super) fn parse(arguments: Vec<OsString>, called: &Called) -> Result<Command, ArgsError> {
    let escaped = arguments.iter().any(|word| word == "--");
    let command = help::shortened_for(&arguments, command(called), called.name());
    let matches = command.try_get_matches_from(without_leading_push(arguments)).map_err(without_login)?;
    let typed = Typed::from_arg_matches(&matches)?;
    let mut command = typed.command.unwrap_or_else(|| Command::Push(Box::new(typed.push)));
    if let Command::Push(push) = &mut command
        && !escaped
    {
        first_word_is_no_command(&mut push.sources.words)?;
    }
    Ok(command)
}

/// The word before the words of a line that is to be completed, as programs that are made with cobra have it.
pub(super) const COMPLETE: &str = "__complete";

/// The whole command line, with all that clap adds.
pub(super) fn whole() -> clap::Command {
    let mut whole = Typed::command();
    whole.build();
    whole
}

/// The whole command line, named as it was called.
fn command(called: &Called) -> clap::Command {
    let name = called.name();
    let examples = format!(
        "Examples:\n  \
         {name} myapp:dev           an image of the local Docker or Podman engine\n  \
         {name} ./app.tar           an archive of docker save, or an OCI archive\n  \
         {name} --path ./images     all images in a folder\n"
    );
    Typed::command().bin_name(name).before_help(examples)
}

/// The script by which a shell completes words for a program of this name.
pub(super) fn completion(shell: Shell, name: &str) -> String {
    let whole = Typed::command();
    // The generators offer hidden commands, too.
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set());
    let mut command = clap::Command::new("idpbuilder-push")
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments())
        .subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// A registry address with a login in it is refused, and not repeated.
fn without_login(mut error: clap::Error) -> clap::Error {
    let value = error.get(ContextKind::InvalidValue).map(ToString::to_string);
    if let Some((_, behind)) = value.as_deref().and_then(|value| value.rsplit_once('@')) {
        let shown = format!("****@{behind}");
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    error
}

/// Hosts pass the word on that they were called with, so that one of it says nothing.
fn without_leading_push(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.get(1).is_some_and(|word| word == "push") {
        arguments.remove(1);
    }
    arguments
}

/// Behind a flag a command's name is a source to clap; taken so in silence it would push an image.
fn first_word_is_no_command(words: &mut Vec<OsString>) -> Result<(), CommandWord> {
    let Some(first) = words.first().map(OsString::as_os_str) else { return Ok(()) };
    if first == "push" {
        words.remove(0);
        return Ok(());
    }
    let is_command = |name: &str| OsStr::new(name) == first;
    if Typed::command().get_subcommands().any(|command| is_command(command.get_name())) || is_command("help")
    {
        return Err(CommandWord { word: first.to_string_lossy().into_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
