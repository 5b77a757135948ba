//! One run of a command, by a small process of its own: what the kernel says of a child's peak memory begins
//! with that of its parent.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4 as _;

/// What this program is called with to be that small process; the command follows.
pub(crate) const SMALL: &str = "--measure";

/// Beyond, a command hangs.
const LIMIT: Duration = Duration::from_mins(10);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) wall: Duration,
    /// User and system, with that of the command's own children.
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: u32,
}

/// Runs a command that must succeed. What it says goes to `log`, and its last line into the error.
pub(crate) fn measure(command: &Command, log: &Path) -> Result<Measured> {
    let mut small = Command::new(env::current_exe()?);
    small.arg(SMALL).arg(command.get_program()).args(command.get_args()).env_clear();
    small.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let out = File::create(log)?;
    let small = small.stdin(Stdio::null()).stderr(out).stdout(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&small.stdout);
    if !small.status.success() {
        let log = fs::read_to_string(log)?;
        bail!("{}", log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed silently"));
    }
    parse(&said).with_context(|| format!("the measuring process said `{said}`"))
}

fn parse(said: &str) -> Option<Measured> {
    let mut numbers = said.split_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (wall, cpu) = (Duration::from_nanos(next()?), Duration::from_nanos(next()?));
    Some(Measured { wall, cpu, peak_kib: u32::try_from(next()? / 1024).ok()? })
}

/// The small process itself.
pub(crate) fn run_small(mut words: impl Iterator<Item = std::ffi::OsString>) -> Result<ExitCode> {
    let mut command = Command::new(words.next().context("no command")?);
    // Both streams of the command are one log.
    command.args(words).stdin(Stdio::null()).stdout(io::stderr());
    let began = Instant::now();
    let child = command.spawn().with_context(|| format!("{}", command.get_program().display()))?;
    let pid = child.id().to_string();
    thread::spawn(move || {
        thread::sleep(LIMIT);
        Command::new("kill").args(["-KILL", &pid]).status()
    });
    let ended = child.wait4()?;
    let wall = began.elapsed();
    let cpu = ended.rusage.utime + ended.rusage.stime;
    writeln!(io::stdout(), "{} {} {}", wall.as_nanos(), cpu.as_nanos(), ended.rusage.maxrss)?;
    Ok(if ended.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
