//! An OCI registry in this process, over real sockets on 127.0.0.1, strict to the distribution spec 1.1.
//!
//! It shares no code with the program that it judges. It comes in two manners, distribution's and Gitea's
//! behind its ingress; it can be told what goes wrong, request by request; and it keeps a log of what it was
//! asked and a list of what no client should have done.

mod certificate;
mod distribution;
mod exchange;
mod gitea;
mod http;
mod log;
mod login;
mod manifest;
mod packages;
mod read;
mod route;
mod script;
mod server;
mod settings;
mod state;
mod store;
mod upload;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;

pub(crate) use certificate::Certificate;
pub(crate) use http::Answer;
pub(crate) use log::Entry;
pub(crate) use script::{Fault, Match, Then};
pub(crate) use settings::{Login, Manner, Scope, Settings, User};
pub(crate) use state::Greeting;
pub(crate) use store::sha256;

use exchange::Role;
use server::{Listening, Port};
use state::Shared;

/// Gitea's first user, as idpbuilder names it; the owner is its name in lower case.
pub(crate) const USER: &str = "giteaAdmin";
pub(crate) const PASSWORD: &str = "made-up-password";

/// A manifest as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) digest: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

/// A registry that runs until it is dropped. It has a thread of its own, so that tests with and without a
/// runtime can use it.
pub(crate) struct Registry {
    shared: Arc<Shared>,
    port: Port,
    tokens: Option<(Port, Listening)>,
    listening: Mutex<Option<Listening>>,
    runtime: Option<Runtime>,
}

impl Registry {
    /// In distribution's manner, open to everybody.
    pub(crate) fn distribution() -> Settings {
        Settings::new(Manner::Distribution)
    }

    /// In Gitea's manner, with [`USER`] and [`PASSWORD`].
    pub(crate) fn gitea() -> Settings {
        Settings::new(Manner::Gitea)
    }

    /// Of another version, for instance.
    pub(crate) fn of(manner: Manner) -> Settings {
        Settings::new(manner)
    }

    fn start(settings: Settings) -> std::io::Result<Self> {
        let runtime = server::runtime()?;
        let port = Port::reserve()?;
        let listener = port.listen(settings.receive_buffer)?;
        let token_port = if settings.login == Login::BearerElsewhere { Some(Port::reserve()?) } else { None };
        let shared = Shared::new(settings, token_port.as_ref().map(|port| port.number));
        let shared = Arc::new(shared);
        let listening = Listening::start(&runtime, listener, &shared, Role::Registry)?;
        let tokens = match token_port {
            Some(port) => {
                let listening = Listening::start(&runtime, port.listen(None)?, &shared, Role::Tokens)?;
                Some((port, listening))
            }
            None => None,
        };
        Ok(Self { shared, port, tokens, listening: Mutex::new(Some(listening)), runtime: Some(runtime) })
    }
}

impl Settings {
    pub(crate) fn start(self) -> Registry {
        Registry::start(self).expect("127.0.0.1 has a free port")
    }
}

/// Where it is.
impl Registry {
    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.number
    }

    /// `http://127.0.0.1:PORT`, or https.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.shared.scheme(), self.address())
    }

    pub(crate) fn is_gitea(&self) -> bool {
        self.shared.settings.manner.is_gitea()
    }

    /// The port of [`Login::BearerElsewhere`].
    pub(crate) fn token_port(&self) -> Option<u16> {
        self.tokens.as_ref().map(|(port, _)| port.number)
    }

    /// What `--ca-file` needs; empty without TLS.
    pub(crate) fn certificate_pem(&self) -> String {
        self.shared.settings.certificate.as_ref().map(|found| found.pem.clone()).unwrap_or_default()
    }
}

/// What goes wrong.
impl Registry {
    pub(crate) fn script(&self, when: Match, fault: Fault) {
        self.shared.with(|state| state.scripts.add(when, fault));
    }

    pub(crate) fn clear_scripts(&self) {
        self.shared.with(|state| state.scripts.clear());
    }

    /// Scripts that never acted; a test wants none.
    pub(crate) fn unused_scripts(&self) -> Vec<String> {
        self.shared.with(|state| state.scripts.unused())
    }

    /// What the next connections get instead of TLS and HTTP.
    pub(crate) fn greet(&self, connections: usize, greeting: Greeting) {
        self.shared.with(|state| state.greetings.extend(std::iter::repeat_n(greeting, connections)));
    }

    /// From the return on, new connections are refused; old ones stay.
    pub(crate) fn refuse_connections(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listening) = listening {
            listening.stop();
        }
    }

    /// Listens again, on the same port.
    pub(crate) fn accept_connections(&self) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(runtime) = self.runtime.as_ref().filter(|_| listening.is_none()) else { return };
        let listener = self.port.listen(self.shared.settings.receive_buffer).expect("the port was kept");
        *listening = Some(
            Listening::start(runtime, listener, &self.shared, Role::Registry).expect("a socket of ours"),
        );
    }

    /// Away for this long, with all connections, as a pod that is started again. Blocks meanwhile.
    pub(crate) fn outage(&self, time: Duration) {
        self.refuse_connections();
        self.reset_connections();
        thread::sleep(time);
        self.accept_connections();
    }

    /// Resets every connection that there is, whatever it is doing.
    pub(crate) fn reset_connections(&self) {
        self.shared.with(|state| state.live.values().for_each(|killed| killed.notify_one()));
    }

    /// Tokens that were given out are worth nothing any more: a server with a new secret.
    pub(crate) fn revoke_tokens(&self) {
        self.shared.with(|state| state.tokens.clear());
    }
}

