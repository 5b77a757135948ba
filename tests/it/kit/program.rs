use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::registry::{PASSWORD, Registry, USER};

/// One run of the program, which knows of this machine only what the test says: no environment, a home of its
/// own, no cluster, no engine.
pub(crate) struct Program {
    command: Command,
    home: TempDir,
    input: Vec<u8>,
    limit: Duration,
    reader: Reader,
}

/// Who takes what the program writes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Test,
    Nobody,
    /// Of standard error, too: what is written stays in the pipe until it is full.
    Held,
}

/// A run that is still going on.
pub(crate) struct Running {
    child: Child,
    home: TempDir,
    limit: Duration,
    _held: Option<std::io::PipeReader>,
}

/// What the user saw.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Files that were in its home and its folder for temporary files at the end, those of the kit left out.
    pub(crate) left: Vec<PathBuf>,
    home: PathBuf,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self::called(Path::new(env!("CARGO_BIN_EXE_idpbuilder-push")))
    }

    /// Another program, or this one under another name.
    pub(crate) fn called(path: &Path) -> Self {
        let home = tempfile::Builder::new().prefix("it-home-").tempdir().unwrap();
        let mut command = Command::new(path);
        let temporary = home.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        command.env_clear().env("HOME", home.path()).env("TMPDIR", temporary).env("PATH", "/usr/bin:/bin");
        command.envs(profile());
        let nowhere = format!("unix://{}/no-docker.sock", home.path().display());
        command.env("DOCKER_HOST", &nowhere).env("CONTAINER_HOST", nowhere).current_dir(home.path());
        Self { command, home, input: Vec::new(), limit: Duration::from_mins(1), reader: Reader::Test }
    }

    /// `push` to this registry, over TLS if it has a certificate for `localhost`; on Gitea as its first user.
    pub(crate) fn push_to(registry: &Registry) -> Self {
        Self::to(registry, "push")
    }

    /// `watch`, in the same way.
    pub(crate) fn watch_to(registry: &Registry) -> Self {
        Self::to(registry, "watch")
    }

    /// `verify`, in the same way.
    pub(crate) fn verify_in(registry: &Registry) -> Self {
        Self::to(registry, "verify")
    }

    /// `doctor`, in the same way.
    pub(crate) fn doctor_of(registry: &Registry) -> Self {
        Self::to(registry, "doctor")
    }

    /// `prune`, in the same way.
    pub(crate) fn prune_on(registry: &Registry) -> Self {
        Self::to(registry, "prune")
    }

    fn to(registry: &Registry, command: &str) -> Self {
        let program = Self::new().arg(command);
        let pem = registry.certificate_pem();
        let program = if pem.is_empty() {
            program.args(["--registry", &registry.address(), "--plain-http"])
        } else {
            let file = program.home().join("ca.pem");
            fs::write(&file, pem).unwrap();
            program.args(["--registry", &format!("localhost:{}", registry.port())]).arg("--ca-file").arg(file)
        };
        if registry.is_gitea() { program.login(USER, PASSWORD) } else { program }
    }

    /// The password goes through standard input.
    pub(crate) fn login(self, user: &str, password: &str) -> Self {
        self.args(["--username", user, "--password-stdin"]).input(password)
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

    /// What standard input holds; empty otherwise.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Whoever was to read stdout is gone before the program writes, as behind `| head`.
    pub(crate) fn nobody_reads(mut self) -> Self {
        self.reader = Reader::Nobody;
        self
    }

    /// A minute, unless it is said otherwise.
    /// Standard error is a pipe that nobody reads and nobody closes.
    pub(crate) fn nobody_reads_stderr(mut self) -> Self {
        self.reader = Reader::Held;
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Where a configuration can be put before the run.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn run(self) -> Ran {
        self.start().wait()
    }

    pub(crate) fn start(mut self) -> Running {
        let file = |name: &str| File::create(self.home.path().join(name)).unwrap();
        // Standard input is a file: a program that does not read it leaves no writer behind.
        file("stdin").write_all(&self.input).unwrap();
        let input = File::open(self.home.path().join("stdin")).unwrap();
        let stdout = file("stdout");
        let stdout = match self.reader {
            Reader::Test | Reader::Held => Stdio::from(stdout),
            Reader::Nobody => Stdio::from(std::io::pipe().unwrap().1),
        };
        let stderr = file("stderr");
        let (held, stderr) = match self.reader {
            Reader::Held => {
                let (reader, writer) = std::io::pipe().unwrap();
                (Some(reader), Stdio::from(writer))
            }
            Reader::Test | Reader::Nobody => (None, Stdio::from(stderr)),
        };
        self.command.stdin(Stdio::from(input)).stdout(stdout).stderr(stderr);
        let child = self.command.spawn().unwrap();
        Running { child, home: self.home, limit: self.limit, _held: held }
    }
}

impl Running {
    /// For `kill`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on standard error by now.
    pub(crate) fn stderr(&self) -> String {
        read(self.home.path(), "stderr")
    }

    /// What it has answered by now.
    pub(crate) fn stdout(&self) -> String {
        read(self.home.path(), "stdout")
    }

    /// Waits until this holds; panics when it does not within the limit of the run.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < self.limit, "not {what}:\n{}\n{}", self.stdout(), self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal by its name, `INT` or `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "the program is gone already");
    }

    /// Panics when the program is not done within its limit.
    pub(crate) fn wait(mut self) -> Ran {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > self.limit {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("still running after {:?}:\n{}", self.limit, self.stderr());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let home = self.home.path();
        let (stdout, stderr) = (read(home, "stdout"), read(home, "stderr"));
        Ran { stdout, stderr, code: status.code(), left: left(home), home: home.to_owned() }
    }
}

/// Files below a home, as paths in it, without those that the kit itself put there.
fn left(home: &Path) -> Vec<PathBuf> {
    const OURS: [&str; 4] = ["stdin", "stdout", "stderr", "ca.pem"];
    let mut files = Vec::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path().strip_prefix(home).unwrap().to_owned());
            }
        }
    }
    files.retain(|file| !OURS.iter().any(|ours| file == Path::new(ours)));
    // What is remembered for the next run is meant to stay.
    files.retain(|file| !file.starts_with(".cache/idpbuilder-push/packs"));
    files.sort();
    files
}

