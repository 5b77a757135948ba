use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::Entry;
use super::key::{self, Reach};
use crate::oci::Repository;
use crate::port::{Identity, Origin};

/// A config of docker, or an `auth.json` of Podman, which has the same form.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(default)]
    auths: Option<BTreeMap<String, Entry>>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
}

impl Config {
    /// A file without content is a config without logins, as for docker.
    ///
    /// # Errors
    /// Where it is no such config. The parser's own message quotes values, and they may be passwords.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(text)
            .map_err(|error| format!("line {}, column {}", error.line(), error.column()))
    }

    pub(super) fn has_entries(&self) -> bool {
        self.auths.as_ref().is_some_and(|auths| !auths.is_empty())
    }

    /// The name of the helper that knows the logins of this registry.
    pub(super) fn helper(&self, origin: &Origin) -> Option<&str> {
        let own = self.cred_helpers.iter().flatten().find(|(key, _)| key::names(key, origin));
        let helper = own.map(|(_, helper)| helper).filter(|helper| !helper.is_empty());
        helper.or(self.creds_store.as_ref().filter(|store| !store.is_empty())).map(String::as_str)
    }

    /// The entry that says most of the repository's name. Of two that name the registry, the one that is
    /// its name as it stands comes first, then the other spellings of it.
    ///
    /// # Errors
    /// When the entry is none that can be read.
    pub(super) fn identity(
        &self,
        origin: &Origin,
        repository: Option<&Repository>,
    ) -> Result<Option<(&str, Identity)>, String> {
        let exact = origin.authority();
        let mut entries: Vec<(Reach, &String, &Entry)> = self
            .auths
            .iter()
            .flatten()
            .filter_map(|(key, entry)| Some((key::reach(key, origin, repository)?, key, entry)))
            .collect();
        entries.sort_by_key(|(reach, key, _)| (Reverse(*reach), **key != exact));
        for (_, key, entry) in entries {
            let identity =
                entry.identity().map_err(|reason| format!("entry `{}`: {reason}", key.escape_debug()))?;
            if let Some(identity) = identity {
                return Ok(Some((key, identity)));
            }
        }
        Ok(None)
    }
}
