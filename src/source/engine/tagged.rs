use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::select::{Asked, tried};
use super::{client, endpoints, find};
use crate::event::Events;
use crate::port::{Found, SourceError};
use crate::source::open::Places;
use crate::source::spec::EngineKind;

/// Every image of the local engines whose name begins with the registry of the run, by its name.
///
/// # Errors
/// `NoneTagged` where there is none, and as `find` for the first image that cannot be had.
pub(in crate::source) async fn find_tagged(places: &Places, events: &Events) -> Result<Found, SourceError> {
    let registry = places.registry.clone().unwrap_or_default();
    let asked = endpoints(EngineKind::Any, places).await.into_iter().map(|endpoint| async move {
        let names = client::names(&endpoint).await;
        (endpoint, names)
    });
    let (mut names, mut places_asked) = (BTreeSet::new(), Vec::new());
    for (endpoint, answer) in join_all(asked).await {
        let answer = answer.map(|all| names.extend(all.into_iter().filter(|name| is_for(&registry, name))));
        places_asked.push(Asked { endpoint, answer: answer.map(|()| None) });
    }
    if names.is_empty() {
        return Err(SourceError::NoneTagged { registry, tried: tried(&places_asked) });
    }
    let mut found = Found::default();
    for name in names {
        let one = find(&name, EngineKind::Any, places, events).await?;
        found.images.extend(one.images);
        found.skipped.extend(one.skipped);
    }
    Ok(found)
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
