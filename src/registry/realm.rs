use url::Url;

use super::answer::shown_url;
use super::location::Session;
use super::resolve::is_loopback_name;
use crate::port::{Origin, Scheme};

/// Registries whose token server is on another domain of the same house.
const PAIRS: &[(&str, &str)] = &[
    ("docker.io", "auth.docker.io"),
    ("index.docker.io", "auth.docker.io"),
    ("registry-1.docker.io", "auth.docker.io"),
    ("nvcr.io", "authn.nvidia.com"),
];

/// Names below these belong to different people although the public suffix list has no entry for them.
const FURTHER_SUFFIXES: &[&str] = &["localtest.me", "nip.io", "sslip.io"];

/// Which token servers may see the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Realms {
    /// The registry itself, and nobody else: for the cluster's login and without a checked certificate.
    Own,
    /// Also one of the same registrable domain over https.
    SameDomain,
}

/// `--trust-realm REGISTRY=HOST`: both as `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRealm {
    pub registry: String,
    pub realm: String,
}

/// Where tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Realm {
    pub(super) origin: Origin,
    /// Path and the challenge's own query.
    pub(super) path: String,
}

/// What is let through.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) realms: Realms,
    pub(super) trusted: Vec<TrustedRealm>,
}

impl Gate {
    /// The challenge of a registry names the realm: whoever can answer for the registry would get the
    /// login sent anywhere. `Err` is the realm as it can be trusted (`host` or `host:port`), or what stands
    /// in its place, made safe to show.
    pub(super) fn check(&self, registry: &Origin, realm: &str) -> Result<Realm, String> {
        if let Ok(own) = Session::resolve(registry, "/v2/", realm) {
            return Ok(Realm { origin: registry.clone(), path: own.path().to_owned() });
        }
        let refused = || shown_url(realm);
        let url = Url::parse(realm).map_err(|_| refused())?;
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() || !url.username().is_empty() || url.password().is_some() {
            return Err(refused());
        }
        let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        let known = matches!(url.scheme(), "https" | "http");
        let port = url.port_or_known_default().filter(|_| known).ok_or_else(refused)?;
        let origin = Origin::new(scheme, host.trim_matches(['[', ']']), port);
        let downgrade = registry.scheme() == Scheme::Https && scheme == Scheme::Http;
        if downgrade {
            return Err(refused());
        }
        if !(self.is_trusted(registry, &origin) || self.is_of_the_house(registry, &origin)) {
            return Err(origin.authority());
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Realm { origin, path: format!("{}{query}", url.path()) })
    }

    fn is_trusted(&self, registry: &Origin, realm: &Origin) -> bool {
        self.trusted.iter().any(|trusted| {
            trusted.registry.eq_ignore_ascii_case(&registry.authority())
                && trusted.realm.eq_ignore_ascii_case(&realm.authority())
        })
    }

    fn is_of_the_house(&self, registry: &Origin, realm: &Origin) -> bool {
        let host = registry.host();
        let named = host.parse::<std::net::IpAddr>().is_err() && !is_loopback_name(host);
        let both_https = registry.scheme() == Scheme::Https && realm.scheme() == Scheme::Https;
        if self.realms == Realms::Own || !named || !both_https || realm.port() != 443 {
            return false;
        }
        let paired = PAIRS.iter().any(|(of, realm_host)| *of == host && *realm_host == realm.host());
        paired || (domain(host).is_some() && domain(host) == domain(realm.host()))
    }
}

/// The registrable domain: what one owner holds.
fn domain(host: &str) -> Option<&str> {
    for suffix in FURTHER_SUFFIXES {
        if host == *suffix {
            return None;
        }
        if let Some(below) = host.strip_suffix(suffix).and_then(|below| below.strip_suffix('.')) {
            let label = below.rsplit('.').next()?;
            return host.get(host.len() - suffix.len() - 1 - label.len()..);
        }
    }
    psl::domain_str(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(realms: Realms) -> Gate {
        Gate {
            realms,
            trusted: vec![TrustedRealm { registry: "localhost:5000".into(), realm: "localhost:5001".into() }],
        }
    }

    fn check(registry: &str, realm: &str) -> Result<String, String> {
        let (scheme, authority) = registry.split_once("://").unwrap();
        let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
        let origin = Origin::parse(scheme, authority).unwrap();
        gate(Realms::SameDomain).check(&origin, realm).map(|realm| format!("{}{}", realm.origin, realm.path))
    }

    #[test]
    fn the_registry_itself_may_ask() {
        let own =
            check("https://gitea.cnoe.localtest.me:8443", "https://gitea.cnoe.localtest.me:8443/v2/token");
        assert_eq!(own.unwrap(), "https://gitea.cnoe.localtest.me:8443/v2/token");
        let without_proto = check("https://r.example:8443", "http://r.example:8443/v2/token");
        assert_eq!(without_proto.unwrap(), "https://r.example:8443/v2/token");
    }

    #[test]
    fn a_token_server_of_the_same_house_may_ask() {
        assert!(check("https://registry.gitlab.com", "https://gitlab.com/jwt/auth").is_ok());
        assert!(check("https://registry-1.docker.io", "https://auth.docker.io/token?x=1").is_ok());
        assert!(check("https://ghcr.io", "https://ghcr.io/token").is_ok());
    }

    #[test]
    fn a_stranger_may_not() {
        for (registry, realm) in [
            ("https://r.example.com", "https://evil.com/token"),
            ("https://r.example.com", "http://auth.example.com/token"),
            ("https://r.example.com", "https://auth.example.com:8443/token"),
            ("https://r.example.com", "https://u:p@auth.example.com/token"),
            ("https://a.localtest.me", "https://b.localtest.me/token"),
            ("https://a.1.2.3.4.nip.io", "https://b.nip.io/token"),
            ("https://a.github.io", "https://b.github.io/token"),
            ("http://r.example.com", "https://auth.example.com/token"),
            ("https://127.0.0.1:5000", "https://127.0.0.1:5001/token"),
            ("https://10.0.0.1", "https://10.0.0.2/token"),
            ("https://r.example.com", "file:///etc/passwd"),
            ("https://com", "https://com/x@evil"),
        ]
        .into_iter()
        .filter(|(registry, realm)| !realm.starts_with(registry))
        {
            assert!(check(registry, realm).is_err(), "{registry} {realm}");
        }
    }

    #[test]
    fn what_is_refused_is_named_as_it_could_be_trusted() {
        let named = |realm| check("https://r.example.com", realm).unwrap_err();
        assert_eq!(named("https://auth.example:8443/token?service=x"), "auth.example:8443");
        assert_eq!(named("https://auth.example:443/token"), "auth.example");
        assert_eq!(named("http://u:secret@auth.example/token?x=secret"), "http://auth.example/token?****");
    }

    #[test]
    fn the_user_may_trust_another_one() {
        assert!(check("http://localhost:5000", "http://localhost:5001/token").is_ok());
        assert!(check("https://localhost:5000", "http://localhost:5001/token").is_err());
    }

    #[test]
    fn the_clusters_login_stays_with_its_registry() {
        let origin = Origin::parse(Scheme::Https, "r.example.com").unwrap();
        assert!(gate(Realms::Own).check(&origin, "https://auth.example.com/token").is_err());
        assert!(gate(Realms::Own).check(&origin, "https://r.example.com/token").is_ok());
    }
}
