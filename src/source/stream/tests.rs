use std::io::{Seek, SeekFrom};
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::content::FilePool;
use crate::port::UnpackError;

mod inputs;

const ALL: [Outer; 4] = [Outer::Gzip, Outer::Zstd, Outer::Xz, Outer::Bzip2];

fn pack(outer: Outer, content: &[u8]) -> Vec<u8> {
    match outer {
        Outer::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Outer::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Outer::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Outer::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// A tar with one file of so many bytes, which compress somewhat.
fn tar(len: usize) -> Vec<u8> {
    let content: Vec<u8> =
        (0..len).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 7 & 63).unwrap()).collect();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(len as u64);
    tar.append_data(&mut header, "manifest.json", content.as_slice()).unwrap();
    tar.into_inner().unwrap()
}

/// A folder with one file in it, and all that unpacking it needs.
struct Place {
    dir: TempDir,
    events: Events,
    left: CancellationToken,
    bounds: Bounds,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (events, left, bounds) = (Events::none(), CancellationToken::new(), Bounds::default());
        Self { dir, events, left, bounds }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("app.tar")
    }

    fn with<T>(&self, use_it: impl FnOnce(&Spooler<'_>) -> T) -> T {
        let spools = SpoolDir::new(self.dir.path().join("spools"));
        let Self { events, left, bounds, .. } = self;
        use_it(&Spooler { spools: &spools, events, left, bounds: *bounds })
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
        std::fs::write(self.path(), bytes).unwrap();
        let file = SourceFile::open(&self.path(), &FilePool::new(1)).unwrap();
        self.with(|spooler| spooler.unpacked(&file, &self.path())).map(|file| all(&file))
    }

    fn read(&self, input: &File) -> Result<Vec<u8>, SourceError> {
        self.with(|spooler| spooler.input(input, Path::new("-"))).map(|file| all(&file))
    }
}

fn all(file: &Arc<SourceFile>) -> Vec<u8> {
    Blob::Range(FileRange::whole(Arc::clone(file))).read_all(u64::MAX).unwrap().to_vec()
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    Place::new().unpack(bytes)
}

fn unpack_error(bytes: &[u8]) -> UnpackError {
    match unpack(bytes) {
        Err(SourceError::Unpack { source, .. }) => source,
        Err(error) => panic!("{error:?}"),
        Ok(content) => panic!("{} bytes", content.len()),
    }
}

#[test]
fn what_was_packed_comes_out() {
    for outer in ALL {
        for len in [0, 1000, PART - 512, 3 * PART + 77] {
            let tar = tar(len);
            assert!(unpack(&pack(outer, &tar)).unwrap() == tar, "{outer:?} {len}");
        }
    }
}

#[test]
fn a_file_that_is_not_compressed_is_itself() {
    let place = Place::new();
    std::fs::write(place.path(), tar(100)).unwrap();
    let file = SourceFile::open(&place.path(), &FilePool::new(1)).unwrap();
    let same = place.with(|spooler| spooler.unpacked(&file, &place.path())).unwrap();
    assert!(Arc::ptr_eq(&file, &same));
}

#[test]
fn members_are_read_to_the_last_and_zeros_between_them_are_padding() {
    let tar = tar(300_000);
    for outer in ALL {
        for padding in [0, 4, 512] {
            let mut packed = Vec::new();
            for part in tar.chunks(70_000) {
                packed.extend(pack(outer, part));
                packed.resize(packed.len() + padding, 0);
            }
            assert!(unpack(&packed).unwrap() == tar, "{outer:?} {padding}");
        }
    }
}

#[test]
fn what_ends_too_early_is_refused() {
    let tar = tar(3000);
    for outer in ALL {
        let packed = pack(outer, &tar);
        for len in (20..packed.len()).step_by(97).chain([packed.len() - 1]) {
            let truncated = UnpackError::Truncated { codec: outer.name() };
            assert_eq!(unpack_error(&packed[..len]), truncated, "{outer:?} {len}");
        }
    }
}

#[test]
fn a_checksum_that_differs_is_refused() {
    for outer in ALL {
        let packed = pack(outer, &tar(3000));
        // In gzip the length stands behind the checksum; in xz its copies and the index come last.
        for back in [1, 4, 5, 8] {
            let mut damaged = packed.clone();
            let at = damaged.len() - back - if outer == Outer::Bzip2 { 3 } else { 0 };
            damaged[at] ^= 0x55;
            let refused = unpack(&damaged).is_err();
            assert!(refused || outer == Outer::Zstd && back > 4, "{outer:?} {back}");
        }
    }
}

#[test]
fn other_bytes_behind_the_content_are_refused() {
    for outer in ALL {
        let packed = [pack(outer, &tar(100)), b"something else".to_vec()].concat();
        assert!(matches!(unpack_error(&packed), UnpackError::Corrupt { .. }), "{outer:?}");
    }
}

#[test]
fn a_second_compression_is_refused() {
    for (outer, inner) in ALL.into_iter().zip([Outer::Gzip, Outer::Xz, Outer::Bzip2, Outer::Zstd]) {
        let error = unpack(&pack(outer, &pack(inner, &tar(2000)))).unwrap_err();
        assert!(error.to_string().contains("more than once"), "{error}");
    }
}

