use super::{Difference, Expected, Part};
use crate::oci::{Children, Digest, Hasher, Manifest, sha256};
use crate::port::{HeldBlob, HeldManifest, ManifestName};

/// The digest of these bytes, by the algorithm of another one.
fn digest_like(other: Option<&Digest>, raw: &[u8]) -> Digest {
    let Some(Ok(mut hasher)) = other.map(Hasher::of) else { return sha256(raw) };
    hasher.update(raw);
    hasher.finish()
}

/// The manifest that stands under `name`, with its digest, if it is what it should be.
pub(super) fn root(
    held: &HeldManifest,
    name: &ManifestName,
    expected: &Expected,
) -> Result<(Digest, Manifest), (Digest, Difference)> {
    let raw = &held.raw;
    // What the registry itself calls these bytes, or was asked for by.
    let asked = match name {
        ManifestName::Digest(digest) => Some(digest),
        ManifestName::Tag(_) => held.said.as_ref(),
    };
    let own = digest_like(asked, raw);
    if let Some(meant) = asked.filter(|meant| **meant != own) {
        let found = HeldBlob { size: raw.len() as u64, digest: own };
        let (part, digest) = (Part::Manifest, meant.clone());
        return Err((digest.clone(), Difference::Damaged { part, digest, size: None, found }));
    }
    if let Expected::Manifest(expected) = expected
        && digest_like(Some(expected), raw) != *expected
    {
        let other =
            Difference::Other { part: Part::Manifest, expected: expected.clone(), found: Some(own.clone()) };
        return Err((own, other));
    }
    let unreadable = |reason| (own.clone(), Difference::Unreadable { digest: own.clone(), reason });
    let manifest = Manifest::from_bytes(raw.clone()).map_err(|error| unreadable(error.to_string()))?;
    if let Expected::Config { digest, layers } = expected {
        config(&manifest, digest, *layers).map_err(|difference| (own.clone(), difference))?;
    }
    Ok((own, manifest))
}

/// A configuration names its layers unpacked, so that it stands for them in any packed form.
fn config(manifest: &Manifest, expected: &Digest, count: usize) -> Result<(), Difference> {
    let (found, listed) = match manifest.children() {
        Children::Image { config, layers, .. } => (Some(config.digest().clone()), layers.len()),
        Children::Index { .. } => (None, 0),
    };
    if found.as_ref() != Some(expected) {
        return Err(Difference::Other { part: Part::Config, expected: expected.clone(), found });
    }
    if listed != count {
        let reason = format!("it lists {listed} layers, its configuration {count}");
        return Err(Difference::Unreadable { digest: manifest.digest().clone(), reason });
    }
    Ok(())
}
