use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::{self, Kustomization, Said};
use super::wanted::{Named, Renamed};
use crate::content::{Blob, ContentError, FilePool, FileRange, SourceFile};
use crate::port::{Skipped, SourceError};
use crate::source::layout::read_error;
use crate::source::shown::chain;

/// Bytes of one file.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;
const MAX_FILES: usize = 10_000;
/// Files and folders that are looked at.
const MAX_ENTRIES: usize = 100_000;
/// Images in all files together.
const MAX_IMAGES: usize = 10_000;
/// Folders in which nobody keeps manifests.
const NOT_READ: [&str; 3] = [".git", "node_modules", "target"];

/// What all files say.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    pub(super) images: Vec<Named>,
    pub(super) renames: Vec<Renamed>,
    pub(super) skipped: Vec<Skipped>,
}

/// Reads a file, or all YAML below a folder. What leads out of the folder, or of the folder that the file
/// is in, is not followed.
///
/// # Errors
/// When it cannot be read at all.
pub(super) fn read(path: &Path, pool: &Arc<FilePool>) -> Result<Manifests, SourceError> {
    let failed = |source| read_error(path, source);
    let real = path.canonicalize().map_err(failed)?;
    let root = match real.parent() {
        Some(parent) if !real.is_dir() => parent.to_owned(),
        _ => real,
    };
    let mut reader =
        Reader { root, pool, all: Manifests::default(), seen: HashSet::new(), files: 0, entries: 0 };
    reader.run(Found { path: path.to_owned(), by: By::Name });
    Ok(reader.all)
}

struct Reader<'a> {
    /// Without links.
    root: PathBuf,
    pool: &'a Arc<FilePool>,
    all: Manifests,
    /// Without links, so that no link leads in a circle.
    seen: HashSet<PathBuf>,
    files: usize,
    entries: usize,
}

/// A path as the user would write it.
struct Found {
    path: PathBuf,
    by: By,
}

/// Why a path is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The user named it.
    Name,
    /// It is in a folder.
    Folder,
    /// A manifest leads to it.
    Manifest,
}

impl Reader<'_> {
    fn run(&mut self, first: Found) {
        let mut open = vec![first];
        while let Some(found) = open.pop() {
            let mut next = self.look(&found);
            next.reverse();
            open.extend(next);
            let full =
                self.files >= MAX_FILES || self.entries > MAX_ENTRIES || self.all.images.len() >= MAX_IMAGES;
            if full && !open.is_empty() {
                let reason =
                    format!("reading ended after {} manifests; name the folder more closely", self.files);
                return self.skip(&found.path, reason);
            }
        }
    }

    /// Reads a file, and returns what else is to be looked at.
    fn look(&mut self, found: &Found) -> Vec<Found> {
        let path = &found.path;
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) => {
                self.skip(path, format!("it could not be read: {error}"));
                return Vec::new();
            }
        };
        if !real.starts_with(&self.root) {
            let reason = match found.by {
                By::Manifest => "a manifest leads to it, but it is outside of the folder that was named",
                _ => "it links out of the folder that was named",
            };
            self.skip(path, reason.to_owned());
            return Vec::new();
        }
        if !self.seen.insert(real.clone()) {
            return Vec::new();
        }
        if real.is_dir() {
            return self.folder(path);
        }
        if found.by == By::Folder && !is_yaml(path) {
            return Vec::new();
        }
        self.files += 1;
        match self.file(path, &real) {
            Ok(said) => self.take(path, said),
            Err(reason) => {
                self.skip(path, reason);
                Vec::new()
            }
        }
    }

    fn folder(&mut self, path: &Path) -> Vec<Found> {
        let read = path.read_dir().map(|entries| {
            entries.take(MAX_ENTRIES).filter_map(|entry| Some(entry.ok()?.file_name())).collect::<Vec<_>>()
        });
        let mut names = match read {
            Ok(names) => names,
            Err(error) => {
                self.skip(path, format!("it could not be read: {error}"));
                return Vec::new();
            }
        };
        names.sort();
        self.entries += names.len();
        let chart = names.iter().any(|name| name == "Chart.yaml");
        let mut next = Vec::new();
        for name in names {
            let below = if path == Path::new(".") { PathBuf::from(&name) } else { path.join(&name) };
            if chart && name == "templates" {
                self.skip(&below, "it is a helm chart's: helm fills in its templates first".to_owned());
            } else if !NOT_READ.iter().any(|not| name == *not) {
                next.push(Found { path: below, by: By::Folder });
            }
        }
        next
    }

    fn file(&self, path: &Path, real: &Path) -> Result<Said, String> {
        let bytes = SourceFile::open(real, self.pool)
            .and_then(|file| Blob::Range(FileRange::whole(file)).read_all(FILE_LIMIT))
            .map_err(|error| match error {
                ContentError::TooLarge { .. } => "it is larger than 4 MiB".to_owned(),
                ContentError::NotRegular { .. } => "it is no regular file".to_owned(),
                error => chain(&error),
            })?;
        let name = path.file_name().unwrap_or_default();
        let by_name =
            ["kustomization.yaml", "kustomization.yml", "Kustomization"].iter().any(|known| name == *known);
        let kustomization = if by_name { Kustomization::ByName } else { Kustomization::ByKind };
        document::read(&bytes, kustomization).map_err(|unread| unread.to_string())
    }

    fn take(&mut self, path: &Path, said: Said) -> Vec<Found> {
        let file = || path.to_owned();
        self.all.images.extend(said.images.into_iter().map(|name| Named { name, file: file() }));
        self.all.renames.extend(said.renames.into_iter().map(|rename| Renamed { rename, file: file() }));
        said.passed.into_iter().for_each(|reason| self.skip(path, reason));
        let folder = path.parent().unwrap_or(Path::new(""));
        let lead = |lead: String| Found { path: folder.join(lead).components().collect(), by: By::Manifest };
        said.leads.into_iter().map(lead).collect()
    }

    fn skip(&mut self, path: &Path, reason: String) {
        self.all.skipped.push(Skipped { path: path.to_owned(), reason });
    }
}

fn is_yaml(path: &Path) -> bool {
    let known =
        |extension: &OsStr| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml");
    path.extension().is_some_and(known) || path.file_name().is_some_and(|name| name == "Kustomization")
}
