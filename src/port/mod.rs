//! What the steps need from the world. Adapters implement these traits; tests do it in memory.

mod held;
mod keychain;
mod no_cache;
mod origin;
mod pack_index;
mod packages;
mod registry;
mod session_journal;
mod source;
mod watched;

pub use held::{HeldBlob, HeldManifest, RegistryContent};
pub use keychain::{Credential, Identity, Keychain, KeychainError, Secret};
pub use no_cache::NoCache;
pub use origin::{Origin, OriginError, Scheme};
pub use pack_index::{PackIndex, Remembered};
pub use packages::{Images, InUse, PackageVersion, Packages, Removed};
pub use registry::{
    Document, Hashed, ManifestName, NetworkFault, Refusal, RegistryError, RegistryReader, RegistryWriter,
    Stored, TagLister, Upload,
};
pub use session_journal::{Claim, SessionJournal};
pub use source::{
    Content, Encoding, EnginePlace, Found, FoundImage, ImageTree, Layer, Outline, Skipped, Source,
    SourceError, SourceName, Suggested, UnpackError,
};
pub use watched::{Fingerprint, Sight, Snapshot, Watched};
