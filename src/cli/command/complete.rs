//! kubectl's and cobra's protocol of completion: `WORD<tab>DESCRIPTION` a line, and last what the shell may do
//! beside. Whatever fails is passed over in silence, since everything else would stand in the user's prompt.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::on_runtime;
use crate::cli::args;
use crate::cli::environment::Environment;
use crate::cli::output::answer;
use crate::cli::wire;
use crate::cluster::Kubeconfig;
use asked::{Asked, Wanted};

mod asked;
mod files;

/// Bits of cobra's directive.
const FILES: u8 = 0;
const NO_FILES: u8 = 4;
const FOLDERS: u8 = 16;
const IN_THIS_ORDER: u8 = 32;

/// Lines; more helps nobody who is typing.
const MOST: usize = 500;

/// What a word can be completed to, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    word: String,
    help: String,
}

impl Offer {
    fn new(word: impl Into<String>, help: impl Into<String>) -> Self {
        Self { word: word.into(), help: help.into() }
    }
}

/// Answers for the arguments of a line, of which the last is being written.
pub(in crate::cli) fn complete(words: &[OsString], environment: &Environment) -> ExitCode {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    // Nobody reads it if this fails.
    let _ = answer(&mut io::stdout(), &completed(&words, environment));
    ExitCode::SUCCESS
}

fn completed(words: &[String], environment: &Environment) -> String {
    let root = args::whole();
    let asked = Asked::of(&root, words);
    let (mut offers, directive) = offered(&asked, environment);
    offers.retain(|offer| offer.word.starts_with(asked.word) && !offer.word.contains(char::is_control));
    offers.truncate(MOST);
    let lines: String = offers.iter().map(line).collect();
    format!("{lines}:{directive}\n")
}

fn line(offer: &Offer) -> String {
    let help = offer.help.lines().next().unwrap_or_default().replace(|c: char| c.is_control(), " ");
    if help.is_empty() { format!("{}\n", offer.word) } else { format!("{}\t{help}\n", offer.word) }
}

fn offered(asked: &Asked<'_>, environment: &Environment) -> (Vec<Offer>, u8) {
    match &asked.wanted {
        Wanted::Flag => (flags(asked.command, asked.word), NO_FILES),
        Wanted::Value(arg) => value(arg, asked, environment),
        Wanted::Unknown => (Vec::new(), FILES),
        Wanted::Word { may_be_command } => {
            let mut offers = Vec::new();
            if *may_be_command {
                let shown = asked.command.get_subcommands().filter(|command| !command.is_hide_set());
                offers.extend(shown.map(|command| Offer::new(command.get_name(), about(command))));
            }
            let Some(arg) = asked.command.get_positionals().next() else { return (offers, NO_FILES) };
            if arg.get_id() != "words" {
                offers.extend(enumerated(arg));
                return (offers, NO_FILES);
            }
            offers.extend(files::archives(asked.word));
            offers.extend(images(asked.word, environment));
            (offers, FILES)
        }
    }
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn flags(command: &clap::Command, word: &str) -> Vec<Offer> {
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    let help = |arg: &clap::Arg| arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = shown().filter_map(|arg| Some(Offer::new(format!("--{}", arg.get_long()?), help(arg))));
    let mut offers: Vec<Offer> = long.collect();
    if word == "-" {
        offers
            .extend(shown().filter_map(|arg| Some(Offer::new(format!("-{}", arg.get_short()?), help(arg)))));
    }
    offers
}

/// The values of a flag, or the words of a position, of which there are only so many.
fn enumerated(arg: &clap::Arg) -> Vec<Offer> {
    let values = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    let help =
        |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string).unwrap_or_default();
    values.map(|value| Offer::new(value.get_name(), help(&value))).collect()
}

fn value(arg: &clap::Arg, asked: &Asked<'_>, environment: &Environment) -> (Vec<Offer>, u8) {
    let plain = |words: &[&str]| words.iter().map(|word| Offer::new(*word, "")).collect();
    match arg.get_id().as_str() {
        "context" => {
            let contexts = contexts(asked, environment).into_iter();
            (contexts.map(|(context, cluster)| Offer::new(context, cluster)).collect(), NO_FILES)
        }
        // kind puts its own name before that of the cluster.
        "name" => {
            let clusters = contexts(asked, environment).into_iter();
            let names = clusters.map(|(context, cluster)| {
                let name = cluster.strip_prefix("kind-").unwrap_or(&cluster).to_owned();
                Offer::new(name, format!("context {context}"))
            });
            (names.collect(), NO_FILES)
        }
        "compression" => (plain(&["auto", "none", "gzip", "zstd"]), NO_FILES | IN_THIS_ORDER),
        "platform" => (plain(&["all", "linux/amd64", "linux/arm64"]), NO_FILES | IN_THIS_ORDER),
        "path" | "tmp_dir" | "install" | "uninstall" => (Vec::new(), FOLDERS),
        "kubeconfig" | "ca_file" | "from_manifests" => (Vec::new(), FILES),
        _ => (enumerated(arg), NO_FILES | IN_THIS_ORDER),
    }
}

/// Names of contexts and their clusters, of the kubeconfig that the line names or the environment.
fn contexts(asked: &Asked<'_>, environment: &Environment) -> Vec<(String, String)> {
    wire::contexts(&Kubeconfig {
        given: asked.kubeconfig.map(|path| Path::new(path).to_owned()),
        environment: environment.kubeconfig.clone(),
        home: environment.home.clone(),
        pod: None,
    })
}

/// The engines are not asked for what can only be a path.
fn images(word: &str, environment: &Environment) -> Vec<Offer> {
    if word.starts_with(['.', '/', '~']) {
        return Vec::new();
    }
    let names = on_runtime(wire::image_names(environment)).unwrap_or_default();
    names.into_iter().map(|name| Offer::new(name, "image of the local engine")).collect()
}

#[cfg(test)]
mod tests;
