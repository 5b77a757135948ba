use std::fmt;
use std::str::FromStr;

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port (RFC 6454). Credentials are bound to one, compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no registry address: expected HOST or HOST:PORT")]
pub struct OriginError {
    pub text: String,
}

impl Origin {
    /// The host is kept in lower case; an IPv6 address has no brackets.
    #[must_use]
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Self {
        Self { scheme, host: host.to_ascii_lowercase(), port }
    }

    /// Parses `HOST`, `HOST:PORT` or `[IPV6]:PORT`, without a path or user information.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(scheme: Scheme, text: &str) -> Result<Self, OriginError> {
        let refused = || OriginError { text: text.escape_debug().to_string() };
        let authority: http::uri::Authority = text.parse().map_err(|_| refused())?;
        if text.contains('@') || authority.host().is_empty() {
            return Err(refused());
        }
        // `Authority::port` has no answer for a port that is no number, as for none at all.
        let port = match text.strip_prefix(authority.host()) {
            Some("") => scheme.default_port(),
            Some(port) => port
                .strip_prefix(':')
                .and_then(|port| u16::from_str(port).ok())
                .filter(|port| *port != 0)
                .ok_or_else(refused)?,
            None => return Err(refused()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        Ok(Self::new(scheme, host, port))
    }

    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` as it stands in the `Host` header: without the scheme's default
    /// port, an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether the host is this machine by name or address: `localhost`, `*.localhost` (RFC 6761),
    /// 127.0.0.0/8 or `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether it is Docker Hub under any of its names.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        let by_name = matches!(self.host.as_str(), DOCKER_HUB | "index.docker.io" | DOCKER_HUB_REGISTRY);
        by_name && self.scheme == Scheme::Https && self.port == 443
    }

    /// The same registry as it is connected to: Docker Hub has another name there.
    #[must_use]
    pub fn connected(self) -> Self {
        if self.is_docker_hub() { Self { host: DOCKER_HUB_REGISTRY.to_owned(), ..self } } else { self }
    }

    /// What references to its images begin with: `host` or `host:port`.
    #[must_use]
    pub fn in_references(&self) -> String {
        if self.is_docker_hub() { DOCKER_HUB.to_owned() } else { self.authority() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_compare_by_scheme_host_and_port() {
        let https = |text| Origin::parse(Scheme::Https, text).unwrap();
        assert_eq!(https("R.example"), https("r.example:443"));
        assert_ne!(https("r.example"), https("r.example:8443"));
        assert_ne!(https("r.example:80"), Origin::parse(Scheme::Http, "r.example").unwrap());
        assert_eq!(https("[::1]:5000").authority(), "[::1]:5000");
        assert_eq!(https("[::1]:5000").host(), "::1");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in ["", "a/b", "u:p@host", "host:", "host:0", "host:99999", "a b", "host:x"] {
            assert!(Origin::parse(Scheme::Https, text).is_err(), "{text}");
        }
    }

    #[test]
    fn docker_hub_is_named_otherwise_than_it_is_connected_to() {
        for text in ["docker.io", "index.docker.io:443", "Registry-1.docker.io"] {
            let origin = Origin::parse(Scheme::Https, text).unwrap();
            assert_eq!(origin.in_references(), "docker.io", "{text}");
            assert_eq!(origin.connected().authority(), "registry-1.docker.io", "{text}");
        }
        for other in ["docker.io:5000", "a.docker.io", "docker.io.example"] {
            let origin = Origin::parse(Scheme::Https, other).unwrap();
            assert_eq!((origin.in_references(), origin.clone().connected()), (other.to_owned(), origin));
        }
        assert!(!Origin::new(Scheme::Http, "docker.io", 80).is_docker_hub());
    }
}
