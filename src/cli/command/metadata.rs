use std::io;
use std::process::ExitCode;

use crate::cli::output::answer;

const PLUGIN: &str = include_str!("../../../plugin.yaml");

/// Prints what the plugin is, for a host command line.
pub(in crate::cli) fn metadata() -> ExitCode {
    let _ = answer(&mut io::stdout(), PLUGIN);
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests;
