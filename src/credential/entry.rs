use std::collections::BTreeMap;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::port::{Identity, Origin, Scheme, Secret};

/// What docker calls its own registry in configs and towards helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

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

/// Whether a key of `auths` or `credHelpers` names this registry: `HOST[:PORT]`, with or without a scheme
/// and the path of an API version. Compared whole, since a part would give one registry the login of
/// another (CVE-2026-5222). A key of Podman for one repository names no registry.
pub(super) fn names(key: &str, origin: &Origin) -> bool {
    let (scheme, rest) = match key.split_once("://") {
        None => (origin.scheme(), key),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(_) => return false,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    matches!(path, "" | "v1" | "v1/" | "v2" | "v2/")
        && Origin::parse(scheme, authority).is_ok_and(|named| docker_hub(named) == docker_hub(origin.clone()))
}

/// What the registry is called towards a helper.
pub(super) fn server_url(origin: &Origin) -> String {
    if is_docker_hub(origin) { DOCKER_HUB.to_owned() } else { origin.authority() }
}

/// Docker Hub is known by three names.
fn docker_hub(origin: Origin) -> Origin {
    if is_docker_hub(&origin) { Origin::new(Scheme::Https, "index.docker.io", 443) } else { origin }
}

fn is_docker_hub(origin: &Origin) -> bool {
    let by_name = matches!(origin.host(), "docker.io" | "index.docker.io" | "registry-1.docker.io");
    by_name && origin.scheme() == Scheme::Https && origin.port() == 443
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

    #[test]
    fn a_key_names_a_registry_whole() {
        let https = |text| Origin::parse(Scheme::Https, text).unwrap();
        for (key, origin) in [
            ("r.example", https("r.example")),
            ("R.example", https("r.example")),
            ("r.example:443", https("r.example")),
            ("https://r.example", https("r.example")),
            ("https://r.example/", https("r.example")),
            ("https://r.example/v1/", https("r.example:443")),
            ("r.example:8443/v2/", https("r.example:8443")),
            ("http://r.example:5000", Origin::new(Scheme::Http, "r.example", 5000)),
            ("r.example", Origin::new(Scheme::Http, "r.example", 80)),
            ("[::1]:5000", https("[::1]:5000")),
            ("https://index.docker.io/v1/", https("registry-1.docker.io")),
            ("docker.io", https("index.docker.io")),
            ("registry-1.docker.io", https("docker.io")),
        ] {
            assert!(names(key, &origin), "{key} {origin}");
        }
        for (key, origin) in [
            ("r.example", https("r.example:8443")),
            ("r.example:8443", https("r.example")),
            ("example", https("r.example")),
            ("r.example", https("a.r.example")),
            ("r.example.evil", https("r.example")),
            ("https://u@r.example", https("r.example")),
            ("r.example/team/app", https("r.example")),
            ("https://r.example/v1/x", https("r.example")),
            ("http://r.example", https("r.example")),
            ("https://r.example:80", Origin::new(Scheme::Http, "r.example", 80)),
            ("ftp://r.example", https("r.example")),
            ("docker.io", https("docker.io:5000")),
            ("", https("r.example")),
            ("https://", https("r.example")),
        ] {
            assert!(!names(key, &origin), "{key} {origin}");
        }
    }

    #[test]
    fn docker_hub_has_a_name_of_its_own_towards_helpers() {
        let https = |text| server_url(&Origin::parse(Scheme::Https, text).unwrap());
        assert_eq!(https("docker.io"), "https://index.docker.io/v1/");
        assert_eq!(https("r.example:8443"), "r.example:8443");
    }

    proptest! {
        #[test]
        fn any_user_and_password_come_back(username in "[^:\\pC]{1,12}", secret in "\\PC{0,24}") {
            let entry = json!({ "auth": STANDARD.encode(format!("{username}:{secret}")) });
            prop_assert_eq!(identity(&entry), Ok(Some(password(&username, &secret))));
        }

        #[test]
        fn any_key_is_read_or_names_nothing(key in "\\PC{0,40}") {
            let _ = names(&key, &Origin::new(Scheme::Https, "r.example", 443));
        }
    }
}
