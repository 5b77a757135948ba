use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::process::ended;

/// One run of the program, which knows of this machine only what the trial says.
pub(crate) struct Push {
    command: Command,
    home: TempDir,
    timeout: Duration,
}

/// A run that is still going on.
pub(crate) struct Running {
    child: Child,
    home: TempDir,
    timeout: Duration,
    began: Instant,
}

/// What the user saw.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
}

impl Push {
    pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_idpbuilder-push");

    pub(crate) fn new() -> Result<Self> {
        Self::called_as(Path::new(Self::BINARY))
    }

    /// The same program through a link, as a host command line finds its plugins.
    pub(crate) fn called_as(program: &Path) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("e2e-home-").tempdir()?;
        let mut command = Command::new(program);
        let temporary = home.path().join("tmp");
        fs::create_dir(&temporary)?;
        command.env_clear().env("HOME", home.path()).env("TMPDIR", temporary).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null());
        command.envs(profile());
        // Silence of the machine's own engines and logins is part of being hermetic.
        command.env("DOCKER_HOST", format!("unix://{}/no-docker.sock", home.path().display()));
        Ok(Self { command, home, timeout: Duration::from_mins(2) })
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn arg(self, argument: impl AsRef<OsStr>) -> Self {
        self.args([argument])
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Where a configuration can be put before the run.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn kubeconfig(self, path: PathBuf) -> Self {
        self.env("KUBECONFIG", path)
    }

    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What standard input holds; empty otherwise.
    pub(crate) fn input(mut self, file: &Path) -> Result<Self> {
        self.command.stdin(File::open(file)?);
        Ok(self)
    }

    /// Longest time for the run, where two minutes are too short.
    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn run(self) -> Result<Ran> {
        self.start()?.wait()
    }

    pub(crate) fn start(mut self) -> Result<Running> {
        let file = |name: &str| File::create(self.home.path().join(name));
        self.command.stdout(file("stdout")?).stderr(file("stderr")?);
        let began = Instant::now();
        let child = self.command.spawn().context("cannot start the program")?;
        Ok(Running { child, home: self.home, timeout: self.timeout, began })
    }
}

impl Running {
    fn read(&self, name: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.home.path().join(name))?).into_owned())
    }

    /// Waits until the run has answered with so many lines.
    pub(crate) fn answers(&mut self, lines: usize) -> Result<()> {
        let answered = self.home.path().join("stdout");
        self.until(|| Ok(fs::read_to_string(&answered)?.lines().count() >= lines))
    }

    /// Waits until `reached` says yes, and fails if the run ends before.
    pub(crate) fn until(&mut self, mut reached: impl FnMut() -> Result<bool>) -> Result<()> {
        while !reached()? {
            let status = self.child.try_wait()?;
            ensure!(
                status.is_none() && self.began.elapsed() < self.timeout,
                "not reached, {status:?}:\n{}\n{}",
                self.read("stdout")?,
                self.read("stderr")?
            );
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(self) -> Result<Ran> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        self.wait()
    }

    /// Ends it by a signal that it cannot hear, unless it has ended by itself.
    pub(crate) fn kill(mut self) -> Result<Ran> {
        self.child.kill()?;
        self.wait()
    }

    pub(crate) fn wait(mut self) -> Result<Ran> {
        let status = ended(&mut self.child, self.timeout)?;
        let took = self.began.elapsed();
        if status.is_none() {
            self.child.kill()?;
            self.child.wait()?;
        }
        let (stdout, stderr) = (self.read("stdout")?, self.read("stderr")?);
        let status = status.with_context(|| format!("still running after {:?}:\n{stderr}", self.timeout))?;
        Ok(Ran { stdout, stderr, code: status.code(), took })
    }
}

/// A trial that fails leaves no watch behind.
impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Ran {
    pub(crate) fn exits(self, code: i32) -> Result<Self> {
        let Self { code: shown, stdout, stderr, took } = &self;
        ensure!(
            *shown == Some(code),
            "exit {shown:?} instead of {code} after {took:?}\nstdout:\n{stdout}\nstderr:\n{stderr}"
        );
        Ok(self)
    }

    /// Fails unless each of these is in the standard error.
    pub(crate) fn says(self, parts: &[&str]) -> Result<Self> {
        for part in parts {
            ensure!(self.stderr.contains(part), "`{part}` is not in the standard error:\n{}", self.stderr);
        }
        Ok(self)
    }

    /// The references that the run printed, one a line.
    pub(crate) fn references(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// Where a build that counts the lines it runs writes its counts to.
#[expect(clippy::disallowed_methods, reason = "it is for the program's child, not for the test")]
fn profile() -> Option<(&'static str, std::ffi::OsString)> {
    std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))
}
