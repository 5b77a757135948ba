//! The terminal: flags, environment, screen, exit codes. Nothing below knows of them.
//!
//! `args` is what was typed, `settings` what was meant, `wire` joins steps and adapters from it, `screen`
//! shows what happens, `output` prints the answer and `failure` explains what went wrong.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;

mod args;
mod called;
mod checkup;
mod command;
mod environment;
mod facts;
mod failure;
mod journal;
mod logging;
mod output;
mod screen;
mod settings;
mod stop;
mod typed;
mod usage;
mod value;
mod wire;
mod word;

use args::{ArgsError, Command};
use called::{Called, Role};
use command::Start;
use environment::Environment;
use failure::{Fault, Scene};
use settings::{Stderr, View};

/// The whole command line, by which arguments are parsed: for whoever makes a manual page of it.
#[must_use]
pub fn command_line() -> clap::Command {
    args::whole()
}

/// The script by which a shell completes the words of a program of this name, as `completion` prints it.
#[must_use]
pub fn completion(shell: clap_complete::Shell, name: &str) -> String {
    command::script(shell, name)
}

/// Runs the program with the arguments and the environment of this process.
pub fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let variable = |name: &str| std::env::var_os(name);
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let host = variable("IDPBUILDER_PLUGIN_CALLER");
    let called = Called::by(arguments.first().map(OsString::as_os_str), host.as_deref());
    match begin(arguments, &variable, called.clone()) {
        Ok(code) => code,
        Err(fault) => {
            let scene = Scene { command: called.name(), typed: &[], sources: &[], home: None, facts: None };
            command::refuse(&fault, &scene, &View::plain())
        }
    }
}

fn begin(
    arguments: Vec<OsString>,
    variable: &dyn Fn(&str) -> Option<OsString>,
    called: Called,
) -> Result<ExitCode, Fault> {
    match (called.role(), arguments.get(1..).unwrap_or_default()) {
        (Role::CredentialHelper, words) => {
            return Ok(command::credential(words, &Environment::of(variable)?));
        }
        (Role::Completion, words) => return Ok(complete(words, variable)),
        (Role::CommandLine, [first, words @ ..]) if first == args::COMPLETE => {
            return Ok(complete(words, variable));
        }
        (Role::CommandLine, _) => {}
    }
    let command = match args::parse(arguments, &called) {
        Ok(command) => command,
        Err(ArgsError::CommandWord(error)) => return Err(Fault::Usage(error.into())),
        Err(ArgsError::Clap(error)) => {
            // A closed stream is all that can go wrong here, and nobody is there to be told.
            let _ = error.print();
            return Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)));
        }
    };
    let environment = Environment::of(variable)?;
    let stderr = if std::io::stderr().is_terminal() { Stderr::Terminal } else { Stderr::Elsewhere };
    let start = Start { called, environment, stderr };
    Ok(match command {
        Command::Push(args) => command::push(*args, &start),
        Command::List(args) => command::list(*args, &start),
        Command::Verify(args) => command::verify(*args, &start),
        Command::Watch(args) => command::watch(*args, &start),
        Command::Prune(args) => command::prune(*args, &start),
        Command::Doctor(args) => command::doctor(*args, &start),
        Command::Completion(args) => command::completion(args, &start),
        Command::Version(args) => command::version(args, &start),
        Command::PluginMetadata => command::metadata(),
    })
}

/// What is wrong in the environment is told by the command itself, not while its line is written.
fn complete(words: &[OsString], variable: &dyn Fn(&str) -> Option<OsString>) -> ExitCode {
    command::complete(words, &Environment::of(variable).unwrap_or_default())
}
