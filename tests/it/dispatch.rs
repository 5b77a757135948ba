//! `dispatch/`: idpbuilder with plugins, as a function of each shell and as a program, with a script for the real one.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::kit::folder;

const PROGRAM: &str = include_str!("../../dispatch/idpbuilder");
const FUNCTION: &str = include_str!("../../dispatch/idpbuilder.sh");
/// Where shells and `env` are.
const SYSTEM: &str = "/usr/bin:/bin:/usr/local/bin:/opt/homebrew/bin";

/// Knows two commands, shows its words and exits with 7.
const REAL: &str = "#!/bin/sh
if [ \"$1\" = __complete ]; then printf 'create\\tMakes one\\nbuilt-in\\n:4\\n'; exit; fi
echo real
for word; do printf '[%s]\\n' \"$word\"; done
exit 7
";
/// Shows what it was given, and exits with 42.
const PLUGIN: &str = "#!/bin/sh
echo \"plugin of $IDPBUILDER_PLUGIN_CALLER level=$IDPBUILDER_LOG_LEVEL force=$CLICOLOR_FORCE no=$NO_COLOR\"
for word; do printf '[%s]\\n' \"$word\"; done
exit 42
";

/// All ways that are shipped.
const WAYS: [Way; 5] =
    [Way::Function("bash"), Way::Function("zsh"), Way::Function("dash"), Way::Fish, Way::Program];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Function(&'static str),
    Fish,
    Program,
}

/// Folders of PATH with a real idpbuilder and plugins.
struct Machine {
    folder: TempDir,
    path: Vec<String>,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: folder(), path: Vec::new() };
        machine.put("real/idpbuilder", REAL);
        for name in ["echo", "built-in", "create"] {
            machine.put(&format!("plugins/idpbuilder-{name}"), PLUGIN);
        }
        let own = machine.at("own/idpbuilder");
        machine.put("own/idpbuilder", PROGRAM);
        assert!(own.exists());
        machine.on(&["own", "real", "plugins"])
    }

    /// These folders in PATH, then the system's.
    fn on(mut self, folders: &[&str]) -> Self {
        let of_folder = |name: &&str| match *name {
            "" | "." => (*name).to_owned(),
            name => self.at(name).display().to_string(),
        };
        self.path = folders.iter().map(of_folder).collect();
        self
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, script: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A shell that has the function, and then does this.
    fn shell(&self, way: Way, then: &str) -> Command {
        let shipped = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("dispatch").join(name);
        // The function has to find its way without the program.
        let path: Vec<&str> =
            self.path.iter().map(String::as_str).filter(|path| !path.ends_with("/own")).collect();
        let (shell, options, load, file) = match way {
            Way::Fish => {
                ("fish", "--no-config", "source $argv[1]; set --erase argv[1]", shipped("idpbuilder.fish"))
            }
            Way::Function(shell) => {
                let options = match shell {
                    "bash" => "--norc",
                    "zsh" => "-f",
                    _ => "-u",
                };
                (shell, options, ". \"$0\"", shipped("idpbuilder.sh"))
            }
            Way::Program => panic!("no shell has the program"),
        };
        let mut command = self.hermetic(shell, &path);
        command.args([options, "-c", &format!("{load}\n{then}")]).arg(file);
        command
    }

    fn hermetic(&self, program: &str, path: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.env("PATH", [path, &[SYSTEM]].concat().join(":")).stdin(Stdio::null());
        command
    }

    fn command(&self, way: Way, words: &[&str]) -> Command {
        let mut command = match way {
            Way::Function(_) => self.shell(way, "idpbuilder \"$@\""),
            Way::Fish => self.shell(way, "idpbuilder $argv"),
            Way::Program => {
                let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
                self.hermetic("idpbuilder", &path)
            }
        };
        command.args(words);
        command
    }

    fn run(&self, way: Way, words: &[&str]) -> Ran {
        Ran::of(way, &mut self.command(way, words))
    }
}

