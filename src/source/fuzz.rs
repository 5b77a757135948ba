//! Archives and their documents, tried with any bytes.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::archive::images;
use super::oci_images::Ask;
use super::spec::ArchiveKind;
#[cfg(test)]
pub(crate) use super::tar::Seen;
use super::tar::{TarIndex, files};
use crate::content::{Blob, SourceFile};
use crate::port::{Content, ImageTree};

fn file(bytes: &[u8]) -> Option<Arc<SourceFile>> {
    let mut file = tempfile::tempfile().ok()?;
    file.write_all(bytes).ok()?;
    SourceFile::from_spool(file, Path::new("x.tar")).ok()
}

fn lies_in(file: &SourceFile, blob: &Blob) {
    assert!(blob.len() <= file.len() && blob.read_all(file.len()).is_ok());
}

/// Once as it is, and once with the checksums of its headers mended: few changes get past them otherwise.
pub(crate) fn tar(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), mended(bytes.to_vec())] {
        let Some(file) = file(&bytes) else { return };
        let Ok(index) = TarIndex::read(&file) else { continue };
        for entry in files(&file).unwrap_or_default() {
            assert!(entry.offset.checked_add(entry.len).is_some_and(|end| end <= file.len()));
            if !entry.sparse
                && let Ok(Some(blob)) = index.find(&String::from_utf8_lossy(&entry.name))
            {
                lies_in(&file, &blob);
            }
        }
    }
}

/// The files of an archive in their order; `None` where it is refused.
#[cfg(test)]
pub(crate) fn seen(bytes: &[u8]) -> Option<Vec<Seen>> {
    let file = file(bytes)?;
    TarIndex::read(&file).ok()?;
    files(&file).ok()
}

/// The images of an archive, with whatever documents are in it.
pub(crate) fn archive(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), mended(bytes.to_vec())] {
        let Some(file) = file(&bytes) else { return };
        let ask = Ask { path: Path::new("x.tar"), wanted: None, platform: None, preferred: &[] };
        let Ok(found) = images(&file, ArchiveKind::Any, &ask) else { continue };
        for image in &found.images {
            match &image.content {
                Content::Exact(tree) => blobs_lie_in(&file, tree),
                Content::Unpacked { layers, .. } => {
                    for layer in layers {
                        lies_in(&file, &layer.blob);
                    }
                }
            }
        }
    }
}

fn blobs_lie_in(file: &SourceFile, tree: &ImageTree) {
    tree.blobs.iter().for_each(|(_, blob)| lies_in(file, blob));
    tree.children.iter().for_each(|child| blobs_lie_in(file, child));
}

pub(crate) fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    for block in bytes.chunks_exact_mut(512) {
        let mut header = ::tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        if header.as_ustar().is_some() || header.as_gnu().is_some() {
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
    bytes
}
