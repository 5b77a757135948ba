use std::ffi::OsString;

use clap::Command;

/// Flags that a first push does without: `--help` has them, `-h` does not.
pub(super) const RARE: [&str; 31] = [
    "all_tagged",
    "auth",
    "chunk_size",
    "color",
    "exclude",
    "fail_fast",
    "follow",
    "from_manifests",
    "include",
    "insecure",
    "jobs",
    "keep_path",
    "kubeconfig",
    "limit_rate",
    "log_format",
    "log_level",
    "max_depth",
    "no_cache",
    "password",
    "plain_http",
    "progress",
    "request_timeout",
    "resolve",
    "retries",
    "retry_max_wait",
    "secret",
    "stall_timeout",
    "timeout",
    "tmp_dir",
    "token",
    "trust_realm",
];

/// `-h` fits one screen: the flags that are used most, in one list. clap's own way to tell the two apart would put
/// two lines between any two flags of `--help`.
pub(super) fn shortened_for(words: &[OsString], command: Command, name: &str) -> Command {
    let typed = words.iter().take_while(|word| *word != "--");
    match typed.into_iter().find(|word| *word == "-h" || *word == "--help") {
        Some(word) if word == "-h" => shortened(command, name),
        _ => command,
    }
}

fn is_rare(arg: &clap::Arg) -> bool {
    RARE.contains(&arg.get_id().as_str())
}

fn shortened(command: Command, name: &str) -> Command {
    let arguments = |arg: clap::Arg| {
        let arg = if arg.is_positional() { arg } else { arg.help_heading(None) };
        if is_rare(&arg) { arg.hide(true) } else { arg }
    };
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let shorter = |command: Command, path: &str| {
        let has_more = command.get_arguments().any(is_rare);
        let command = command.mut_args(arguments);
        if has_more { command.after_help(format!("All flags: {path} --help")) } else { command }
    };
    names.into_iter().fold(shorter(command, name), |command, sub| {
        let path = format!("{name} {sub}");
        command.mut_subcommand(sub, |sub| shorter(sub, &path))
    })
}
