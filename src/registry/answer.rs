use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::Deserialize;

use super::retry::Passing;
use crate::oci::Digest;
use crate::port::Refusal;

/// As much of a server's own words as is worth showing.
const SHOWN: usize = 400;

/// A whole answer. Its body is small: bounded when it was read.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The distribution spec's error document: the first error counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerError {
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

impl Answer {
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `Docker-Content-Digest`, where it is one.
    pub(super) fn digest(&self) -> Option<Result<Digest, String>> {
        let text = self.header(&HeaderName::from_static("docker-content-digest"))?;
        Some(text.parse().map_err(|_| escaped(text)))
    }

    pub(super) fn content_length(&self) -> Option<u64> {
        self.header(&header::CONTENT_LENGTH)?.parse().ok()
    }

    /// Bytes that an upload session holds, from `Range: 0-N` (inclusive, so one more). The header is
    /// absent at 0 bytes; some registries say `0-0` then, so that answer is no answer.
    pub(super) fn acknowledged(&self) -> Option<u64> {
        let range = self.header(&header::RANGE)?;
        let range = range.strip_prefix("bytes=").unwrap_or(range);
        let (start, end) = range.split_once('-')?;
        let end: u64 = end.trim().parse().ok()?;
        (start.trim() == "0" && end > 0).then(|| end.checked_add(1)).flatten()
    }

    /// `OCI-Chunk-Min-Length`, in bytes.
    pub(super) fn chunk_min(&self) -> Option<u64> {
        self.header(&HeaderName::from_static("oci-chunk-min-length"))?.parse().ok()
    }

    /// `Retry-After`: seconds, or a date, which counts from the server's own `Date`.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let text = self.header(&header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let until = httpdate::parse_http_date(text).ok()?;
        let now = httpdate::parse_http_date(self.header(&header::DATE)?).ok()?;
        Some(until.duration_since(now).unwrap_or_default())
    }

    /// Whether the same request may succeed later.
    pub(super) fn passing(&self) -> Option<Passing> {
        let status = self.status.as_u16();
        let asked = matches!(status, 413 | 429 | 503).then(|| self.retry_after()).flatten();
        match status {
            _ if asked.is_some() => asked.map(Passing::Asked),
            502 | 503 => Some(Passing::Outage),
            408 | 409 | 425 | 429 | 500 | 504 => Some(Passing::Fault),
            _ => None,
        }
    }

    /// What the server says of its refusal, made safe to show.
    pub(super) fn error(&self) -> ServerError {
        if let Ok(Errors { errors }) = serde_json::from_slice(&self.body)
            && let Some(first) = errors.into_iter().next()
        {
            return ServerError {
                code: escaped(&first.code),
                message: escaped(&first.message.unwrap_or_default()),
            };
        }
        // Gitea's own API.
        if let Ok(ErrorEntry { code, message: Some(message) }) = serde_json::from_slice(&self.body) {
            return ServerError { code: escaped(&code), message: escaped(&message) };
        }
        let text = String::from_utf8_lossy(&self.body);
        let text = match text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")) {
            Some((title, _)) => title,
            None if text.trim_start().starts_with('<') => "",
            None => &text,
        };
        ServerError { code: String::new(), message: escaped(text.trim()) }
    }

    /// Why the server will not do it, however often it is asked.
    pub(super) fn refusal(&self) -> Refusal {
        let code = self.error().code;
        match (self.status.as_u16(), code.as_str()) {
            (_, "DIGEST_INVALID") => Refusal::DigestInvalid,
            (_, "NAME_INVALID" | "TAG_INVALID") => Refusal::NameInvalid,
            (_, "BLOB_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN") => Refusal::BlobUnknown,
            (_, "MANIFEST_INVALID" | "MANIFEST_UNVERIFIED" | "SIZE_INVALID") => Refusal::ManifestInvalid,
            (_, "NAME_UNKNOWN") => Refusal::OwnerUnknown,
            (401 | 403, _) => Refusal::Denied,
            (413, _) => Refusal::TooLarge,
            (507, _) => Refusal::Quota,
            (300..=399, _) => {
                Refusal::Redirected { to: shown_url(self.header(&header::LOCATION).unwrap_or_default()) }
            }
            _ => Refusal::Other,
        }
    }

    /// Code and message in one line.
    pub(super) fn said(&self) -> String {
        let ServerError { code, message } = self.error();
        match (code.is_empty(), message.is_empty()) {
            (true, _) => message,
            (false, true) => code,
            (false, false) => format!("{code}: {message}"),
        }
    }
}

