use std::fmt;

use oci_spec::image::MediaType;

use super::block::{GZIP_RULES, ZSTD_RULES};

/// How a layer stands in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    Tar,
    Gzip,
    Zstd,
}

/// What packs a layer, and how hard it tries. The same layer becomes the same bytes on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Encoder {
    codec: Codec,
    level: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    Gzip,
    Zstd,
}

/// A level that the codec does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{codec} has the levels 1 to {highest}, not {level}")]
pub struct NoSuchLevel {
    codec: Codec,
    level: u8,
    highest: u8,
}

impl Encoder {
    /// Every registry and runtime reads it.
    pub const GZIP: Self = Self { codec: Codec::Gzip, level: 1 };
    /// Twice as fast and smaller; containerd reads it from 1.5 on.
    pub const ZSTD: Self = Self { codec: Codec::Zstd, level: 1 };

    /// # Errors
    /// When the codec has no such level.
    pub fn new(codec: Codec, level: u8) -> Result<Self, NoSuchLevel> {
        let highest = match codec {
            Codec::Gzip => 9,
            // Beyond, the window alone takes more memory than the whole program should.
            Codec::Zstd => 15,
        };
        match level {
            level if (1..=highest).contains(&level) => Ok(Self { codec, level }),
            level => Err(NoSuchLevel { codec, level, highest }),
        }
    }

    #[must_use]
    pub fn codec(self) -> Codec {
        self.codec
    }

    #[must_use]
    pub fn level(self) -> u8 {
        self.level
    }
}

/// As the command line takes it.
impl fmt::Display for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.codec, self.level)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// What a layer becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// The tar, packed in blocks that know nothing of each other.
    Packed(Encoder),
    /// The bytes as they stand. A tar keeps its `diff_id` as digest, packed bytes get theirs here.
    AsIs(Encoding),
}

impl Form {
    /// What the same layer becomes the same bytes under, on every machine; with the encoder's version, so
    /// that an entry of another encoder is none. `None` where the bytes stay as they are.
    #[must_use]
    pub fn cache_key(self) -> Option<String> {
        match self {
            Self::Packed(Encoder { codec: Codec::Gzip, level }) => Some(format!("gzip-{level}-{GZIP_RULES}")),
            Self::Packed(Encoder { codec: Codec::Zstd, level }) => {
                Some(format!("zstd-{level}-{ZSTD_RULES}-{}", zstd::zstd_safe::version_string()))
            }
            // The bytes are those of the diff_id; what is remembered is how many they are.
            Self::AsIs(Encoding::Tar) => Some("tar".to_owned()),
            Self::AsIs(_) => None,
        }
    }

    /// What a manifest calls it.
    #[must_use]
    pub fn media_type(self) -> MediaType {
        match self {
            Self::Packed(Encoder { codec: Codec::Gzip, .. }) | Self::AsIs(Encoding::Gzip) => {
                MediaType::ImageLayerGzip
            }
            Self::Packed(Encoder { codec: Codec::Zstd, .. }) | Self::AsIs(Encoding::Zstd) => {
                MediaType::ImageLayerZstd
            }
            Self::AsIs(Encoding::Tar) => MediaType::ImageLayer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_the_codec_does_not_have_is_refused() {
        for (codec, level) in [(Codec::Gzip, 0), (Codec::Gzip, 10), (Codec::Zstd, 0), (Codec::Zstd, 16)] {
            assert!(Encoder::new(codec, level).is_err(), "{codec}:{level}");
        }
        assert_eq!(Encoder::new(Codec::Gzip, 1), Ok(Encoder::GZIP));
        assert_eq!(Encoder::new(Codec::Zstd, 1), Ok(Encoder::ZSTD));
    }

    #[test]
    fn what_becomes_other_bytes_has_another_key() {
        let encoders = [Encoder::GZIP, Encoder::ZSTD, Encoder::new(Codec::Gzip, 6).unwrap()];
        let keys = encoders.map(|encoder| Form::Packed(encoder).cache_key());
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2], "{keys:?}");
    }
}
