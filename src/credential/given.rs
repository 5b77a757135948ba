use async_trait::async_trait;

use crate::oci::Repository;
use crate::port::{Credential, Identity, Keychain, KeychainError, Origin};

/// The login that flags or environment gave for one registry.
#[derive(Debug, Clone)]
pub struct Given(Credential);

impl Given {
    /// # Errors
    /// `ControlCharacter` when a value has one in it.
    pub fn new(credential: Credential) -> Result<Self, KeychainError> {
        for identity in [Some(&credential.identity), credential.second.as_ref()].into_iter().flatten() {
            refuse_control_characters(identity, &credential.source)?;
        }
        Ok(Self(credential))
    }
}

#[async_trait]
impl Keychain for Given {
    async fn credential(
        &self,
        origin: &Origin,
        _: Option<&Repository>,
    ) -> Result<Option<Credential>, KeychainError> {
        Ok(Some(&self.0).filter(|credential| credential.origin == *origin).cloned())
    }
}

/// A line break in a login would end a header, or a line of a helper's protocol (CVE-2020-5260).
pub(super) fn refuse_control_characters(identity: &Identity, source: &str) -> Result<(), KeychainError> {
    let fields = match identity {
        Identity::Password { username, password } => {
            vec![("user name", username.as_str()), ("password", password.expose())]
        }
        Identity::Bearer(token) | Identity::Refresh(token) => vec![("token", token.expose())],
    };
    match fields.into_iter().find(|(_, value)| value.chars().any(char::is_control)) {
        Some((field, _)) => Err(KeychainError::ControlCharacter { field, origin_of: source.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Scheme, Secret};

    fn credential(identity: Identity) -> Credential {
        let origin = Origin::new(Scheme::Https, "r.example", 8443);
        Credential { origin, identity, source: "--password".to_owned(), second: None }
    }

    fn password(username: &str, password: &str) -> Identity {
        Identity::Password { username: username.to_owned(), password: Secret::new(password.to_owned()) }
    }

    #[tokio::test]
    async fn it_answers_for_its_own_origin_alone() {
        let given = Given::new(credential(password("u", "p"))).unwrap();
        let ask = async |scheme, host, port| {
            given.credential(&Origin::new(scheme, host, port), None).await.unwrap()
        };
        assert!(ask(Scheme::Https, "R.example", 8443).await.is_some());
        for (scheme, host, port) in [
            (Scheme::Http, "r.example", 8443),
            (Scheme::Https, "r.example", 443),
            (Scheme::Https, "x.r.example", 8443),
        ] {
            assert_eq!(ask(scheme, host, port).await, None);
        }
    }

    #[test]
    fn control_characters_are_refused_by_field() {
        let token = |text: &str| Secret::new(text.to_owned());
        for (identity, expected) in [
            (password("u\r", "p"), "user name"),
            (password("u", "p\n"), "password"),
            (Identity::Bearer(token("t\0")), "token"),
            (Identity::Refresh(token("\u{85}")), "token"),
        ] {
            let Err(KeychainError::ControlCharacter { field, origin_of }) = Given::new(credential(identity))
            else {
                panic!("{expected}")
            };
            assert_eq!((field, origin_of.as_str()), (expected, "--password"));
        }
        let second = Credential { second: Some(password("u", "\t")), ..credential(password("u", "p")) };
        assert!(Given::new(second).is_err());
    }
}
