use crate::content::{Blob, SourceFile};
use crate::port::{Encoding, SourceError};

/// How a layer stands in its source, by its first bytes: names and media types may say something else.
///
/// # Errors
/// When the layer cannot be read.
pub(super) fn encoding(layer: &Blob) -> Result<Encoding, SourceError> {
    let mut start = [0; 4];
    let mut filled = 0;
    while let Some(rest) = start.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match layer.read_at(filled as u64, rest)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(match start {
        [0x1f, 0x8b, ..] => Encoding::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Encoding::Zstd,
        _ => Encoding::Tar,
    })
}

/// What a whole archive is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outer {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Outer {
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame that is passed over may come first: pzstd begins with one (RFC 8878, 3.1.2).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// Why what is below one compression is not unpacked again, and what to do.
    pub(super) fn refusal(self) -> String {
        format!("it is compressed more than once, with {} inside; unpack it first", self.name())
    }
}

/// Whether the first header of a tar may be that of an archive of images: of docker save, skopeo, podman,
/// crane, jib and bazel, or of an OCI layout. Less than a header is left to who indexes it.
pub(super) fn begins_an_image(header: &[u8]) -> bool {
    // Long names and PAX records stand before the entry that they are about (ustar, 4.4.1).
    if matches!(header.get(156), Some(b'x' | b'g' | b'L' | b'K')) {
        return true;
    }
    let name = header.get(..100).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let Ok(name) = std::str::from_utf8(name) else { return false };
    let first = name.split('/').find(|part| *part != ".").unwrap_or_default();
    let known = ["", "blobs", "oci-layout", "index.json", "manifest.json", "repositories", "config.json"];
    let digest = first.strip_prefix("sha256:").unwrap_or(first).get(..64);
    known.contains(&first) || digest.is_some_and(|digest| digest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The first block of a file, or less where it is shorter.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn first_block(file: &SourceFile) -> Result<Vec<u8>, SourceError> {
    let mut block = vec![0; 512];
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(filled as u64, rest)? {
            0 => break,
            n => filled += n,
        }
    }
    block.truncate(filled);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_layer_is_what_its_first_bytes_say() {
        let of = |bytes: &'static [u8]| encoding(&Blob::Memory(Bytes::from_static(bytes))).unwrap();
        assert_eq!(of(b"\x1f\x8b\x08\x00"), Encoding::Gzip);
        assert_eq!(of(b"\x28\xb5\x2f\xfd"), Encoding::Zstd);
        assert_eq!(of(b"etc/"), Encoding::Tar);
        assert_eq!(of(b"\x1f"), Encoding::Tar);
        assert_eq!(of(b""), Encoding::Tar);
    }

    #[test]
    fn archives_of_images_are_known_by_their_first_entry() {
        let id = "4afc5ccb91ae42841de06bd39ef1e5cfcc17033589aae0ebfcb6cc0b68d8347f";
        let begins = |name: &str, kind: u8| {
            let mut header = [0; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[156] = kind;
            begins_an_image(&header)
        };
        for name in
            [id, &format!("{id}/"), &format!("{id}.json"), &format!("{id}.tar.gz"), &format!("sha256:{id}")]
        {
            assert!(begins(name, b'0'), "{name}");
        }
        for name in ["blobs/", "./blobs/sha256/", "oci-layout", "./", "index.json", "manifest.json"] {
            assert!(begins(name, b'0'), "{name}");
        }
        assert!(begins("PaxHeaders/x", b'x'));
        for name in ["src/main.c", "app-1.2/", "usr", "blobs.txt", "blob", &id[..63]] {
            assert!(!begins(name, b'0'), "{name}");
        }
    }

    #[test]
    fn compressed_archives_are_told_apart() {
        assert_eq!(Outer::of(b"\xfd7zXZ\0\0"), Some(Outer::Xz));
        assert_eq!(Outer::of(b"BZh91AY"), Some(Outer::Bzip2));
        assert_eq!(Outer::of(b"BZh0"), None);
        assert_eq!(Outer::of(b"\x50\x2a\x4d\x18\x04"), Some(Outer::Zstd));
        assert_eq!(Outer::of(b""), None);
    }
}
