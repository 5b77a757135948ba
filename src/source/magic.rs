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
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    /// Why it is not read, and what to do.
    pub(super) fn refusal(self) -> String {
        let (name, command) = match self {
            Self::Gzip => ("gzip", "gunzip"),
            Self::Zstd => ("zstd", "unzstd"),
            Self::Xz => ("xz", "unxz"),
            Self::Bzip2 => ("bzip2", "bunzip2"),
        };
        format!("it is compressed with {name}; unpack it first with `{command}`")
    }
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
    fn compressed_archives_are_told_apart() {
        assert_eq!(Outer::of(b"\xfd7zXZ\0\0"), Some(Outer::Xz));
        assert_eq!(Outer::of(b"BZh91AY"), Some(Outer::Bzip2));
        assert_eq!(Outer::of(b"BZh0"), None);
        assert_eq!(Outer::of(b""), None);
        assert!(Outer::Zstd.refusal().contains("unzstd"));
    }
}
