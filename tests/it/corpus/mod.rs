//! Inputs that nobody should make, through the built program: how each ends, and what it does not do.
//!
//! A table has a row for each input. Whatever its end, a run says nothing that drives a terminal, opens no file
//! beside its source, and has 64 MiB of memory for its data. What is refused asks the registry for
//! nothing but whether it is one.
//! `docs/faults.md` names the rows by number.

mod bytes;
mod folders;
mod layouts;
mod links;
mod logins;
mod packed;
mod saved;
mod tars;

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify;
use tempfile::TempDir;

use crate::kit::folder;
use crate::kit::program::{Program, Ran};
use crate::kit::registry::Registry;
use crate::program::stored;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Before the registry was asked for anything but whether it is one.
    Refused,
    /// Only reading the layer tells: no tag points to the image, and no session is open.
    NotPushed,
    /// `app:1` is in the registry, with all that it needs.
    Whole,
    /// `app:1` is in the registry, and it needs something that is not uploaded or is no image that runs.
    Stored,
}

struct Row {
    number: u32,
    what: &'static str,
    end: End,
    /// Parts of what is said on standard error.
    says: &'static [&'static str],
    make: fn(&Place),
}

fn row(number: u32, what: &'static str, end: End, says: &'static [&'static str], make: fn(&Place)) -> Row {
    Row { number, what, end, says, make }
}

/// A folder for the source, `app.tar` or `app`, and one beside it that nobody may look into.
struct Place {
    folder: TempDir,
    opened: OwnedFd,
}

impl Place {
    fn new() -> Self {
        let folder = folder();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        let opened = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        Self { folder, opened }
    }

    fn inside(&self) -> PathBuf {
        self.folder.path().join("in")
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn tar(&self, bytes: impl AsRef<[u8]>) {
        fs::write(self.inside().join("app.tar"), bytes).unwrap();
    }

    fn source(&self) -> &'static str {
        if self.inside().join("app.tar").exists() { "./app.tar" } else { "./app" }
    }

    /// From here on it is noticed when a file outside is opened.
    fn guard(&self) {
        inotify::add_watch(&self.opened, self.outside(), inotify::WatchFlags::OPEN).unwrap();
    }

    /// Names of files outside that were opened since.
    fn opened(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.opened, &mut buffer);
        let mut names = Vec::new();
        while let Ok(event) = events.next() {
            names.push(event.file_name().map_or(".".into(), |name| name.to_string_lossy().into_owned()));
        }
        names
    }
}

/// The program with no more than 64 MiB for its data.
fn bounded() -> Program {
    let script = ["-c", "ulimit -d 65536 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_idpbuilder-push")];
    let program = Program::called(Path::new("/bin/sh")).args(script).env("TOKIO_WORKER_THREADS", "2");
    program.limit(Duration::from_secs(30))
}

fn push(registry: &Registry, place: &Place) -> Program {
    let push = bounded().args(["push", "--registry", &registry.address(), "--plain-http"]);
    push.args(["-l", "warn"]).current_dir(&place.inside())
}

impl Row {
    /// What was not as it should be.
    fn wrong(&self) -> Vec<String> {
        let (registry, place) = (Registry::distribution().start(), Place::new());
        (self.make)(&place);
        place.guard();
        let ran = push(&registry, &place).arg(place.source()).run();
        let mut wrong = self.ended(&ran, &registry);
        wrong.extend(self.said(&ran, &place));
        let opened = place.opened();
        if !opened.is_empty() {
            wrong.push(format!("it opened {opened:?} beside the source"));
        }
        if !wrong.is_empty() {
            wrong.push(ran.to_string());
        }
        wrong
    }

    fn ended(&self, ran: &Ran, registry: &Registry) -> Vec<String> {
        let mut wrong = Vec::new();
        let code = if matches!(self.end, End::Refused | End::NotPushed) { 3 } else { 0 };
        if ran.code != Some(code) {
            wrong.push(format!("it should end with {code}"));
        } else if self.end == End::Whole {
            stored::whole(registry, "app", "1");
        } else if self.end == End::Stored && registry.manifest("app", "1").is_none() {
            wrong.push("it is not in the registry".to_owned());
        }
        if self.end == End::Refused && !unasked(registry) {
            wrong.push(format!("the registry was asked: {:#?}", registry.lines()));
        }
        if code == 3 && !(registry.tags("app").is_empty() && ran.stdout.is_empty()) {
            wrong.push("something was pushed".to_owned());
        }
        if !registry.open_sessions().is_empty() || !registry.violations().is_empty() {
            wrong.push(format!("{:?} {:?}", registry.open_sessions(), registry.violations()));
        }
        wrong
    }

    fn said(&self, ran: &Ran, place: &Place) -> Vec<String> {
        let mut wrong = Vec::new();
        let drives = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        if ran.stderr.contains(drives) || ran.stderr.contains("panicked") {
            wrong.push("it panicked or could drive the terminal".to_owned());
        }
        wrong.extend(
            self.says
                .iter()
                .filter(|part| !ran.stderr.contains(**part))
                .map(|part| format!("`{part}` is missing")),
        );
        let errors = ran.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        if matches!(self.end, End::Whole | End::Stored) {
            return wrong;
        }
        if errors != 1
            || !ran.stderr.contains(place.source().trim_start_matches('.'))
            || !ran.stderr.contains("To fix this:\n  1. ")
        {
            wrong.push("it should be one error, with the file and what to do".to_owned());
        }
        wrong
    }
}

/// Whether the registry was asked for nothing but what it is, which is known before a source is read.
fn unasked(registry: &Registry) -> bool {
    registry.requests().iter().all(|entry| entry.method == "GET" && entry.path == "/v2/")
}

/// Holds all rows to their word, and tells of all that are not.
fn hold(rows: &[Row]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|row| (row, row.wrong()))
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(row, wrong)| format!("{} {}:\n  {}", row.number, row.what, wrong.join("\n  ")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
