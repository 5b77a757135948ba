use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::account::{Account, Asks, Pass};
use super::answer::Answer;
use super::challenge::{self, Challenge};
use super::courier::{Courier, Pause};
use super::exchange::request_token;
use super::probe::Entry;
use super::realm::Gate;
use super::request::{Door, Scope};
use super::token::{Holder, Token};
use crate::oci::Repository;
use crate::port::{Keychain, NetworkFault, Origin, RegistryError};

/// Waits before a token is asked for again that was given before.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// What Gitea calls its registry in a challenge.
pub(super) const GITEA: &str = "container_registry";

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

/// The logins to one registry: one exchange at a time, for all requests of the run.
pub(super) struct Login {
    keychain: Arc<dyn Keychain>,
    gate: Gate,
    is_gitea: AtomicBool,
    state: Mutex<State>,
}

/// The keychain is asked once the registry has asked who we are, and once for each repository. Mostly it
/// gives the same login for all of them, and they share its tokens.
#[derive(Default)]
struct State {
    asks: Asks,
    /// By where the login comes from; `None`: nowhere.
    accounts: HashMap<Option<String>, Account>,
    /// The same, by the repository that requests are about.
    sources: HashMap<Repository, Option<String>>,
}

/// What a token is asked for with.
#[derive(Clone, Copy)]
struct Errand<'a> {
    courier: &'a Courier,
    asks: &'a Asks,
    scope: &'a Scope,
    /// Waits for a server that refuses a login which was good.
    patience: &'a [Duration],
    cancel: &'a CancellationToken,
}

impl Login {
    pub(super) fn new(keychain: Arc<dyn Keychain>, gate: Gate) -> Self {
        Self { keychain, gate, is_gitea: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Whether a challenge was Gitea's.
    pub(super) fn is_gitea(&self) -> bool {
        self.is_gitea.load(Ordering::Relaxed)
    }

    /// By what requests of this scope were let in.
    pub(super) async fn entry(&self, scope: &Scope) -> Entry {
        let state = self.state.lock().await;
        let account = state.sources.get(scope.repository()).and_then(|source| state.accounts.get(source));
        match account {
            None => Entry::Open,
            Some(account) => account.entry(),
        }
    }

    /// What a request of this scope carries now. A token that is about to end is renewed first.
    pub(super) async fn pass(
        &self,
        courier: &Courier,
        scope: &Scope,
        cancel: &CancellationToken,
    ) -> Result<Pass, RegistryError> {
        let mut state = self.state.lock().await;
        let asks = match scope.door() {
            Door::Registry => state.asks.clone(),
            Door::Api => Asks::GiteaBasic,
        };
        if asks == Asks::Nothing {
            return Ok(Pass::default());
        }
        let account = self.account(&mut state, &courier.origin, scope).await?;
        account.check(&courier.origin)?;
        let key = self.key(scope);
        if account.exchanges(&asks) && account.needs_token(&key) {
            // The token that is there is good for some time yet, so that nobody waits for the next.
            let errand = Errand { courier, asks: &asks, scope, patience: &[], cancel };
            let exchanged = self.exchange(account, errand).await;
            if let Err(error) = exchanged
                && (cancel.is_cancelled() || !account.puts_off(&key))
            {
                return Err(error);
            }
        }
        Ok(account.pass(&asks, &key))
    }

    /// Gitea's tokens are good for all repositories.
    fn key(&self, scope: &Scope) -> Vec<String> {
        if self.is_gitea() { Vec::new() } else { scope.parts().to_vec() }
    }

    /// The login for what a request is about.
    async fn account<'a>(
        &self,
        state: &'a mut State,
        origin: &Origin,
        scope: &Scope,
    ) -> Result<&'a mut Account, RegistryError> {
        let repository = scope.repository();
        if let Some(source) = state.sources.get(repository) {
            return Ok(state.accounts.entry(source.clone()).or_default());
        }
        let credential = self.keychain.credential(origin, Some(repository)).await?;
        let source = credential.as_ref().map(|credential| credential.source.clone());
        tracing::debug!(source = source.as_deref().unwrap_or("none"), %repository, "login");
        state.sources.insert(repository.clone(), source.clone());
        Ok(state.accounts.entry(source).or_insert_with(|| Account::new(credential)))
    }

