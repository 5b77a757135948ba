use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::content::{Blob, ContentError};
use crate::event::Meter;
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, UnsupportedDigest};

use super::{KeychainError, Origin};

/// How a manifest is asked for or put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestName {
    Digest(Digest),
    Tag(Tag),
}

impl ManifestName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Digest(digest) => digest.as_ref(),
            Self::Tag(tag) => tag.as_str(),
        }
    }
}

/// Where a registry keeps a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    Manifest,
    /// It is a blob.
    Config,
}

/// One blob on its way: what it is, where it goes, who counts its bytes, and who may stop it.
#[derive(Debug)]
pub struct Upload<'a> {
    pub repository: &'a Repository,
    pub digest: &'a Digest,
    pub blob: &'a Blob,
    pub hashed: Hashed,
    /// A repository of the same registry that has the blob, or may have it.
    pub mount_from: Option<&'a Repository>,
    pub meter: &'a Meter,
    pub cancel: &'a CancellationToken,
}

/// Whether the bytes of a blob are known to be those of its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashed {
    /// They were made here, and hashed as they were.
    Already,
    /// They stand in somebody's file, and are hashed as they are sent.
    OnTheWay,
}

/// How a blob came to be in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Its bytes were sent.
    Uploaded,
    /// The registry linked it from another repository, or had it already.
    Mounted,
}

/// What a repository has beside what is asked for by name.
#[async_trait]
pub trait TagLister: Send + Sync {
    /// The tags of a repository, as far as the registry tells them when it is asked once. Nothing may depend on
    /// them.
    async fn tags(&self, repository: &Repository) -> Vec<Tag>;
}

/// The reading half of a registry. Steps that only plan get nothing else.
#[async_trait]
pub trait RegistryReader: TagLister {
    /// The descriptor of a manifest (HEAD), `None` where there is none.
    async fn manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Descriptor>, RegistryError>;

    /// A manifest or a configuration (GET), whole and with the digest of its descriptor. `None` where there is
    /// none, or another one.
    async fn document(
        &self,
        repository: &Repository,
        document: Document,
        descriptor: &Descriptor,
    ) -> Result<Option<Bytes>, RegistryError>;

    /// Whether a blob of so many bytes is best sent without asking for it: the registry takes it, or says that
    /// it has it, in one and the same answer.
    fn best_unasked(&self, size: u64) -> bool;

    /// The size of a blob in bytes (HEAD), `None` where this repository does not have it.
    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, RegistryError>;
}

/// The writing half of a registry. Retry is inside; nobody above tries again.
#[async_trait]
pub trait RegistryWriter: Send + Sync {
    /// Brings a blob into a repository. Success means that the registry has it.
    async fn upload(&self, upload: &Upload<'_>) -> Result<Stored, RegistryError>;

    /// Puts a manifest under a digest or a tag, and compares the digest that the registry answers. One with
    /// a subject can be found from its subject afterwards, also where the registry does not see to it.
    /// `meter` counts retries alone.
    async fn put_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<(), RegistryError>;
}

/// What the registry refused for, told apart where the user can do something different about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 403, or 401 with a fresh login.
    Denied,
    /// The owner, organisation or project does not exist.
    OwnerUnknown,
    /// 413 that smaller chunks cannot cure.
    TooLarge,
    /// The name or tag is not one that this registry takes.
    NameInvalid,
    /// The content is not what its digest says, twice.
    DigestInvalid,
    /// The manifest refers to something that the registry does not have, after everything was sent again.
    BlobUnknown,
    /// The manifest's kind or content is not taken.
    ManifestInvalid,
    /// Storage or quota is used up.
    Quota,
    /// The repository or its owner has another name now, or another host serves it: writes are not redirected.
    Redirected {
        to: String,
    },
    Other,
}

/// What broke between here and the registry.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFault {
    #[error("`{host}` does not resolve")]
    Resolve { host: String, source: std::io::Error },
    #[error("connection refused by {address}")]
    Refused { address: String },
    #[error("could not connect to {address}")]
    Connect { address: String, source: std::io::Error },
    #[error("TLS failed: {reason}")]
    Tls { reason: String },
    #[error("it does not speak TLS")]
    NotTls,
    #[error("the certificate is not trusted: {reason}")]
    Untrusted { reason: String, fingerprint: Option<String> },
    #[error("the certificate has expired or is not yet valid: {reason}")]
    Expired { reason: String },
    #[error("the certificate is for other names: {reason}")]
    WrongName { reason: String },
    #[error("no byte moved for {} s", after.as_secs())]
    Stalled { after: Duration },
    #[error("no answer for {} s", after.as_secs())]
    Silent { after: Duration },
    #[error("the connection was closed: {reason}")]
    Closed { reason: String },
    #[error("the answer is not understood: {reason}")]
    Answer { reason: String },
    #[error("the proxy {proxy} cannot be used: {reason}")]
    Proxy { proxy: String, reason: String },
}

/// Why the registry did not do what it was asked. The cause of each is in its chain or its fields.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Login failed: 401 without or with credentials. `tried` names what was sent, never a value.
    #[error("{origin} refused the login ({status})")]
    Unauthorized {
        origin: Origin,
        status: u16,
        username: Option<String>,
        source_name: String,
        tried: Vec<String>,
    },
    #[error("registry answered {status} for `{subject}`{}", shown(message))]
    Refused { refusal: Refusal, status: u16, subject: String, message: String },
    /// The token server is not one that may see these credentials.
    #[error("{origin} sends its login to {realm}, which is not trusted with it")]
    Realm { origin: Origin, realm: String },
    /// The upload's Location, or a redirect of a write, leads to another origin.
    #[error("{origin} sends the upload to another origin, {location}")]
    ForeignLocation { origin: Origin, location: String },
    #[error("could not reach {origin}")]
    Network { origin: Origin, source: NetworkFault },
    /// A transient fault that outlived the retry policy.
    #[error("gave up on `{subject}` after {attempts} attempts: {last}")]
    Exhausted { subject: String, attempts: u32, last: String, status: Option<u16> },
    #[error("registry stored `{subject}` as {found}, not as {expected}")]
    DigestMismatch { subject: String, expected: Digest, found: String },
    /// What stands under the tag by which referrers are listed is something else.
    #[error("`{subject}` is no list of what refers to an image: {reason}")]
    NoReferrersList { subject: String, reason: String },
    #[error("{subject}")]
    Content { subject: String, source: ContentError },
    /// The source's bytes are not those of its digest: damaged, or changed since.
    #[error("content has digest {found}, expected {expected}")]
    SourceDigest { expected: Digest, found: Digest },
    #[error(transparent)]
    UnsupportedDigest(#[from] UnsupportedDigest),
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    #[error("cancelled")]
    Cancelled,
}

fn shown(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
