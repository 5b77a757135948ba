use bytes::Bytes;

use super::compare::root;
use super::*;
use crate::oci::{Hasher, MediaType, compose, sha256};
use crate::port::HeldManifest;

fn descriptor(kind: MediaType, content: &[u8]) -> Descriptor {
    Descriptor::new(kind, content.len() as u64, sha256(content))
}

/// An image of this configuration with so many layers.
fn image(config: &[u8], layers: usize) -> Bytes {
    let layers = (0..layers).map(|n| descriptor(MediaType::ImageLayerGzip, &[u8::try_from(n).unwrap()]));
    compose(descriptor(MediaType::ImageConfig, config), layers.collect()).unwrap().raw().clone()
}

fn held(raw: &Bytes) -> HeldManifest {
    HeldManifest { raw: raw.clone(), said: Some(sha256(raw)) }
}

fn tag() -> ManifestName {
    ManifestName::Tag(Tag::latest())
}

fn config(content: &[u8], layers: usize) -> Expected {
    Expected::Config { digest: sha256(content), layers }
}

#[test]
fn a_manifest_is_what_it_should_be_by_its_digest_or_its_configuration() {
    let raw = image(b"c", 2);
    let own = sha256(&raw);
    for expected in [Expected::Anything, Expected::Manifest(own.clone()), config(b"c", 2)] {
        let (digest, manifest) = root(&held(&raw), &tag(), &expected).unwrap();
        assert_eq!((&digest, manifest.digest()), (&own, &own));
    }
}

#[test]
fn another_manifest_or_configuration_is_another_image() {
    let raw = image(b"c", 2);
    for (expected, part) in
        [(Expected::Manifest(sha256(b"x")), Part::Manifest), (config(b"x", 2), Part::Config)]
    {
        let (digest, difference) = root(&held(&raw), &tag(), &expected).unwrap_err();
        assert_eq!(digest, sha256(&raw));
        assert!(
            matches!(difference, Difference::Other { part: found, .. } if found == part),
            "{difference:?}"
        );
    }
}

#[test]
fn an_index_is_no_image_of_a_configuration() {
    let raw = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
    let (_, difference) = root(&held(&raw), &tag(), &config(b"c", 0)).unwrap_err();
    assert!(matches!(difference, Difference::Other { found: None, .. }));
}

#[test]
fn an_image_with_too_few_layers_is_unreadable() {
    let (_, difference) = root(&held(&image(b"c", 1)), &tag(), &config(b"c", 2)).unwrap_err();
    assert!(matches!(difference, Difference::Unreadable { .. }));
}

#[test]
fn bytes_of_another_digest_than_they_are_called_by_are_damaged_whatever_was_expected() {
    let raw = image(b"c", 1);
    let lying = HeldManifest { raw: raw.clone(), said: Some(sha256(b"x")) };
    let asked = ManifestName::Digest(sha256(b"x"));
    let silent = HeldManifest { raw: raw.clone(), said: None };
    for (held, name) in [(&lying, tag()), (&lying, asked.clone()), (&silent, asked)] {
        let (digest, difference) = root(held, &name, &Expected::Manifest(sha256(&raw))).unwrap_err();
        assert_eq!(digest, sha256(b"x"));
        assert!(matches!(difference, Difference::Damaged { part: Part::Manifest, size: None, .. }));
    }
}

#[test]
fn a_document_that_is_no_manifest_is_unreadable() {
    for text in ["{}", "[", "<html>"] {
        let raw = Bytes::from(text);
        let (_, difference) = root(&held(&raw), &tag(), &Expected::Anything).unwrap_err();
        assert!(matches!(difference, Difference::Unreadable { .. }), "{text}");
    }
}

#[test]
fn a_digest_may_be_of_another_algorithm_than_the_registrys() {
    let raw = image(b"c", 1);
    let mut hasher = Hasher::of(&format!("sha512:{}", "0".repeat(128)).parse().unwrap()).unwrap();
    hasher.update(&raw);
    let digest = hasher.finish();
    let name = ManifestName::Digest(digest.clone());
    assert_eq!(root(&held(&raw), &name, &Expected::Manifest(digest.clone())).unwrap().0, digest);
    assert!(root(&held(&raw), &tag(), &Expected::Manifest(digest)).is_ok());
}

#[test]
fn a_word_is_an_image_of_the_registry_if_it_begins_with_its_name() {
    let registry = RegistryHost("r.example:8443".into());
    let read = |word: &str| HeldReference::read(word, &registry);
    let digest = sha256(b"x");
    let at = |text: &str| format!("r.example:8443/{text}");
    let plain = read(&at("o/web")).unwrap();
    assert_eq!((plain.repository.as_str(), &plain.name, &plain.digest), ("o/web", &tag(), &None));
    let tagged = read(&at(&format!("o/deep/web:1@{digest}"))).unwrap();
    assert_eq!(tagged.repository.as_str(), "o/deep/web");
    assert_eq!(
        (&tagged.name, &tagged.digest),
        (&ManifestName::Tag("1".parse().unwrap()), &Some(digest.clone()))
    );
    let by_digest = read(&at(&format!("o/web@{digest}"))).unwrap();
    assert_eq!((&by_digest.name, &by_digest.digest), (&ManifestName::Digest(digest), &None));
    let hub = HeldReference::read("docker.io/nginx:1", &RegistryHost("docker.io".into())).unwrap();
    assert_eq!(hub.repository.as_str(), "library/nginx");
    for other in [
        "web",
        "r.example/o/web",
        "r.example:84430/web",
        "r.example:8443",
        &at("o/web@sha256:x"),
        &at("O/web"),
    ] {
        assert_eq!(read(other), None, "{other}");
    }
}