/// Server text without control characters, cut to what is worth showing.
pub(super) fn escaped(text: &str) -> String {
    let bidi =
        |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}');
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= SHOWN {
            shown.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if c.is_control() || bidi(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// A URL of a server's without what may be a key to something: its user information and its query.
pub(super) fn shown_url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (url, rest) = url.split_at_checked(end).unwrap_or((url, ""));
    let start = url.find("//").map_or(0, |slashes| slashes + 2);
    let (before, after) = url.split_at_checked(start).unwrap_or(("", url));
    let authority = after.split(['/', '\\']).next().unwrap_or_default();
    let after = authority.rfind('@').and_then(|at| after.get(at + 1..)).unwrap_or(after);
    escaped(&format!("{before}{after}{}", if rest.is_empty() { "" } else { "?****" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn a_range_is_inclusive_and_zero_zero_says_nothing() {
        let acknowledged = |range| answer(202, &[("range", range)], "").acknowledged();
        assert_eq!(acknowledged("0-99"), Some(100));
        assert_eq!(acknowledged("bytes=0-99"), Some(100));
        for odd in ["0-0", "", "5-9", "0-", "0--1", "x", "0-99999999999999999999", "0-18446744073709551615"] {
            assert_eq!(acknowledged(odd), None, "{odd}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_servers_own_clock() {
        let date = ("date", "Mon, 01 Jan 2024 00:00:00 GMT");
        let wait = |text| answer(429, &[("retry-after", text), date], "").retry_after();
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Mon, 01 Jan 2024 00:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Sun, 31 Dec 2023 00:00:30 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }

    #[test]
    fn the_first_error_of_the_document_is_shown() {
        let body = r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m","detail":{"x":1}}]}"#;
        let refused = answer(403, &[], body);
        assert_eq!(refused.error().code, "DENIED");
        assert_eq!(refused.said(), "DENIED: no\\u{1b}[31m");
        assert_eq!(refused.refusal(), Refusal::Denied);
    }

    #[test]
    fn the_message_of_giteas_own_api_is_shown() {
        let body = r#"{"message":"token is required","url":"http://r/api/swagger"}"#;
        assert_eq!(answer(401, &[], body).said(), "token is required");
        assert_eq!(answer(404, &[], r#"{"url":"x"}"#).said(), r#"{"url":"x"}"#);
    }

    #[test]
    fn html_is_reduced_to_its_title() {
        let page = "<html><head><title>502 Bad Gateway</title></head><body>…</body></html>";
        assert_eq!(answer(502, &[], page).said(), "502 Bad Gateway");
        assert_eq!(answer(502, &[], "<p>hi").said(), "");
        assert_eq!(answer(404, &[], "Not found.\n").said(), "Not found.");
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_a_key() {
        for (url, shown) in [
            ("https://s3.example/b/x?X-Amz-Signature=secret", "https://s3.example/b/x?****"),
            ("https://user:secret@r.example/x", "https://r.example/x"),
            ("//user:secret@r.example", "//r.example"),
            ("/v2/web/blobs/uploads/1?_state=secret", "/v2/web/blobs/uploads/1?****"),
            ("https://r.example/a@b", "https://r.example/a@b"),
            ("https://r.example#secret", "https://r.example?****"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert_eq!(answer(503, &[], "").passing(), Some(Passing::Outage));
        assert_eq!(
            answer(503, &[("retry-after", "9")], "").passing(),
            Some(Passing::Asked(Duration::from_secs(9)))
        );
        assert_eq!(
            answer(413, &[("retry-after", "9")], "").passing(),
            Some(Passing::Asked(Duration::from_secs(9)))
        );
        assert_eq!(answer(500, &[], "").passing(), Some(Passing::Fault));
        for status in [200, 201, 202, 400, 401, 403, 404, 405, 413, 416, 501] {
            assert_eq!(answer(status, &[], "").passing(), None, "{status}");
        }
    }
}
