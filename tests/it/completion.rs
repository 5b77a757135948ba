//! Scripts by which shells complete words, tried in bash where it is there.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::kit::folder;
use crate::kit::program::Program;

fn script(program: Program, shell: &str) -> String {
    program.args(["completion", shell]).run().exits(0).stdout
}

/// What a script of bash says, its words one a line; `None` without bash.
fn bash(script: &str, more: &str) -> Option<Vec<String>> {
    let folder = folder();
    let file = folder.path().join("completion.bash");
    std::fs::write(&file, script).unwrap();
    let text = format!("source '{}'\n{more}", file.display());
    let ran = Command::new("bash").args(["--norc", "--noprofile", "-c", &text]).env_clear().output().ok()?;
    assert!(ran.status.success() && ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// What the words of a line are completed to; the last is the one that is written.
fn completed(script: &str, words: &[&str]) -> Option<Vec<String>> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let line = quoted.join(" ");
    let ask = format!(
        "COMP_WORDS=({line}); COMP_CWORD={}\n\
         function=$(complete -p '{}' | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\n\
         \"$function\" '{}' '{last}' '{before}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.len() - 1,
        words[0],
        words[0],
    );
    bash(script, &format!("PATH=/usr/bin:/bin\n{ask}"))
}

#[test]
fn every_shell_gets_a_script_with_the_flags() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = script(Program::new(), shell);
        assert!(script.contains("idpbuilder-push") && script.contains("plain-http"), "{shell}");
        assert!(!script.contains("plugin-metadata"), "{shell}");
    }
    Program::new().args(["completion", "csh"]).run().exits(2);
}

#[test]
fn bash_takes_the_script_and_completes_flags_values_and_commands() {
    let script = script(Program::new(), "bash");
    let Some(flags) = completed(&script, &["idpbuilder-push", "--pl"]) else { return };
    assert_eq!(flags, ["--plain-http", "--platform"]);
    let values = completed(&script, &["idpbuilder-push", "list", "--output", ""]).unwrap();
    assert_eq!(values, ["name", "table", "json", "yaml"]);
    assert_eq!(completed(&script, &["idpbuilder-push", "comp"]).unwrap(), ["completion"]);
    assert_eq!(completed(&script, &["idpbuilder-push", "completion", "fi"]).unwrap(), ["fish"]);
}

#[test]
fn a_script_is_for_the_name_that_the_program_was_called_by() {
    let folder = folder();
    let link = folder.path().join("kubectl-idpbuilder_push");
    symlink(Path::new(env!("CARGO_BIN_EXE_idpbuilder-push")), &link).unwrap();
    let script = script(Program::called(&link), "bash");
    let Some(flags) = completed(&script, &["kubectl-idpbuilder_push", "--dry"]) else { return };
    assert_eq!(flags, ["--dry-run"]);
    assert!(bash(&script, "complete -p idpbuilder-push 2>/dev/null || true").unwrap().is_empty());
}

#[test]
fn a_line_is_completed_for_hosts_that_speak_cobras_protocol() {
    let ran = Program::new().args(["__complete", "push", "--plain"]).run().exits(0);
    let (flag, directive) = ran.stdout.split_once('\n').unwrap();
    assert!(flag.starts_with("--plain-http\t") && directive == ":4\n" && ran.stderr.is_empty(), "{ran}");
    // What is wrong elsewhere does not stand in the prompt.
    let broken = Program::new().env("IDPBUILDER_REGISTRY_URL", "ftp://x").args(["__complete", "--plain"]);
    assert_eq!(broken.run().exits(0).stdout, ran.stdout);
}

#[test]
fn a_link_for_kubectl_is_put_into_the_home_and_taken_away_again() {
    let ask = |home: &Path, flag: &str| {
        Program::new().env("HOME", home).args(["completion", "kubectl", flag]).run().exits(0).stdout
    };
    let home = folder();
    let link = home.path().join(".local/bin/kubectl_complete-idpbuilder_push");
    let said = ask(home.path(), "--install");
    assert!(said.starts_with(&format!("linked {}: add ", link.display())), "{said}");
    let ran = Program::called(&link).arg("--plain").run().exits(0);
    assert!(ran.stdout.starts_with("--plain-http\t"), "{ran}");
    assert_eq!(ask(home.path(), "--uninstall"), format!("removed {}\n", link.display()));
    assert!(!link.exists());
    assert!(ask(home.path(), "--uninstall").starts_with("nothing to remove"));
    Program::new().args(["completion", "bash", "--install"]).run().exits(2);
    assert!(script(Program::new(), "kubectl").starts_with("#!/bin/sh\n"));
}
