//! `make demo`: a registry in this process, in Gitea's manner, and the built program that pushes to it twice.

#![expect(clippy::print_stdout, reason = "a demo shows itself")]

#[path = "../tests/it/kit/registry/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use all of it")]
#[expect(clippy::expect_used, reason = "it is code of the tests")]
mod registry;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use registry::{PASSWORD, Registry, USER};

/// Two images with three tags from `docker save`, and an index of two platforms.
const SOURCES: &[&str] = &["testdata/docker-legacy-multi.tar", "testdata/multi-platform-layout"];

fn main() -> ExitCode {
    match demonstrate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe demo did not work: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate() -> Result<()> {
    let registry = Registry::gitea().start();
    let program = program()?;
    println!("A registry like Gitea's listens at {}, in this process.\n", registry.address());

    push(&program, &registry)?;
    let stored: Vec<String> = stored(&registry);
    ensure!(!stored.is_empty(), "nothing arrived");
    println!("\nThe registry received {} and has:", bytes(registry.bytes_received()));
    for line in &stored {
        println!("  {line}");
    }

    registry.clear_log();
    println!("\nThe same again:\n");
    push(&program, &registry)?;
    let written = ["POST", "PATCH", "PUT"].map(|method| registry.count(method)).iter().sum::<usize>();
    ensure!(written == 0, "the second push wrote: {:#?}", registry.lines());
    println!("\nIt asked {} times, and sent nothing.", registry.requests().len());

    println!("\nWith a cluster that `idpbuilder create` made, it needs no address and no login:");
    println!("  make install");
    println!("  idpbuilder-push myapp:dev           an image of the local Docker or Podman");
    println!("  idpbuilder-push ./image.tar         or an archive, or a folder of them");
    Ok(())
}

/// The binary of the same build, beside this example's folder.
fn program() -> Result<PathBuf> {
    let example = std::env::current_exe().context("where is this example?")?;
    let folder =
        example.parent().and_then(Path::parent).context("this example stands in no target folder")?;
    let program = folder.join(format!("idpbuilder-push{}", std::env::consts::EXE_SUFFIX));
    ensure!(program.exists(), "{} is not there: run `cargo build` first", program.display());
    Ok(program)
}

/// Both streams are the user's, so that progress is seen as it is.
fn push(program: &Path, registry: &Registry) -> Result<()> {
    let address = registry.address();
    let mut arguments = vec!["push", "--registry", &address, "--plain-http", "-u", USER, "--password-stdin"];
    arguments.extend(SOURCES);
    println!("$ idpbuilder-push {}", arguments.join(" "));
    let mut child = Command::new(program)
        .args(&arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if let Some(mut input) = child.stdin.take() {
        // A program that ends without reading it says why by itself.
        input.write_all(PASSWORD.as_bytes()).ok();
    }
    let status = child.wait().context("cannot wait for the program")?;
    if !status.success() {
        bail!("the push ended with {status}");
    }
    Ok(())
}

/// One line for each tag.
fn stored(registry: &Registry) -> Vec<String> {
    let tags = |repository: &String| {
        let lines = registry.tags(repository).into_iter().filter_map(|tag| {
            let digest = registry.manifest(repository, &tag)?.digest;
            Some(format!("{repository}:{tag}@{digest}"))
        });
        lines.collect::<Vec<_>>()
    };
    registry.repositories().iter().flat_map(tags).collect()
}

fn bytes(count: u64) -> String {
    format!("{}.{} KiB", count / 1024, count % 1024 * 10 / 1024)
}
