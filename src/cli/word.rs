//! From a SOURCE as it was typed to what it means.

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::usage::WordError;
use crate::oci::reference;
use crate::source::{ArchiveKind, EngineKind, Spec};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    File,
    /// A pipe or a device: what is read from it is gone from it.
    Stream,
    /// A folder that is an OCI layout.
    Layout,
    Folder,
}

/// The file system, as far as a word's meaning depends on it.
pub(super) trait Probe {
    fn look(&self, path: &Path) -> Seen;
    /// The path without links and `..`, as it is where there is none.
    fn resolve(&self, path: &Path) -> PathBuf;
    /// Whether standard input is a terminal, where nobody types a tar.
    fn input_is_typed(&self) -> bool {
        false
    }
}

/// A word's meaning, and what the user should know of how it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meant {
    pub(super) spec: Spec,
    pub(super) note: Option<String>,
}

impl From<Spec> for Meant {
    fn from(spec: Spec) -> Self {
        Self { spec, note: None }
    }
}

/// What a SOURCE means.
///
/// # Errors
/// When it is empty, no name, or not supported.
pub(super) fn meant(word: &OsStr, probe: &dyn Probe) -> Result<Meant, WordError> {
    // What is no UTF-8 can only be a path.
    let Some(text) = word.to_str() else { return Ok(at_path(Path::new(word), probe).into()) };
    match text {
        "" => Err(WordError::Nothing),
        "-" if probe.input_is_typed() => Err(WordError::TypedInput),
        "-" => Ok(Spec::Stdin.into()),
        _ => match with_scheme(text)? {
            Some(spec) => Ok(spec.into()),
            None => without_scheme(text, probe),
        },
    }
}

/// The folder that is searched when no SOURCE was given.
///
/// # Errors
/// When it is the home folder or the top of the file system: such a search never ends, and finds what
/// was not meant.
pub(super) fn searched(path: &Path, home: Option<&Path>, probe: &dyn Probe) -> Result<Spec, WordError> {
    let resolved = probe.resolve(path);
    let refused = |what| WordError::Search { path: path.to_path_buf(), what };
    if resolved.parent().is_none() {
        return Err(refused("the top of the file system"));
    }
    if home.is_some_and(|home| probe.resolve(home) == resolved) {
        return Err(refused("the home folder"));
    }
    Ok(Spec::Folder { path: path.to_path_buf() })
}

fn with_scheme(text: &str) -> Result<Option<Spec>, WordError> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(None) };
    let archive = |kind| move |(path, name)| Spec::Archive { path, kind, name };
    let engine = |kind| move |reference| Spec::Engine { reference, kind };
    let spec = match scheme {
        "docker-archive" => {
            file_and_name(text, "docker-archive", rest).map(archive(ArchiveKind::DockerSave))?
        }
        "oci-archive" => file_and_name(text, "oci-archive", rest).map(archive(ArchiveKind::Oci))?,
        "oci" => file_and_name(text, "oci", rest).map(|(path, tag)| Spec::Layout { path, tag })?,
        "docker-daemon" => image(text, "docker-daemon", rest).map(engine(EngineKind::Docker))?,
        "podman" => image(text, "podman", rest).map(engine(EngineKind::Podman))?,
        _ => return Ok(None),
    };
    Ok(Some(spec))
}

/// `FILE[:REF]`: the file's part ends at the first colon, as skopeo has it.
fn file_and_name(
    word: &str,
    scheme: &'static str,
    rest: &str,
) -> Result<(PathBuf, Option<String>), WordError> {
    let empty = || WordError::Empty { word: word.to_owned(), scheme };
    let drive = drive_len(rest);
    let (start, rest) = rest.split_at_checked(drive).unwrap_or(("", rest));
    let (file, name) = match rest.split_once(':') {
        Some((file, name)) => (file, Some(name)),
        None => (rest, None),
    };
    let path = format!("{start}{file}");
    if path.is_empty() || name == Some("") {
        return Err(empty());
    }
    Ok((PathBuf::from(path), name.map(str::to_owned)))
}

