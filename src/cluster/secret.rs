use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::port::{Credential, Identity, Origin, Secret};

use super::api::Api;
use super::request::Request;
use super::{ClusterError, SecretName};

/// Values of a secret as the API sends them, in base64, wiped when dropped.
#[derive(Deserialize)]
pub(super) struct Encoded {
    #[serde(default)]
    data: Option<BTreeMap<String, Value>>,
}

struct Value(Zeroizing<String>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Encoded {
    /// `None` for a key that is not there, or is no base64.
    pub(super) fn bytes(&self, key: &str) -> Option<Zeroizing<Vec<u8>>> {
        let value = self.data.as_ref()?.get(key)?;
        STANDARD.decode(value.0.as_bytes()).ok().map(Zeroizing::new)
    }

    fn keys(&self) -> Vec<String> {
        self.data.iter().flatten().map(|(key, _)| key.clone()).collect()
    }
}

/// What of a login's secret leaves this file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) username: String,
    password: Secret,
    token: Option<Secret>,
    from: SecretName,
}

impl Login {
    /// The token is tried when the password is refused: the two drift apart (cnoe-io/idpbuilder#489).
    pub(super) fn credential(self, origin: Origin) -> Credential {
        let Self { username, password, token, from } = self;
        let second = token.map(|password| Identity::Password { username: username.clone(), password });
        let identity = Identity::Password { username, password };
        Credential { origin, identity, source: format!("secret {from}"), second }
    }
}

/// The one that the user named; else that of the Localbuild's status, and those that idpbuilder has made
/// since v0.4.1 and before.
pub(super) fn candidates(given: Option<&SecretName>, hint: Option<&SecretName>) -> Vec<SecretName> {
    if let Some(given) = given {
        return vec![given.clone()];
    }
    let mut candidates: Vec<_> = hint.cloned().into_iter().collect();
    for name in ["gitea-credential", "gitea-admin-secret"] {
        let made = SecretName::new("gitea", name);
        if !candidates.contains(&made) {
            candidates.push(made);
        }
    }
    candidates
}