fn read(home: &Path, name: &str) -> String {
    String::from_utf8_lossy(&fs::read(home.join(name)).unwrap()).into_owned()
}

impl Ran {
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Each of these is in the standard error.
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing:\n{self}");
        }
        self
    }
}

/// The form of a snapshot: exit code and both streams, with the home folder as `[HOME]`.
impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        let text = format!("exit: {code}\n----- stdout\n{}----- stderr\n{}", self.stdout, self.stderr);
        f.write_str(&text.replace(&*self.home.to_string_lossy(), "[HOME]"))
    }
}

/// What differs from run to run: ports, temporary paths, times and speeds; and digests, which tests compare.
pub(crate) const FILTERS: &[(&str, &str)] = &[
    (r"(127\.0\.0\.1|localhost|\[::1\]):\d{4,5}", "$1:[PORT]"),
    (r"[^\s`'\x22=]*/\.?it-\w+-\w{6}", "[TEMP]"),
    (r"\d+(\.\d+)? ?[KMG]?i?B/s", "[SPEED]"),
    (r"\b\d+(\.\d+)? ?(ms|min|s)\b", "[TIME]"),
    (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "[DATE]"),
    (r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]"),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\b", "[DATE]"),
];

/// Compares what a run showed with the snapshot beside it: `assert_ran!(ran, @"...")`.
macro_rules! assert_ran {
    ($ran:expr $(, $snapshot:tt $text:literal)?) => {
        ::insta::with_settings!({ filters => $crate::kit::program::FILTERS.to_vec() }, {
            ::insta::assert_snapshot!($ran.to_string() $(, $snapshot $text)?)
        })
    };
}

pub(crate) use assert_ran;

/// The arguments, one space between two.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<_> = self.command.get_args().map(OsStr::to_string_lossy).collect();
        f.write_str(&arguments.join(" "))
    }
}

/// Where a build that counts the lines it runs writes its counts to.
#[expect(clippy::disallowed_methods, reason = "it is for the program's child, not for the test")]
fn profile() -> Option<(&'static str, std::ffi::OsString)> {
    std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file))
}
