use std::io::Read;
use std::num::NonZeroUsize;

use bytes::Bytes;
use oci_spec::image::MediaType;

use super::super::form::Codec;
use super::*;
use crate::content::{FilePool, FileRange, SourceFile};
use crate::oci::sha256;

fn layer(content: &[u8]) -> Unpacked {
    Unpacked { blob: Blob::Memory(Bytes::copy_from_slice(content)), diff_id: sha256(content) }
}

fn packed(content: &[u8], form: Form) -> Result<Packed, PackError> {
    worked(&layer(content), form, 2, &mut |_| ControlFlow::Continue(()))
}

const GZIP: Form = Form::Packed(Encoder::GZIP);
const ZSTD: Form = Form::Packed(Encoder::ZSTD);

fn worked(
    layer: &Unpacked,
    form: Form,
    threads: usize,
    advance: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Packed, PackError> {
    let crew = Crew::new(NonZeroUsize::new(threads).unwrap());
    let spools = SpoolDir::new(std::env::temp_dir());
    pack(layer, form, Workshop { crew: &crew, spools: &spools }, advance)
}

/// Reads the packed bytes with decoders that know nothing of how they were cut.
fn unpacked(packed: &Packed) -> Vec<u8> {
    let bytes = packed.blob.read_all(u64::MAX).unwrap();
    let mut out = Vec::new();
    if *packed.descriptor.media_type() == MediaType::ImageLayerZstd {
        zstd::stream::copy_decode(&bytes[..], &mut out).unwrap();
    } else {
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut out).unwrap();
    }
    out
}

#[test]
fn the_digest_and_size_are_those_of_the_packed_bytes() {
    let packed = packed(&vec![7; 300_000], GZIP).unwrap();
    let bytes = packed.blob.read_all(u64::MAX).unwrap();
    assert_eq!(*packed.descriptor.digest(), sha256(&bytes));
    assert_eq!(packed.descriptor.size(), bytes.len() as u64);
    assert_eq!(*packed.descriptor.media_type(), MediaType::ImageLayerGzip);
}

/// Text, noise and zeros, over several blocks.
fn mixed() -> Vec<u8> {
    let text: Vec<u8> = (0_u32..40_000).flat_map(|line| format!("{line}\n").into_bytes()).collect();
    let noise = std::iter::successors(Some(1_u64), |state| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    });
    [text, noise.take(600_000).map(|state| state.to_le_bytes()[7]).collect(), vec![0; 400_001]].concat()
}

/// Another digest means that the encoder has changed: then `cache_key` has to change with it.
#[test]
fn the_packed_bytes_are_the_same_on_every_machine() {
    let digest = |form| packed(&mixed(), form).unwrap().descriptor.digest().to_string();
    assert_eq!(digest(GZIP), "sha256:de39ddc4d26002be51901b59699650d43cd9c25d2fb1e546910093b85a50f80f");
    assert_eq!(digest(ZSTD), "sha256:9e60ea1709c4b07e4d3d697919f6e7616609b9b45394e59260ade20e5198c788");
}

#[test]
fn the_packed_bytes_are_the_same_for_any_number_of_threads() {
    for form in [GZIP, ZSTD, Form::Packed(Encoder::new(Codec::Zstd, 9).unwrap())] {
        let digests = [1, 2, 3, 8].map(|threads| {
            let packed = worked(&layer(&mixed()), form, threads, &mut |_| ControlFlow::Continue(())).unwrap();
            packed.descriptor.digest().clone()
        });
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    }
}

#[test]
fn what_was_packed_unpacks_to_what_it_was() {
    for form in [GZIP, ZSTD] {
        let block = block::size(Encoder::ZSTD);
        for len in [0, 1, block / 2 - 1, block / 2, block / 2 + 1, block - 1, block, block + 1, 3 * block] {
            let content: Vec<u8> = mixed().into_iter().cycle().skip(7).take(len).collect();
            assert!(unpacked(&packed(&content, form).unwrap()) == content, "{len} bytes, {form:?}");
        }
    }
}

#[test]
fn more_layers_than_blocks_are_packed_at_once() {
    let crew = Crew::new(NonZeroUsize::MIN);
    let spools = SpoolDir::new(std::env::temp_dir());
    let digests: Vec<Digest> = std::thread::scope(|scope| {
        let pack_one = || {
            let workshop = Workshop { crew: &crew, spools: &spools };
            let packed = pack(&layer(&mixed()), GZIP, workshop, &mut |_| ControlFlow::Continue(())).unwrap();
            packed.descriptor.digest().clone()
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(pack_one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn text_becomes_smaller() {
    let text = "0123456789 and so on\n".repeat(10_000);
    let packed = packed(text.as_bytes(), GZIP).unwrap();
    assert!(packed.descriptor.size() < text.len() as u64 / 10, "{} bytes", packed.descriptor.size());
}

#[test]
fn an_empty_layer_is_one_empty_block() {
    for form in [GZIP, ZSTD] {
        let packed = packed(b"", form).unwrap();
        assert_eq!(unpacked(&packed), b"");
        assert!(packed.descriptor.size() > 0);
    }
}

#[test]
fn a_layer_that_is_not_the_one_of_the_configuration_is_refused() {
    let mut wrong = layer(b"content");
    wrong.diff_id = sha256(b"other");
    let error = worked(&wrong, GZIP, 2, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, PackError::DiffIdMismatch { .. }));
}

#[test]
fn a_file_that_changed_is_told_from_one_that_was_always_wrong() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"content").unwrap();
    let source = SourceFile::open(file.path(), &FilePool::new(1)).unwrap();
    let changed = Unpacked { blob: Blob::Range(FileRange::whole(source)), diff_id: sha256(b"content") };
    std::fs::write(file.path(), b"other content").unwrap();
    let error = worked(&changed, GZIP, 2, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, PackError::Content(ContentError::Changed { .. })), "{error}");
}

#[test]
fn packed_bytes_go_up_as_they_stand() {
    let mut gzip = layer(b"not looked into");
    gzip.diff_id = sha256(b"what it unpacks to");
    let form = Form::AsIs(Encoding::Gzip);
    let packed = worked(&gzip, form, 2, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(*packed.descriptor.digest(), sha256(b"not looked into"));
}

#[test]
fn packing_stops_when_it_is_told_to() {
    let error = worked(&layer(b"x"), GZIP, 2, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(error, PackError::Cancelled));
}
