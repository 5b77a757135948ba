use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;

use super::exchange::{basic, bearer};
use super::login::GITEA;
use super::probe::Entry;
use super::realm::Realm;
use super::token::Token;
use crate::port::{Credential, Identity, Origin, RegistryError, Secret};

/// What a request carries. A newer one means that somebody else has logged in since.
#[derive(Debug, Clone, Default)]
pub(super) struct Pass {
    pub(super) header: Option<HeaderValue>,
    pub(super) made: u64,
    admitted: Arc<AtomicBool>,
}

impl Pass {
    /// A request with this login was answered with something else than 401.
    pub(super) fn admit(&self) {
        self.admitted.store(true, Ordering::Relaxed);
    }
}

/// How the registry wants to be told who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Asks {
    /// It has not asked.
    #[default]
    Nothing,
    Basic,
    Bearer {
        realm: Realm,
        service: Option<String>,
    },
    /// As Gitea's own API does, which has no token server.
    GiteaBasic,
}

impl Asks {
    fn is_gitea(&self) -> bool {
        match self {
            Self::GiteaBasic => true,
            Self::Bearer { service, .. } => service.as_deref() == Some(GITEA),
            Self::Nothing | Self::Basic => false,
        }
    }
}

/// One login, and what it got from the token server.
#[derive(Default)]
pub(super) struct Account {
    /// Absent for anonymous.
    credential: Option<Credential>,
    /// The first identity was refused, and the second is in its place.
    on_second: bool,
    tokens: HashMap<Vec<String>, Held>,
    made: u64,
    /// It was good once: a refusal after that says something about one request alone.
    admitted: Arc<AtomicBool>,
    /// All identities were refused with 401 before anybody got in. Asking once more for each request
    /// would lock the account.
    refused: bool,
}

/// What a token that could not be renewed is used for before that is tried again.
const AGAIN: Duration = Duration::from_secs(10);

struct Held {
    value: Secret,
    /// At 80 % of its life; absent when that is beyond any clock.
    renew_at: Option<Instant>,
    made: u64,
}

impl Account {
    pub(super) fn new(credential: Option<Credential>) -> Self {
        Self { credential, ..Self::default() }
    }

    /// A token that is given alone is Gitea's user name, with an empty password.
    pub(super) fn identity(&self, asks: &Asks) -> Option<Identity> {
        let credential = self.credential.as_ref()?;
        let identity = if self.on_second { credential.second.as_ref()? } else { &credential.identity };
        Some(match identity {
            Identity::Bearer(token) if asks.is_gitea() => Identity::Password {
                username: token.expose().to_owned(),
                password: Secret::new(String::new()),
            },
            identity => identity.clone(),
        })
    }

    /// Whether a token server is asked first: with Basic, and with a bearer of the user's own, the
    /// identity itself is sent.
    pub(super) fn exchanges(&self, asks: &Asks) -> bool {
        matches!(asks, Asks::Bearer { .. }) && !matches!(self.identity(asks), Some(Identity::Bearer(_)))
    }

    /// Whether there is no token, or one that is about to end.
    pub(super) fn needs_token(&self, key: &[String]) -> bool {
        let ends = |held: &Held| held.renew_at.is_some_and(|at| at <= Instant::now());
        self.tokens.get(key).is_none_or(ends)
    }

    /// Whether it got a token of this kind before.
    pub(super) fn had_token(&self, key: &[String]) -> bool {
        self.tokens.contains_key(key)
    }

    /// A token that could not be renewed is good for some time yet, and its end would be told with a 401. `false`
    /// where there is none.
    pub(super) fn puts_off(&mut self, key: &[String]) -> bool {
        let held = self.tokens.get_mut(key);
        held.map(|held| held.renew_at = Instant::now().checked_add(AGAIN)).is_some()
    }

    /// By what it is let in, when it is.
    pub(super) fn entry(&self) -> Entry {
        match (&self.credential, self.on_second) {
            (None, _) => Entry::Nobody,
            (Some(_), false) => Entry::First,
            (Some(_), true) => Entry::Second,
        }
    }

    pub(super) fn take_second(&mut self) -> bool {
        let has_one = self.credential.as_ref().is_some_and(|credential| credential.second.is_some());
        let taken = has_one && !self.on_second;
        self.on_second |= taken;
        self.made += u64::from(taken);
        taken
    }

    /// # Errors
    /// When all identities were refused before.
    pub(super) fn check(&self, origin: &Origin) -> Result<(), RegistryError> {
        if self.refused { Err(self.unauthorized(origin, 401)) } else { Ok(()) }
    }

    /// Every identity was refused.
    pub(super) fn refuse(&mut self, origin: &Origin, status: u16) -> RegistryError {
        let was_let_in = self.admitted.load(Ordering::Relaxed);
        self.refused |= status == 401 && self.credential.is_some() && !was_let_in;
        self.unauthorized(origin, status)
    }

    pub(super) fn keep(&mut self, key: Vec<String>, token: Token) {
        self.admitted.store(true, Ordering::Relaxed);
        self.made += 1;
        let renew_at = Instant::now().checked_add(token.life.mul_f32(0.8));
        self.tokens.insert(key, Held { value: token.value, renew_at, made: self.made });
    }

    pub(super) fn pass(&self, asks: &Asks, key: &[String]) -> Pass {
        if *asks == Asks::Nothing {
            return Pass::default();
        }
        if self.exchanges(asks) {
            let held = self.tokens.get(key);
            return Pass {
                header: held.and_then(|held| bearer(&held.value)),
                made: held.map_or(0, |held| held.made),
                admitted: Arc::clone(&self.admitted),
            };
        }
        let header = match self.identity(asks) {
            Some(Identity::Password { username, password }) => basic(&username, &password),
            Some(Identity::Bearer(token)) => bearer(&token),
            Some(Identity::Refresh(_)) | None => None,
        };
        Pass { header, made: self.made, admitted: Arc::clone(&self.admitted) }
    }

    pub(super) fn unauthorized(&self, origin: &Origin, status: u16) -> RegistryError {
        let credential = self.credential.as_ref();
        let first = credential.map(|credential| match &credential.identity {
            Identity::Password { .. } => "password",
            Identity::Bearer(_) => "token",
            Identity::Refresh(_) => "identity token",
        });
        let second = self.on_second.then_some("token");
        RegistryError::Unauthorized {
            origin: origin.clone(),
            status,
            username: credential.and_then(|credential| match &credential.identity {
                Identity::Password { username, .. } => Some(username.clone()),
                Identity::Bearer(_) | Identity::Refresh(_) => None,
            }),
            source_name: credential.map(|credential| credential.source.clone()).unwrap_or_default(),
            tried: first.into_iter().chain(second).map(str::to_owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::token::Holder;

    #[test]
    fn a_token_that_cannot_be_renewed_is_used_as_long_as_it_lasts() {
        let (mut account, key) = (Account::default(), vec!["repository:web:pull".to_owned()]);
        assert!(!account.puts_off(&key), "there is none yet");
        let value = Secret::new("made up".to_owned());
        account.keep(key.clone(), Token { value, life: Duration::ZERO, holder: Holder::Unsaid });
        assert!(account.needs_token(&key));
        assert!(account.puts_off(&key) && !account.needs_token(&key));
    }
}
