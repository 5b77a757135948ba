use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use oci_spec::image::MediaType;

use super::gzip::{BLOCK, Members};
use crate::content::{Blob, ContentError, Spool, SpoolDir};
use crate::oci::{Descriptor, Digest, Hasher, UnsupportedDigest};

/// How a layer stands in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    Tar,
    Gzip,
    Zstd,
}

/// What a layer becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// The tar, packed as independent gzip members.
    Gzip,
    /// The bytes as they stand. A tar keeps its `diff_id` as digest, packed bytes get theirs here.
    AsIs(Encoding),
}

impl Form {
    /// What the same layer becomes the same bytes under, on every machine; with the encoder's version, so
    /// that an entry of another encoder is none. `None` where the bytes stay as they are.
    #[must_use]
    pub fn cache_key(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip-1-128k-libdeflate-1.26"),
            // The bytes are those of the diff_id; what is remembered is how many they are.
            Self::AsIs(Encoding::Tar) => Some("tar"),
            Self::AsIs(_) => None,
        }
    }

    /// What a manifest calls it.
    #[must_use]
    pub fn media_type(self) -> MediaType {
        match self {
            Self::Gzip | Self::AsIs(Encoding::Gzip) => MediaType::ImageLayerGzip,
            Self::AsIs(Encoding::Zstd) => MediaType::ImageLayerZstd,
            Self::AsIs(Encoding::Tar) => MediaType::ImageLayer,
        }
    }
}

/// A layer before it is packed.
#[derive(Debug, Clone)]
pub struct Unpacked {
    pub blob: Blob,
    /// Digest of the tar. It is checked when the tar passes, not for bytes that are packed already.
    pub diff_id: Digest,
}

/// A layer that a registry can take.
#[derive(Debug, Clone)]
pub struct Packed {
    pub descriptor: Box<Descriptor>,
    pub blob: Blob,
}

/// Why a layer could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("layer has digest {found}, the image's configuration says {expected}")]
    DiffIdMismatch { expected: Digest, found: Digest },
    #[error("a block of {block} bytes was not packed")]
    Compressor { block: usize },
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Digest(#[from] UnsupportedDigest),
    #[error("cancelled")]
    Cancelled,
}

