//! `make dist`: what a release has for the platform it runs on, the same bytes each time.
//!
//! `archive` builds the program and packs it, `index` writes what describes all archives of the folder (the sums,
//! the manifest of krew, the list of what is built in), and `man` prints the manual page. It is an example, not
//! a command of the program: the program stays small, and what is made for one platform need not run there.

#![expect(clippy::print_stdout, reason = "it says what it made")]

mod build;
mod package;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use package::{Platform, Sum, archive, krew, licences, notes, page, sbom};

#[derive(Parser)]
enum Dist {
    /// Build the program, pack it, and describe it
    Archive(ArchiveArgs),
    /// Describe all archives of the folder: sums, manifest of krew, list of what is built in
    Index {
        #[command(flatten)]
        place: Place,
    },
    /// Print the manual page
    Man,
    /// Print what CHANGELOG.md says of a release; fails unless it is of this version
    Notes { tag: String },
    #[command(subcommand)]
    Krew(Krew),
}

/// The manifests of krew
#[derive(Subcommand)]
enum Krew {
    /// Print the template for krew-release-bot, made of krew-manifest.yaml
    Template,
}

#[derive(Args)]
struct Place {
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
}

#[derive(Args)]
struct ArchiveArgs {
    #[command(flatten)]
    place: Place,
    /// The platform in Rust's words [default: this machine's]
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Take this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The time of all entries, in seconds since 1970 [default: the commit's]
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    time: Option<u64>,
}

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match Dist::parse() {
        Dist::Archive(args) => {
            make(root, &args)?;
            describe(root, &root.join(&args.place.out))
        }
        Dist::Index { place } => describe(root, &root.join(place.out)),
        Dist::Man => {
            print!("{}", page::manual()?);
            Ok(())
        }
        Dist::Notes { tag } => {
            print!("{}", notes::of(&read(root, "CHANGELOG.md")?, &tag)?);
            Ok(())
        }
        Dist::Krew(Krew::Template) => {
            print!("{}", krew::template(&read(root, "krew-manifest.yaml")?)?);
            Ok(())
        }
    }
}

/// One archive, in the folder for all of them.
fn make(root: &Path, args: &ArchiveArgs) -> Result<()> {
    let triple = match &args.target {
        Some(triple) => triple.clone(),
        None => build::host()?,
    };
    let platform = Platform::of(&triple)?;
    let program = match &args.binary {
        Some(file) => fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => build::program(root, &triple, &args.profile)?,
    };
    let third_party = licences::text(root, &triple)?;
    let entries = package::entries(root, &platform, program, third_party)?;
    let time = args.time.map_or_else(|| build::commit_time(root), Ok)?;
    let bytes = archive::pack(platform.packing(), &entries, time)?;
    let out = root.join(&args.place.out);
    fs::create_dir_all(&out)?;
    let file = out.join(platform.archive());
    fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}  {} bytes", file.display(), bytes.len());
    Ok(())
}

/// What the folder's archives are together, beside them.
fn describe(root: &Path, out: &Path) -> Result<()> {
    let sums = package::sums(out)?;
    let manifest = krew::rendered(&read(root, "krew-manifest.yaml")?, &sums)?;
    let listing: String = sums.iter().map(Sum::line).collect();
    for (name, text) in [
        ("idpbuilder-push.yaml".to_owned(), manifest),
        (format!("{}_{}.cdx.json", package::NAME, package::version()), sbom::text(root, None)?),
        ("SHA256SUMS".to_owned(), listing),
    ] {
        fs::write(out.join(&name), text).with_context(|| format!("cannot write {name}"))?;
    }
    for sum in &sums {
        print!("{}", sum.line());
    }
    Ok(())
}

fn read(root: &Path, name: &str) -> Result<String> {
    fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
}