#[test]
fn what_is_no_tar_is_refused_at_its_start() {
    for content in [b"x".repeat(1000), vec![0; 4096]] {
        let error = unpack(&pack(Outer::Gzip, &content)).unwrap_err();
        assert!(error.to_string().contains("what gzip unpacks to is no tar"), "{error}");
    }
    // Too little for a block is told by who indexes it.
    assert_eq!(unpack(&pack(Outer::Gzip, b"small")).unwrap(), b"small");
}

/// A frame of one block that is not compressed (RFC 8878, 3.1.1).
fn zstd_frame(window: u8, content: &[u8]) -> Vec<u8> {
    let block = u32::try_from(content.len()).unwrap() << 3 | 1;
    let header = [&[0x28, 0xb5, 0x2f, 0xfd, 0, (window - 10) << 3][..], &block.to_le_bytes()[..3]].concat();
    [header, content.to_vec()].concat()
}

#[test]
fn the_window_of_zstd_is_bounded() {
    let tar = tar(100);
    assert_eq!(unpack(&zstd_frame(27, &tar)).unwrap(), tar);
    for window in [28, 31, 41] {
        let memory = UnpackError::Memory { codec: "zstd", limit: 128 << 20 };
        assert_eq!(unpack_error(&zstd_frame(window, &tar)), memory, "{window}");
    }
}

/// An xz stream that says it needs another dictionary (xz file format, 5.3.1).
fn xz_with_dictionary(property: u8, content: &[u8]) -> Vec<u8> {
    let mut packed = pack(Outer::Xz, content);
    let header_len = (usize::from(packed[12]) + 1) * 4;
    assert_eq!(packed[14], 0x21);
    packed[16] = property;
    let mut sum = flate2::Crc::new();
    sum.update(&packed[12..12 + header_len - 4]);
    packed[12 + header_len - 4..12 + header_len].copy_from_slice(&sum.sum().to_le_bytes());
    packed
}

#[test]
fn the_dictionary_of_xz_is_bounded() {
    let tar = tar(100);
    assert_eq!(unpack(&xz_with_dictionary(28, &tar)).unwrap(), tar);
    for property in [29, 40] {
        let memory = UnpackError::Memory { codec: "xz", limit: 64 << 20 };
        assert_eq!(unpack_error(&xz_with_dictionary(property, &tar)), memory, "{property}");
    }
}

#[test]
fn parts_without_content_are_few() {
    let (tar, skipped) = (tar(100), [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7]);
    let zstd = pack(Outer::Zstd, &tar);
    let few = [skipped.repeat(3), zstd.clone(), skipped.repeat(900), zstd_frame(20, b"")].concat();
    assert_eq!(unpack(&few).unwrap(), tar);
    let many = [skipped.repeat(1_000_000), zstd].concat();
    assert_eq!(unpack_error(&many), UnpackError::Empty { codec: "zstd", limit: 1000 });
    let empty = pack(Outer::Gzip, b"").repeat(2000);
    assert_eq!(unpack_error(&empty), UnpackError::Empty { codec: "gzip", limit: 1000 });
}

#[test]
fn a_bomb_is_left_at_the_bound() {
    let mut place = Place::new();
    place.bounds.content = 3 << 20;
    let mut bomb = tar(100);
    bomb.resize(64 << 20, 0);
    for outer in ALL {
        let error = place.unpack(&pack(outer, &bomb)).unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { limit: 3_145_728, .. }), "{outer:?}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_disk_is_not_filled() {
    let mut place = Place::new();
    place.bounds.reserve = u64::MAX;
    match place.unpack(&pack(Outer::Zstd, &tar(2 << 20))) {
        Err(SourceError::Content(ContentError::NoRoom { dir, needed: u64::MAX, .. })) => {
            assert!(dir.ends_with("spools"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_nobody_waits_for_is_left() {
    let place = Place::new();
    place.left.cancel();
    assert!(place.unpack(&pack(Outer::Zstd, &tar(2 << 20))).is_err());
}

#[test]
fn it_is_told_that_a_stream_is_read_and_when_that_is_over() {
    let (events, mut told) = Events::channel();
    let place = Place { events, ..Place::new() };
    let packed = pack(Outer::Gzip, &tar(5000));
    place.unpack(&packed).unwrap();
    place.unpack(&packed[..100]).unwrap_err();
    for read in [packed.len(), 100] {
        let Ok(Event::SpoolStarted { size, meter, .. }) = told.try_recv() else { panic!("no start") };
        assert_eq!((size, meter.position()), (Some(read as u64), read as u64));
        assert!(matches!(told.try_recv(), Ok(Event::SpoolFinished { .. })));
    }
    assert!(told.try_recv().is_err());
}

proptest! {
    #[test]
    fn damaged_content_gives_an_error_or_the_same(which in 0..4_usize, at in 0..2000_usize, with in 1..=255_u8) {
        let tar = tar(2000);
        let mut packed = pack(ALL[which], &tar);
        let at = at % packed.len();
        packed[at] ^= with;
        if let Ok(content) = unpack(&packed) {
            // The first bytes may say now that it is something else, and gzip's header has no checksum.
            prop_assert!(content == tar || content == packed, "{which} {at}");
        }
    }

    #[test]
    fn no_bytes_panic(which in 0..4_usize, bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let start: &[u8] = [&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh1"][which];
        let _ = unpack(&[start, &bytes].concat());
    }
}
