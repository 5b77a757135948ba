//! Gitea's rules about who and under which name. Those about uploads and manifests stand beside the others'.

use serde_json::json;

use super::http::{Answer, Head};
use super::login::{self, Caller, Claim};
use super::route::{Route, is_gitea_name};
use super::settings::{Manner, Scope, Settings};
use super::state::Shared;

pub(super) fn admit(shared: &Shared, head: &Head, route: &Route) -> Result<Caller, Answer> {
    let settings = &shared.settings;
    if *route == Route::Ping && head.method != "GET" {
        return Err(Answer::new(405));
    }
    let by_password = head.header("authorization").is_some_and(|value| value.starts_with("Basic"));
    let caller = match login::claim(shared, head) {
        Claim::Caller(_) if *route == Route::Ping && by_password && settings.manner == Manner::Gitea124 => {
            return Err(unauthorized(shared, head));
        }
        Claim::Caller(caller) => caller,
        Claim::Nothing | Claim::Wrong => return Err(unauthorized(shared, head)),
    };
    if let Some(repository) = route.repository() {
        owner_exists(settings, head, repository)?;
        let (_, image) = repository.split_once('/').unwrap_or((repository, ""));
        if !is_gitea_name(image) {
            return Err(Answer::refused(400, "NAME_INVALID", "invalid repository name"));
        }
        let reads = matches!(head.method.as_str(), "GET" | "HEAD") && !matches!(route, Route::Session { .. });
        if !(if reads {
            may_read(settings, &caller, repository)
        } else {
            may_write(settings, &caller, repository)
        }) {
            let challenge = r#"Basic realm="Gitea Package API""#;
            return Err(Answer::text(401, "reqPackageAccess").with("WWW-Authenticate", challenge));
        }
    }
    Ok(caller)
}

/// An owner's case does not matter; everything else about a name does.
pub(super) fn repository_name(repository: &str) -> String {
    match repository.split_once('/') {
        Some((owner, image)) => format!("{}/{image}", owner.to_ascii_lowercase()),
        None => repository.to_owned(),
    }
}

fn may_read(settings: &Settings, caller: &Caller, repository: &str) -> bool {
    login::may_read(settings, caller, &repository_name(repository))
}

fn may_write(settings: &Settings, caller: &Caller, repository: &str) -> bool {
    match caller {
        Caller::User { name, scope: Scope::Write } => {
            login::may_write(settings, name, &repository_name(repository))
        }
        _ => false,
    }
}

fn owner_exists(settings: &Settings, head: &Head, repository: &str) -> Result<(), Answer> {
    let owner = repository.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let is = |name: &String| name.to_ascii_lowercase() == owner;
    let renamed = settings.renamed_owners.iter().find(|(old, _)| is(old));
    if let Some((old, new)) = renamed.filter(|_| matches!(head.method.as_str(), "GET" | "HEAD" | "POST")) {
        let (from, to) = (format!("/v2/{old}/"), format!("/v2/{new}/"));
        return Err(Answer::new(307).with("Location", head.target.replacen(&from, &to, 1)));
    }
    if settings.users.iter().any(|user| is(&user.name)) || settings.owners.iter().any(is) {
        Ok(())
    } else {
        Err(Answer::text(404, "Not found."))
    }
}

fn unauthorized(shared: &Shared, head: &Head) -> Answer {
    let realm = login::realm(shared, head, "/v2/token");
    let bearer = format!(r#"Bearer realm="{realm}",service="container_registry",scope="*""#);
    let answer = Answer::refused(401, "UNAUTHORIZED", "").with("WWW-Authenticate", bearer);
    if shared.settings.manner == Manner::Gitea124 {
        answer
    } else {
        answer.with("WWW-Authenticate", format!(r#"Basic realm="{}""#, realm.trim_end_matches("/token")))
    }
}

/// A token for whoever asks; a ghost's for nobody.
pub(super) fn token(shared: &Shared, head: &Head) -> Answer {
    let caller = match login::claim(shared, head) {
        Claim::Nothing => Caller::Ghost,
        Claim::Caller(Caller::User { scope: Scope::Nothing, .. }) | Claim::Wrong => {
            return if shared.settings.manner == Manner::Gitea124 {
                Answer::text(401, "authGroup.Verify")
            } else {
                unauthorized(shared, head)
            };
        }
        Claim::Caller(caller) => caller,
    };
    Answer::json(200, &json!({ "token": login::issue(shared, caller) }))
}
