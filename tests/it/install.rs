//! `install.sh` as users call it, with the shells of this machine, from files and from a server of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::dist::package::archive::{Entry, Mode, Packing, pack};
use crate::dist::package::{NAME, Platform, Sum, entries};
use crate::kit::folder;

const LINKS: [&str; 3] =
    ["kubectl-idpbuilder_push", "kubectl_complete-idpbuilder_push", "docker-credential-idpbuilder"];
const FILES: [&str; 8] = [
    "bin/idpbuilder-push",
    "share/man/man1/idpbuilder-push.1",
    "share/bash-completion/completions/idpbuilder-push",
    "share/zsh/site-functions/_idpbuilder-push",
    "share/fish/vendor_completions.d/idpbuilder-push.fish",
    "share/doc/idpbuilder-push/LICENSE",
    "share/doc/idpbuilder-push/README.md",
    "share/doc/idpbuilder-push/THIRD-PARTY.txt",
];

/// A stand-in for the program: small, and it says which one it is.
const PROGRAM: &str = "#!/bin/sh\necho idpbuilder-push 9.9\n";

/// A folder with an archive for this machine and its sum.
struct Release {
    folder: TempDir,
    name: String,
}

impl Release {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let entries = entries(root, &platform(), PROGRAM.as_bytes().to_vec(), "licences".to_owned()).unwrap();
        Self::of(&entries)
    }

    fn of(entries: &[Entry]) -> Self {
        let (folder, name) = (folder(), platform().archive());
        let bytes = pack(Packing::TarGz, entries, 0).unwrap();
        fs::write(folder.path().join(&name), &bytes).unwrap();
        // Another platform's line is there as well.
        let other = Sum::of("idpbuilder-push_v0.1.0_plan9_amd64.tar.gz", b"").line();
        fs::write(folder.path().join("SHA256SUMS"), other + &Sum::of(&name, &bytes).line()).unwrap();
        Self { folder, name }
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    fn damage(&self) {
        let mut bytes = fs::read(self.archive()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(self.archive(), bytes).unwrap();
    }
}

fn platform() -> Platform {
    let system = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-gnu" };
    Platform::of(&format!("{}-{system}", std::env::consts::ARCH)).unwrap()
}

struct Ran {
    said: String,
    worked: bool,
}

/// The shells that are here; every one of them is a POSIX shell in some manner.
fn shells() -> Vec<PathBuf> {
    let shells = ["/bin/sh", "/bin/dash", "/bin/bash", "/bin/busybox"].map(PathBuf::from);
    shells.into_iter().filter(|shell| shell.exists()).collect()
}

fn script(shell: &Path, home: &Path) -> Command {
    let mut command = Command::new(shell);
    if shell.ends_with("busybox") {
        command.arg("sh");
    }
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir(home);
    command
}

fn run(command: &mut Command) -> Ran {
    let ran = command.output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    Ran { said: String::from_utf8(said).unwrap(), worked: ran.status.success() }
}

/// Everything below a folder that is no folder itself.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn expected() -> Vec<String> {
    let links = LINKS.map(|link| format!("bin/{link}"));
    let mut all: Vec<String> = FILES.map(str::to_owned).into_iter().chain(links).collect();
    all.sort();
    all
}

