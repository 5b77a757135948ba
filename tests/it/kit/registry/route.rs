//! Which endpoint of the distribution spec a path is.

/// Everything below `/v2/`, as the router of a registry cuts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Ping,
    Token,
    Blob {
        repository: String,
        digest: String,
    },
    Uploads {
        repository: String,
    },
    Session {
        repository: String,
        id: String,
    },
    Manifest {
        repository: String,
        reference: String,
    },
    Tags {
        repository: String,
    },
    /// Gitea's own API.
    Api,
    Other,
}

impl Route {
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/v2" | "/v2/" => return Self::Ping,
            "/token" | "/v2/token" => return Self::Token,
            _ if path.starts_with("/api/v1/") => return Self::Api,
            _ => {}
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return Self::Other };
        let parts: Vec<&str> = rest.split('/').collect();
        let name = |parts: &[&str]| parts.join("/");
        match parts.as_slice() {
            [repository @ .., "blobs", "uploads", ""] | [repository @ .., "blobs", "uploads"] => {
                Self::Uploads { repository: name(repository) }
            }
            [repository @ .., "blobs", "uploads", id] => {
                Self::Session { repository: name(repository), id: (*id).to_owned() }
            }
            [repository @ .., "blobs", digest] => {
                Self::Blob { repository: name(repository), digest: (*digest).to_owned() }
            }
            [repository @ .., "manifests", reference] => {
                Self::Manifest { repository: name(repository), reference: (*reference).to_owned() }
            }
            [repository @ .., "tags", "list"] => Self::Tags { repository: name(repository) },
            _ => Self::Other,
        }
    }

    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Self::Ping | Self::Token | Self::Api | Self::Other => None,
            Self::Blob { repository, .. }
            | Self::Uploads { repository }
            | Self::Session { repository, .. }
            | Self::Manifest { repository, .. }
            | Self::Tags { repository } => Some(repository),
        }
    }
}

/// `<name>` of the distribution spec 1.1.
pub(super) fn is_name(name: &str) -> bool {
    let separator = |text: &str| ["_", ".", "__"].contains(&text) || text.bytes().all(|byte| byte == b'-');
    name.len() <= 255 && name.split('/').all(|part| is_part(part, separator))
}

/// What Gitea takes for an image: single separators only.
pub(super) fn is_gitea_name(name: &str) -> bool {
    name.split('/').all(|part| is_part(part, |text| ["_", ".", "-"].contains(&text)))
}

/// Letters and digits, with separators between them.
fn is_part(part: &str, is_separator: impl Fn(&str) -> bool) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut between = part.split(plain).filter(|between| !between.is_empty());
    part.starts_with(plain) && part.ends_with(plain) && between.all(is_separator)
}

/// `<reference>` of the distribution spec 1.1, as a tag.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_may_be_named_like_an_endpoint() {
        let blob = Route::of("/v2/a/blobs/uploads/b/blobs/sha256:00");
        assert_eq!(blob, Route::Blob { repository: "a/blobs/uploads/b".into(), digest: "sha256:00".into() });
        assert_eq!(Route::of("/v2/a/blobs/uploads/"), Route::Uploads { repository: "a".into() });
        assert_eq!(Route::of("/v1/a"), Route::Other);
    }

    #[test]
    fn names_are_those_of_the_spec() {
        for name in ["a", "a/b", "a.b", "a_b", "a__b", "a---b", "0/1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a//b", "A", "a..b", "a___b", "-a", "a-", "a/", "a b", "a.-b"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn gitea_takes_fewer_names() {
        assert!(is_gitea_name("a-b/c.d/e_f"));
        for name in ["a__b", "a--b", "A"] {
            assert!(!is_gitea_name(name), "{name}");
        }
    }
}
