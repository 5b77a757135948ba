use url::Url;

use crate::port::{Origin, Scheme};

use super::{ClusterError, Routing};

/// Where the ingress is, and how it tells Gitea from its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) scheme: Scheme,
    /// Without the `gitea.` of sub-domain routing.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) routing: Routing,
}

impl Site {
    /// The registry below this site.
    ///
    /// # Errors
    /// `Localbuild` for a host that is none; `PlainHttp` for plain HTTP to another machine.
    pub(super) fn registry(&self, localbuild: &str) -> Result<Origin, ClusterError> {
        let prefix = match self.routing {
            Routing::SubDomain => "gitea.",
            Routing::Path => "",
        };
        let authority = format!("{prefix}{}:{}", self.host, self.port);
        let refused = || ClusterError::Localbuild {
            name: localbuild.to_owned(),
            field: "host",
            value: self.host.chars().take(256).collect(),
        };
        let origin = Origin::parse(self.scheme, &authority).map_err(|_| refused())?;
        // `a:1` would read as a host with another port.
        if !is_host_name(origin.host()) {
            return Err(refused());
        }
        if origin.scheme() == Scheme::Http && !is_this_machine(&origin) {
            return Err(ClusterError::PlainHttp {
                name: localbuild.to_owned(),
                registry: origin.authority(),
            });
        }
        Ok(origin)
    }

    /// Reads a URL of Gitea, `https://gitea.cnoe.localtest.me:8443/` or, with path routing,
    /// `https://cnoe.localtest.me:8443/gitea`.
    pub(super) fn of_gitea(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return None,
        };
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        match (host.strip_prefix("gitea."), url.path().trim_matches('/')) {
            (Some(host), "") => {
                Some(Self { scheme, host: host.to_owned(), port, routing: Routing::SubDomain })
            }
            _ => Some(Self { scheme, host: host.to_owned(), port, routing: Routing::Path }),
        }
    }

    /// Reads the section `server` of Gitea's configuration, lines of `KEY=value`: clusters of v0.7.0 and
    /// older say it nowhere else.
    pub(super) fn of_gitea_configuration(section: &str) -> Option<Self> {
        let value = |key| {
            let mut lines = section.lines().filter_map(|line| line.split_once('='));
            lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
        };
        let by_domain = || Self::of_gitea(&format!("https://{}:8443/", value("DOMAIN")?));
        value("ROOT_URL").and_then(Self::of_gitea).or_else(by_domain)
    }
}

fn is_host_name(host: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    host.bytes().all(inner) && host.split('.').all(|label| !label.is_empty())
}

/// `localtest.me` and all names below it stand for 127.0.0.1, and the registry's client holds to that.
fn is_this_machine(origin: &Origin) -> bool {
    let host = origin.host();
    origin.is_loopback() || host == "localtest.me" || host.ends_with(".localtest.me")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn registry(scheme: Scheme, host: &str, port: u16, routing: Routing) -> Result<String, ClusterError> {
        let site = Site { scheme, host: host.to_owned(), port, routing };
        site.registry("localdev").map(|origin| origin.to_string())
    }

    #[test]
    fn sub_domain_routing_puts_gitea_before_the_host() {
        for (scheme, host, port, routing, expected) in [
            (
                Scheme::Https,
                "cnoe.localtest.me",
                8443,
                Routing::SubDomain,
                "https://gitea.cnoe.localtest.me:8443",
            ),
            (Scheme::Https, "cnoe.localtest.me", 8443, Routing::Path, "https://cnoe.localtest.me:8443"),
            (Scheme::Https, "CNOE.example", 443, Routing::SubDomain, "https://gitea.cnoe.example"),
            (
                Scheme::Http,
                "cnoe.localtest.me",
                8080,
                Routing::SubDomain,
                "http://gitea.cnoe.localtest.me:8080",
            ),
            (Scheme::Http, "localhost", 80, Routing::Path, "http://localhost"),
            (Scheme::Http, "127.0.0.1", 8080, Routing::Path, "http://127.0.0.1:8080"),
        ] {
            assert_eq!(registry(scheme, host, port, routing).unwrap(), expected);
        }
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for host in ["cnoe.example", "localtest.me.example", "xlocaltest.me", "10.0.0.1", "127.0.0.1.example"]
        {
            let refused = registry(Scheme::Http, host, 8080, Routing::Path);
            assert!(matches!(refused, Err(ClusterError::PlainHttp { .. })), "{host}");
        }
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        for host in ["a:1", "a/b", "u@h", "a b", "", ".", "a..b", "[::1]", "a\n", "\u{e9}"] {
            let refused = registry(Scheme::Https, host, 8443, Routing::Path);
            assert!(matches!(refused, Err(ClusterError::Localbuild { field: "host", .. })), "{host:?}");
        }
    }

    #[test]
    fn an_old_cluster_says_it_in_the_configuration_of_gitea() {
        let site = |host: &str, port, routing| {
            Some(Site { scheme: Scheme::Https, host: host.to_owned(), port, routing })
        };
        let sub_domain = site("cnoe.localtest.me", 8443, Routing::SubDomain);
        for (section, expected) in [
            (
                "APP_DATA_PATH=/data\nDOMAIN=x\nROOT_URL=https://gitea.cnoe.localtest.me:8443/\n",
                sub_domain.clone(),
            ),
            ("ROOT_URL = https://gitea.cnoe.localtest.me:8443", sub_domain.clone()),
            ("ROOT_URL=https://cnoe.localtest.me:443/gitea/", site("cnoe.localtest.me", 443, Routing::Path)),
            ("DOMAIN=gitea.cnoe.localtest.me\n", sub_domain),
            ("ROOT_URL=ftp://x\n", None),
            ("", None),
        ] {
            assert_eq!(Site::of_gitea_configuration(section), expected, "{section}");
        }
    }

    proptest! {
        #[test]
        fn a_registry_is_made_of_any_host_or_refused(host in "\\PC{0,24}", port: u16) {
            let site = Site { scheme: Scheme::Https, host: host.clone(), port, routing: Routing::SubDomain };
            if let Ok(origin) = site.registry("localdev") {
                prop_assert_eq!(origin.host(), format!("gitea.{}", host.to_ascii_lowercase()));
                prop_assert_eq!(origin.port(), port);
            }
        }

        #[test]
        fn any_configuration_is_read_or_says_nothing(section in "(ROOT_URL|DOMAIN)=\\PC{0,24}\n?") {
            let _ = Site::of_gitea_configuration(&section);
        }
    }
}
