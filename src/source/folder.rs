use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::magic::{Outer, begins_an_image, first_block};
use super::names::is_archive_name;
use super::oci_images::Ask;
use super::open::{Links, Places};
use super::shown::{chain, shown_path};
use super::spec::ArchiveKind;
use super::stream::{self, Spooler};
use super::tar::looks_like_tar;
use super::{archive, layout};
use crate::content::SourceFile;
use crate::port::{Found, Skipped, SourceError};

/// Files and folders that are looked at in one search.
const MAX_ENTRIES: usize = 100_000;
/// Folders full of files that nobody saved there as images.
const NOT_SEARCHED: [&str; 3] = [".git", "node_modules", "target"];
/// A tar has at least one header.
const SMALLEST: u64 = 512;
/// Compressed it can be smaller, but two digests are in it at least.
const SMALLEST_PACKED: u64 = 64;

/// The images of all archives and layouts below a folder, in the order of their paths. A file that cannot
/// be read or is damaged is passed over with a word, never the end of the search.
///
/// # Errors
/// `NothingFound` when there is no image, `NotAnImage` when it is no folder.
pub(super) fn search(folder: &Path, places: &Places, spooler: &Spooler<'_>) -> Result<Found, SourceError> {
    let root = folder.canonicalize().map_err(|source| layout::read_error(folder, source))?;
    if !root.is_dir() {
        let reason = "it is no folder".to_owned();
        return Err(SourceError::NotAnImage { path: folder.to_owned(), reason });
    }
    let mut search = Search {
        top: folder,
        folders: HashSet::from([root.clone()]),
        root,
        places,
        spooler,
        found: Found::default(),
        files: HashMap::new(),
        entries: 0,
        too_deep: 0,
    };
    search.run();
    search.finish()
}

struct Search<'a> {
    /// The searched folder as the user named it.
    top: &'a Path,
    /// The same without links.
    root: PathBuf,
    places: &'a Places,
    spooler: &'a Spooler<'a>,
    found: Found,
    /// Folders that were searched, without links, so that no link leads in a circle.
    folders: HashSet<PathBuf>,
    /// Archives by what makes them the same file, so that hard links are one.
    files: HashMap<FileId, PathBuf>,
    entries: usize,
    too_deep: usize,
}

/// A path below the searched folder and how deep it is.
struct Place {
    below: PathBuf,
    depth: usize,
}

