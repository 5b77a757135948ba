//! How the plain registries ask who it is.

use serde_json::json;

use super::http::{Answer, Head, form};
use super::login::{self, Caller, Claim, Grant, granted, realm};
use super::route::{Route, is_name};
use super::settings::{Login, Scope};
use super::state::Shared;

const SERVICE: &str = "registry.test";

pub(super) fn admit(shared: &Shared, head: &Head, route: &Route) -> Result<Caller, Answer> {
    if let Some(name) = route.repository().filter(|name| !is_name(name)) {
        return Err(Answer::refused(400, "NAME_INVALID", &format!("`{name}` is no name of a repository")));
    }
    match shared.settings.login {
        Login::Open => Ok(Caller::Anonymous),
        Login::Basic => by_password(shared, head, route),
        Login::Bearer | Login::BearerElsewhere => by_token(shared, head, route),
    }
}

/// `pull`, `push` or `delete`.
fn action(head: &Head, route: &Route) -> &'static str {
    match (head.method.as_str(), route) {
        (_, Route::Session { .. }) => "push",
        ("GET" | "HEAD", _) => "pull",
        ("DELETE", _) => "delete",
        _ => "push",
    }
}

fn by_password(shared: &Shared, head: &Head, route: &Route) -> Result<Caller, Answer> {
    let challenge = || refused(401).with("WWW-Authenticate", r#"Basic realm="Registry Realm""#);
    let Claim::Caller(caller) = login::claim(shared, head) else { return Err(challenge()) };
    let Caller::User { name, .. } = &caller else { return Err(challenge()) };
    let denied = route.repository().filter(|repository| {
        let settings = &shared.settings;
        match action(head, route) {
            "pull" => !login::may_read(settings, &caller, repository),
            _ => !login::may_write(settings, name, repository),
        }
    });
    if denied.is_some() {
        return Err(Answer::refused(403, "DENIED", "requested access to the resource is denied"));
    }
    Ok(caller)
}

fn by_token(shared: &Shared, head: &Head, route: &Route) -> Result<Caller, Answer> {
    let realm = realm(shared, head, "/token");
    let mut challenge = format!(r#"Bearer realm="{realm}",service="{SERVICE}""#);
    let action = action(head, route);
    if let Some(repository) = route.repository() {
        let actions = if action == "push" { "pull,push" } else { action };
        challenge.extend([r#",scope="repository:"#, repository, ":", actions, "\""]);
    }
    let error = match login::claim(shared, head) {
        Claim::Caller(Caller::Granted(grants)) => {
            if route.repository().is_none_or(|repository| granted(&grants, repository, action)) {
                return Ok(Caller::Granted(grants));
            }
            r#",error="insufficient_scope""#
        }
        Claim::Nothing => "",
        Claim::Caller(_) | Claim::Wrong => r#",error="invalid_token""#,
    };
    Err(refused(401).with("WWW-Authenticate", challenge + error))
}

fn refused(status: u16) -> Answer {
    Answer::refused(status, "UNAUTHORIZED", "authentication required")
}

/// The token server as docker describes it, GET with Basic.
pub(super) fn token(shared: &Shared, head: &Head) -> Answer {
    let caller = match login::claim(shared, head) {
        Claim::Nothing => Caller::Anonymous,
        Claim::Caller(caller @ Caller::User { .. }) => caller,
        Claim::Caller(_) | Claim::Wrong => {
            return refused(401).with("WWW-Authenticate", r#"Basic realm="token server""#);
        }
    };
    let scopes = head.query.iter().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.as_str());
    let grants = grants(shared, &caller, scopes);
    let token = login::issue(shared, Caller::Granted(grants));
    let seconds = shared.settings.token_lifetime.as_secs();
    Answer::json(200, &json!({ "token": token, "access_token": token, "expires_in": seconds }))
}

/// The token server of OAuth 2: POST with an identity token or a password in the form.
pub(super) fn oauth(shared: &Shared, body: &[u8]) -> Answer {
    let fields = form(body);
    let field =
        |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let user = shared.settings.users.iter().find(|user| match field("grant_type") {
        "refresh_token" => user.access_tokens.iter().any(|(token, _)| token == field("refresh_token")),
        "password" => user.name == field("username") && user.password == field("password"),
        _ => false,
    });
    let Some(user) = user else { return Answer::json(400, &json!({ "error": "invalid_grant" })) };
    let caller = Caller::User { name: user.name.clone(), scope: Scope::Write };
    let grants = grants(shared, &caller, field("scope").split(' '));
    let token = login::issue(shared, Caller::Granted(grants));
    Answer::json(
        200,
        &json!({ "access_token": token, "expires_in": shared.settings.token_lifetime.as_secs() }),
    )
}

/// What was asked for, less what this caller may not.
fn grants<'a>(shared: &Shared, caller: &Caller, scopes: impl Iterator<Item = &'a str>) -> Vec<Grant> {
    let settings = &shared.settings;
    let parts =
        scopes.flat_map(|scope| scope.split(' ')).filter_map(|scope| scope.strip_prefix("repository:"));
    let asked = parts.filter_map(|scope| scope.rsplit_once(':'));
    let allowed = |repository: &str, action: &str| match (action, caller) {
        ("pull", _) => login::may_read(settings, caller, repository),
        ("push" | "delete", Caller::User { name, .. }) => login::may_write(settings, name, repository),
        _ => false,
    };
    let grant = |(repository, actions): (&str, &str)| {
        let actions = actions.split(',').filter(|action| allowed(repository, action));
        Grant { repository: repository.to_owned(), actions: actions.map(str::to_owned).collect() }
    };
    asked.map(grant).collect()
}
