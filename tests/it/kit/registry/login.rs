//! Who may do what: challenges, tokens and rights.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::exchange::Exchange;
use super::http::{Answer, Head};
use super::route::Route;
use super::settings::{Login, Manner, Scope, Settings, User};
use super::state::{Shared, State};
use super::store::sha256;
use super::wire::Cut;
use super::{distribution, gitea};

/// Who asks, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    /// Gitea's user -1: anonymous, with a token.
    Ghost,
    User {
        name: String,
        scope: Scope,
    },
    /// A token of distribution is about repositories, not about people.
    Granted(Vec<Grant>),
}

/// One repository and what may be done there: `pull`, `push`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) repository: String,
    pub(super) actions: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Token {
    pub(super) caller: Caller,
    until: Instant,
    uses_left: Option<u32>,
}

/// What an `Authorization` header says.
pub(super) enum Claim {
    Nothing,
    Caller(Caller),
    Wrong,
}

/// Lets a request in, or says why not.
pub(super) fn admit(shared: &Shared, head: &Head, route: &Route) -> Result<Caller, Answer> {
    if shared.settings.manner.is_gitea() {
        gitea::admit(shared, head, route)
    } else {
        distribution::admit(shared, head, route)
    }
}

/// Whether the caller may read it: where a mount may come from.
pub(super) fn may_read(settings: &Settings, caller: &Caller, repository: &str) -> bool {
    let private = settings.private.iter().any(|prefix| repository.starts_with(prefix));
    match caller {
        Caller::Anonymous | Caller::Ghost => !private,
        Caller::User { name, .. } => !private || may_write(settings, name, repository),
        Caller::Granted(grants) => granted(grants, repository, "pull"),
    }
}

pub(super) fn may_write(settings: &Settings, name: &str, repository: &str) -> bool {
    user(settings, name).is_some_and(|user| user.may_write(repository))
}

pub(super) fn granted(grants: &[Grant], repository: &str, action: &str) -> bool {
    grants.iter().any(|grant| grant.repository == repository && grant.actions.iter().any(|has| has == action))
}

fn user<'a>(settings: &'a Settings, name: &str) -> Option<&'a User> {
    settings.users.iter().find(|user| user.name.eq_ignore_ascii_case(name))
}

/// Reads `Authorization`. A token counts one use.
pub(super) fn claim(shared: &Shared, head: &Head) -> Claim {
    let Some(value) = head.header("authorization") else { return Claim::Nothing };
    let (kind, rest) = value.split_once(' ').unwrap_or((value, ""));
    let caller = match kind.to_ascii_lowercase().as_str() {
        "basic" => basic(&shared.settings, rest),
        "bearer" => shared.with(|state| bearer(state, rest)),
        _ => None,
    };
    caller.map_or(Claim::Wrong, Claim::Caller)
}

fn basic(settings: &Settings, encoded: &str) -> Option<Caller> {
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    let known = user(settings, name).filter(|user| user.password == password);
    if let Some(user) = known {
        return Some(Caller::User { name: user.name.clone(), scope: Scope::Write });
    }
    // Gitea: an access token is the password, or the user name with an empty password.
    let token = if password.is_empty() { name } else { password };
    let candidates =
        settings.users.iter().filter(|user| password.is_empty() || user.name.eq_ignore_ascii_case(name));
    candidates.flat_map(|user| user.access_tokens.iter().map(move |known| (user, known))).find_map(
        |(user, (known, scope))| {
            (known == token).then(|| Caller::User { name: user.name.clone(), scope: *scope })
        },
    )
}

fn bearer(state: &mut State, token: &str) -> Option<Caller> {
    let known = state.tokens.get_mut(token).filter(|known| known.until > Instant::now())?;
    if let Some(uses) = &mut known.uses_left {
        *uses = uses.checked_sub(1)?;
    }
    Some(known.caller.clone())
}

/// The token endpoint: `GET /v2/token` of Gitea, `GET` and `POST /token` of the others.
pub(super) async fn token(exchange: &mut Exchange<'_>) -> Result<Answer, Cut> {
    let gitea = exchange.shared.settings.manner.is_gitea();
    match (gitea, exchange.head.path.as_str(), exchange.head.method.as_str()) {
        (true, "/v2/token", "GET") => Ok(gitea::token(&exchange.shared, &exchange.head)),
        (false, "/token", "GET") => Ok(distribution::token(&exchange.shared, &exchange.head)),
        (false, "/token", "POST") => {
            let form = exchange.whole_body(64 << 10).await?.unwrap_or_default();
            Ok(distribution::oauth(&exchange.shared, &form))
        }
        _ => Ok(Answer::text(404, "404 page not found")),
    }
}

/// A new token for the caller, remembered until it ends.
pub(super) fn issue(shared: &Shared, caller: Caller) -> String {
    let lifetime = shared.settings.token_lifetime;
    let begins = shared.unix_seconds();
    let claims = match (&caller, shared.settings.manner) {
        (Caller::Ghost, _) => json!({ "UserID": -1 }),
        (Caller::User { name, .. }, Manner::Gitea | Manner::Gitea124) => {
            let place = shared.settings.users.iter().position(|user| user.name == *name).unwrap_or_default();
            json!({ "UserID": place + 1, "Scope": "write:package" })
        }
        _ => json!({}),
    };
    let mut claims = claims;
    if let Some(claims) = claims.as_object_mut() {
        claims.insert("nbf".to_owned(), json!(begins));
        claims.insert("exp".to_owned(), json!(begins + lifetime.as_secs().max(1)));
    }
    let encoded = |text: String| URL_SAFE_NO_PAD.encode(text);
    let head = encoded(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
    shared.with(|state| {
        let body = encoded(claims.to_string());
        // No signature: only what is in the table counts, and the number keeps two tokens apart.
        let seal = encoded(sha256(format!("{body} {}", state.tick()).as_bytes()));
        let token = format!("{head}.{body}.{seal}");
        let until = Instant::now() + lifetime.min(Duration::from_hours(24 * 365));
        let uses_left = shared.settings.token_uses;
        state.tokens.insert(token.clone(), Token { caller, until, uses_left });
        token
    })
}

/// Where tokens are, as this client reached us.
pub(super) fn realm(shared: &Shared, head: &Head, path: &str) -> String {
    let host = head.header("host").unwrap_or_default();
    match (shared.settings.login, shared.token_port) {
        (Login::BearerElsewhere, Some(port)) => {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            format!("{}://{name}:{port}{path}", shared.scheme())
        }
        _ => format!("{}://{host}{path}", shared.scheme()),
    }
}
