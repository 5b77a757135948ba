use std::fmt;

use url::Url;

use super::answer::shown_url;
use crate::port::{Origin, Scheme};

/// Path and query of an upload session on the registry's own origin, exactly as the registry gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session(String);

/// A Location that leads elsewhere, or is none. Made safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign(pub(super) String);

impl Session {
    /// Resolves a `Location` against the path of the request that it answers (RFC 9110, 10.2.2). Only
    /// the registry's own origin is taken; an `http` URL of an `https` registry, as ingresses without
    /// `X-Forwarded-Proto` give it, is asked on the registry's own connection all the same.
    pub(super) fn resolve(origin: &Origin, requested: &str, location: &str) -> Result<Self, Foreign> {
        let foreign = || Foreign(shown_url(location));
        let base = Url::parse(&format!("{origin}{requested}")).map_err(|_| foreign())?;
        let url = base.join(location).map_err(|_| foreign())?;
        if !is_own(origin, &url) {
            return Err(foreign());
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self(format!("{}{query}", url.path())))
    }

    /// A session that an earlier run noted. A query may say who opened it, and is never noted.
    pub(super) fn noted(origin: &Origin, path: &str) -> Option<Self> {
        let session = Self::resolve(origin, "/", path).ok()?;
        (session.0 == path && session.may_be_noted()).then_some(session)
    }

    pub(super) fn may_be_noted(&self) -> bool {
        !self.0.contains('?')
    }

    pub(super) fn path(&self) -> &str {
        &self.0
    }

    /// The URL that closes the session: the registry's own query stays as it is.
    pub(super) fn with_digest(&self, digest: &str) -> String {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        format!("{}{separator}digest={}", self.0, query_value(digest))
    }

    #[cfg(test)]
    pub(super) fn of_test(path: &str) -> Self {
        Self(path.to_owned())
    }
}

fn is_own(origin: &Origin, url: &Url) -> bool {
    let scheme = match url.scheme() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return false,
    };
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if !url.username().is_empty() || url.password().is_some() || !host.eq_ignore_ascii_case(origin.host()) {
        return false;
    }
    let port = url.port_or_known_default();
    match (origin.scheme(), scheme) {
        (Scheme::Http, Scheme::Https) => false,
        (Scheme::Https, Scheme::Http) => port == Some(80) || port == Some(origin.port()),
        _ => port == Some(origin.port()),
    }
}

/// A value in a query, with everything encoded that is not unreserved (RFC 3986, 2.3).
pub(super) fn query_value(text: &str) -> impl fmt::Display + '_ {
    const RESERVED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POST: &str = "/v2/giteaadmin/web/blobs/uploads/";

    fn resolved(origin: &str, location: &str) -> Result<String, Foreign> {
        let (scheme, authority) = origin.split_once("://").unwrap();
        let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
        let origin = Origin::parse(scheme, authority).unwrap();
        Session::resolve(&origin, POST, location).map(|session| session.0)
    }

    #[test]
    fn relative_and_absolute_locations_of_the_registry_are_followed() {
        let own = |location| resolved("https://r.example:8443", location).unwrap();
        assert_eq!(own("/v2/a/blobs/uploads/1"), "/v2/a/blobs/uploads/1");
        assert_eq!(own("7"), "/v2/giteaadmin/web/blobs/uploads/7");
        assert_eq!(own("https://r.example:8443/v2/x?_state=a%2Fb%3D"), "/v2/x?_state=a%2Fb%3D");
        assert_eq!(own("HTTPS://R.EXAMPLE:8443/v2/x"), "/v2/x");
    }

    #[test]
    fn the_default_port_may_be_written_out() {
        assert_eq!(resolved("https://r.example", "https://r.example:443/x").unwrap(), "/x");
        assert_eq!(resolved("http://r.example:80", "http://r.example/x").unwrap(), "/x");
    }

    #[test]
    fn an_http_location_is_asked_on_the_https_connection() {
        assert_eq!(resolved("https://r.example", "http://r.example/x").unwrap(), "/x");
        assert_eq!(resolved("https://r.example:8443", "http://r.example:8443/x").unwrap(), "/x");
        assert!(resolved("http://r.example", "https://r.example/x").is_err());
    }

    #[test]
    fn another_origin_is_refused() {
        for location in [
            "https://evil.example/x",
            "//evil.example/x",
            "https://r.example:444/x",
            "https://r.example.evil.example/x",
            "https://u:p@r.example/x",
            "ftp://r.example/x",
            "https://",
            "javascript:1",
        ] {
            assert!(resolved("https://r.example", location).is_err(), "{location}");
        }
    }

    #[test]
    fn only_a_path_of_the_registry_without_a_query_is_gone_on_with() {
        let origin = Origin::new(Scheme::Https, "r.example", 8443);
        let noted = |path| Session::noted(&origin, path).map(|session| session.0);
        assert_eq!(noted("/v2/a/blobs/uploads/1"), Some("/v2/a/blobs/uploads/1".into()));
        for path in ["", "v2/x", "//evil.example/x", "https://r.example:8443/x", "/v2/x?_state=1", "/v2/../x"]
        {
            assert_eq!(noted(path), None, "{path}");
        }
    }

    #[test]
    fn the_digest_joins_the_registrys_own_query() {
        assert_eq!(Session::of_test("/u?_state=x").with_digest("sha256:a"), "/u?_state=x&digest=sha256%3Aa");
        assert_eq!(Session::of_test("/u").with_digest("sha256:a"), "/u?digest=sha256%3Aa");
    }

    proptest! {
        #[test]
        fn no_location_leaves_the_origin_or_panics(location in "\\PC{0,60}") {
            if let Ok(path) = resolved("https://r.example", &location) {
                prop_assert!(path.starts_with('/'), "{path}");
                prop_assert!(!path.contains(['\r', '\n', ' ']), "{path}");
            }
        }
    }
}
