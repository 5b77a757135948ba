use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use globset::GlobSet;
use tokio_util::sync::CancellationToken;

use super::engine::{self, EngineSockets, Learned};
use super::manifests;
use super::near::near;
use super::oci_images::Ask;
use super::shown::shown;
use super::spec::{ArchiveKind, Spec};
use super::stream::{self, Bounds, Spooler};
use super::{archive, folder, layout};
use crate::content::{FilePool, SourceFile, SpoolDir};
use crate::event::Events;
use crate::oci::Platform;
use crate::port::{Found, PackIndex, Source, SourceError, SourceName};

/// What sources need of the machine; the command line fills it.
#[derive(Clone)]
pub struct Places {
    /// Bounds how many files are open at once.
    pub pool: Arc<FilePool>,
    /// Where go the export of an engine, standard input, and what compressed archives unpack to.
    pub spools: SpoolDir,
    /// What was pushed before, so that an engine need not export it again.
    pub index: Arc<dyn PackIndex>,
    /// What `-` is read from.
    pub stdin: Option<Arc<File>>,
    pub sockets: EngineSockets,
    /// Shared by the sources of one run, and kept as long as these places are: for each run there are new ones.
    pub learned: Arc<Learned>,
    pub search: SearchRules,
    /// The platform that is wanted; of an index that is not whole, it is the one that is taken.
    pub platform: Option<Platform>,
    /// Where none is wanted, those to take of an index that is not whole, the best first: what the
    /// cluster's nodes are.
    pub preferred: Vec<Platform>,
    /// The registry's name as references have it, where it is known: images that are named for it are
    /// expected to be here.
    pub registry: Option<String>,
    pub engine_images: EngineImages,
}

/// Files that are kept open between reads.
const OPEN_FILES: usize = 64;

impl Places {
    /// Files and folders, and engines where they usually listen. Temporary files go to `spools`.
    #[must_use]
    pub fn new(spools: SpoolDir, index: Arc<dyn PackIndex>) -> Self {
        Self {
            pool: FilePool::new(OPEN_FILES),
            spools,
            index,
            stdin: None,
            sockets: EngineSockets::default(),
            learned: Arc::default(),
            search: SearchRules::default(),
            platform: None,
            preferred: Vec::new(),
            registry: None,
            engine_images: EngineImages::default(),
        }
    }
}

/// What is done with an image of an engine of which nothing is remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EngineImages {
    /// The engine exports it.
    #[default]
    Export,
    /// What the engine says of it is enough.
    Outline,
}

/// How a folder is searched.
#[derive(Debug, Clone)]
pub struct SearchRules {
    /// Files and layouts that are looked at; all where it is empty. Globs are matched with the path below
    /// the searched folder and with the name alone.
    pub include: GlobSet,
    /// Files and folders that are left out, without a word.
    pub exclude: GlobSet,
    /// Folders below one another; the files of the searched folder are at depth 1.
    pub max_depth: usize,
    pub links: Links,
}

/// Which symbolic links of a searched folder or a layout are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// Those that stay in it.
    #[default]
    Inside,
    /// Those that lead out of it as well (`--follow`).
    Follow,
}

impl Default for SearchRules {
    fn default() -> Self {
        Self { include: GlobSet::empty(), exclude: GlobSet::empty(), max_depth: 8, links: Links::Inside }
    }
}

impl Places {
    /// What is asked of an archive or a layout.
    pub(super) fn ask<'a>(&'a self, path: &'a Path, wanted: Option<&'a str>) -> Ask<'a> {
        Ask { path, wanted, platform: self.platform.as_ref(), preferred: &self.preferred }
    }
}

/// The source that a `Spec` means. Nothing is touched before it is asked for its images.
#[must_use]
pub fn open(spec: Spec, places: &Places) -> Arc<dyn Source> {
    Arc::new(Opened { spec, places: places.clone() })
}

struct Opened {
    spec: Spec,
    places: Places,
}

#[async_trait]
impl Source for Opened {
    fn name(&self) -> SourceName {
        SourceName(shown(&self.spec.to_string()))
    }

