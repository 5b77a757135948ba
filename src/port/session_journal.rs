use crate::oci::{Digest, Repository};

use super::Origin;

/// Remembers upload sessions that are open, so that a push that was killed goes on where the registry has it.
/// It fails silently: what cannot be noted is begun anew.
pub trait SessionJournal: Send + Sync {
    /// The entry of one upload, for this process alone. `None` while another process has it.
    fn claim(&self, registry: &Origin, repository: &Repository, digest: &Digest) -> Option<Box<dyn Claim>>;
}

/// One entry. When it is dropped, what was noted last stays for a later run.
pub trait Claim: Send {
    /// Path of the session on the registry's origin, as an earlier run left it.
    fn session(&self) -> Option<&str>;

    /// Notes a session by its path, in the place of the one before.
    fn note(&mut self, path: &str);

    /// There is nothing to go on with any more.
    fn forget(&mut self);
}