impl Search<'_> {
    fn run(&mut self) {
        let mut open = vec![Place { below: PathBuf::new(), depth: 0 }];
        while let Some(place) = open.pop() {
            let mut folders = self.folder(&place);
            if self.entries > MAX_ENTRIES {
                let reason =
                    format!("the search ended after {MAX_ENTRIES} files; name the folder more closely");
                return self.skip(Path::new(""), reason);
            }
            folders.reverse();
            open.extend(folders);
        }
    }

    fn finish(mut self) -> Result<Found, SourceError> {
        if self.too_deep > 0 {
            let (count, depth) = (self.too_deep, self.places.search.max_depth);
            self.skip(Path::new(""), format!("{count} folders below depth {depth} were not searched"));
        }
        if self.found.images.is_empty() {
            return Err(SourceError::NothingFound { path: self.top.to_owned(), skipped: self.found.skipped });
        }
        Ok(self.found)
    }

    /// Looks at all entries of a folder, and returns the folders in it.
    fn folder(&mut self, place: &Place) -> Vec<Place> {
        let names = match sorted_names(&self.shown(&place.below)) {
            Ok(names) => names,
            Err(error) => {
                self.skip(&place.below, format!("it could not be read: {error}"));
                return Vec::new();
            }
        };
        let mut folders = Vec::new();
        for name in names {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                break;
            }
            let below = place.below.join(&name);
            if matches(&self.places.search.exclude, &below) {
                continue;
            }
            let depth = place.depth + 1;
            if self.entry(&below) == Next::Descend {
                folders.push(Place { below, depth });
            }
        }
        if place.depth + 1 >= self.places.search.max_depth && !folders.is_empty() {
            self.too_deep += folders.len();
            return Vec::new();
        }
        folders
    }

    fn entry(&mut self, below: &Path) -> Next {
        let path = self.shown(below);
        match path.symlink_metadata() {
            Ok(meta) if meta.is_symlink() => self.link(below, &path),
            Ok(meta) if meta.is_dir() => self.sub_folder(below, &path),
            Ok(meta) => {
                self.file(below, &path, &meta);
                Next::Stay
            }
            Err(error) => self.pass(below, format!("it could not be read: {error}")),
        }
    }

    fn link(&mut self, below: &Path, path: &Path) -> Next {
        let (meta, target) = match path.canonicalize().and_then(|target| Ok((target.metadata()?, target))) {
            Ok(found) => found,
            Err(error) => return self.pass(below, format!("its link leads nowhere: {error}")),
        };
        if self.places.search.links == Links::Inside && !target.starts_with(&self.root) {
            return self.pass(below, "it links out of the searched folder; `--follow` allows it".to_owned());
        }
        if meta.is_dir() {
            return self.sub_folder(below, &target);
        }
        self.file(below, &target, &meta);
        Next::Stay
    }

    fn sub_folder(&mut self, below: &Path, path: &Path) -> Next {
        if below.file_name().is_some_and(|name| NOT_SEARCHED.iter().any(|not| name == *not)) {
            return self.pass(below, "folders of this name are not searched".to_owned());
        }
        let Ok(real) = path.canonicalize() else {
            return self.pass(below, "it is gone".to_owned());
        };
        if !self.folders.insert(real) {
            return self.pass(below, "it links to a folder that is searched already".to_owned());
        }
        if layout::is_layout(path) {
            if self.wants(below) {
                let shown = self.shown(below);
                let (links, pool) = (self.places.search.links, &self.places.pool);
                let found = layout::images(path, &self.ask(&shown), links, pool);
                self.take(below, found);
            }
            return Next::Stay;
        }
        if is_archive_name(below) {
            self.skip(below, "it is a folder".to_owned());
        }
        Next::Descend
    }

    /// A file is what its first bytes say. Its name only tells whether it is worth a word when it is none.
    fn file(&mut self, below: &Path, path: &Path, meta: &Metadata) {
        if !self.wants(below) {
            return;
        }
        let named = is_archive_name(below);
        if !meta.is_file() {
            if named {
                self.skip(below, "it is no regular file".to_owned());
            }
            return;
        }
        if meta.len() < SMALLEST_PACKED && !named {
            return;
        }
        let opened = SourceFile::open(path, &self.places.pool).map_err(SourceError::from);
        let start = opened.and_then(|file| Ok((first_block(&file)?, file)));
        let (start, file) = match start {
            Ok(opened) => opened,
            Err(error) => return self.skip(below, reason(&error)),
        };
        match Outer::of(&start) {
            Some(_) => self.packed(below, &file, FileId::of(path, meta)),
            None if meta.len() < SMALLEST && named => {
                self.skip(below, format!("it has {} bytes, which is too few for a tar", meta.len()));
            }
            None if looks_like_tar(&start) => self.archive(below, &file, FileId::of(path, meta)),
            None if named => self.skip(below, "it is no tar".to_owned()),
            _ => {}
        }
    }

    /// Folders are full of other things that are compressed: only what may be an image is unpacked whole.
    fn packed(&mut self, below: &Path, file: &Arc<SourceFile>, id: FileId) {
        let passed = match stream::start(file, &self.shown(below)) {
            Ok(start) if begins_an_image(&start) => return self.archive(below, file, id),
            Ok(_) => "its first entry is none of an image; name it as a SOURCE if it is one".to_owned(),
            Err(error) => reason(&error),
        };
        if is_archive_name(below) {
            self.skip(below, passed);
        }
    }

    fn archive(&mut self, below: &Path, file: &Arc<SourceFile>, id: FileId) {
        if let Some(first) = self.files.get(&id) {
            let first = self.shown(first);
            return self.skip(below, format!("it is the same file as `{}`", shown_path(&first)));
        }
        let shown = self.shown(below);
        let found = self
            .spooler
            .unpacked(file, &shown)
            .and_then(|file| archive::images(&file, ArchiveKind::Any, &self.ask(&shown)));
        // A tar of something else is no news, unless its name promises an image.
        if matches!(found, Err(SourceError::NotAnImage { .. })) && !is_archive_name(below) {
            return;
        }
        self.files.insert(id, below.to_owned());
        self.take(below, found);
    }

    fn take(&mut self, below: &Path, found: Result<Found, SourceError>) {
        match found {
            Ok(mut found) => {
                self.found.images.append(&mut found.images);
                self.found.skipped.append(&mut found.skipped);
            }
            Err(error) => self.skip(below, reason(&error)),
        }
    }

    fn wants(&self, below: &Path) -> bool {
        let include = &self.places.search.include;
        include.is_empty() || matches(include, below)
    }

    fn ask<'a>(&'a self, shown: &'a Path) -> Ask<'a> {
        self.places.ask(shown, None)
    }

    /// The path as the user would write it.
    fn shown(&self, below: &Path) -> PathBuf {
        match self.top {
            top if below.as_os_str().is_empty() => top.to_owned(),
            top if top == Path::new(".") => below.to_owned(),
            top => top.join(below),
        }
    }

    fn skip(&mut self, below: &Path, reason: String) {
        let path = self.shown(below);
        self.found.skipped.push(Skipped { path, reason });
    }

    fn pass(&mut self, below: &Path, reason: String) -> Next {
        self.skip(below, reason);
        Next::Stay
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Descend,
    Stay,
}

/// What is in a folder, in an order that is the same each time. A folder of more than a search looks at is
/// not read to its end.
fn sorted_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = folder.read_dir()?.take(MAX_ENTRIES + 1).map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn matches(globs: &globset::GlobSet, below: &Path) -> bool {
    globs.is_match(below) || below.file_name().is_some_and(|name| globs.is_match(name))
}

/// Why a file was passed over; the path stands beside it already.
fn reason(error: &SourceError) -> String {
    match error {
        SourceError::Damaged { reason, .. } | SourceError::NotAnImage { reason, .. } => reason.clone(),
        SourceError::LinksOut { name, target, .. } => {
            format!("`{name}` links out of it, to `{target}`; `--follow` allows it")
        }
        SourceError::Json { entry, source, .. } => format!("{entry}: {}", chain(source)),
        SourceError::Manifest { entry, source, .. } => format!("{entry}: {}", chain(source)),
        SourceError::Unpack { source, .. } => source.to_string(),
        error => chain(error),
    }
}

/// What two names of one file have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
enum FileId {
    #[cfg(unix)]
    Inode(u64, u64),
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl FileId {
    #[cfg(unix)]
    fn of(_path: &Path, meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self::Inode(meta.dev(), meta.ino())
    }

    #[cfg(not(unix))]
    fn of(path: &Path, _meta: &Metadata) -> Self {
        Self::Path(path.to_owned())
    }
}
