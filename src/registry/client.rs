use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::connect::{Dialer, Peer};
use super::courier::{Courier, Setback, error, given_up};
use super::login::{Login, Refused, Renewed};
use super::pace::Pace;
use super::proxy::Proxies;
use super::realm::{Gate, Realms, TrustedRealm};
use super::request::{self, Scope};
use super::resolve::{Pinned, Rebind, Resolver};
use super::retry::{Budget, Policy};
use super::tls::{Tls, Trust, TrustError};
use super::transport::{Call, Fault};
use crate::event::{Events, Meter};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag};
use crate::port::{
    Document, Keychain, ManifestName, Origin, RegistryError, RegistryReader, RegistryWriter, SessionJournal,
    Stored, TagLister, Upload,
};

/// What a registry is, beyond the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Gitea,
    Spec,
}

/// Bytes that cost a Gitea less than a question: it mounts what it has from anywhere, and takes what it has
/// not, with one POST.
const UNASKED: u64 = 2 * 1024 * 1024;

/// Everything that a client is told once.
pub struct Options {
    pub origin: Origin,
    pub trust: Trust,
    pub keychain: Arc<dyn Keychain>,
    pub realms: Realms,
    pub trusted_realms: Vec<TrustedRealm>,
    pub policy: Policy,
    /// `None`: learned from the registry's challenge.
    pub dialect: Option<Dialect>,
    /// Bytes; `None`: by the size of the blob.
    pub chunk: Option<u64>,
    /// Bytes a second of all transfers together.
    pub limit_rate: Option<NonZeroU64>,
    /// The largest body that the way to the registry takes, in bytes, where it is known.
    pub body_limit: Option<u64>,
    /// Upload sessions of runs that were killed.
    pub journal: Arc<dyn SessionJournal>,
    pub proxies: Proxies,
    pub addresses: Vec<Pinned>,
    pub rebind: Rebind,
    pub events: Events,
    /// Ends waits and requests of the reading half; uploads bring their own.
    pub cancel: CancellationToken,
}

impl Options {
    /// What a push over TLS does where nothing else is said: the system's certificates, no proxy, and five attempts
    /// after a failure. `journal` remembers uploads that are open, for the next run.
    #[must_use]
    pub fn new(origin: Origin, keychain: Arc<dyn Keychain>, journal: Arc<dyn SessionJournal>) -> Self {
        Self {
            origin,
            trust: Trust::System { further: Vec::new() },
            keychain,
            realms: Realms::SameDomain,
            trusted_realms: Vec::new(),
            policy: Policy::default(),
            dialect: None,
            chunk: None,
            limit_rate: None,
            body_limit: None,
            journal,
            proxies: Proxies::default(),
            addresses: Vec::new(),
            rebind: Rebind::Fallback,
            events: Events::none(),
            cancel: CancellationToken::new(),
        }
    }
}

/// One registry: both halves of the port.
pub struct RegistryClient {
    pub(super) courier: Courier,
    pub(super) login: Login,
    pub(super) cancel: CancellationToken,
    pub(super) chunk: Option<u64>,
    pub(super) pace: Arc<Pace>,
    pub(super) journal: Arc<dyn SessionJournal>,
    /// Bytes of the largest body that may go through: as it was told, or below the smallest that was refused.
    pub(super) body_limit: AtomicU64,
    dialect: OnceLock<Dialect>,
    tls: Tls,
    /// One manifest at a time for each repository: Gitea before 1.25 has no lock of its own.
    putting: Mutex<HashMap<Repository, Arc<tokio::sync::Mutex<()>>>>,
}

/// Why a call has no answer.
pub(super) enum Problem {
    Fault(Fault),
    Error(RegistryError),
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        Self::Error(error)
    }
}

impl RegistryClient {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// When a certificate that is to be trusted cannot be.
    pub fn new(options: Options) -> Result<Self, TrustError> {
        let tls = Tls::new(&options.trust)?;
        let resolver = Resolver::new(options.addresses, options.rebind, options.events.clone());
        let dialer = Dialer {
            tls: tls.clone(),
            resolver: Arc::new(resolver),
            proxies: options.proxies,
            unacknowledged: options.policy.stall * 2,
            peer: Peer::default(),
        };
        let gate = Gate { realms: options.realms, trusted: options.trusted_realms };
        let dialect = OnceLock::new();
        if let Some(known) = options.dialect {
            dialect.get_or_init(|| known);
        }
        Ok(Self {
            courier: Courier::new(options.origin, Arc::new(dialer), options.policy, options.events),
            login: Login::new(options.keychain, gate),
            cancel: options.cancel,
            chunk: options.chunk,
            pace: Arc::new(Pace::new(options.limit_rate)),
            journal: options.journal,
            body_limit: AtomicU64::new(options.body_limit.unwrap_or(u64::MAX)),
            dialect,
            tls,
            putting: Mutex::default(),
        })
    }