/// What a line showed.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Fails where the shell is missing: `tests/servers/setup` installs it.
    fn of(way: Way, command: &mut Command) -> Self {
        let output: Output =
            command.output().unwrap_or_else(|error| panic!("{way:?} cannot be started: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn silent(code: i32, stdout: String) -> Self {
        Self { code: Some(code), stdout, stderr: String::new() }
    }

    fn by_real(words: &[&str]) -> Self {
        Self::silent(7, format!("real\n{}", shown(words)))
    }

    fn by_plugin(environment: &str, words: &[&str]) -> Self {
        Self::silent(42, format!("plugin of idpbuilder {environment}\n{}", shown(words)))
    }
}

fn shown(words: &[&str]) -> String {
    words.iter().flat_map(|word| ["[", word, "]\n"]).collect()
}

const PLAIN: &str = "level= force= no=";

#[test]
fn a_plugin_gets_its_words_exactly() {
    let machine = Machine::new();
    let words = ["two words", "", "*", "$HOME", "-l", "x", "--color", "--", "it's \"so\"", "a\nb", "\\n", ""];
    for way in WAYS {
        let line = [&["echo"], words.as_slice()].concat();
        assert_eq!(machine.run(way, &line), Ran::by_plugin(PLAIN, &words), "{way:?}");
        assert_eq!(machine.run(way, &["echo"]), Ran::by_plugin(PLAIN, &[]), "{way:?}");
    }
}

#[test]
fn all_else_goes_to_the_real_one_as_it_was() {
    let machine = Machine::new();
    let lines: &[&[&str]] = &[
        &[],
        &[""],
        &["create", "--name", "two words", ""],
        &["-l", "debug", "get", "secrets"],
        &["other", "", "x"],
        &["-l"],
        &["--version"],
        &["--", "echo"],
        &["--unknown", "echo"],
        &["help"],
        &["help", "create"],
        &["help", "echo", "more"],
        &["plugins/idpbuilder-echo"],
        &["../plugins/echo"],
        &["x/../echo"],
        &["-echo"],
    ];
    for way in WAYS {
        for line in lines {
            assert_eq!(machine.run(way, line), Ran::by_real(line), "{way:?} {line:?}");
        }
    }
}

#[test]
fn a_command_of_the_real_one_goes_before_a_plugin() {
    let machine = Machine::new();
    for way in WAYS {
        for name in ["create", "built-in"] {
            assert_eq!(machine.run(way, &[name, "x"]), Ran::by_real(&[name, "x"]), "{way:?} {name}");
        }
    }
}

#[test]
fn flags_before_the_name_reach_the_plugin_through_the_environment() {
    let machine = Machine::new();
    for (flags, environment) in [
        (["-l", "debug"].as_slice(), "level=debug force= no="),
        (&["-ldebug"], "level=debug force= no="),
        (&["--log-level=warn", "--color"], "level=warn force=1 no="),
        (&["--color=false"], "level= force= no=1"),
    ] {
        for way in WAYS {
            let line = [flags, &["echo", "x"]].concat();
            assert_eq!(machine.run(way, &line), Ran::by_plugin(environment, &["x"]), "{way:?} {line:?}");
        }
    }
    for way in WAYS {
        let mut command = machine.command(way, &["--color", "echo"]);
        let ran = Ran::of(way, command.env("NO_COLOR", "1"));
        assert_eq!(ran, Ran::by_plugin("level= force=1 no=", &[]), "{way:?}");
    }
}

#[test]
fn help_and_completion_are_the_plugins_own() {
    let machine = Machine::new();
    for way in WAYS {
        assert_eq!(machine.run(way, &["help", "echo"]), Ran::by_plugin(PLAIN, &["--help"]), "{way:?}");
        let completed = machine.run(way, &["__complete", "echo", "a b", ""]);
        assert_eq!(completed, Ran::by_plugin(PLAIN, &["__complete", "a b", ""]), "{way:?}");
        // The name itself is not whole yet.
        assert!(machine.run(way, &["__complete", "echo"]).stdout.starts_with("create\t"), "{way:?}");
    }
}

#[test]
fn folders_that_depend_on_where_one_stands_have_no_plugins() {
    let machine = Machine::new().on(&["own", "real", "", "."]);
    machine.put("idpbuilder-echo", PLUGIN);
    fs::create_dir_all(machine.at("real/idpbuilder-folder")).unwrap();
    fs::write(machine.at("real/idpbuilder-text"), PLUGIN).unwrap();
    for way in WAYS {
        for name in ["echo", "folder", "text"] {
            assert_eq!(machine.run(way, &[name]), Ran::by_real(&[name]), "{way:?} {name}");
        }
    }
}

#[test]
fn a_plugin_needs_no_real_idpbuilder() {
    let machine = Machine::new().on(&["own", "plugins"]);
    for way in WAYS {
        assert_eq!(machine.run(way, &["echo", "x"]), Ran::by_plugin(PLAIN, &["x"]), "{way:?}");
        let missing = machine.run(way, &["create"]);
        assert_eq!((missing.code, missing.stdout.as_str()), (Some(127), ""), "{way:?}");
        assert!(missing.stderr.contains("idpbuilder"), "{missing:?}");
    }
}

#[test]
fn the_program_finds_the_real_one_behind_itself() {
    let machine = Machine::new().on(&["linked", "own", "folder", "copied", "real", "plugins"]);
    machine.put("copied/idpbuilder", PROGRAM);
    fs::create_dir(machine.at("linked")).unwrap();
    symlink(machine.at("own/idpbuilder"), machine.at("linked/idpbuilder")).unwrap();
    symlink(machine.at("own"), machine.at("folder")).unwrap();
    assert_eq!(machine.run(Way::Program, &["get", "x"]), Ran::by_real(&["get", "x"]));
    assert_eq!(machine.run(Way::Program, &["echo", "x"]), Ran::by_plugin(PLAIN, &["x"]));
    // What stands before it is passed over, also where that is another idpbuilder.
    let machine = machine.on(&["other", "own", "real"]);
    machine.put("other/idpbuilder", &REAL.replace("echo real", "echo other"));
    let program = machine.at("own/idpbuilder").display().to_string();
    let path: Vec<&str> = machine.path.iter().map(String::as_str).collect();
    let ran = Ran::of(Way::Program, machine.hermetic(&program, &path).arg("x"));
    assert_eq!(ran, Ran::by_real(&["x"]));
}

#[test]
fn wrappers_alone_end_with_an_error_and_call_each_other_once() {
    let machine = Machine::new().on(&["own", "copied", "again"]);
    machine.put("copied/idpbuilder", PROGRAM);
    fs::create_dir(machine.at("again")).unwrap();
    symlink(machine.at("own/idpbuilder"), machine.at("again/idpbuilder")).unwrap();
    let ran = machine.run(Way::Program, &["create"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(126), ""));
    assert!(ran.stderr.contains("came back to itself"), "{}", ran.stderr);
    let machine = machine.on(&["own", "copied"]);
    let ran = machine.run(Way::Program, &["create"]);
    assert_eq!(ran.code, Some(127));
    assert!(ran.stderr.contains("no idpbuilder is behind"), "{}", ran.stderr);
}

#[test]
fn a_plugin_may_call_idpbuilder_again() {
    let machine = Machine::new();
    machine.put("plugins/idpbuilder-outer", "#!/bin/sh\nidpbuilder echo x\nidpbuilder get y\n");
    let ran = machine.run(Way::Program, &["outer"]);
    let (plugin, real) = (Ran::by_plugin(PLAIN, &["x"]), Ran::by_real(&["get", "y"]));
    assert_eq!(ran, Ran::silent(7, plugin.stdout + &real.stdout));
}

#[test]
fn the_plugin_takes_the_place_of_what_found_it() {
    let machine = Machine::new();
    machine.put("plugins/idpbuilder-number", "#!/bin/sh\necho $$\n");
    let mut command = machine.command(Way::Program, &["number"]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let number = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), number.to_string());
}

