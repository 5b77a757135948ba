use bytes::Bytes;

use super::{Claim, Origin, PackIndex, Remembered, SessionJournal};
use crate::oci::{Digest, Repository};
use crate::pack::Form;

/// Remembers nothing (`--no-cache`).
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl PackIndex for NoCache {
    fn packed(&self, _: &Digest, _: Form) -> Option<Remembered> {
        None
    }

    fn keep_packed(&self, _: &Digest, _: Form, _: &Remembered) {}

    fn config(&self, _: &Digest) -> Option<Bytes> {
        None
    }

    fn keep_config(&self, _: &Bytes) {}
}

impl SessionJournal for NoCache {
    fn claim(&self, _: &Origin, _: &Repository, _: &Digest) -> Option<Box<dyn Claim>> {
        None
    }
}
