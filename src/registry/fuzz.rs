//! What a registry's answers say, tried with any bytes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::answer::Answer;
use super::challenge;
use super::location::Session;
use super::token::Token;
use crate::port::{Origin, Scheme};

/// `None` for bytes that no header can have, which HTTP itself refuses.
fn answer(name: HeaderName, value: &[u8]) -> Option<Answer> {
    let date = HeaderValue::from_static("Wed, 01 Jan 2025 00:00:00 GMT");
    let headers = HeaderMap::from_iter([(header::DATE, date), (name, HeaderValue::from_bytes(value).ok()?)]);
    Some(Answer { status: StatusCode::SERVICE_UNAVAILABLE, headers, body: Bytes::new() })
}

pub(crate) fn www_authenticate(bytes: &[u8]) {
    let Some(answer) = answer(header::WWW_AUTHENTICATE, bytes) else { return };
    let Some(text) = answer.header(&header::WWW_AUTHENTICATE) else { return };
    for challenge in challenge::parse(text) {
        assert!(!challenge.scheme.is_empty());
        for name in ["realm", "service", "scope", "error"] {
            assert!(challenge.parameter(name).is_none_or(|value| value.len() <= text.len()));
        }
    }
}

pub(crate) fn range(bytes: &[u8]) {
    let held = answer(header::RANGE, bytes).and_then(|answer| answer.acknowledged());
    assert!(held.is_none_or(|held| held > 1));
}

pub(crate) fn location(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for (scheme, authority) in [(Scheme::Https, "gitea.example:8443"), (Scheme::Http, "[::1]:5000")] {
        let Ok(origin) = Origin::parse(scheme, authority) else { continue };
        if let Ok(session) = Session::resolve(&origin, "/v2/team/app/blobs/uploads/", text) {
            let closing = session.with_digest("sha256:0");
            assert!(session.path().starts_with('/') && closing.starts_with(session.path()));
            assert!(closing.bytes().all(|byte| byte.is_ascii_graphic()), "{closing:?}");
        }
    }
}

pub(crate) fn retry_after(bytes: &[u8]) {
    if let Some(answer) = answer(header::RETRY_AFTER, bytes) {
        let _ = (answer.retry_after(), answer.passing());
    }
}

/// The body of an error, and of a token server's answer.
pub(crate) fn body(bytes: &[u8]) {
    let _ = Token::read(bytes);
    let body = Bytes::copy_from_slice(bytes);
    let answer = Answer { status: StatusCode::FORBIDDEN, headers: HeaderMap::new(), body };
    let _ = answer.refusal();
    assert!(!answer.said().contains(char::is_control));
}
