//! Values of the OCI image and distribution specs: what `oci-spec` lacks, nothing that it has.
//!
//! Everything here is parsed at the door. Inside, a `Digest`, a `Repository` or a `Tag` exists only if
//! it is valid, and a `Manifest` keeps the bytes that its digest was computed from.

mod compose;
mod docker;
mod hash;
mod json;
mod manifest;
mod name;
mod platform;
mod reference;

pub use compose::{ComposeError, compose};
pub use docker::{DockerSave, SavedImage};
pub use hash::{Hasher, UnsupportedDigest, sha256};
pub use json::{JSON_LIMIT, JsonError, strict_json};
pub use manifest::{Children, Manifest, ManifestError, is_foreign, is_layer};
pub use name::{NameError, Repository, Tag};
pub use platform::{platform_text, serves};

pub use oci_client::Reference;
pub use oci_spec::image::{Descriptor, Digest, ImageConfiguration, MediaType, Platform};
pub use reference::reference;
