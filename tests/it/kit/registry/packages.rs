//! As much of Gitea's packages API as lists and deletes versions of container images.

use serde_json::{Value, json};

use super::exchange::Exchange;
use super::http::{Answer, Head};
use super::login::{self, Caller, Claim};
use super::settings::Scope;
use super::store::Store;

/// What Gitea gives at most.
const PAGE: usize = 50;

pub(super) fn answer(exchange: &Exchange<'_>) -> Answer {
    let head = &exchange.head;
    // Not decoded: a name's own slashes are not those of the path.
    let path = head.target.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
    if parts == ["version"] {
        return Answer::json(200, &json!({ "version": "1.26.0" }));
    }
    // The tokens of the registry are none here.
    let by_token = head.header("authorization").is_some_and(|value| value.starts_with("Bearer"));
    let (user, scope) = match login::claim(&exchange.shared, head) {
        Claim::Caller(Caller::User { name, scope }) if !by_token => (name, scope),
        _ => return refused(401, "token is required"),
    };
    let settings = &exchange.shared.settings;
    let may_write = |owner: &str| scope == Scope::Write && login::may_write(settings, &user, owner);
    match (head.method.as_str(), parts.as_slice()) {
        (_, ["packages", ..]) if scope == Scope::Nothing => refused(403, "token does not have the scope"),
        ("GET", ["packages", owner]) => {
            let is = |name: &String| name.eq_ignore_ascii_case(owner);
            let names = settings.users.iter().map(|user| &user.name).chain(&settings.owners);
            if !names.clone().any(is) {
                return refused(404, "user redirect does not exist");
            }
            exchange.shared.with(|state| list(&state.store, head, &owner.to_lowercase()))
        }
        ("DELETE", ["packages", owner, "container", name, version]) => {
            let repository = format!("{}/{}", owner.to_lowercase(), name.replace("%2F", "/"));
            if !may_write(&repository) {
                return refused(403, "user should have specific permission or be a site admin");
            }
            exchange.shared.with(|state| delete(&mut state.store, &repository, version))
        }
        _ => Answer::html(404, "Page Not Found"),
    }
}

fn refused(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "message": message, "url": "http://localhost/api/swagger" }))
}

fn list(store: &Store, head: &Head, owner: &str) -> Answer {
    let number = |name: &str| head.query(name).and_then(|text| text.parse::<usize>().ok());
    let (page, limit) = (number("page").unwrap_or(1).max(1), number("limit").unwrap_or(PAGE).min(PAGE));
    let wanted = head.query("q").unwrap_or_default();
    let mut versions: Vec<(u64, Value)> = Vec::new();
    for (repository, found) in &store.repositories {
        let Some(name) = repository.strip_prefix(&format!("{owner}/")).filter(|name| name.contains(wanted))
        else {
            continue;
        };
        versions.extend(found.versions.iter().map(|(version, stored)| {
            let entry = json!({ "id": stored.made, "type": "container", "name": name, "version": version,
                "owner": { "login": owner }, "created_at": "2024-01-01T00:00:00Z" });
            (stored.made, entry)
        }));
    }
    versions.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
    let total = versions.len();
    let shown: Vec<Value> =
        versions.into_iter().skip((page - 1) * limit).take(limit).map(|(_, entry)| entry).collect();
    Answer::json(200, &json!(shown)).with("X-Total-Count", total.to_string())
}

/// The version goes with its rows; files stay for a clean-up that never comes here.
fn delete(store: &mut Store, repository: &str, version: &str) -> Answer {
    match store.repositories.get_mut(repository).and_then(|found| found.versions.remove(version)) {
        Some(_) => Answer::new(204),
        None => refused(404, "package does not exist"),
    }
}
