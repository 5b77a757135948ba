use oci_client::{ParseError, Reference};

use super::{Repository, Tag};

/// A name of an image as docker reads it. What is plain is read here: the pattern by which everything else is
/// read takes more memory than a whole push.
///
/// # Errors
/// When it is no reference.
pub fn reference(text: &str) -> Result<Reference, ParseError> {
    let read = plain(text).map_or_else(|| Reference::try_from(text), Ok)?;
    // The pattern takes what stands before the first slash for a host, which may have capitals.
    let capitals = read.repository().contains(|character: char| character.is_ascii_uppercase());
    if capitals { Err(ParseError::NameContainsUppercase) } else { Ok(read) }
}

const HUB: &str = "docker.io";
const LONGEST: usize = 255;

/// `[HOST[:PORT]/]NAME[:TAG]` where there is no doubt about any part.
fn plain(text: &str) -> Option<Reference> {
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag.parse::<Tag>().ok()?),
        _ => (text, Tag::latest()),
    };
    let (registry, path) = match name.split_once('/') {
        Some((host, path)) if host == "localhost" || host.contains(['.', ':']) => (host, path.to_owned()),
        Some(_) => (HUB, name.to_owned()),
        None => (HUB, format!("library/{name}")),
    };
    let known = registry == "localhost" || is_host(registry);
    let repository = path.parse::<Repository>().ok().filter(|_| known && path.len() <= LONGEST)?;
    let registry = if registry == "index.docker.io" { HUB } else { registry };
    // Docker's own names are read by the one who knows them all.
    let official = registry == HUB && !repository.as_str().contains('/');
    let parts = (registry.to_owned(), repository.to_string(), tag.to_string());
    (!official).then(|| Reference::with_tag(parts.0, parts.1, parts.2))
}

fn is_host(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    port.is_none_or(digits) && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_type_is_plain() {
        for text in [
            "myapp",
            "myapp:dev",
            "team/api:2.1",
            "localhost/web",
            "localhost:5000/web:1",
            "gitea.cnoe.localtest.me:8443/giteaadmin/web:dev",
            "index.docker.io/library/nginx",
        ] {
            assert_eq!(plain(text), Some(Reference::try_from(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_read_all_the_same() {
        let pinned = format!("r.example/web:1@sha256:{}", "a".repeat(64));
        assert_eq!(plain(&pinned), None);
        assert!(reference(&pinned).is_ok_and(|pinned| pinned.digest().is_some()));
        assert!(reference("Web:1").is_err());
        assert_eq!(reference("Team/web:1"), Err(ParseError::NameContainsUppercase));
        assert_eq!(reference("docker.io/nginx").unwrap().repository(), "library/nginx");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_is_plain_is_what_the_whole_pattern_says(
            text in "([a-zA-Z]{0,3}[-.a-z0-9:]{0,6}/)?[-a-z0-9._A/]{0,8}(:[-\\w.]{0,4})?(@[a-z0-9:]{0,3})?"
        ) {
            if let Some(plain) = plain(&text) {
                prop_assert_eq!(Reference::try_from(text.as_str()), Ok(plain));
            }
        }
    }
}
