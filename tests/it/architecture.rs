//! Holds the floors and the sizes that `src/lib.rs` and the contributors' guide promise.

mod code;

use code::{Source, Token};

const STEPS: &[&str] = &["discover", "plan", "push", "report", "verify", "prune", "job"];
const PORTS: &[&str] = &["port", "event", "outcome"];
const VALUES: &[&str] = &["oci", "content", "pack", "child"];
const ADAPTERS: &[&str] = &["source", "registry", "credential", "cluster", "cache"];

/// What adapters are asked with: plain values, which all of the command line may make.
const QUESTIONS: &[&str] =
    &["ArchiveKind", "EngineKind", "Kubeconfig", "Login", "Pod", "Query", "SecretName", "Spec"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Floor {
    Values,
    Ports,
    Steps,
    CommandLine,
    /// Beside the others: sees values and ports, and is seen by the command line.
    Adapter,
}

/// Gives the parsers of all floors to whoever tries them out; part of no build that is shipped.
const TRIALS: &str = "fuzz";

/// The floor of a module of the crate's root; what else stands there are re-exports of the steps.
fn floor(module: &str) -> Floor {
    match module {
        "cli" | "main" | TRIALS => Floor::CommandLine,
        _ if PORTS.contains(&module) => Floor::Ports,
        _ if VALUES.contains(&module) => Floor::Values,
        _ if ADAPTERS.contains(&module) => Floor::Adapter,
        _ => Floor::Steps,
    }
}

fn may_name(from: &Source, to: &[String]) -> bool {
    let (from_module, to_module) = (first(&from.module), first(to));
    if from_module == to_module {
        return true;
    }
    match (floor(from_module), floor(to_module)) {
        (Floor::Adapter, to) => to <= Floor::Ports,
        (Floor::CommandLine, Floor::Adapter) => {
            let part = from.module.get(1).map_or("", String::as_str);
            let named = to.last().map_or("", String::as_str);
            let error = part.starts_with("failure") && named.ends_with("Error");
            from_module == TRIALS || part == "wire" || error || QUESTIONS.contains(&named)
        }
        (_, Floor::Adapter) => false,
        (from, to) => to <= from,
    }
}

fn first(module: &[String]) -> &str {
    module.first().map_or("", String::as_str)
}

/// The modules of the crate's root.
fn modules(sources: &[Source]) -> Vec<String> {
    let mut modules: Vec<String> =
        sources.iter().filter_map(|source| source.module.first().cloned()).collect();
    modules.dedup();
    modules
}

fn followed_by(tokens: &[Token], words: &[&str]) -> Vec<usize> {
    let fits = |window: &&[Token]| window.iter().map(|token| token.text.as_str()).eq(words.iter().copied());
    tokens.windows(words.len()).filter(fits).map(|window| window[0].line).collect()
}

fn outside_cli(source: &Source) -> bool {
    floor(first(&source.module)) != Floor::CommandLine
}

#[test]
fn calls_go_down() {
    let sources = Source::all();
    let modules = modules(&sources);
    let mut wrong = Vec::new();
    for source in &sources {
        for (line, path) in source.references(&modules) {
            if !may_name(source, &path) {
                wrong.push(format!("{}:{line} names {}", source.path, path.join("::")));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_module_has_its_floor() {
    let known = [STEPS, PORTS, VALUES, ADAPTERS, &["cli", "main", TRIALS]].concat();
    let unknown: Vec<String> =
        modules(&Source::all()).into_iter().filter(|module| !known.contains(&module.as_str())).collect();
    assert_eq!(unknown, [""; 0], "the table in src/lib.rs and the one here have no place for it");
}

#[test]
fn a_file_has_350_lines_at_most_without_its_tests() {
    let sources = Source::all();
    let long = sources.iter().filter(|source| !source.is_tests() && source.own_lines() > 350);
    let long: Vec<String> = long.map(|source| format!("{}: {}", source.path, source.own_lines())).collect();
    assert_eq!(long, [""; 0]);
}

#[test]
fn a_port_has_four_methods_at_most() {
    let sources = Source::all();
    let ports: Vec<&Source> = sources.iter().filter(|source| first(&source.module) == "port").collect();
    let mut large = Vec::new();
    let mut seen = 0;
    for source in ports {
        for (name, methods) in traits(&source.own_tokens()) {
            seen += 1;
            if methods > 4 {
                large.push(format!("{}: {name} has {methods}", source.path));
            }
        }
    }
    assert_eq!(large, [""; 0]);
    assert!(seen > 0, "no trait was found");
}

/// The name of each trait, and how many functions its block has.
fn traits(tokens: &[Token]) -> Vec<(String, usize)> {
    let words: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let starts = words.windows(2).enumerate().filter(|(_, window)| window[0] == "trait");
    let count = |(at, window): (usize, &[&str])| {
        let mut depth = 0;
        let mut methods = 0;
        for word in &words[at..] {
            match *word {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                "fn" if depth == 1 => methods += 1,
                _ => {}
            }
        }
        (window[1].to_owned(), methods)
    };
    starts.map(count).collect()
}

#[test]
fn only_the_command_line_reads_the_environment() {
    let sources = Source::all();
    let read = sources.iter().filter(|source| outside_cli(source)).flat_map(|source| {
        let tokens = source.own_tokens();
        // `split_paths` and `consts` read nothing.
        let readers = ["var", "var_os", "vars", "vars_os", "args", "args_os", "home_dir", "current_dir"];
        let lines: Vec<_> =
            readers.iter().flat_map(|reader| followed_by(&tokens, &["env", "::", reader])).collect();
        lines.into_iter().map(move |line| format!("{}:{line}", source.path))
    });
    assert_eq!(read.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn nothing_prints_but_through_the_terminal_of_the_command_line() {
    let sources = Source::all();
    let mut found = Vec::new();
    for source in &sources {
        let tokens = source.own_tokens();
        let mut note = |words: &[&str]| {
            found.extend(
                followed_by(&tokens, words).into_iter().map(|line| format!("{}:{line}", source.path)),
            );
        };
        for name in ["print", "println", "eprint", "eprintln", "dbg"] {
            note(&[name, "!"]);
        }
        if outside_cli(source) {
            note(&["io", "::", "stdout"]);
            note(&["io", "::", "stderr"]);
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_table_of_floors_says_what_the_design_says() {
    let may = |from: &str, to: &str| {
        let to: Vec<String> = to.split("::").map(str::to_owned).collect();
        may_name(&Source::parse(from, ""), &to)
    };
    for (from, to) in [
        ("src/cli/wire.rs", "registry::Client"),
        ("src/cli/failure/hints.rs", "cluster::ClusterError"),
        ("src/cli/args.rs", "plan::Naming"),
        ("src/lib.rs", "plan::plan"),
        ("src/push/mod.rs", "Job"),
        ("src/registry/client.rs", "port::Origin"),
        ("src/port/source.rs", "pack::Encoding"),
    ] {
        assert!(may(from, to), "{from} may name {to}");
    }
    for (from, to) in [
        ("src/cli/args.rs", "registry::Client"),
        ("src/cli/failure.rs", "cluster::Cluster"),
        ("src/plan/mod.rs", "registry::Client"),
        ("src/registry/client.rs", "source::Layout"),
        ("src/registry/client.rs", "Limits"),
        ("src/source/tree.rs", "report::Status"),
        ("src/oci/mod.rs", "port::Origin"),
        ("src/port/mod.rs", "Job"),
        ("src/push/mod.rs", "cli::main"),
        ("src/lib.rs", "source::Layout"),
    ] {
        assert!(!may(from, to), "{from} may not name {to}");
    }
}
