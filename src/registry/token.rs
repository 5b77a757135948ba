use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::port::Secret;

/// What the token spec says where the answer says nothing.
const DEFAULT_LIFE: Duration = Duration::from_mins(1);

/// A token server's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) value: Secret,
    /// From when it was given, by no clock but the server's own.
    pub(super) life: Duration,
    pub(super) holder: Holder,
}

/// Whom a token is for. Gitea gives everybody one, so that a token is no proof of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    User,
    /// Gitea's `UserID` of nobody.
    Ghost,
    Unsaid,
}

#[derive(Deserialize)]
struct Document {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

#[derive(Deserialize, Default)]
struct Claims {
    exp: Option<u64>,
    iat: Option<u64>,
    nbf: Option<u64>,
    #[serde(rename = "UserID")]
    user_id: Option<i64>,
}

impl Token {
    /// Reads `{"token": ...}` or `{"access_token": ...}`. `None` when there is no token in it that
    /// could stand in a header.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(body).ok()?;
        let value = document.token.or(document.access_token)?;
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let claims = claims(&value).unwrap_or_default();
        let from = claims.iat.or(claims.nbf);
        let lasting = claims.exp.zip(from).and_then(|(exp, from)| exp.checked_sub(from));
        let life = document.expires_in.or(lasting).map_or(DEFAULT_LIFE, Duration::from_secs);
        let holder = match claims.user_id {
            Some(id) if id > 0 => Holder::User,
            Some(_) => Holder::Ghost,
            None => Holder::Unsaid,
        };
        Some(Self { value: Secret::new(value), life, holder })
    }
}

/// The claims of a JWT (RFC 7519). Its signature is the registry's business.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn read(claims: &str) -> Token {
        Token::read(format!(r#"{{"token":"{}"}}"#, jwt(claims)).as_bytes()).unwrap()
    }

    #[test]
    fn life_is_what_the_answer_says_or_the_claims() {
        let given = Token::read(br#"{"access_token":"opaque","expires_in":300}"#).unwrap();
        assert_eq!((given.life.as_secs(), given.holder), (300, Holder::Unsaid));
        assert_eq!(read(r#"{"exp":1000,"iat":400}"#).life.as_secs(), 600);
        assert_eq!(read(r#"{"exp":1000,"nbf":100}"#).life.as_secs(), 900);
        assert_eq!(read(r#"{"exp":1,"nbf":100}"#).life, DEFAULT_LIFE);
        assert_eq!(read("{}").life, DEFAULT_LIFE);
    }

    #[test]
    fn nobodys_token_is_recognised() {
        assert_eq!(read(r#"{"UserID":1}"#).holder, Holder::User);
        assert_eq!(read(r#"{"UserID":-1}"#).holder, Holder::Ghost);
        assert_eq!(read(r#"{"UserID":-2}"#).holder, Holder::Ghost);
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_no_token() {
        for body in ["", "{}", r#"{"token":""}"#, r#"{"token":"a b"}"#, r#"{"token":"a\r\nb"}"#, "[]"] {
            assert_eq!(Token::read(body.as_bytes()), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(body in prop::collection::vec(any::<u8>(), 0..80), claims in "\\PC{0,40}") {
            let _ = Token::read(&body);
            let _ = Token::read(format!(r#"{{"token":"{}"}}"#, jwt(&claims)).as_bytes());
        }
    }
}
