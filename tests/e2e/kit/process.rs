use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

const POLL: Duration = Duration::from_millis(20);

/// A server that this test run started, and stops when it is dropped.
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Both streams go to `<folder>/<name>.log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log)?;
        let err = out.try_clone()?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().with_context(|| {
            format!("{name}: cannot start {}; run `make setup`", command.get_program().display())
        })?;
        Ok(Self { name, child, log })
    }

    /// Waits until `probe` says yes; the error ends with what the server had to say.
    pub(crate) fn ready(mut self, within: Duration, probe: impl Fn() -> bool) -> Result<Self> {
        let began = Instant::now();
        while !probe() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.name, self.log_tail());
            }
            ensure!(
                began.elapsed() < within,
                "{} was not ready within {within:?}:\n{}",
                self.name,
                self.log_tail()
            );
            sleep(POLL);
        }
        Ok(self)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        output(Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()])).map(drop)
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // TERM first: nginx and dockerd have children of their own that only they can stop.
        let asked = self.signal("TERM").is_ok();
        if !asked || !matches!(ended(&mut self.child, Duration::from_secs(15)), Ok(Some(_))) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Whether there is time for what takes minutes: `make soak`.
#[expect(clippy::disallowed_methods, reason = "it is about the tests, not about the program")]
pub(crate) fn soak() -> bool {
    std::env::var_os("IDPBUILDER_PUSH_SOAK").is_some()
}

/// How the process ended, or `None` if it still runs after `within`.
pub(crate) fn ended(child: &mut Child, within: Duration) -> Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= within {
            return Ok(None);
        }
        sleep(POLL);
    }
}

/// Standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let ran = command.output().with_context(|| format!("cannot run {program}; run `make setup`"))?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    ensure!(
        ran.status.success(),
        "{program}: {}\n{text}{}",
        ran.status,
        String::from_utf8_lossy(&ran.stderr)
    );
    Ok(text)
}

/// A port below the range that the kernel gives to outgoing connections, so that none can take it meanwhile.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own_start = u16::try_from(std::process::id() % 500)? * 20;
    for _ in 0..10_000 {
        let port = 20_000 + (own_start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between 20000 and 30000 is free")
}

/// What `tests/servers/setup` built: the version is the one in the server's go.mod.
pub(crate) fn built(name: &str, module: &str, go_mod: &str) -> Result<PathBuf> {
    let version = go_mod
        .lines()
        .find_map(|line| {
            let mut words = line.trim_start_matches("require ").split_whitespace();
            (words.next() == Some(module))
                .then(|| words.next())
                .flatten()
                .filter(|word| word.starts_with('v'))
        })
        .with_context(|| format!("no version of {module} in go.mod"))?;
    let folder = cache()?.join(format!("{name}-{version}"));
    ensure!(folder.join(name).exists(), "{name} {version} is not built; run `make setup`");
    Ok(folder)
}

#[expect(clippy::disallowed_methods, reason = "tests/servers/setup decides by the same two variables")]
fn cache() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Ok(cache.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("idpbuilder-push/servers"))
}
