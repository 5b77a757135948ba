use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http::{HeaderValue, header};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::challenge::{self, Challenge};
use super::courier::Courier;
use super::exchange::{basic, bearer, request_token};
use super::realm::{Gate, Realm};
use super::request::Scope;
use super::token::{Holder, Token};
use crate::port::{Credential, Identity, Keychain, NetworkFault, RegistryError, Secret};

/// What Gitea calls its registry in a challenge.
pub(super) const GITEA: &str = "container_registry";

/// What a request carries. A newer one means that somebody else has logged in since.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    pub(super) header: Option<HeaderValue>,
    made: u64,
}

/// A request that was answered with 401.
pub(super) struct Refused<'a> {
    pub(super) answer: &'a Answer,
    pub(super) pass: &'a Pass,
    pub(super) scope: &'a Scope,
    /// How often this request was refused before.
    pub(super) round: u32,
}

/// What to do about a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewed {
    /// There is something new to try.
    Again,
    /// The login is good; it is the right that is missing.
    Denied,
}

/// The login to one registry: one exchange at a time, for all requests of the run.
pub(super) struct Login {
    keychain: Arc<dyn Keychain>,
    gate: Gate,
    is_gitea: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    who: Who,
    /// The first identity was refused, and the second is in its place.
    on_second: bool,
    is_gitea: bool,
    means: Means,
    tokens: HashMap<Vec<String>, Held>,
    made: u64,
}

#[derive(Default)]
enum Who {
    /// The keychain has not been asked.
    #[default]
    Unasked,
    Anonymous,
    Known(Credential),
}

/// How the registry wants to be told who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Means {
    /// It has not asked.
    #[default]
    Nothing,
    Basic,
    /// The user's own bearer token.
    Given,
    Bearer {
        realm: Realm,
        service: Option<String>,
    },
}

struct Held {
    value: Secret,
    /// At 80 % of its life; absent when that is beyond any clock.
    renew_at: Option<Instant>,
    made: u64,
}

