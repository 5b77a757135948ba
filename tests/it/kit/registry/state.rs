//! What all connections share, and who is at work on what.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::http::{Answer, Head};
use super::log::Entry;
use super::login::Token;
use super::script::Scripts;
use super::settings::{Front, Settings};
use super::store::{Before, Condition, Store};

pub(super) struct Shared {
    pub(super) settings: Settings,
    /// Where tokens are given out, when it is not here.
    pub(super) token_port: Option<u16>,
    state: Mutex<State>,
}

/// What happens to a new connection before its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    Reset,
    /// Accepted, and neither TLS nor HTTP gets a word.
    Silence,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) log: Vec<Entry>,
    pub(super) violations: Vec<String>,
    pub(super) scripts: Scripts,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) greetings: VecDeque<Greeting>,
    pub(super) connections: u64,
    pub(super) live: HashMap<u64, Arc<Notify>>,
    putting: HashMap<String, u32>,
    ticks: u64,
    /// Entries that were cleared away from the front of the log.
    cleared: usize,
}

impl State {
    pub(super) fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// Adds a request to the log and returns its number.
    pub(super) fn enter(&mut self, head: &Head, client: u64) -> usize {
        let began = self.tick();
        self.log.push(Entry::new(head, client, began));
        self.cleared + self.log.len() - 1
    }

    /// Nothing, if the log was cleared meanwhile.
    pub(super) fn entry(&mut self, number: usize) -> Option<&mut Entry> {
        self.log.get_mut(number.checked_sub(self.cleared)?)
    }

    pub(super) fn clear_log(&mut self) {
        self.cleared += self.log.len();
        self.log.clear();
        self.violations.clear();
    }

    pub(super) fn violation(&mut self, text: String) {
        self.violations.push(text);
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, token_port: Option<u16>) -> Self {
        Self { settings, token_port, state: Mutex::default() }
    }

    /// Never held across an await.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.settings.certificate.is_some() { "https" } else { "http" }
    }

    pub(super) fn now(&self) -> SystemTime {
        let offset = Duration::from_secs(self.settings.clock_offset.unsigned_abs());
        let now = SystemTime::now();
        if self.settings.clock_offset < 0 { now - offset } else { now + offset }
    }

    pub(super) fn unix_seconds(&self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

/// A client that gave up may be back on a new connection before we see that the old one has ended.
const GRACE: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(5);

enum What {
    Session(String),
    Manifest(String),
}

/// Holds a session or a repository for the time of one request. Dropped without [`Occupied::leave`], the
/// request was cut, and the session becomes what such a registry makes of it.
pub(super) struct Occupied {
    shared: Arc<Shared>,
    what: What,
    before: Option<Before>,
    received: bool,
}

impl Occupied {
    /// Waits for a request on the same session that is being cut; one that is not is a violation.
    pub(super) async fn session(
        shared: &Arc<Shared>,
        id: &str,
        request: u64,
    ) -> Result<Option<Self>, Answer> {
        let occupied = Self::new(shared, What::Session(id.to_owned()));
        let mut waited = Duration::ZERO;
        loop {
            let seen = shared.with(|state| {
                let Some(session) = state.store.sessions.get_mut(id) else { return Some(Taken::Gone) };
                if session.busy.is_some() {
                    return None;
                }
                // Between two looks the other request may have ended well: then they overlapped.
                if waited > Duration::ZERO && !session.was_cut {
                    return Some(Taken::Overlap);
                }
                session.busy = Some(request);
                Some(Taken::Ours)
            });
            match seen {
                Some(Taken::Ours) => return Ok(Some(occupied)),
                Some(Taken::Gone) if waited == Duration::ZERO => return Ok(occupied.nothing()),
                None if waited < GRACE => {
                    tokio::time::sleep(POLL).await;
                    waited += POLL;
                }
                Some(Taken::Gone | Taken::Overlap) | None => {
                    occupied.nothing();
                    return Err(refused_overlap(shared, id));
                }
            }
        }
    }

    pub(super) fn manifest(shared: &Arc<Shared>, repository: &str) -> Self {
        shared.with(|state| {
            let putting = state.putting.entry(repository.to_owned()).or_default();
            *putting += 1;
            if *putting > 1 && shared.settings.manner.is_gitea() {
                state.violation(format!("two manifests of `{repository}` were put at once"));
            }
        });
        Self::new(shared, What::Manifest(repository.to_owned()))
    }

    fn new(shared: &Arc<Shared>, what: What) -> Self {
        Self { shared: Arc::clone(shared), what, before: None, received: false }
    }

    /// Forgets itself without having held anything.
    fn nothing(mut self) -> Option<Self> {
        self.what = What::Session(String::new());
        None
    }

    /// From here on a cut matters: bytes of a session are on their way.
    pub(super) fn receiving(&mut self) {
        if let What::Session(id) = &self.what {
            self.before = self.shared.with(|state| Some(state.store.sessions.get(id)?.before()));
        }
    }

    pub(super) fn received(&mut self) {
        self.received = true;
    }

    /// The request has come to its end.
    pub(super) fn leave(mut self) {
        self.release(End::Answered);
        self.what = What::Session(String::new());
    }

    fn release(&mut self, end: End) {
        let settings = &self.shared.settings;
        let (gitea, nginx) = (settings.manner.is_gitea(), settings.front == Front::Nginx);
        self.shared.with(|state| match &self.what {
            What::Manifest(repository) => {
                if let Some(putting) = state.putting.get_mut(repository) {
                    *putting -= 1;
                }
            }
            What::Session(id) => {
                let Some(session) = state.store.sessions.get_mut(id) else { return };
                (session.busy, session.was_cut) = (None, end == End::Cut);
                let Some(before) = self.before.take().filter(|_| end == End::Cut) else { return };
                // Gitea's file has the bytes, its database does not; nginx hands nothing on before it has all.
                let grew = session.len() > before.len();
                if gitea {
                    if self.received || (grew && !nginx) {
                        session.condition = Condition::Poisoned;
                    }
                    session.go_back(before);
                } else if grew {
                    session.step += 1;
                }
            }
        });
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.release(End::Cut);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    Cut,
}

enum Taken {
    Ours,
    Gone,
    Overlap,
}

fn refused_overlap(shared: &Shared, id: &str) -> Answer {
    shared.with(|state| state.violation(format!("two requests at once on session {id}")));
    if shared.settings.manner.is_gitea() {
        Answer::new(500)
    } else {
        Answer::refused(409, "BLOB_UPLOAD_INVALID", "another request is at work on this upload")
    }
}
