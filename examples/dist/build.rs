//! The program, the same bytes wherever it is built.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::package::{NAME, Platform};

/// The machine's own platform, in Rust's words.
pub(crate) fn host() -> Result<String> {
    let ran = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8(ran.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// When the commit that is built was made, in seconds since 1970.
pub(crate) fn commit_time(root: &Path) -> Result<u64> {
    let mut git = Command::new("git");
    let ran = git.current_dir(root).args(["log", "-1", "--format=%ct"]).output().context("cannot run git")?;
    let text = String::from_utf8(ran.stdout)?;
    text.trim().parse().context("no commit; set SOURCE_DATE_EPOCH")
}

/// Builds the program, and reads it.
pub(crate) fn program(root: &Path, triple: &str, profile: &str) -> Result<Vec<u8>> {
    // What is remapped must be there to be found.
    run(cargo(root).args(["fetch", "--locked", "--quiet", "--target", triple]))?;
    let target = root.join("target");
    let mut build = cargo(root);
    build.args(["build", "--locked", "--bin", NAME, "--profile", profile, "--target", triple]);
    build.arg("--target-dir").arg(&target);
    let moved = moved(root)?;
    build.env("CARGO_ENCODED_RUSTFLAGS", flags(&moved, triple).join("\x1f"));
    if !triple.contains("msvc") {
        // C has names of files in its assertions.
        let maps: Vec<String> =
            moved.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
        build.env(format!("CFLAGS_{}", triple.replace('-', "_")), maps.join(" "));
    }
    run(&mut build)?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let file = target.join(triple).join(folder).join(Platform::of(triple)?.program());
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

fn flags(moved: &[(String, String)], triple: &str) -> Vec<String> {
    let mut flags: Vec<String> =
        moved.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    // musl's programs carry their C library in them, so that one program runs on every Linux.
    if triple.ends_with("-musl") {
        flags.push("-Ctarget-feature=+crt-static".to_owned());
        // Places that the start of the program moves, as a bitmap: a third of a megabyte less.
        flags.push("-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned());
    }
    // What the linker would make of the time, or at random.
    if triple.contains("msvc") {
        flags.push("-Clink-arg=/Brepro".to_owned());
    }
    flags
}

/// Folders that differ from machine to machine, and what stands for them. The last that fits counts.
fn moved(root: &Path) -> Result<Vec<(String, String)>> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text");
    let mut moved = vec![(text(root)?, "/idpbuilder-push".to_owned())];
    let sources = cargo_home()?.join("registry").join("src");
    for folder in fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))? {
        moved.push((text(&folder?.path())?, "/crates".to_owned()));
    }
    moved.sort();
    Ok(moved)
}

#[expect(clippy::disallowed_methods, reason = "a tool of the build asks for the builder's own folders")]
fn cargo_home() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let own = || std::env::home_dir().map(|home| home.join(".cargo"));
    home.or_else(own).context("no home folder")
}

#[expect(clippy::disallowed_methods, reason = "cargo says by it which cargo it is")]
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
