use bytes::Bytes;

use crate::oci::Digest;
use crate::pack::Form;

/// A layer as it was packed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Of the packed bytes.
    pub digest: Digest,
    /// Of the packed bytes, in bytes.
    pub size: u64,
}

/// Remembers what packing made, so that a layer that the registry has already is not even read. Whether
/// the registry has it is always the registry's word. It fails silently: what cannot be read or is damaged
/// is not remembered, what cannot be written is forgotten.
pub trait PackIndex: Send + Sync {
    /// What the layer with this `diff_id` became in this form, by the same encoder.
    fn packed(&self, diff_id: &Digest, form: Form) -> Option<Remembered>;

    fn keep_packed(&self, diff_id: &Digest, form: Form, packed: &Remembered);

    /// The configuration with this digest, checked.
    fn config(&self, digest: &Digest) -> Option<Bytes>;

    fn keep_config(&self, config: &Bytes);
}