    /// Finds something new to answer a 401 with.
    pub(super) async fn renew(
        &self,
        courier: &Courier,
        refused: &Refused<'_>,
        cancel: &CancellationToken,
    ) -> Result<Renewed, RegistryError> {
        let mut state = self.state.lock().await;
        let before = state.asks.clone();
        let account = self.account(&mut state, &courier.origin, refused.scope).await?;
        account.check(&courier.origin)?;
        if refused.scope.door() == Door::Api {
            return without_exchange(account, &Asks::GiteaBasic, refused.pass)
                .ok_or_else(|| account.refuse(&courier.origin, 401));
        }
        if account.pass(&before, &self.key(refused.scope)).made > refused.pass.made {
            return Ok(Renewed::Again);
        }
        if account.exchanges(&before) && refused.round > 0 {
            // A token of this very request did not help.
            return match account.identity(&before) {
                Some(_) => Ok(Renewed::Denied),
                None => Err(account.unauthorized(&courier.origin, 401)),
            };
        }
        let asks = self.asked(&before, &courier.origin, refused.answer)?;
        let renewed = if account.exchanges(&asks) {
            let errand = Errand { courier, asks: &asks, scope: refused.scope, patience: &AGAIN, cancel };
            self.exchange(account, errand).await.map(|()| Renewed::Again)
        } else {
            without_exchange(account, &asks, refused.pass).ok_or_else(|| account.refuse(&courier.origin, 401))
        };
        state.asks = asks;
        renewed
    }

    /// Bearer before Basic, when the registry takes both.
    fn asked(&self, before: &Asks, origin: &Origin, answer: &Answer) -> Result<Asks, RegistryError> {
        let challenges: Vec<Challenge> = answer
            .headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(challenge::parse)
            .collect();
        let bearer = challenges.iter().find_map(|challenge| {
            let realm = challenge.parameter("realm").filter(|_| challenge.scheme == "bearer")?;
            Some((realm, challenge.parameter("service")))
        });
        let Some((realm, service)) = bearer else {
            // Also without a challenge: some registries leave it out.
            return Ok(if matches!(before, Asks::Bearer { .. }) { before.clone() } else { Asks::Basic });
        };
        if service == Some(GITEA) {
            self.is_gitea.store(true, Ordering::Relaxed);
        }
        let realm = self
            .gate
            .check(origin, realm)
            .map_err(|realm| RegistryError::Realm { origin: origin.clone(), realm })?;
        Ok(Asks::Bearer { realm, service: service.map(str::to_owned) })
    }

    async fn exchange(&self, account: &mut Account, errand: Errand<'_>) -> Result<(), RegistryError> {
        let Errand { courier, asks, scope, patience, cancel } = errand;
        let Asks::Bearer { realm, service } = asks else { return Ok(()) };
        let mut patience = (1..).zip(patience);
        loop {
            let identity = account.identity(asks);
            let wanted = (realm, service.as_deref(), scope);
            let answer = request_token(courier, wanted, identity.as_ref(), cancel).await?;
            let status = answer.status.as_u16();
            if answer.status.is_success() {
                let Some(token) = Token::read(&answer.body) else {
                    let reason = "the token server's answer has no token in it".to_owned();
                    let source = NetworkFault::Answer { reason };
                    return Err(RegistryError::Network { origin: courier.origin.clone(), source });
                };
                if token.holder != Holder::Ghost || identity.is_none() {
                    account.keep(self.key(scope), token);
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
            // A server that cannot read its own accounts for a moment knows nobody, not even who was here before.
            if status == 401
                && account.had_token(&self.key(scope))
                && let Some((attempt, &wait)) = patience.next()
            {
                let reason = "a login that was good is refused (401)";
                let pause = Pause { subject: "the token server", reason, wait, attempt, host: None };
                courier.wait(pause, cancel).await?;
                continue;
            }
            if !account.take_second() {
                return Err(account.refuse(&courier.origin, if status == 200 { 401 } else { status }));
            }
        }
    }
}

/// Basic and given tokens: the identity itself is sent, so a 401 with it is final, but for a second one.
fn without_exchange(account: &mut Account, asks: &Asks, sent: &Pass) -> Option<Renewed> {
    let was_sent = sent.header.is_some();
    let can_be_sent = account.pass(asks, &[]).header.is_some();
    ((can_be_sent && !was_sent) || (was_sent && account.take_second())).then_some(Renewed::Again)
}