/// What it has, and what a test puts into it or takes away.
impl Registry {
    /// Returns the digest.
    pub(crate) fn put_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        self.shared.with(|state| state.store.add_blob(repository, &digest, bytes));
        digest
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.shared.with(|state| state.store.blob(repository, digest).cloned())
    }

    pub(crate) fn has_blob(&self, repository: &str, digest: &str) -> bool {
        self.blob(repository, digest).is_some()
    }

    /// As a garbage collection would; a manifest that then comes too early is not held against the client.
    pub(crate) fn lose_blob(&self, repository: &str, digest: &str) {
        self.shared.with(|state| state.store.lose(repository, digest));
    }

    /// As a disk would: under this digest there are other bytes now.
    pub(crate) fn spoil_blob(&self, digest: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.shared.with(|state| state.store.contents.insert(digest.to_owned(), bytes));
    }

    /// The same for a manifest, which is called what it was called before.
    pub(crate) fn spoil_manifest(&self, repository: &str, digest: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.shared.with(|state| state.store.spoil(repository, digest, &bytes));
    }

    /// Under its digest and all of its tags.
    pub(crate) fn lose_manifest(&self, repository: &str, digest: &str) {
        self.shared.with(|state| {
            state.store.repository(repository).versions.retain(|_, version| version.digest != digest);
        });
    }

    /// By tag or by digest.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<Stored> {
        let found = self.shared.with(|state| state.store.manifest(repository, reference).cloned())?;
        Some(Stored { digest: found.digest, media_type: found.media_type, bytes: found.bytes })
    }

    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        self.shared
            .with(|state| state.store.repositories.get(repository).map(read::tag_names).unwrap_or_default())
    }

    /// Names of repositories that hold something.
    pub(crate) fn repositories(&self) -> Vec<String> {
        self.shared.with(|state| state.store.repositories.keys().cloned().collect())
    }

    /// Bytes of different blobs.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.shared.with(|state| state.store.stored_bytes())
    }

    /// Sessions that nobody can go on with, and how many bytes each holds.
    pub(crate) fn spoilt_sessions(&self) -> Vec<(String, u64)> {
        self.shared.with(|state| {
            let sessions = state.store.sessions.iter();
            let spoilt = sessions.filter(|(_, session)| session.condition == store::Condition::Poisoned);
            spoilt.map(|(id, session)| (id.clone(), session.len())).collect()
        })
    }

    /// Upload sessions that nobody finished or deleted, as paths; without those that no client can get at.
    pub(crate) fn open_sessions(&self) -> Vec<String> {
        self.shared.with(|state| {
            let sessions = state
                .store
                .sessions
                .iter()
                .filter(|(_, session)| session.condition != store::Condition::Lost);
            sessions.map(|(id, session)| format!("/v2/{}/blobs/uploads/{id}", session.repository)).collect()
        })
    }
}

/// What it was asked.
impl Registry {
    /// In order of arrival.
    pub(crate) fn requests(&self) -> Vec<Entry> {
        self.shared.with(|state| state.log.clone())
    }

    /// Requests with this method.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.shared.with(|state| state.log.iter().filter(|entry| entry.method == method).count())
    }

    /// Waits until this is so: `registry.until(|registry| registry.count("PATCH") == 2)`. Panics after 30 s.
    pub(crate) fn until(&self, condition: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !condition(self) {
            assert!(began.elapsed() < Duration::from_secs(30), "it never came to that: {:#?}", self.lines());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// One line a request: `PATCH /v2/web/blobs/uploads/... 202`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.shared.with(|state| state.log.iter().map(Entry::line).collect())
    }

    /// Connections that were ever accepted.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.with(|state| state.connections)
    }

    /// Connections that have not come to their end.
    pub(crate) fn open_connections(&self) -> usize {
        self.shared.with(|state| state.live.len())
    }

    /// Bytes of blobs that arrived, whatever became of them.
    pub(crate) fn bytes_received(&self) -> u64 {
        let to_uploads = |entry: &&Entry| entry.path.contains("/blobs/uploads");
        self.shared.with(|state| state.log.iter().filter(to_uploads).map(|entry| entry.body_bytes).sum())
    }

    /// Forgets what was asked and what was wrong about it: the next phase of a test starts from nothing.
    pub(crate) fn clear_log(&self) {
        self.shared.with(state::State::clear_log);
    }

    /// What no client should have done, as sentences.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.with(|state| state.violations.clone())
    }

    /// What every test of a push ends with: nothing wrong was done, no session is left, each fault happened.
    pub(crate) fn assert_orderly(&self) {
        assert_eq!(self.violations(), [""; 0], "violations; the requests were {:#?}", self.lines());
        assert_eq!(
            self.open_sessions(),
            [""; 0],
            "sessions left open; the requests were {:#?}",
            self.lines()
        );
        assert_eq!(self.unused_scripts(), [""; 0], "scripts that never acted");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // A runtime that is dropped in another one's thread panics; this does not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