/// Reads the first that is there.
///
/// # Errors
/// `SecretNotFound` when none is; `Forbidden` when none could be read, and one must not be;
/// `SecretIncomplete` for one that is no login. That one is not passed over for another account.
pub(super) async fn read(api: &Api, candidates: Vec<SecretName>) -> Result<Login, ClusterError> {
    let mut forbidden = None;
    for name in candidates.iter().filter(|name| name.is_valid()) {
        match api.get::<Encoded>(&Request::secret(name)).await {
            Ok(Some(encoded)) => return decode(name, &encoded),
            Ok(None) => {}
            Err(error @ ClusterError::Forbidden { .. }) => forbidden = forbidden.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    let context = api.context.name.clone();
    Err(forbidden.unwrap_or(ClusterError::SecretNotFound { context, looked_for: candidates }))
}

pub(super) fn decode(name: &SecretName, encoded: &Encoded) -> Result<Login, ClusterError> {
    let refused = |missing, reason: &str| ClusterError::SecretIncomplete {
        secret: name.clone(),
        missing,
        found: encoded.keys(),
        reason: reason.to_owned(),
    };
    let field = |key: &'static str| text(encoded, key).map_err(|reason| refused(key, reason));
    let needed = |key| field(key)?.ok_or_else(|| refused(key, "it is missing or empty"));
    let username = needed("username")?;
    if username.contains(':') {
        return Err(refused("username", "it has a colon in it, which a login over HTTP cannot carry"));
    }
    Ok(Login {
        username: username.to_string(),
        password: Secret::new(needed("password")?.to_string()),
        token: field("token")?.map(|token| Secret::new(token.to_string())),
        from: name.clone(),
    })
}

/// `None` for a key that is absent or empty.
fn text(encoded: &Encoded, key: &str) -> Result<Option<Zeroizing<String>>, &'static str> {
    if encoded.data.as_ref().is_none_or(|data| !data.contains_key(key)) {
        return Ok(None);
    }
    let bytes = encoded.bytes(key).ok_or("it is no base64")?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8")?;
    match text.chars().rfind(|character| character.is_control()) {
        Some('\n' | '\r') if text.ends_with(['\n', '\r']) => {
            Err("it ends in a line break, as from `echo`; `printf %s` leaves it out")
        }
        Some(_) => Err("it has a control character in it"),
        None if text.is_empty() => Ok(None),
        None => Ok(Some(Zeroizing::new(text.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Fields<'a> = &'a [(&'a str, &'a [u8])];

    fn encoded(fields: Fields) -> Encoded {
        let data: serde_json::Map<_, _> =
            fields.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
        serde_json::from_value(json!({ "data": data, "kind": "Secret" })).unwrap()
    }

    fn name() -> SecretName {
        SecretName::new("gitea", "gitea-credential")
    }

    #[test]
    fn password_and_token_become_the_first_and_the_second_login() {
        let encoded = encoded(&[("username", b"giteaAdmin"), ("password", b"p:w\xc3\xa9"), ("token", b"t")]);
        let origin = Origin::new(crate::port::Scheme::Https, "r", 8443);
        let credential = decode(&name(), &encoded).unwrap().credential(origin.clone());
        let password = |text: &str| Identity::Password {
            username: "giteaAdmin".into(),
            password: Secret::new(text.into()),
        };
        let expected = Credential {
            origin,
            identity: password("p:w\u{e9}"),
            source: "secret gitea/gitea-credential".into(),
            second: Some(password("t")),
        };
        assert_eq!(credential, expected);
    }

    #[test]
    fn the_token_comes_late() {
        for fields in [
            &[("username", &b"u"[..]), ("password", b"p")][..],
            &[("username", b"u"), ("password", b"p"), ("token", b"")],
        ] {
            assert_eq!(decode(&name(), &encoded(fields)).unwrap().token, None);
        }
    }

    #[test]
    fn what_is_no_login_names_the_keys_that_are_there() {
        let table: [(Fields, &str, &str); 8] = [
            (&[], "username", "missing"),
            (&[("user", b"u"), ("password", b"p")], "username", "missing"),
            (&[("username", b"u"), ("password", b"")], "password", "empty"),
            (&[("username", b"u\xff"), ("password", b"p")], "username", "UTF-8"),
            (&[("username", b"u"), ("password", b"p\n")], "password", "line break"),
            (&[("username", b"u\nx"), ("password", b"p")], "username", "control"),
            (&[("username", b"a:b"), ("password", b"p")], "username", "colon"),
            (&[("username", b"u"), ("password", b"p"), ("token", b"t\0")], "token", "control"),
        ];
        for (fields, key, why) in table {
            let Err(ClusterError::SecretIncomplete { missing, found, reason, .. }) =
                decode(&name(), &encoded(fields))
            else {
                panic!("{fields:?}")
            };
            let mut keys: Vec<_> = fields.iter().map(|(key, _)| *key).collect();
            keys.sort_unstable();
            assert_eq!((missing, found), (key, keys.iter().map(ToString::to_string).collect()));
            assert!(reason.contains(why), "{reason}");
        }
        let garbage = serde_json::from_value(json!({ "data": { "username": "%%" } })).unwrap();
        assert!(matches!(decode(&name(), &garbage), Err(ClusterError::SecretIncomplete { .. })));
    }

    #[test]
    fn the_secret_that_the_user_names_is_the_only_one() {
        let (given, made) = (SecretName::new("a", "b"), name());
        let old = SecretName::new("gitea", "gitea-admin-secret");
        assert_eq!(candidates(Some(&given), Some(&made)), std::slice::from_ref(&given));
        assert_eq!(candidates(None, Some(&given)), [given, made.clone(), old.clone()]);
        assert_eq!(candidates(None, Some(&made)), [made.clone(), old.clone()]);
        assert_eq!(candidates(None, None), [made, old]);
    }
}
