use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::kit::testdata;
use crate::content::{Blob, FilePool, SourceFile};
use crate::port::{Content, FoundImage, ImageTree};
use crate::source::archive::images;
use crate::source::oci_images::Ask;
use crate::source::spec::ArchiveKind;

const GIVEN: [&str; 4] = ["valid-image.tar", "docker-hybrid.tar", "podman-docker.tar", "skopeo-oci.tar"];

fn blobs(image: &FoundImage) -> Vec<Blob> {
    fn of(tree: &ImageTree, all: &mut Vec<Blob>) {
        all.extend(tree.blobs.iter().map(|(_, blob)| blob.clone()));
        for child in &tree.children {
            of(child, all);
        }
    }
    let mut all = Vec::new();
    match &image.content {
        Content::Exact(tree) => of(tree, &mut all),
        Content::Unpacked { layers, exact, .. } => {
            all.extend(layers.iter().map(|layer| layer.blob.clone()));
            if let Some(tree) = exact {
                of(tree, &mut all);
            }
        }
    }
    all
}

fn read(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let source: Arc<SourceFile> = SourceFile::open(file.path(), &FilePool::new(2)).unwrap();
    let ask = Ask { path: Path::new("x.tar"), wanted: None, platform: None, preferred: &[] };
    let Ok(found) = images(&source, ArchiveKind::Any, &ask) else { return };
    for blob in found.images.iter().flat_map(blobs) {
        assert_eq!(blob.read_all(u64::MAX).unwrap().len() as u64, blob.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn a_mutated_archive_gives_an_error_or_ranges_that_lie_in_it(
        given in 0..GIVEN.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        headers in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..512, any::<u8>()), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = std::fs::read(testdata(GIVEN[given])).unwrap();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Mutations of headers with the checksum mended, so that they are not all caught by it.
        for (block, at, byte) in headers {
            let start = block.index(bytes.len() / 512) * 512;
            bytes[start + at] = byte;
            let mut header = tar::Header::new_old();
            header.as_mut_bytes().copy_from_slice(&bytes[start..start + 512]);
            header.set_cksum();
            bytes[start..start + 512].copy_from_slice(header.as_bytes());
        }
        if let Some(cut) = cut {
            let len = cut.index(bytes.len());
            bytes.truncate(len);
        }
        read(&bytes);
    }
}
