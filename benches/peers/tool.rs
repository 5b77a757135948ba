//! Who pushes, and by which command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::engine::Engine;
use crate::input::TAG;
use crate::kit::{built, output};
use crate::registry::Trust;

const PEERS: &str = include_str!("../../tests/servers/peers");

/// Where all look for programs.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// With what `--compression` says.
    Ours(&'static str),
    Skopeo,
    Crane,
    Oras,
    Regctl,
    /// Whatever the engine itself pushes with.
    Engine(&'static str),
}

/// How an image stands in its file or folder.
pub(crate) enum Image<'a> {
    Archive(PathBuf),
    Hybrid(PathBuf),
    Layout(PathBuf),
    InEngine(&'a Engine, &'static str),
}

pub(crate) struct Target<'a> {
    pub(crate) registry: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) tag: &'a str,
    pub(crate) trust: Trust,
}

impl Target<'_> {
    pub(crate) fn reference(&self) -> String {
        format!("{}/{}:{}", self.registry, self.repository, self.tag)
    }
}

impl Tool {
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Ours(_))
    }

    /// For `PEERS`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours(_) => "idpbuilder-push",
            Self::Skopeo => "skopeo",
            Self::Crane => "crane",
            Self::Oras => "oras",
            Self::Regctl => "regctl",
            Self::Engine(name) => name,
        }
    }

    /// For a line of the table.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Ours("auto") => self.name().to_owned(),
            Self::Ours(compression) => format!("{} {compression}", self.name()),
            Self::Engine(name) => format!("{name} push"),
            _ => format!("{} {}", self.name(), self.version().unwrap_or_default()),
        }
    }

    fn version(self) -> Option<String> {
        let version = match self {
            Self::Skopeo => {
                output(Command::new("skopeo").arg("--version")).ok()?.split(' ').next_back()?.into()
            }
            _ => PEERS
                .lines()
                .find_map(|line| line.strip_prefix(self.name()))?
                .split_whitespace()
                .next()?
                .to_owned(),
        };
        Some(version.trim().trim_start_matches('v').to_owned())
    }

    /// The program with an environment that knows nothing of this machine's user.
    fn program(self, home: &Path) -> Result<Command> {
        let mut command = match self {
            Self::Ours(_) => Command::new(ours()),
            Self::Skopeo => Command::new("skopeo"),
            _ => Command::new(built(self.name(), self.name(), PEERS)?.join(self.name())),
        };
        command.env_clear().env("HOME", home).env("PATH", PATH).env("XDG_RUNTIME_DIR", home);
        // Else root's knowledge of registries would be in /var, and not in this home.
        command.env("_CONTAINERS_ROOTLESS_UID", "1000");
        Ok(command)
    }

    /// The command that pushes the image to the target.
    pub(crate) fn command(self, image: &Image<'_>, target: &Target<'_>, home: &Path) -> Result<Command> {
        let reference = target.reference();
        if let (Self::Engine(_), Image::InEngine(engine, tag)) = (self, image) {
            return Ok(engine.push(tag, &reference, home));
        }
        let mut command = self.program(home)?;
        match self {
            Self::Ours(compression) => push(&mut command, compression, image, target),
            Self::Skopeo => {
                command.args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]);
                command.arg(joined(kind_for_skopeo(image)?, image)?).arg(format!("docker://{reference}"));
            }
            Self::Crane => {
                command.arg("push").arg(joined("", image)?).args([&reference, "--insecure"]);
            }
            Self::Oras => {
                let trust = by_trust(target, "--to-plain-http", "--to-insecure");
                command.args(["cp", "--no-tty", trust, "--from-oci-layout"]);
                command.arg(joined("tagged", image)?).arg(reference);
            }
            Self::Regctl => {
                let tls = by_trust(target, "disabled", "insecure");
                command.arg("--host").arg(format!("reg={},tls={tls}", target.registry)).arg("image");
                match image {
                    Image::Layout(_) => command.arg("copy").arg(joined("ocidir", image)?).arg(reference),
                    _ => command.arg("import").arg(reference).arg(joined("", image)?),
                };
            }
            Self::Engine(name) => anyhow::bail!("{name} pushes only what it has"),
        }
        Ok(command)
    }
}

fn by_trust<'a>(target: &Target<'_>, plain: &'a str, unchecked: &'a str) -> &'a str {
    match target.trust {
        Trust::PlainHttp => plain,
        Trust::Unchecked => unchecked,
    }
}

/// Of this build, unless another is to be looked at.
#[expect(clippy::disallowed_methods, reason = "a bench is told by its environment what to do")]
fn ours() -> OsString {
    std::env::var_os("IDPBUILDER_PUSH").unwrap_or_else(|| env!("CARGO_BIN_EXE_idpbuilder-push").into())
}

fn push(command: &mut Command, compression: &str, image: &Image<'_>, target: &Target<'_>) {
    match image {
        Image::Archive(path) | Image::Hybrid(path) | Image::Layout(path) => command.arg(path),
        Image::InEngine(engine, tag) => {
            let (source, variable, host) = engine.source(tag);
            command.arg(source).env(variable, host)
        }
    };
    let trust = by_trust(target, "--plain-http", "--insecure");
    let auth = by_trust(target, "none", "docker");
    command.args(["--registry", target.registry, trust, "--auth", auth, "--compression", compression]);
    command.arg("--as").arg(format!("{}:{}", target.repository, target.tag));
}

fn kind_for_skopeo(image: &Image<'_>) -> Result<&'static str> {
    match image {
        Image::Archive(_) | Image::Hybrid(_) => Ok("docker-archive"),
        Image::Layout(_) => Ok("oci"),
        Image::InEngine(..) => anyhow::bail!("skopeo is not compared on engines"),
    }
}

/// `kind:path`, with the tag where the kind needs one.
fn joined(kind: &str, image: &Image<'_>) -> Result<String> {
    let (Image::Archive(path) | Image::Hybrid(path) | Image::Layout(path)) = image else {
        anyhow::bail!("only an engine's own client reads from it");
    };
    let path = path.to_str().context("the folder of the inputs is not UTF-8")?;
    Ok(match kind {
        "" => path.to_owned(),
        "tagged" => format!("{path}:{TAG}"),
        "oci" => format!("oci:{path}:{TAG}"),
        "ocidir" => format!("ocidir://{path}:{TAG}"),
        _ => format!("{kind}:{path}"),
    })
}
