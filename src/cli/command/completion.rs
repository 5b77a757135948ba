use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{Start, refuse};
use crate::cli::args::{self, CompletionArgs, Shell};
use crate::cli::called::Called;
use crate::cli::environment::Environment;
use crate::cli::failure::{Fault, LocalError};
use crate::cli::output::answer;
use crate::cli::settings::View;
use crate::cli::usage::UsageError;

mod link;

/// Prints the script by which a shell completes words, or links the program for kubectl.
pub(in crate::cli) fn completion(args: CompletionArgs, start: &Start) -> ExitCode {
    match said(args, start).and_then(|text| Ok(answer(&mut io::stdout(), &text)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => refuse(&fault, &start.scene(&[]), &View::plain()),
    }
}

fn said(args: CompletionArgs, start: &Start) -> Result<String, Fault> {
    let word = start.called.word();
    match args {
        CompletionArgs { shell, install: None, uninstall: None } => Ok(match shell.shell() {
            Some(shell) => script(shell, word),
            None => kubectl(word),
        }),
        CompletionArgs { shell, .. } if shell.shell().is_some() => Err(UsageError::InstallForShell.into()),
        CompletionArgs { install: Some(folder), .. } => {
            let folder = chosen(folder, &start.environment)?;
            let link = link::install(&folder, &program(&start.called, &start.environment)?)?;
            let then = if is_on_path(&folder, &start.environment) {
                "kubectl finds it there".to_owned()
            } else {
                format!("add {} to PATH, or kubectl does not find it", folder.display())
            };
            Ok(format!("linked {}: {then}\n", link.display()))
        }
        CompletionArgs { uninstall: Some(folder), .. } => {
            let folder = chosen(folder, &start.environment)?;
            Ok(match link::uninstall(&folder)? {
                Some(link) => format!("removed {}\n", link.display()),
                None => format!("nothing to remove in {}\n", folder.display()),
            })
        }
    }
}

/// For a program that a shell knows by this word.
pub(in crate::cli) fn script(shell: Shell, word: &str) -> String {
    match shell {
        Shell::Bash => bash(word),
        shell => args::completion(shell, word),
    }
}

/// For a folder of PATH where no link can be.
fn kubectl(word: &str) -> String {
    format!(
        "#!/bin/sh\n# Named kubectl_complete-idpbuilder_push, on PATH and executable.\nexec {word} {} \"$@\"\n",
        args::COMPLETE
    )
}

/// `~` stands for the home folder: no shell has replaced it in what stands for a folder that was not given.
fn chosen(folder: PathBuf, environment: &Environment) -> Result<PathBuf, LocalError> {
    match folder.strip_prefix("~") {
        Ok(below) => environment.home.as_ref().map(|home| home.join(below)).ok_or(LocalError::NoHome),
        Err(_) => Ok(folder),
    }
}

fn is_on_path(folder: &Path, environment: &Environment) -> bool {
    let listed = environment.path.iter().flat_map(env::split_paths);
    let same = |other: &PathBuf| other == folder || other.canonicalize().ok() == folder.canonicalize().ok();
    listed.filter(|other| other.is_dir()).any(|other| same(&other))
}

/// The path by which the program is found next time, too: links on the way to it are kept.
fn program(called: &Called, environment: &Environment) -> Result<PathBuf, LocalError> {
    let path = called.path();
    let folders = environment.path.iter().flat_map(env::split_paths);
    let on_path = || folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(path));
    let found = if path.components().count() > 1 {
        std::path::absolute(path).ok()
    } else {
        on_path().find(|program| program.is_file())
    };
    match found.filter(|program| program.is_file()) {
        Some(program) => Ok(program),
        None => env::current_exe().map_err(|source| LocalError::Link { path: path.to_owned(), source }),
    }
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