/// Length of a drive's letter and colon (`C:\images`), else 0.
fn drive_len(path: &str) -> usize {
    match path.as_bytes() {
        [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic() => 2,
        _ => 0,
    }
}

fn image(word: &str, scheme: &'static str, reference: &str) -> Result<String, WordError> {
    if reference.is_empty() {
        return Err(WordError::Empty { word: word.to_owned(), scheme });
    }
    named(reference).map_err(|error| match error {
        WordError::UpperCase { word, suggestion } => {
            WordError::UpperCase { word, suggestion: format!("{scheme}:{suggestion}") }
        }
        error => error,
    })
}

fn without_scheme(text: &str, probe: &dyn Probe) -> Result<Meant, WordError> {
    let path = Path::new(text);
    if says_path(text) || has_tar_suffix(text) {
        return Ok(at_path(path, probe).into());
    }
    match probe.look(path) {
        seen @ (Seen::File | Seen::Stream | Seen::Layout) => {
            let what = if seen == Seen::Layout { "OCI layout" } else { "file" };
            let note = named(text).ok().map(|_| {
                format!(
                    "`{text}` is taken as the {what} of that name; the image is docker-daemon:{text} or podman:{text}"
                )
            });
            Ok(Meant { spec: at_path(path, probe), note })
        }
        Seen::Folder | Seen::Nothing => {
            Ok(Spec::Engine { reference: named(text)?, kind: EngineKind::Any }.into())
        }
    }
}

fn says_path(text: &str) -> bool {
    let starts = ["./", "../", "/", ".\\", "..\\"];
    matches!(text, "." | "..")
        || starts.iter().any(|start| text.starts_with(start))
        || text.ends_with('/')
        || drive_len(text) > 0
}

const TAR_SUFFIXES: [&str; 9] =
    [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz2"];

fn has_tar_suffix(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    TAR_SUFFIXES.iter().any(|suffix| lower.ends_with(suffix))
}

/// A path's meaning. One that is not there goes on as what it looks like; its source says so.
fn at_path(path: &Path, probe: &dyn Probe) -> Spec {
    let path_buf = path.to_path_buf();
    let archive = |path| Spec::Archive { path, kind: ArchiveKind::Any, name: None };
    match probe.look(path) {
        Seen::File | Seen::Stream => archive(path_buf),
        Seen::Nothing if path.to_str().is_some_and(has_tar_suffix) => archive(path_buf),
        Seen::Layout | Seen::Folder | Seen::Nothing => Spec::Folder { path: path_buf },
    }
}

/// Checks that an engine could have an image of this name.
fn named(text: &str) -> Result<String, WordError> {
    let Err(error) = reference(text) else { return Ok(text.to_owned()) };
    let (path, tag) = match text.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, format!(":{tag}")),
        _ => (text, String::new()),
    };
    let suggestion = path.to_lowercase() + &tag;
    if path.chars().any(char::is_uppercase) && reference(&suggestion).is_ok() {
        return Err(WordError::UpperCase { word: text.to_owned(), suggestion });
    }
    Err(WordError::NotAName { word: text.to_owned(), reason: error.to_string() })
}

/// The real file system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk;

impl Probe for Disk {
    fn look(&self, path: &Path) -> Seen {
        match std::fs::metadata(path) {
            Err(_) => Seen::Nothing,
            Ok(meta) if meta.is_file() => Seen::File,
            Ok(meta) if !meta.is_dir() => Seen::Stream,
            Ok(_) if path.join("oci-layout").is_file() => Seen::Layout,
            Ok(_) => Seen::Folder,
        }
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    }

    fn input_is_typed(&self) -> bool {
        std::io::stdin().is_terminal()
    }
}

#[cfg(test)]
mod tests;
