use std::fmt::Write as _;

use oci_spec::image::{Digest, DigestAlgorithm, Sha256Digest};
use ring::digest::{Context, SHA256, SHA512};

/// A digest whose algorithm this program cannot compute, so that its content cannot be checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("digest algorithm `{algorithm}` is not supported (sha256 and sha512 are)")]
pub struct UnsupportedDigest {
    pub algorithm: String,
}

/// Computes a digest over bytes as they pass.
#[derive(Clone)]
pub struct Hasher {
    algorithm: DigestAlgorithm,
    context: Context,
}

impl Hasher {
    /// The algorithm for content that has no digest yet.
    #[must_use]
    pub fn sha256() -> Self {
        Self { algorithm: DigestAlgorithm::Sha256, context: Context::new(&SHA256) }
    }

    /// The algorithm that `digest` names.
    ///
    /// # Errors
    /// When it is neither sha256 nor sha512.
    pub fn of(digest: &Digest) -> Result<Self, UnsupportedDigest> {
        let algorithm = digest.algorithm().clone();
        let context = match algorithm {
            DigestAlgorithm::Sha256 => Context::new(&SHA256),
            DigestAlgorithm::Sha512 => Context::new(&SHA512),
            ref other => return Err(UnsupportedDigest { algorithm: other.to_string() }),
        };
        Ok(Self { algorithm, context })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// The digest of all bytes seen.
    #[must_use]
    pub fn finish(self) -> Digest {
        let sum = self.context.finish();
        let mut text = format!("{}:", self.algorithm);
        for byte in sum.as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        text.parse().unwrap_or_else(|_| zero())
    }
}

/// What an impossible parse failure becomes: a digest that no content has.
fn zero() -> Digest {
    match "0".repeat(64).parse::<Sha256Digest>() {
        Ok(digest) => digest.into(),
        Err(_) => unreachable!("64 zeros are a sha256 digest"),
    }
}

/// The sha256 digest of small content.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::sha256();
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(
            sha256(b"").as_ref(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn an_algorithm_that_cannot_be_computed_is_refused() {
        let digest: Digest = "md5:d41d8cd98f00b204e9800998ecf8427e".parse().unwrap();
        assert_eq!(Hasher::of(&digest).err(), Some(UnsupportedDigest { algorithm: "md5".into() }));
    }
}
