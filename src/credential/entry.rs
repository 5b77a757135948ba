use std::collections::BTreeMap;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::port::{Identity, Secret};

/// One entry of `auths`. Empty values are as good as none: docker writes `{}` beside a credentials store.
#[derive(Default, Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Entry {
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    auth: Option<String>,
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    identitytoken: Option<String>,
    #[serde(default, deserialize_with = "filled", skip_serializing)]
    registrytoken: Option<String>,
}

fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Option::<String>::deserialize(deserializer)?;
    Ok(value.filter(|value| !value.is_empty()))
}

impl Entry {
    /// The login of this entry, decoded by `docker_credential`: it knows how `auth` is written, that an
    /// identity token comes before it, and that it must not contradict `username` and `password`. It is
    /// given this one entry, so that its search by name and its helpers play no part. A `registrytoken` it
    /// does not know: that is a bearer as it stands.
    pub(super) fn identity(&self) -> Result<Option<Identity>, &'static str> {
        if let Some(token) = &self.registrytoken {
            return Ok(Some(Identity::Bearer(Secret::new(token.clone()))));
        }
        let alone = BTreeMap::from([("auths", BTreeMap::from([("it", self)]))]);
        let text = serde_json::to_vec(&alone).map(Zeroizing::new).map_err(|_| "it cannot be read")?;
        match docker_credential::get_credential_from_reader(text.as_slice(), "it") {
            Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Identity::Refresh(Secret::new(token)))),
            Ok(DockerCredential::UsernamePassword(username, password)) => {
                Ok(Some(Identity::Password { username, password: Secret::new(password) }))
            }
            Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
            Err(CredentialRetrievalError::CredentialMismatchError) => {
                Err("`auth` says another login than `username` and `password`")
            }
            Err(_) => Err("`auth` is not the base64 of USER:PASSWORD"),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn identity(entry: &serde_json::Value) -> Result<Option<Identity>, &'static str> {
        serde_json::from_value::<Entry>(entry.clone()).unwrap().identity()
    }

    fn password(username: &str, password: &str) -> Identity {
        Identity::Password { username: username.to_owned(), password: Secret::new(password.to_owned()) }
    }

    #[test]
    fn an_entry_is_read_as_docker_writes_it() {
        let auth = STANDARD.encode("u:p:q");
        let token = || Secret::new("t".to_owned());
        let plain = json!({ "username": "u", "password": "p" });
        for (entry, expected) in [
            (json!({ "auth": auth }), Some(password("u", "p:q"))),
            (json!({ "auth": auth.trim_end_matches('=') }), Some(password("u", "p:q"))),
            (plain, Some(password("u", "p"))),
            (json!({ "auth": auth, "identitytoken": "t" }), Some(Identity::Refresh(token()))),
            (json!({ "registrytoken": "t" }), Some(Identity::Bearer(token()))),
            (json!({ "auth": "", "identitytoken": "", "email": "e" }), None),
            (json!({ "auth": null }), None),
            (json!({}), None),
        ] {
            assert_eq!(identity(&entry), Ok(expected), "{entry}");
        }
    }

    #[test]
    fn an_entry_that_is_none_is_refused() {
        let auth = STANDARD.encode("u:p");
        for entry in [
            json!({ "auth": "%%%" }),
            json!({ "auth": STANDARD.encode("no colon") }),
            json!({ "auth": STANDARD.encode(b"\xff:\xff") }),
            json!({ "auth": auth, "username": "u", "password": "other" }),
        ] {
            assert!(identity(&entry).is_err(), "{entry}");
        }
    }

    proptest! {
        #[test]
        fn any_user_and_password_come_back(username in "[^:\\pC]{1,12}", secret in "\\PC{0,24}") {
            let entry = json!({ "auth": STANDARD.encode(format!("{username}:{secret}")) });
            prop_assert_eq!(identity(&entry), Ok(Some(password(&username, &secret))));
        }
    }
}
