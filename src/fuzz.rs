//! Whatever others wrote, as functions of bytes that neither panic nor hang: for `make fuzz`, which looks for new
//! bytes, and for a test here, which changes those of `fuzz/seeds`. This list is the only one.

use bytes::Bytes;

use crate::oci::{Descriptor, Digest, Manifest, Repository, SavedImage, Tag, reference, sha256};
use crate::{cluster, credential, registry, source};

#[cfg(test)]
mod tests;

/// Tries some bytes, and panics where they lead to what may not be.
pub type Target = fn(&[u8]);

/// Each by the name of its folder in `fuzz/seeds`.
pub const TARGETS: &[(&str, Target)] = &[
    ("tar", source::fuzz::tar),
    ("archive", source::fuzz::archive),
    ("manifest_json", manifest_json),
    ("manifest", manifest),
    ("reference", names),
    ("www_authenticate", registry::fuzz::www_authenticate),
    ("range", registry::fuzz::range),
    ("location", registry::fuzz::location),
    ("retry_after", registry::fuzz::retry_after),
    ("body", registry::fuzz::body),
    ("docker_config", credential::fuzz::docker_config),
    ("helper_output", credential::fuzz::helper_output),
    ("kubeconfig", cluster::fuzz::kubeconfig),
    ("secret", cluster::fuzz::secret),
];

/// The `manifest.json` of `docker save`, and the configuration that it leads to.
fn manifest_json(bytes: &[u8]) {
    let _ = (SavedImage::parse_all(bytes), SavedImage::diff_ids(bytes), SavedImage::platform(bytes));
}

/// A manifest or an index, which is what it was, byte for byte.
fn manifest(bytes: &[u8]) {
    let _ = crate::oci::strict_json::<Descriptor>(bytes);
    let Ok(manifest) = Manifest::from_bytes(Bytes::copy_from_slice(bytes)) else { return };
    assert_eq!(manifest.raw(), bytes);
    assert_eq!(*manifest.digest(), sha256(bytes));
    let again = Manifest::parse(manifest.descriptor().clone(), manifest.raw().clone());
    assert!(again.is_ok(), "{again:?}");
}

/// A digest or a name of any kind, which is shown as it was given.
fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let shown = [
        text.parse::<Digest>().map(|digest| digest.to_string()).ok(),
        text.parse::<Repository>().map(|repository| repository.to_string()).ok(),
        text.parse::<Tag>().map(|tag| tag.to_string()).ok(),
    ];
    assert!(shown.iter().flatten().all(|shown| shown == text), "{shown:?}");
    if let Ok(name) = reference(text) {
        let again = reference(&name.whole());
        assert!(again.is_ok_and(|again| again == name), "{text:?}");
    }
}
