use std::io;
use std::process::ExitCode;

use super::Start;
use crate::cli::args::{self, CompletionArgs, Shell};
use crate::cli::output::answer;

/// Prints the script by which a shell completes words.
pub(in crate::cli) fn completion(args: CompletionArgs, start: &Start) -> ExitCode {
    let word = start.called.word();
    let script = match args.shell {
        Shell::Bash => bash(word),
        shell => args::completion(shell, word),
    };
    let _ = answer(&mut io::stdout(), &script);
    ExitCode::SUCCESS
}

/// With a dash in the name of the program, `clap_complete` makes a script for bash that knows no flags of
/// commands (clap-rs/clap#6421), so that it is made for a name without one and registered for ours.
fn bash(word: &str) -> String {
    const STAND_IN: &str = "idpbuilder_push";
    let registered = |line: &str| {
        let line =
            line.strip_suffix(STAND_IN).filter(|line| line.trim_start().starts_with("complete -F "))?;
        Some(format!("{line}{word}\n"))
    };
    let script = args::completion(Shell::Bash, STAND_IN);
    script.lines().map(|line| registered(line).unwrap_or_else(|| format!("{line}\n"))).collect()
}