#[test]
fn a_signal_ends_the_plugin_and_is_told_as_the_shell_tells_it() {
    let machine = Machine::new();
    machine.put("plugins/idpbuilder-killed", "#!/bin/sh\nkill -TERM $$\n");
    for way in WAYS {
        assert_eq!(machine.run(way, &["killed"]).code, Some(128 + 15), "{way:?}");
    }
}

#[test]
fn the_options_of_a_shell_and_its_names_do_not_get_in_the_way() {
    let machine = Machine::new();
    for (shell, options) in [
        ("bash", "set -euo pipefail; set -f; IFS=/:; shopt -s lastpipe"),
        ("zsh", "set -eu; setopt sh_word_split glob_subst no_function_argzero; path+=(/nowhere)"),
        ("dash", "set -eu; IFS=/:"),
    ] {
        let then = format!(
            "{options}; found=1 name=2 self=/bin/sh plugin=3\n\
             idpbuilder echo 'a b' '' && exit 1 || echo $?\n\
             idpbuilder get 'c d' && exit 1 || echo $?\n\
             echo \"$found$name$plugin${{IDPBUILDER_PLUGIN_CALLER-}}\"",
        );
        let ran = Ran::of(Way::Function(shell), &mut machine.shell(Way::Function(shell), &then));
        let (plugin, real) = (Ran::by_plugin(PLAIN, &["a b", ""]), Ran::by_real(&["get", "c d"]));
        let expected = format!("{}42\n{}7\n123\n", plugin.stdout, real.stdout);
        assert_eq!(ran, Ran::silent(0, expected), "{shell}");
    }
}

#[test]
fn the_plugin_that_is_shipped_calls_itself_as_it_was_called() {
    let machine = Machine::new();
    symlink(env!("CARGO_BIN_EXE_idpbuilder-push"), machine.at("plugins/idpbuilder-push")).unwrap();
    for way in WAYS {
        for line in [["push", "--help"], ["help", "push"]] {
            let help = machine.run(way, &line);
            assert!(
                help.stdout.contains("Usage: idpbuilder push [OPTIONS] [SOURCE]..."),
                "{way:?}: {help:?}"
            );
        }
        let failed = machine.run(way, &["-l", "debug", "push", "list", "--path", "."]);
        assert_eq!(failed.code, Some(2), "{way:?}: {failed:?}");
        assert!(failed.stderr.contains("idpbuilder push --path ./images"), "{way:?}: {failed:?}");
        let completed = machine.run(way, &["__complete", "push", "--plain"]);
        assert!(completed.stdout.starts_with("--plain-http\t"), "{way:?}: {completed:?}");
        let level = machine.run(way, &["-l", "loud", "push", "list"]);
        assert!(level.stderr.contains("`IDPBUILDER_LOG_LEVEL` is no log level"), "{way:?}: {level:?}");
    }
}

/// The lines from the first function to the last that both have.
fn rules(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("# Sets `found`"));
    let mut lines: Vec<&str> = lines.collect();
    let last = lines.iter().rposition(|line| line.contains("exec \"$found\"")).unwrap();
    lines.truncate(last + 1);
    lines
}

#[test]
fn the_program_and_the_function_have_the_same_rules() {
    assert_eq!(rules(PROGRAM), rules(FUNCTION));
    assert!(rules(PROGRAM).len() > 50);
}