impl Login {
    pub(super) fn new(keychain: Arc<dyn Keychain>, gate: Gate) -> Self {
        Self { keychain, gate, is_gitea: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Whether a challenge was Gitea's.
    pub(super) fn is_gitea(&self) -> bool {
        self.is_gitea.load(Ordering::Relaxed)
    }

    /// What a request of this scope carries now. A token that is about to end is renewed first.
    pub(super) async fn pass(
        &self,
        courier: &Courier,
        scope: &Scope,
        cancel: &CancellationToken,
    ) -> Result<Pass, RegistryError> {
        let mut state = self.state.lock().await;
        let key = self.key(scope);
        if let Means::Bearer { realm, service } = state.means.clone()
            && state.tokens.get(&key).is_none_or(|held| held.renew_at.is_some_and(|at| at <= Instant::now()))
        {
            self.exchange(&mut state, courier, (&realm, service.as_deref(), scope), cancel).await?;
        }
        Ok(state.pass(&key))
    }

    /// Gitea's tokens are good for all repositories.
    fn key(&self, scope: &Scope) -> Vec<String> {
        if self.is_gitea() { Vec::new() } else { scope.parts().to_vec() }
    }

    /// Finds something new to answer a 401 with.
    pub(super) async fn renew(
        &self,
        courier: &Courier,
        refused: &Refused<'_>,
        cancel: &CancellationToken,
    ) -> Result<Renewed, RegistryError> {
        let mut state = self.state.lock().await;
        if state.pass(&self.key(refused.scope)).made > refused.pass.made {
            return Ok(Renewed::Again);
        }
        if matches!(state.who, Who::Unasked) {
            let credential = self.keychain.credential(&courier.origin).await?;
            state.who = credential.map_or(Who::Anonymous, Who::Known);
        }
        let challenges: Vec<Challenge> = refused
            .answer
            .headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(challenge::parse)
            .collect();
        if matches!(state.means, Means::Bearer { .. }) && refused.round > 0 {
            // A token of this very request did not help.
            return match state.identity() {
                Some(_) => Ok(Renewed::Denied),
                None => Err(state.unauthorized(courier, 401)),
            };
        }
        self.choose(&mut state, courier, &challenges)?;
        match state.means.clone() {
            Means::Bearer { realm, service } => {
                let wanted = (&realm, service.as_deref(), refused.scope);
                self.exchange(&mut state, courier, wanted, cancel).await?;
                Ok(Renewed::Again)
            }
            means => state.without_exchange(courier, means, refused),
        }
    }

    /// Bearer before Basic, when the registry takes both.
    fn choose(
        &self,
        state: &mut State,
        courier: &Courier,
        challenges: &[Challenge],
    ) -> Result<(), RegistryError> {
        let bearer = challenges.iter().find_map(|challenge| {
            let realm = challenge.parameter("realm").filter(|_| challenge.scheme == "bearer")?;
            Some((realm, challenge.parameter("service")))
        });
        if let Some((realm, service)) = bearer {
            if service == Some(GITEA) {
                self.is_gitea.store(true, Ordering::Relaxed);
                state.is_gitea = true;
            }
            let given = matches!(state.identity(), Some(Identity::Bearer(_)));
            let realm = self
                .gate
                .check(&courier.origin, realm)
                .map_err(|realm| RegistryError::Realm { origin: courier.origin.clone(), realm })?;
            let service = service.map(str::to_owned);
            state.means = if given { Means::Given } else { Means::Bearer { realm, service } };
        } else if !matches!(state.means, Means::Bearer { .. }) {
            // Also without a challenge: some registries leave it out.
            state.means = Means::Basic;
        }
        Ok(())
    }

    async fn exchange(
        &self,
        state: &mut State,
        courier: &Courier,
        wanted: (&Realm, Option<&str>, &Scope),
        cancel: &CancellationToken,
    ) -> Result<(), RegistryError> {
        loop {
            let identity = state.identity();
            let answer = request_token(courier, wanted, identity.as_ref(), cancel).await?;
            let status = answer.status.as_u16();
            if answer.status.is_success() {
                let Some(token) = Token::read(&answer.body) else {
                    let reason = "the token server's answer has no token in it".to_owned();
                    let source = NetworkFault::Answer { reason };
                    return Err(RegistryError::Network { origin: courier.origin.clone(), source });
                };
                if token.holder != Holder::Ghost || identity.is_none() {
                    state.keep(self.key(wanted.2), token);
                    return Ok(());
                }
            } else if !matches!(status, 400 | 401 | 403) {
                return Err(RegistryError::Refused {
                    refusal: answer.refusal(),
                    status,
                    subject: "the token server".to_owned(),
                    message: answer.said(),
                });
            }
            if !state.take_second() {
                return Err(state.unauthorized(courier, if status == 200 { 401 } else { status }));
            }
        }
    }
}

impl State {
    fn credential(&self) -> Option<&Credential> {
        match &self.who {
            Who::Known(credential) => Some(credential),
            Who::Unasked | Who::Anonymous => None,
        }
    }

    /// A token that is given alone is Gitea's user name, with an empty password.
    fn identity(&self) -> Option<Identity> {
        let credential = self.credential()?;
        let identity = if self.on_second { credential.second.as_ref()? } else { &credential.identity };
        Some(match identity {
            Identity::Bearer(token) if self.is_gitea => Identity::Password {
                username: token.expose().to_owned(),
                password: Secret::new(String::new()),
            },
            identity => identity.clone(),
        })
    }

    fn take_second(&mut self) -> bool {
        let has_one = self.credential().is_some_and(|credential| credential.second.is_some());
        let taken = has_one && !self.on_second;
        self.on_second |= taken;
        self.made += u64::from(taken);
        taken
    }

    fn keep(&mut self, key: Vec<String>, token: Token) {
        self.made += 1;
        let renew_at = Instant::now().checked_add(token.life.mul_f32(0.8));
        self.tokens.insert(key, Held { value: token.value, renew_at, made: self.made });
    }

    fn pass(&self, key: &[String]) -> Pass {
        match &self.means {
            Means::Nothing => Pass { header: None, made: 0 },
            Means::Bearer { .. } => {
                let held = self.tokens.get(key);
                Pass {
                    header: held.and_then(|held| bearer(&held.value)),
                    made: held.map_or(0, |held| held.made),
                }
            }
            Means::Basic | Means::Given => {
                let header = match self.identity() {
                    Some(Identity::Password { username, password }) => basic(&username, &password),
                    Some(Identity::Bearer(token)) => bearer(&token),
                    Some(Identity::Refresh(_)) | None => None,
                };
                Pass { header, made: self.made }
            }
        }
    }

    /// Basic and given tokens: the identity itself is sent, so a 401 with it is final, but for a second one.
    fn without_exchange(
        &mut self,
        courier: &Courier,
        means: Means,
        refused: &Refused<'_>,
    ) -> Result<Renewed, RegistryError> {
        self.means = means;
        let was_sent = refused.pass.header.is_some();
        let can_be_sent = self.pass(&[]).header.is_some();
        if (can_be_sent && !was_sent) || (was_sent && self.take_second()) {
            return Ok(Renewed::Again);
        }
        Err(self.unauthorized(courier, 401))
    }

    fn unauthorized(&self, courier: &Courier, status: u16) -> RegistryError {
        let credential = self.credential();
        let first = credential.map(|credential| match &credential.identity {
            Identity::Password { .. } => "password",
            Identity::Bearer(_) => "token",
            Identity::Refresh(_) => "identity token",
        });
        let second = self.on_second.then_some("token");
        RegistryError::Unauthorized {
            origin: courier.origin.clone(),
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