    async fn find(&self, events: &Events) -> Result<Found, SourceError> {
        match &self.spec {
            Spec::Engine { reference, kind } => {
                return engine::find(reference, *kind, &self.places, events).await;
            }
            Spec::AllTagged => return engine::find_tagged(&self.places, events).await,
            Spec::Manifests { path } => {
                check_exists(path)?;
                return manifests::find(path, &self.places, events).await;
            }
            _ => {}
        }
        let (spec, places) = (self.spec.clone(), self.places.clone());
        let (path, events, left) = (self.path(), events.clone(), CancellationToken::new());
        // A thread cannot be dropped as this future can.
        let _leaving = left.clone().drop_guard();
        let work = tokio::task::spawn_blocking(move || {
            let bounds = Bounds::default();
            let spooler = Spooler { spools: &places.spools, events: &events, left: &left, bounds };
            find(&spec, &places, &spooler)
        });
        work.await.map_err(|error| SourceError::Read { path, source: std::io::Error::other(error) })?
    }
}

impl Opened {
    fn path(&self) -> std::path::PathBuf {
        match &self.spec {
            Spec::Archive { path, .. }
            | Spec::Layout { path, .. }
            | Spec::Folder { path }
            | Spec::Manifests { path } => path.clone(),
            Spec::Engine { reference, .. } => reference.into(),
            Spec::AllTagged => self.spec.to_string().into(),
            Spec::Stdin => STDIN.into(),
        }
    }
}

/// The images of a file or a folder. Blocks the thread.
fn find(spec: &Spec, places: &Places, spooler: &Spooler<'_>) -> Result<Found, SourceError> {
    let links = places.search.links;
    match spec {
        Spec::Archive { path, kind, name } => {
            let ask = places.ask(path, name.as_deref());
            check_exists(path)?;
            if path.is_dir() {
                return archive_is_a_folder(path, *kind, &ask, places);
            }
            if let Some(pipe) = stream::pipe(path, spooler)? {
                return streamed(&spooler.streamed(pipe, path)?, *kind, &ask);
            }
            archive::images(&spooler.unpacked(&SourceFile::open(path, &places.pool)?, path)?, *kind, &ask)
        }
        Spec::Stdin => {
            let path = Path::new(STDIN);
            let ask = places.ask(path, None);
            let missing = || layout::read_error(path, std::io::ErrorKind::NotFound.into());
            let input = places.stdin.as_ref().ok_or_else(missing)?;
            streamed(&spooler.input(input, path)?, ArchiveKind::Any, &ask)
        }
        Spec::Layout { path, tag } => {
            check_exists(path)?;
            layout::images(path, &places.ask(path, tag.as_deref()), links, &places.pool)
        }
        Spec::Folder { path } => {
            check_exists(path)?;
            if layout::is_layout(path) {
                return layout::images(path, &places.ask(path, None), links, &places.pool);
            }
            folder::search(path, places, spooler)
        }
        Spec::Engine { .. } | Spec::AllTagged | Spec::Manifests { .. } => Ok(Found::default()),
    }
}

/// What standard input is called.
const STDIN: &str = "-";

/// The images of a tar that somebody sends. It has no name to fall back on.
fn streamed(file: &Arc<SourceFile>, kind: ArchiveKind, ask: &Ask) -> Result<Found, SourceError> {
    let mut found = archive::images(file, kind, ask)?;
    found.images.iter_mut().for_each(|image| image.fallback.clear());
    Ok(found)
}

/// A folder that is called `x.tar` may still be a layout.
fn archive_is_a_folder(
    path: &Path,
    kind: ArchiveKind,
    ask: &Ask,
    places: &Places,
) -> Result<Found, SourceError> {
    if kind != ArchiveKind::DockerSave && layout::is_layout(path) {
        return layout::images(path, ask, places.search.links, &places.pool);
    }
    Err(SourceError::NotAnImage { path: path.to_owned(), reason: "it is a folder".to_owned() })
}

/// Where nothing is there, the error has the names that may have been meant.
fn check_exists(path: &Path) -> Result<(), SourceError> {
    match path.metadata() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let word = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let entries = folder.unwrap_or(Path::new(".")).read_dir();
            let names = entries
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
            Err(SourceError::NotFound { path: path.to_owned(), near: near(&word, names) })
        }
        Err(source) => Err(layout::read_error(path, source)),
    }
}
