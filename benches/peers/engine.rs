//! Engines that have the images, and what a push costs them: the work is theirs, not their client's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::input::NAME;
use crate::kit::{Docker29, Dockerd, Podman, output};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineKind {
    /// Debian's, with layers unpacked in a graph driver.
    Docker,
    /// The 29 line, with layers as they came in containerd's store.
    Docker29,
    Podman,
}

pub(crate) enum Engine {
    Docker(Dockerd),
    Docker29(Docker29),
    Podman(Podman),
}

impl Engine {
    /// With these archives loaded.
    pub(crate) fn start(kind: EngineKind, archives: &[PathBuf]) -> Result<Self> {
        let engine = match kind {
            EngineKind::Docker => Self::Docker(Dockerd::start()?),
            EngineKind::Docker29 => Self::Docker29(Docker29::start()?),
            EngineKind::Podman => Self::Podman(Podman::start()?),
        };
        for archive in archives {
            match &engine {
                Self::Podman(podman) => podman.load(archive)?,
                _ => drop(output(engine.client(None).args(["load", "--quiet", "--input"]).arg(archive))?),
            }
        }
        Ok(engine)
    }

    fn host(&self) -> String {
        match self {
            Self::Docker(engine) => engine.host(),
            Self::Docker29(engine) => engine.host(),
            Self::Podman(engine) => engine.host(),
        }
    }

    /// What the product is given: the image's name there, and where the engine is.
    pub(crate) fn source(&self, tag: &str) -> (String, &'static str, String) {
        let (prefix, variable) = match self {
            Self::Docker(_) | Self::Docker29(_) => ("docker-daemon", "DOCKER_HOST"),
            Self::Podman(_) => ("podman", "CONTAINER_HOST"),
        };
        (format!("{prefix}:{NAME}:{tag}"), variable, self.host())
    }

    /// The engine's own command line.
    fn client(&self, home: Option<&Path>) -> Command {
        let host = self.host();
        let mut command = match self {
            Self::Podman(_) => {
                let folder = Path::new(host.trim_start_matches("unix://")).parent().unwrap_or(Path::new("/"));
                let mut command = Command::new("podman");
                command.arg("--root").arg(folder.join("store")).arg("--runroot").arg(folder.join("run"));
                command.args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"]);
                command
            }
            Self::Docker(_) | Self::Docker29(_) => Command::new("docker"),
        };
        command.env_clear().env("PATH", crate::tool::PATH).env("DOCKER_HOST", host);
        if let Self::Docker29(_) = self {
            // An older client does not know that it can.
            command.env("DOCKER_API_VERSION", "1.44");
        }
        command.env("HOME", home.unwrap_or(Path::new("/nonexistent")));
        command
    }

    /// The command that pushes the image of a tag, which must have been named so by `prepare`.
    pub(crate) fn push(&self, tag: &str, target: &str, home: &Path) -> Command {
        let mut command = self.client(Some(home));
        command.env("XDG_RUNTIME_DIR", home).arg("push");
        match self {
            Self::Podman(_) => {
                command.args(["--quiet", "--tls-verify=false"]).arg(format!("{NAME}:{tag}"));
                command.arg(format!("docker://{target}"))
            }
            Self::Docker(_) | Self::Docker29(_) => command.args(["--quiet", target]),
        };
        command
    }

    /// Gives the image the name that Docker pushes it by.
    pub(crate) fn prepare(&self, tag: &str, target: &str) -> Result<()> {
        if let Self::Podman(_) = self {
            return Ok(());
        }
        output(self.client(None).arg("tag").arg(format!("{NAME}:{tag}")).arg(target)).map(drop)
    }

    /// Forgets what Podman knows of registries. Docker believes what it knows only after it has asked.
    pub(crate) fn forget(&self) -> Result<()> {
        let Self::Podman(podman) = self else { return Ok(()) };
        let host = podman.host();
        let store = Path::new(host.trim_start_matches("unix://")).with_file_name("store");
        let cache = store.join("cache");
        if cache.exists() {
            fs::remove_dir_all(cache)?;
        }
        Ok(())
    }
}

/// The engine's processes from here on.
pub(crate) struct Watch {
    before: Vec<Process>,
}

struct Process {
    id: u32,
    parent: u32,
    name: String,
    cpu: Duration,
}

impl Watch {
    pub(crate) fn begin() -> Result<Self> {
        let before = engines()?;
        for process in &before {
            // Makes the peak what it is now.
            fs::write(format!("/proc/{}/clear_refs", process.id), "5").ok();
        }
        Ok(Self { before })
    }

    /// What they have spent, and the sum of their peaks in KiB.
    pub(crate) fn end(self) -> Result<(Duration, u32)> {
        let (mut cpu, mut peak) = (Duration::ZERO, 0);
        for process in engines()? {
            let before = self.before.iter().find(|before| before.id == process.id);
            cpu += process.cpu.saturating_sub(before.map_or(Duration::ZERO, |before| before.cpu));
            peak += peak_of(process.id).unwrap_or(0);
        }
        Ok((cpu, peak))
    }
}

fn peak_of(id: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Descendants of this process that are engines.
fn engines() -> Result<Vec<Process>> {
    let all: Vec<Process> = fs::read_dir("/proc")
        .context("an engine's costs are read from /proc")?
        .flatten()
        .filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?))
        .collect();
    let parent = |id: u32| all.iter().find(|process| process.id == id).map(|process| process.parent);
    let ours: Vec<u32> = all
        .iter()
        .map(|process| process.id)
        .filter(|id| std::iter::successors(Some(*id), |id| parent(*id)).any(|id| id == std::process::id()))
        .collect();
    let engine = |process: &Process| ["dockerd", "containerd", "podman"].contains(&process.name.as_str());
    Ok(all.into_iter().filter(|process| ours.contains(&process.id) && engine(process)).collect())
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in parentheses, and may hold some.
        let (before, after) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        // Linux counts them in hundredths of a second for programs, whatever its own clock is.
        let cpu = Duration::from_millis((number(11)? + number(12)?) * 10);
        Some(Self { id, parent: u32::try_from(number(1)?).ok()?, name, cpu })
    }
}
