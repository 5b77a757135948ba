use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::Origin;
use crate::oci::Repository;

/// A value that is never shown: it prints `****`, is wiped when dropped, and cannot be serialised.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself, for the one place that puts it on the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever the values differ.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
    }
}

impl Eq for Secret {}

/// Who is logging in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// User name and password, or user name and access token.
    Password { username: String, password: Secret },
    /// A token that is itself the bearer (`--token` alone to a registry that is no Gitea).
    Bearer(Secret),
    /// An identity (refresh) token of a docker config, to be exchanged at the token server.
    Refresh(Secret),
}

/// A login for one origin. A request to another origin cannot carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub origin: Origin,
    pub identity: Identity,
    /// Where it came from, for messages: `secret gitea/gitea-credential`, `--password`; never a value.
    pub source: String,
    /// Tried once when the first identity is refused with 401: the token of the cluster's secret.
    pub second: Option<Identity>,
}

/// Why a source of credentials that was to be used cannot be.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// `path` is a file's path, or the variable that holds the config itself.
    #[error("could not read `{path}`")]
    Read { path: String, source: std::io::Error },
    #[error("`{path}` is not a docker config: {reason}")]
    Config { path: String, reason: String },
    #[error("credential helper `{helper}` is not on PATH")]
    HelperMissing { helper: String },
    #[error("credential helper `{helper}` gave no answer within {seconds} s")]
    HelperSilent { helper: String, seconds: u64 },
    #[error("credential helper `{helper}` failed: {reason}")]
    HelperFailed { helper: String, reason: String },
    #[error("{field} from {origin_of} has a control character in it")]
    ControlCharacter { field: &'static str, origin_of: String },
}

/// Where logins come from.
#[async_trait]
pub trait Keychain: Send + Sync {
    /// The login for `origin`, or `None` for anonymous. A keychain may have another one for `repository`
    /// than for the rest of the registry; it is asked again for each.
    ///
    /// # Errors
    /// When a source that was chosen is broken; there is no silent fall to another account.
    async fn credential(
        &self,
        origin: &Origin,
        repository: Option<&Repository>,
    ) -> Result<Option<Credential>, KeychainError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Scheme;

    #[test]
    fn a_secret_prints_stars() {
        let credential = Credential {
            origin: Origin::new(Scheme::Https, "r", 443),
            identity: Identity::Password { username: "u".into(), password: Secret::new("made-up".into()) },
            source: "--password".into(),
            second: Some(Identity::Bearer(Secret::new("made-up".into()))),
        };
        assert!(!format!("{credential:?}").contains("made-up"));
    }

    /// Reads where it stood, which the allocator keeps for what comes next.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_secret_that_was_dropped_is_not_in_memory_any_more() {
        use std::os::unix::fs::FileExt as _;
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        let mut there = [0; 4096];
        let read = |there: &mut [u8], at: usize| memory.read_exact_at(there, u64::try_from(at).unwrap());
        let secret = Secret::new("C4N4RY8 ".repeat(there.len() / 8));
        let copy = secret.clone();
        let at = [&secret, &copy].map(|secret| secret.expose().as_ptr().addr());
        read(&mut there, at[0]).unwrap();
        assert!(there.ends_with(b"C4N4RY8 "));
        drop((secret, copy));
        for at in at {
            // Where the page is gone, so is the secret.
            if read(&mut there, at).is_ok() {
                assert!(!there.windows(8).any(|eight| eight == b"C4N4RY8 "));
            }
        }
    }
}