#[test]
fn an_archive_is_installed_and_taken_away_again() {
    let release = Release::new();
    for shell in shells() {
        let home = folder();
        let ran = run(script(&shell, home.path()).arg("--archive").arg(release.archive()));
        assert!(ran.worked, "{}: {}", shell.display(), ran.said);
        let prefix = home.path().join(".local");
        let bin = prefix.join("bin");
        let said = format!(
            "installed idpbuilder-push 9.9 in {bin}\n\
             add {bin} to PATH, or neither the shell nor kubectl finds it\n",
            bin = bin.display()
        );
        assert_eq!(ran.said, said);
        assert_eq!(
            files(home.path()),
            expected().iter().map(|file| format!(".local/{file}")).collect::<Vec<_>>()
        );
        for link in LINKS {
            assert_eq!(fs::read_link(bin.join(link)).unwrap(), Path::new(NAME));
        }
        let bits = |file: &str| fs::metadata(prefix.join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!((bits(FILES[0]), bits(FILES[1])), (0o755, 0o644));

        let ran = run(script(&shell, home.path()).arg("--uninstall"));
        assert!(ran.worked, "{}", ran.said);
        assert_eq!(files(home.path()), [""; 0]);
    }
}

#[test]
fn a_second_installation_replaces_the_first_below_the_prefix() {
    let release = Release::new();
    let home = folder();
    let path = home.path().join("a folder/bin");
    for _ in 0..2 {
        let mut command = script(&shells()[0], home.path());
        command.args(["--prefix", "a folder", "--archive"]).arg(release.archive());
        let ran = run(command.env("PATH", format!("/usr/bin:/bin:{}", path.display())));
        assert!(ran.worked && ran.said.contains("kubectl idpbuilder-push doctor"), "{}", ran.said);
    }
    assert_eq!(files(&home.path().join("a folder")), expected());
}

#[test]
fn what_others_have_put_there_stays() {
    let release = Release::new();
    let home = folder();
    let bin = home.path().join(".local/bin");
    fs::create_dir_all(&bin).unwrap();
    symlink("/elsewhere/plugin", bin.join(LINKS[0])).unwrap();
    fs::write(bin.join(LINKS[2]), "mine").unwrap();
    let ran = run(script(&shells()[0], home.path()).arg("--archive").arg(release.archive()));
    assert!(
        ran.worked && ran.said.contains(&format!("left alone: {}", bin.join(LINKS[2]).display())),
        "{}",
        ran.said
    );
    assert!(run(script(&shells()[0], home.path()).arg("--uninstall")).worked);
    assert_eq!(files(&bin), [LINKS[2], LINKS[0]]);
    assert_eq!(fs::read_link(bin.join(LINKS[0])).unwrap(), Path::new("/elsewhere/plugin"));
}

#[test]
fn what_is_damaged_or_not_listed_is_not_installed() {
    let damaged = Release::new();
    damaged.damage();
    let unlisted = Release::new();
    fs::write(unlisted.folder.path().join("SHA256SUMS"), "").unwrap();
    let alone = Release::new();
    fs::remove_file(alone.folder.path().join("SHA256SUMS")).unwrap();
    let twice = Release::new();
    let sums = twice.folder.path().join("SHA256SUMS");
    fs::write(&sums, fs::read_to_string(&sums).unwrap().repeat(2)).unwrap();
    for (release, said) in [
        (&damaged, "is damaged: its SHA-256 is not"),
        (&unlisted, "does not name"),
        (&alone, "no SHA256SUMS beside"),
        (&twice, "does not name"),
    ] {
        let home = folder();
        let ran = run(script(&shells()[0], home.path()).arg("--archive").arg(release.archive()));
        assert!(!ran.worked && ran.said.contains(said), "{}", ran.said);
        assert_eq!(files(home.path()), [""; 0]);
    }
}

#[test]
fn an_archive_without_its_files_or_a_program_that_does_not_run_replaces_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = entries(root, &platform(), b"#!/bin/sh\nexit 1\n".to_vec(), String::new()).unwrap();
    let all = Release::of(&broken);
    broken.retain(|entry| entry.name != "LICENSE");
    let fewer = Release::of(&broken);
    let mut deeper = vec![Entry::new("a/b", Mode::Plain, "x")];
    deeper.append(&mut broken);
    for (release, said) in [
        (all, "does not run on this machine"),
        (fewer, "the archive has no file LICENSE"),
        (Release::of(&deeper[..1]), "the archive has folders in it"),
    ] {
        let home = folder();
        let ran = run(script(&shells()[0], home.path()).arg("--archive").arg(release.archive()));
        assert!(!ran.worked && ran.said.contains(said), "{}", ran.said);
        assert_eq!(files(home.path()), [""; 0]);
    }
}

#[test]
fn wrong_words_are_refused() {
    let home = folder();
    for words in [&["--prefix"][..], &["--archive", "/no/such"], &["--archive", ""], &["--root"], &["push"]] {
        let ran = run(script(&shells()[0], home.path()).args(words));
        assert!(!ran.worked && ran.said.contains("install.sh: "), "{words:?}: {}", ran.said);
    }
    assert!(run(script(&shells()[0], home.path()).arg("--help")).said.starts_with("usage: install.sh"));
}

/// What `curl | sh` leaves when the connection breaks.
#[test]
fn a_part_of_the_script_does_nothing() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh")).unwrap();
    assert!(text.ends_with("\nmain \"$@\"\n"));
    let home = folder();
    let part = home.path().join("part.sh");
    fs::write(&part, text.strip_suffix("main \"$@\"\n").unwrap()).unwrap();
    let ran = run(Command::new(&shells()[0]).arg(&part).env("HOME", home.path()));
    assert!(ran.worked && ran.said.is_empty(), "{}", ran.said);
    assert_eq!(files(home.path()), ["part.sh"]);
}

/// Serves a folder until the process ends.
fn serve(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = folder.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream, &folder);
        }
    });
    url
}

fn answer(mut stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    let name = lines[0].split(' ').nth(1).unwrap().trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(name)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)
}

fn has(program: &str) -> bool {
    ["/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
}

#[test]
fn an_archive_is_fetched_for_this_machine_from_a_server_or_a_folder() {
    if !has("curl") && !has("wget") {
        return;
    }
    let release = Release::new();
    let served = serve(release.folder.path());
    let local = has("curl").then(|| format!("file://{}/", release.folder.path().display()));
    for url in [Some(served), local].into_iter().flatten() {
        let home = folder();
        let ran = run(script(&shells()[0], home.path()).env("IDPBUILDER_PUSH_URL", &url));
        assert!(ran.worked, "{url}: {}", ran.said);
        assert_eq!(files(&home.path().join(".local")), expected());
    }
}

#[test]
fn a_server_that_is_not_to_be_trusted_or_has_nothing_installs_nothing() {
    if !has("curl") && !has("wget") {
        return;
    }
    let (empty, damaged) = (folder(), Release::new());
    damaged.damage();
    let other = Release::new();
    fs::write(
        other.folder.path().join("SHA256SUMS"),
        Sum::of("idpbuilder-push_v1_plan9_mips.tar.gz", b"").line(),
    )
    .unwrap();
    for (url, said) in [
        ("http://downloads.example/x".to_owned(), "is neither https nor on this machine"),
        ("ftp://127.0.0.1/x".to_owned(), "is neither https nor on this machine"),
        (serve(empty.path()), "could not fetch"),
        (serve(damaged.folder.path()), "is damaged"),
        (serve(other.folder.path()), "no archive for"),
    ] {
        let home = folder();
        let ran = run(script(&shells()[0], home.path()).env("IDPBUILDER_PUSH_URL", &url));
        assert!(!ran.worked && ran.said.contains(said), "{url}: {}", ran.said);
        assert_eq!(files(home.path()), [""; 0]);
    }
}
