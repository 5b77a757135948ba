use crate::oci::Repository;
use crate::port::{Origin, Scheme};

/// What docker calls its own registry in configs and towards helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// How much of a repository's name a key says; more comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    Registry,
    /// `HOST/NAMESPACE...`, with the number of parts behind the host.
    Below(usize),
}

/// Whether, and how closely, a key of `auths` fits a repository of this registry. Podman's keys may name a
/// repository or what it is below: `HOST/NAMESPACE/NAME`, whole parts without a scheme.
pub(super) fn reach(key: &str, origin: &Origin, repository: Option<&Repository>) -> Option<Reach> {
    repository
        .and_then(|repository| below(key, origin, repository))
        .or_else(|| names(key, origin).then_some(Reach::Registry))
}

fn below(key: &str, origin: &Origin, repository: &Repository) -> Option<Reach> {
    let (authority, path) = key.split_once('/')?;
    let rest = repository.as_str().strip_prefix(path)?;
    let is_whole = !path.is_empty() && (rest.is_empty() || rest.starts_with('/'));
    (is_whole && is_registry(origin.scheme(), authority, origin))
        .then(|| Reach::Below(path.split('/').count()))
}

/// Whether a key of `auths` or `credHelpers` names this registry: `HOST[:PORT]`, with or without a scheme
/// and the path of an API version. Compared whole, since a part would give one registry the login of
/// another (CVE-2026-5222).
pub(super) fn names(key: &str, origin: &Origin) -> bool {
    let (scheme, rest) = match key.split_once("://") {
        None => (origin.scheme(), key),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(_) => return false,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    matches!(path, "" | "v1" | "v1/" | "v2" | "v2/") && is_registry(scheme, authority, origin)
}

fn is_registry(scheme: Scheme, authority: &str, origin: &Origin) -> bool {
    let named = Origin::parse(scheme, authority);
    named.is_ok_and(|named| named == *origin || (named.is_docker_hub() && origin.is_docker_hub()))
}

/// What the registry is called towards a helper.
pub(super) fn server_url(origin: &Origin) -> String {
    if origin.is_docker_hub() { DOCKER_HUB.to_owned() } else { origin.authority() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn https(text: &str) -> Origin {
        Origin::parse(Scheme::Https, text).unwrap()
    }

    #[test]
    fn a_key_names_a_registry_whole() {
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
    fn a_key_below_a_registry_reaches_what_is_below_it() {
        let repository: Repository = "team/app/web".parse().unwrap();
        let of = |key: &str| reach(key, &https("r.example:8443"), Some(&repository));
        for (key, parts) in [("team", 1), ("team/app", 2), ("team/app/web", 3)] {
            assert_eq!(of(&format!("r.example:8443/{key}")), Some(Reach::Below(parts)), "{key}");
        }
        assert_eq!(of("r.example:8443"), Some(Reach::Registry));
        for key in [
            "r.example:8443/tea",
            "r.example:8443/team/",
            "r.example:8443/team/app/web/x",
            "r.example:8443/app",
            "r.example/team",
            "https://r.example:8443/team",
            "/team",
            "team/app/web",
        ] {
            assert_eq!(of(key), None, "{key}");
        }
        assert_eq!(reach("r.example/team", &https("r.example"), None), None);
    }

    #[test]
    fn a_namespace_may_be_called_like_a_version_of_the_api() {
        let repository: Repository = "v2/app".parse().unwrap();
        assert_eq!(reach("r.example/v2", &https("r.example"), Some(&repository)), Some(Reach::Below(1)));
        assert_eq!(reach("r.example/v2", &https("r.example"), None), Some(Reach::Registry));
    }

    #[test]
    fn a_key_below_docker_hub_may_have_any_of_its_names() {
        let repository: Repository = "me/app".parse().unwrap();
        for key in ["docker.io/me", "index.docker.io/me", "registry-1.docker.io/me"] {
            let found = reach(key, &https("registry-1.docker.io"), Some(&repository));
            assert_eq!(found, Some(Reach::Below(1)), "{key}");
        }
    }

    #[test]
    fn docker_hub_has_a_name_of_its_own_towards_helpers() {
        assert_eq!(server_url(&https("docker.io")), DOCKER_HUB);
        assert_eq!(server_url(&https("registry-1.docker.io")), DOCKER_HUB);
        assert_eq!(server_url(&https("docker.io:5000")), "docker.io:5000");
        assert_eq!(server_url(&https("r.example:443")), "r.example");
    }

    proptest! {
        #[test]
        fn any_key_is_read_or_names_nothing(key in "\\PC{0,40}") {
            let _ = reach(&key, &https("r.example"), Some(&"a/b".parse().unwrap()));
        }

        #[test]
        fn a_key_fits_itself_and_what_is_below_it(path in "[a-z]{1,4}(/[a-z]{1,4}){0,2}", more in "[a-z]{1,4}") {
            let key = format!("r.example/{path}");
            let below: Repository = format!("{path}/{more}").parse().unwrap();
            let beside: Repository = format!("{path}{more}").parse().unwrap();
            prop_assert!(reach(&key, &https("r.example"), Some(&path.parse().unwrap())).is_some());
            prop_assert!(reach(&key, &https("r.example"), Some(&below)).is_some());
            prop_assert!(reach(&key, &https("r.example"), Some(&beside)).is_none());
        }
    }
}
