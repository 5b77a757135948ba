//! `docs/options.md`, made of the definitions, and the commands of all guides, which have to be some.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

use super::{ArgsError, Called, parse, whole};

const HEAD: &str = "\
# Options

This page is made of the program's own definitions (`INSTA_UPDATE=always cargo test --lib reference` writes it), and says
what `--help` says. A flag goes before its environment variable, that before what the cluster says, and that before
docker's and Podman's saved logins.
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Everything but what stands in every command.
fn shown(command: &Command) -> Vec<&Arg> {
    let common = ["help", "version"];
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !common.contains(&arg.get_id().as_str()))
        .collect()
}

fn text_of(arg: &Arg) -> String {
    arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

/// A line of a table: what is typed, what it is without, the variable, what it does.
fn row(arg: &Arg) -> String {
    let mut text = text_of(arg);
    let mut taken = |key: &str| {
        let start = text.find(&format!("[{key}: "))?;
        let end = start + text[start..].find(']')?;
        let value = text[start + key.len() + 3..end].to_owned();
        text.replace_range(start..=end, "");
        Some(value)
    };
    let variable = taken("env").map(|name| format!("`{name}`")).unwrap_or_default();
    let from_text = taken("default");
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let is_flag = !arg.get_action().takes_values();
    let default = if is_flag { String::new() } else { from_text.unwrap_or_else(|| defaults.join(", ")) };
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && !is_flag)
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !values.is_empty() && !values.iter().all(|value| text.contains(value.trim_matches('`'))) {
        let _ = write!(text, " ({})", values.join(", "));
    }
    let cells = [typed(arg), default, variable, text].map(|cell| cell.replace('|', "\\|"));
    format!("| {} |", cells.join(" | "))
}

fn typed(arg: &Arg) -> String {
    let names = [arg.get_short().map(|c| format!("-{c}")), arg.get_long().map(|name| format!("--{name}"))];
    let names: Vec<String> = names.into_iter().flatten().collect();
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = value.map(|names| names.join(" ")).unwrap_or_default();
    match (names.is_empty(), value.is_empty()) {
        (true, _) => format!("`{value}`"),
        (false, true) => format!("`{}`", names.join(", ")),
        (false, false) => format!("`{} {value}`", names.join(", ")),
    }
}

fn table(page: &mut String, args: &[&Arg]) {
    page.push_str("\n| | default | environment | |\n|---|---|---|---|\n");
    for arg in args {
        let _ = writeln!(page, "{}", row(arg));
    }
}

/// The options of a push by their headings, then of each command what a push does not have or has otherwise.
fn page() -> String {
    let whole = whole();
    let mut page = HEAD.to_owned();
    let push = shown(&whole);
    let mut headings: Vec<&str> = Vec::new();
    let mut by_heading: BTreeMap<&str, Vec<&Arg>> = BTreeMap::new();
    for arg in &push {
        let heading = arg.get_help_heading().unwrap_or("Push");
        if !headings.contains(&heading) {
            headings.push(heading);
        }
        by_heading.entry(heading).or_default().push(arg);
    }
    page.push_str("\n## push\n\n`idpbuilder-push [push] [OPTIONS] [SOURCE]...`\n");
    for heading in headings {
        let _ = write!(page, "\n### {heading}\n");
        table(&mut page, &by_heading[heading]);
    }
    for command in
        whole.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(page, "\n## {}\n\n{about}.\n", command.get_name());
        let of_push =
            |arg: &&Arg| push.iter().any(|other| other.get_id() == arg.get_id() && row(other) == row(arg));
        let (same, own): (Vec<&Arg>, Vec<&Arg>) = shown(command).into_iter().partition(of_push);
        if !own.is_empty() {
            table(&mut page, &own);
        }
        if !same.is_empty() {
            let names: Vec<String> = same.iter().map(|arg| typed_name(arg)).collect();
            let _ = write!(page, "\nAs for `push`: {}.\n", names.join(", "));
        }
        if let Some(more) = command.get_after_help() {
            let _ = write!(page, "\n```\n{}\n```\n", more.to_string().trim_end());
        }
    }
    page
}

fn typed_name(arg: &Arg) -> String {
    arg.get_long().map_or_else(|| typed(arg), |name| format!("`--{name}`"))
}

#[test]
fn the_reference_has_every_option_as_it_is_defined() {
    let (path, page) = (folder().join("options.md"), page());
    #[expect(clippy::disallowed_methods, reason = "it says whether the page is to be written")]
    let is_update = std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always");
    if is_update {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == page, "INSTA_UPDATE=always cargo test --lib reference writes {}", path.display());
}

/// The words of a line as a POSIX shell takes it apart, as far as guides go; `None` for a word that ends one command.
fn words(line: &str) -> Vec<Option<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take().map(Some)),
            (None, '|' | '>' | '<' | '&' | ';' | ')') => {
                words.extend(word.take().map(Some));
                words.push(None);
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(Some));
    words
}

/// The arguments of each call of the program in a line, its own name first.
fn calls(line: &str) -> Vec<Vec<OsString>> {
    let line = line.trim().trim_start_matches("$ ").replace("$(", "; ");
    let words = words(&line);
    let commands = words.split(Option::is_none);
    let arguments = commands.filter_map(|command| {
        let words: Vec<&str> = command.iter().flatten().map(String::as_str).collect();
        let words: Vec<&str> =
            words.into_iter().skip_while(|word| word.contains('=') && !word.starts_with('-')).collect();
        let (["idpbuilder", "push", rest @ ..]
        | ["kubectl", "idpbuilder-push", rest @ ..]
        | ["idpbuilder-push", rest @ ..]) = words.as_slice()
        else {
            return None;
        };
        Some(["idpbuilder-push"].iter().chain(rest).map(OsString::from).collect())
    });
    arguments.collect()
}

/// Lines of code blocks, those that a backslash ends joined with the next.
fn code(page: &str) -> Vec<String> {
    let joined = page.replace("\\\n", " ");
    let mut is_code = false;
    let lines = joined.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        is_code ^= fence;
        is_code && !fence
    });
    lines.map(str::to_owned).collect()
}

#[test]
fn every_command_in_the_guides_is_one_that_the_program_takes() {
    let guides = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for path in guides.chain([folder().with_file_name("README.md")]) {
        let page = fs::read_to_string(&path).unwrap();
        for line in code(&page) {
            // Errors name commands with what is to be filled in.
            if line.starts_with("  ") && page.contains("To fix this:") {
                continue;
            }
            for call in calls(&line) {
                seen += 1;
                let parsed = parse(call.clone(), &Called::by(None, None));
                let is_help =
                    |error: &ArgsError| matches!(error, ArgsError::Clap(error) if error.exit_code() == 0);
                let is_taken = parsed.as_ref().map_or_else(is_help, |_| true);
                assert!(is_taken, "{}: {line}\n{:?}", path.display(), parsed.err());
            }
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn a_line_of_a_guide_is_taken_apart_as_a_shell_does() {
    let told = |line| calls(line).concat();
    assert_eq!(
        told("$ docker save a | idpbuilder push - -o json > x # why"),
        ["idpbuilder-push", "-", "-o", "json"]
    );
    assert_eq!(told("A=1 kubectl idpbuilder-push 'a b' \"\""), ["idpbuilder-push", "a b", ""]);
    assert_eq!(told("image=$(idpbuilder-push -q app.tar)"), ["idpbuilder-push", "-q", "app.tar"]);
    assert!(calls("idpbuilder create").is_empty());
}
