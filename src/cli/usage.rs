use std::path::PathBuf;

use super::args::CommandWord;
use super::value::ValueError;

/// Why what was typed cannot be meant. All of them are exit code 2.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsageError {
    #[error(transparent)]
    CommandWord(#[from] CommandWord),
    #[error(transparent)]
    Word(#[from] WordError),
    #[error("`{variable}` is not UTF-8")]
    NotText { variable: &'static str },
    #[error("the value of `{variable}` is no {what}")]
    EnvironmentValue { variable: &'static str, what: &'static str, source: ValueError },
    #[error("`{pattern}` is no pattern for file names")]
    Glob { pattern: String, source: globset::Error },
    #[error("a user name without a password ({given})")]
    UserAlone { given: &'static str },
    #[error("a password without a user name ({given})")]
    PasswordAlone { given: &'static str },
    #[error("a password and a token ({password} and {token})")]
    PasswordAndToken { password: &'static str, token: &'static str },
    #[error("`--auth {auth}` beside a login of its own ({given})")]
    AuthBesideLogin { auth: &'static str, given: &'static str },
    #[error("could not read the password from standard input")]
    Stdin { source: std::io::Error },
    #[error("both `-` and `--password-stdin` read standard input")]
    StdinTwice,
    #[error("standard input has no password in its first line")]
    StdinEmpty,
    #[error("the password on standard input is longer than {limit} bytes")]
    StdinTooLong { limit: u64 },
    #[error("`{registry}` is plain HTTP, and `--plain-http` was not given")]
    PlainHttpMissing { registry: String },
    #[error("`--plain-http` beside the https address `{registry}`")]
    PlainHttpForHttps { registry: String },
    #[error("`--install` and `--uninstall` are for kubectl alone")]
    InstallForShell,
    #[error("`--plain-http` without `--registry`")]
    PlainHttpWithoutRegistry,
    /// What `list` cannot ask the cluster for.
    #[error("`list --all-tagged` without `--registry`")]
    AllTaggedWithoutRegistry,
    #[error("`--owner {owner}` beside a registry address with the path `{path}`")]
    TwoOwners { owner: String, path: String },
    #[error("`watch` has one SOURCE")]
    WatchSeveral,
    #[error("standard input cannot be watched")]
    WatchStdin,
    #[error("`{}` is a stream, which can be read only once, and is not watched", path.display())]
    WatchStream { path: PathBuf },
    #[error("`{}` is a folder and no OCI layout, and is not watched", path.display())]
    WatchFolder { path: PathBuf },
    #[error("`watch` beside `--dry-run`")]
    WatchPlan,
}

/// Why a SOURCE is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WordError {
    #[error("`-` is a tar on standard input, and that is a terminal")]
    TypedInput,
    #[error("`{word}` says nothing after `{scheme}:`")]
    Empty { word: String, scheme: &'static str },
    #[error("an empty SOURCE")]
    Nothing,
    #[error("invalid image name `{word}`: {reason}")]
    NotAName { word: String, reason: String },
    #[error("invalid image name `{word}`: repository names are lower case")]
    UpperCase { word: String, suggestion: String },
    /// `--path` is the home folder, or the top of the file system.
    #[error("`{}` is not searched", path.display())]
    Search { path: PathBuf, what: &'static str },
}