/// Packs one layer. `advance` hears of every block of input, in bytes, and may stop the work. Blocks
/// the thread.
///
/// # Errors
/// `DiffIdMismatch` when the tar is not the one of the configuration; nothing of it is kept.
pub fn pack(
    layer: &Unpacked,
    form: Form,
    spools: &SpoolDir,
    advance: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Packed, PackError> {
    let mut seen = match form {
        Form::Gzip | Form::AsIs(Encoding::Tar) => Hasher::of(&layer.diff_id)?,
        Form::AsIs(_) => Hasher::sha256(),
    };
    let mut output = match form {
        Form::Gzip => Some(Output::new(spools)),
        Form::AsIs(_) => None,
    };
    let mut block = vec![0; BLOCK];
    let mut offset = 0;
    loop {
        let filled = fill(&layer.blob, offset, &mut block)?;
        let bytes = block.get(..filled).unwrap_or_default();
        // An empty layer still is one member: no bytes at all would not be gzip.
        if bytes.is_empty() && offset > 0 {
            break;
        }
        seen.update(bytes);
        if let Some(output) = &mut output {
            output.push(bytes)?;
        }
        offset += filled as u64;
        if advance(filled as u64).is_break() {
            return Err(PackError::Cancelled);
        }
        if bytes.is_empty() {
            break;
        }
    }
    finish(layer, form, seen.finish(), output)
}

fn finish(layer: &Unpacked, form: Form, seen: Digest, output: Option<Output>) -> Result<Packed, PackError> {
    let holds_tar = matches!(form, Form::Gzip | Form::AsIs(Encoding::Tar));
    if holds_tar && seen != layer.diff_id {
        layer.blob.check_unchanged()?;
        return Err(PackError::DiffIdMismatch { expected: layer.diff_id.clone(), found: seen });
    }
    let (digest, blob) = match output {
        Some(output) => output.finish()?,
        None => (seen, layer.blob.clone()),
    };
    let descriptor = Box::new(Descriptor::new(form.media_type(), blob.len(), digest));
    Ok(Packed { descriptor, blob })
}

fn fill(blob: &Blob, offset: u64, block: &mut [u8]) -> Result<usize, ContentError> {
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match blob.read_at(offset + filled as u64, rest)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Packed bytes on their way into a spool.
struct Output {
    members: Members,
    hasher: Hasher,
    spool: Spool,
    dir: SpoolDir,
}

impl Output {
    fn new(spools: &SpoolDir) -> Self {
        Self { members: Members::new(), hasher: Hasher::sha256(), spool: spools.spool(), dir: spools.clone() }
    }

    fn push(&mut self, block: &[u8]) -> Result<(), PackError> {
        let member = self.members.member(block)?;
        self.hasher.update(member);
        self.spool
            .write_all(member)
            .map_err(|source| ContentError::Spool { dir: self.dir.path().to_owned(), source })?;
        Ok(())
    }

    fn finish(self) -> Result<(Digest, Blob), ContentError> {
        let blob = self.spool.finish(Path::new("packed layer"))?;
        Ok((self.hasher.finish(), blob))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::content::{FilePool, FileRange, SourceFile};
    use crate::oci::sha256;

    fn layer(content: &[u8]) -> Unpacked {
        Unpacked { blob: Blob::Memory(Bytes::copy_from_slice(content)), diff_id: sha256(content) }
    }

    fn packed(content: &[u8], form: Form) -> Result<Packed, PackError> {
        let dir = SpoolDir::new(std::env::temp_dir());
        pack(&layer(content), form, &dir, &mut |_| ControlFlow::Continue(()))
    }

    /// Reads gzip members with libdeflate's decompressor, which knows nothing of how they were cut.
    fn unpacked(mut members: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while !members.is_empty() {
            let mut block = vec![0; BLOCK];
            let n = libdeflater::Decompressor::new().gzip_decompress(members, &mut block);
            if let Ok(n) = n {
                out.extend_from_slice(&block[..n]);
                return out;
            }
            let end = (18..members.len()).find(|end| {
                libdeflater::Decompressor::new().gzip_decompress(&members[..*end], &mut block).is_ok()
            });
            let end = end.expect("a member ends somewhere");
            let n = libdeflater::Decompressor::new().gzip_decompress(&members[..end], &mut block).unwrap();
            out.extend_from_slice(&block[..n]);
            members = &members[end..];
        }
        out
    }

    #[test]
    fn the_digest_and_size_are_those_of_the_packed_bytes() {
        let packed = packed(&vec![7; 300_000], Form::Gzip).unwrap();
        let bytes = packed.blob.read_all(u64::MAX).unwrap();
        assert_eq!(*packed.descriptor.digest(), sha256(&bytes));
        assert_eq!(packed.descriptor.size(), bytes.len() as u64);
        assert_eq!(*packed.descriptor.media_type(), MediaType::ImageLayerGzip);
    }

    /// Another digest means that the encoder has changed: then `cache_key` has to change with it.
    #[test]
    fn the_packed_bytes_are_the_same_on_every_machine() {
        let text: Vec<u8> = (0_u32..40_000).flat_map(|line| format!("{line}\n").into_bytes()).collect();
        let packed = packed(&text, Form::Gzip).unwrap();
        assert_eq!(
            packed.descriptor.digest().as_ref(),
            "sha256:eed93019fe8d49eb9add19f0a923a518fe0491c775d8018cf9e3adbfddf9bc0e"
        );
    }

    #[test]
    fn text_becomes_smaller() {
        let text = "0123456789 and so on\n".repeat(10_000);
        let packed = packed(text.as_bytes(), Form::Gzip).unwrap();
        assert!(packed.descriptor.size() < text.len() as u64 / 10, "{} bytes", packed.descriptor.size());
    }

    #[test]
    fn an_empty_layer_is_one_empty_member() {
        let packed = packed(b"", Form::Gzip).unwrap();
        assert_eq!(unpacked(&packed.blob.read_all(u64::MAX).unwrap()), b"");
        assert!(packed.descriptor.size() > 0);
    }

    #[test]
    fn a_layer_that_is_not_the_one_of_the_configuration_is_refused() {
        let mut wrong = layer(b"content");
        wrong.diff_id = sha256(b"other");
        let dir = SpoolDir::new(std::env::temp_dir());
        let error = pack(&wrong, Form::Gzip, &dir, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, PackError::DiffIdMismatch { .. }));
    }

    #[test]
    fn a_file_that_changed_is_told_from_one_that_was_always_wrong() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"content").unwrap();
        let source = SourceFile::open(file.path(), &FilePool::new(1)).unwrap();
        let changed = Unpacked { blob: Blob::Range(FileRange::whole(source)), diff_id: sha256(b"content") };
        std::fs::write(file.path(), b"other content").unwrap();
        let dir = SpoolDir::new(std::env::temp_dir());
        let error = pack(&changed, Form::Gzip, &dir, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, PackError::Content(ContentError::Changed { .. })), "{error}");
    }

    #[test]
    fn packed_bytes_go_up_as_they_stand() {
        let mut gzip = layer(b"not looked into");
        gzip.diff_id = sha256(b"what it unpacks to");
        let dir = SpoolDir::new(std::env::temp_dir());
        let form = Form::AsIs(Encoding::Gzip);
        let packed = pack(&gzip, form, &dir, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(*packed.descriptor.digest(), sha256(b"not looked into"));
    }

    #[test]
    fn packing_stops_when_it_is_told_to() {
        let dir = SpoolDir::new(std::env::temp_dir());
        let error = pack(&layer(b"x"), Form::Gzip, &dir, &mut |_| ControlFlow::Break(())).unwrap_err();
        assert!(matches!(error, PackError::Cancelled));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn what_was_packed_unpacks_to_what_it_was(seed in any::<u8>(), len in 0_usize..2_000) {
            let content: Vec<u8> = (0..len).map(|i| seed.wrapping_mul(31).wrapping_add(u8::try_from(i % 251).unwrap())).collect();
            let packed = packed(&content, Form::Gzip).unwrap();
            prop_assert_eq!(unpacked(&packed.blob.read_all(u64::MAX).unwrap()), content);
        }
    }
}