    /// What the registry is: as it was told, or from the challenge of `GET /v2/`.
    ///
    /// # Errors
    /// When the registry cannot be reached. A refused login is no error here.
    pub async fn ask_dialect(&self) -> Result<Dialect, RegistryError> {
        if self.dialect.get().is_none() {
            let call = request::ping();
            let answer =
                self.courier.patiently(&self.courier.origin, &call, "the registry", &self.cancel).await?;
            self.learn(&answer);
        }
        Ok(self.dialect())
    }

    /// What the registry is, from its answer to `GET /v2/`.
    pub(super) fn learn(&self, answer: &Answer) {
        let is_gitea = answer
            .headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(super::challenge::parse)
            .any(|challenge| challenge.parameter("service") == Some(super::login::GITEA));
        self.dialect.get_or_init(|| if is_gitea { Dialect::Gitea } else { Dialect::Spec });
    }

    /// As far as it is known: every upload follows a request that was challenged.
    pub(super) fn dialect(&self) -> Dialect {
        if let Some(known) = self.dialect.get() {
            return *known;
        }
        if self.login.is_gitea() { Dialect::Gitea } else { Dialect::Spec }
    }

    /// Where the last connection led; `None` before the first, and through a proxy.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.courier.address()
    }

    /// SHA-256 of the certificate that the registry showed last, as `AB:CD:...`.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        self.tls.fingerprint()
    }

    /// The certificate that the registry showed last, in DER.
    pub(super) fn shown(&self) -> Option<Vec<u8>> {
        self.tls.shown().map(|certificate| certificate.to_vec())
    }

    /// One attempt, logging in where the registry asks for it.
    pub(super) async fn attempt(
        &self,
        call: &Call<'_>,
        scope: &Scope,
        cancel: &CancellationToken,
    ) -> Result<Answer, Problem> {
        let mut round = 0;
        loop {
            let pass = self.login.pass(&self.courier, scope, cancel).await?;
            let mut call = call.clone();
            if let Some(header) = &pass.header {
                call.headers.insert(header::AUTHORIZATION, header.clone());
            }
            let sent = self.courier.once(&self.courier.origin, &call, cancel).await;
            let answer = sent.map_err(Problem::Fault)?;
            if answer.status != http::StatusCode::UNAUTHORIZED {
                if pass.header.is_some() && !answer.status.is_server_error() {
                    pass.admit();
                }
                return Ok(answer);
            }
            let refused = Refused { answer: &answer, pass: &pass, scope, round };
            if self.login.renew(&self.courier, &refused, cancel).await? == Renewed::Denied {
                return Ok(answer);
            }
            round += 1;
        }
    }

    /// As often as the budget allows, until the answer is final.
    pub(super) async fn patiently(
        &self,
        budget: &mut Budget,
        call: &Call<'_>,
        scope: &Scope,
        subject: &str,
    ) -> Result<Answer, RegistryError> {
        loop {
            let sent = faults(self.attempt(call, scope, &self.cancel).await)?;
            let Some(setback) = Setback::of(&self.courier.origin, sent.as_ref()) else {
                return sent.map_err(|fault| error(&self.courier.origin, subject, fault));
            };
            let waited = self.courier.sit_through(budget, subject, setback, &self.cancel).await;
            waited.map_err(|spent| given_up(spent, &self.courier.origin, sent))?;
        }
    }

    pub(super) fn turn(&self, repository: &Repository) -> Arc<tokio::sync::Mutex<()>> {
        let mut putting = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(putting.entry(repository.clone()).or_default())
    }
}

/// Tells what may pass from what is final whatever the policy says.
pub(super) fn faults(sent: Result<Answer, Problem>) -> Result<Result<Answer, Fault>, RegistryError> {
    match sent {
        Ok(answer) => Ok(Ok(answer)),
        Err(Problem::Fault(fault)) => Ok(Err(fault)),
        Err(Problem::Error(error)) => Err(error),
    }
}

/// A final answer that is no success.
pub(super) fn refused(answer: &Answer, subject: &str) -> RegistryError {
    RegistryError::Refused {
        refusal: answer.refusal(),
        status: answer.status.as_u16(),
        subject: subject.to_owned(),
        message: answer.said(),
    }
}

#[async_trait]
impl TagLister for RegistryClient {
    async fn tags(&self, repository: &Repository) -> Vec<Tag> {
        self.read_tags(repository).await
    }
}

#[async_trait]
impl RegistryReader for RegistryClient {
    async fn manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Descriptor>, RegistryError> {
        self.read_manifest(&mut self.courier.policy.budget(), repository, name).await
    }

    async fn document(
        &self,
        repository: &Repository,
        document: Document,
        descriptor: &Descriptor,
    ) -> Result<Option<Bytes>, RegistryError> {
        self.read_document(repository, document, descriptor).await
    }

    fn best_unasked(&self, size: u64) -> bool {
        self.dialect() == Dialect::Gitea && size <= UNASKED
    }

    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        self.read_blob(repository, digest).await
    }
}

#[async_trait]
impl RegistryWriter for RegistryClient {
    async fn upload(&self, upload: &Upload<'_>) -> Result<Stored, RegistryError> {
        self.upload_blob(upload).await
    }

    async fn put_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        self.write_manifest(repository, name, manifest, meter).await
    }
}
