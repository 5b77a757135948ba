use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::choose::choose;
use super::document::Documents;
use super::oci_images::{Ask, Listing, list};
use super::oci_tree::{BlobStore, Forest, blob_name};
use super::open::Links;
use super::shown::shown_path;
use crate::content::{Blob, FilePool, FileRange, SourceFile};
use crate::oci::Digest;
use crate::port::{Content, Found, FoundImage, SourceError};

/// Whether a folder has the form of an OCI layout, whole or not.
pub(super) fn is_layout(folder: &Path) -> bool {
    let is_file = |name: &str| folder.join(name).metadata().is_ok_and(|meta| !meta.is_dir());
    is_file("oci-layout") || (is_file("index.json") && folder.join("blobs").is_dir())
}

/// The images of an OCI layout in a folder.
///
/// # Errors
/// When it is no layout, has not what was asked for, or is damaged.
pub(super) fn images(
    folder: &Path,
    ask: &Ask,
    links: Links,
    pool: &Arc<FilePool>,
) -> Result<Found, SourceError> {
    let root = folder.canonicalize().map_err(|source| read_error(folder, source))?;
    let store = LayoutFolder { shown: ask.path.to_owned(), root, links, pool: Arc::clone(pool) };
    if !is_layout(&store.root) {
        let reason = "it is a folder without an oci-layout".to_owned();
        return Err(SourceError::NotAnImage { path: ask.path.to_owned(), reason });
    }
    let documents = Documents::of(ask.path);
    let Listing { images, skipped, referrers, fault } = list(&mut Forest::new(&store, &documents), ask)?;
    let mut found = Found { skipped, ..Found::default() };
    let mut others = Vec::new();
    for listed in images {
        let mut names = listed.names.clone();
        if !ask.takes(&mut names) {
            others.extend(listed.names);
            continue;
        }
        let chosen = choose(&listed.built, ask).map_err(|lacking| lacking.error(ask))?;
        if let Ok(image) = ask.image("oci", names, Content::Exact(chosen.tree.referred_by(&referrers))) {
            found.images.push(FoundImage { platforms: chosen.platforms, notes: chosen.notes, ..image });
        }
    }
    match ask.wanted {
        Some(_) if found.images.is_empty() => Err(fault.unwrap_or_else(|| ask.name_not_found(&others))),
        None if found.images.is_empty() => Err(documents.damaged("its index.json lists no image")),
        _ => Ok(found),
    }
}

/// A folder in the form of the image-layout spec.
struct LayoutFolder {
    /// As the user named it.
    shown: PathBuf,
    /// Without links.
    root: PathBuf,
    links: Links,
    pool: Arc<FilePool>,
}

impl LayoutFolder {
    /// The file of a name, which is made of a digest or written in this program, never read from a
    /// document as it stands.
    fn file(&self, name: &str) -> Result<Option<Blob>, SourceError> {
        let shown = self.shown.join(name);
        let path = match self.root.join(name).canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read_error(&shown, error)),
        };
        if self.links == Links::Inside && !path.starts_with(&self.root) {
            let (name, target) = (name.to_owned(), shown_path(&path));
            return Err(SourceError::LinksOut { path: self.shown.clone(), name, target });
        }
        Ok(Some(Blob::Range(FileRange::whole(SourceFile::open(&path, &self.pool)?))))
    }
}

impl BlobStore for LayoutFolder {
    fn blob(&self, digest: &Digest) -> Result<Option<Blob>, SourceError> {
        self.file(&blob_name(digest))
    }

    fn document(&self, name: &str) -> Result<Option<Blob>, SourceError> {
        self.file(name)
    }
}

pub(super) fn read_error(path: &Path, source: std::io::Error) -> SourceError {
    SourceError::Read { path: path.to_owned(), source }
}
