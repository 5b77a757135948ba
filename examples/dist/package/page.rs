//! The manual page, made of the code that parses arguments.

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::NAME;

const EXAMPLES: [(&str, &str); 6] = [
    ("myapp:dev", "an image of the local Docker or Podman engine"),
    ("./app.tar", "an archive of docker save, or an OCI archive"),
    ("--path ./images", "all images in a folder"),
    ("watch myapp:dev", "again whenever it changes"),
    ("verify myapp:dev", "is all of it there?"),
    ("doctor", "why does it not work?"),
];

/// One page for all commands, in the language of `man`.
pub(crate) fn manual() -> Result<String> {
    let command = idpbuilder_push::cli::command_line();
    let commands: Vec<Command> = command.get_subcommands().filter(|one| is_shown(one)).cloned().collect();
    // The sections of commands say more than a list of pages that are not there.
    let man = Man::new(command.clone()).title(NAME.to_uppercase()).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(&command, &commands).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    examples().to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    for command in commands {
        section(command, &mut page)?;
    }
    notes(&command)?.to_writer(&mut page)?;
    Ok(String::from_utf8(page)?)
}

fn is_shown(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

/// How each command is called.
fn synopsis(command: &Command, commands: &[Command]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(NAME), roman(" [push] "), roman(words(command))]);
    for command in commands {
        roff.control("br", []);
        roff.text([bold(format!("{NAME} {}", command.get_name())), roman(" "), roman(words(command))]);
    }
    roff
}

fn words(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let words = usage.lines().next().unwrap_or_default();
    words.split_once('[').map(|(_, rest)| format!("[{rest}")).unwrap_or_default()
}

fn examples() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (words, meaning) in EXAMPLES {
        roff.control("TP", []);
        roff.text([bold(format!("{NAME} {words}"))]);
        roff.text([roman(meaning)]);
    }
    roff
}

/// A command's own options, below a heading of its own.
fn section(command: Command, page: &mut Vec<u8>) -> Result<()> {
    let mut heading = Roff::new();
    heading.control("SH", [format!("{NAME} {}", command.get_name()).to_uppercase().as_str()]);
    let about = command.get_about().context("a command that says nothing")?.to_string();
    heading.text([roman(format!("{about}."))]);
    heading.to_writer(page)?;
    let mut options = Vec::new();
    Man::new(command).render_options_section(&mut options)?;
    let options = String::from_utf8(options)?;
    let (_, rest) = options.split_once(".SH OPTIONS\n").context("a command without options")?;
    page.extend_from_slice(rest.replace("\n.SH ", "\n.SS ").as_bytes());
    Ok(())
}

/// What `--help` has behind the options.
fn notes(command: &Command) -> Result<Roff> {
    let text = command.get_after_help().context("no text behind the options")?.to_string();
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    for line in text.lines() {
        if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    Ok(roff)
}
