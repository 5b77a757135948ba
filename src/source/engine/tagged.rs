use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::client::Tagged;
use super::select::{Asked, tried};
use super::{answered, client, find};
use crate::event::Events;
use crate::port::{Found, SourceError, SourceName};
use crate::source::open::Places;
use crate::source::shown::shown;
use crate::source::spec::EngineKind;

/// Every image of the local engines whose name begins with the registry of the run, by its name. One that
/// cannot be had leaves the others.
///
/// # Errors
/// `NoneTagged` where there is none.
pub(in crate::source) async fn find_tagged(places: &Places, events: &Events) -> Result<Found, SourceError> {
    let (tags, asked) = all_tags(places).await;
    let tags = for_registry(tags, &asked, places)?;
    let names: BTreeSet<String> = tags.into_iter().map(|tag| tag.name).collect();
    let mut found = Found::default();
    for name in names {
        match find(&name, EngineKind::Any, places, events).await {
            Ok(one) => {
                found.images.extend(one.images);
                found.outlines.extend(one.outlines);
                found.skipped.extend(one.skipped);
            }
            Err(error) => found.failed.push((SourceName(shown(&name)), error)),
        }
    }
    Ok(found)
}

/// Every name in the local engines, and the places that were asked.
pub(super) async fn all_tags(places: &Places) -> (BTreeSet<Tagged>, Vec<Asked>) {
    let endpoints = places.learned.endpoints(EngineKind::Any, &places.sockets).await;
    let asked = endpoints.into_iter().map(|endpoint| async move {
        let tags = answered(&endpoint, places, Box::pin(client::tags(&endpoint))).await;
        (endpoint, tags)
    });
    let (mut tags, mut places_asked) = (BTreeSet::new(), Vec::new());
    for (endpoint, answer) in join_all(asked).await {
        let answer = answer.map(|all| tags.extend(all));
        places_asked.push(Asked { endpoint, answer: answer.map(|()| None) });
    }
    (tags, places_asked)
}

/// Those names that begin with the registry of the run.
///
/// # Errors
/// `NoneTagged` where there is none.
pub(super) fn for_registry(
    mut tags: BTreeSet<Tagged>,
    asked: &[Asked],
    places: &Places,
) -> Result<BTreeSet<Tagged>, SourceError> {
    let registry = places.registry.clone().unwrap_or_default();
    tags.retain(|tag| is_for(&registry, &tag.name));
    if tags.is_empty() {
        return Err(SourceError::NoneTagged { registry, tried: tried(asked) });
    }
    Ok(tags)
}

fn is_for(registry: &str, name: &str) -> bool {
    !registry.is_empty() && name.strip_prefix(registry).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_for_the_registry_whose_host_and_port_it_begins_with() {
        assert!(is_for("r.example:8443", "r.example:8443/me/web:1"));
        for name in ["r.example:84430/me/web:1", "r.example/me/web:1", "web:1", "<none>:<none>"] {
            assert!(!is_for("r.example:8443", name), "{name}");
        }
        assert!(!is_for("", "/web"));
    }
}
