use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::media::{is_attestation, is_manifest, is_schema_1};
use super::names::{annotated, answers_to, source_name, stem, text};
use super::oci_tree::{Built, Forest};
use super::shown::shown;
use crate::oci::{Children, Descriptor, Digest, Manifest, Platform, platform_text, strict_json};
use crate::port::{Content, FoundImage, ImageTree, Skipped, SourceError, Suggested};

/// The one version of the image-layout spec.
const LAYOUT_VERSION: &str = "1.0.0";
/// More images than this nobody keeps in one layout.
const MAX_IMAGES: usize = 1_000;

/// What is asked of an archive or a layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    /// The path as messages show it.
    pub(super) path: &'a Path,
    /// The one name or tag that is wanted; all images where there is none.
    pub(super) wanted: Option<&'a str>,
    /// The platform that is wanted, for an index that is not whole.
    pub(super) platform: Option<&'a Platform>,
    /// Where none is: the platforms to look for in it, the best first.
    pub(super) preferred: &'a [Platform],
}

impl Ask<'_> {
    /// Whether an image with these names is asked for; `names` is reduced to those that are.
    pub(super) fn takes(&self, names: &mut Vec<Suggested>) -> bool {
        let Some(wanted) = self.wanted else { return true };
        names.retain(|name| answers_to(name, wanted));
        !names.is_empty()
    }

    /// An image of this place, if it is asked for, with those of its names that are.
    ///
    /// # Errors
    /// Its names, where another image is asked for.
    pub(super) fn image(
        &self,
        scheme: &str,
        mut names: Vec<Suggested>,
        content: Content,
    ) -> Result<FoundImage, Vec<Suggested>> {
        let all = names.clone();
        if !self.takes(&mut names) {
            return Err(all);
        }
        Ok(FoundImage {
            source: source_name(scheme, self.path, &names),
            suggested: names,
            fallback: stem(self.path),
            content,
            platforms: Vec::new(),
            notes: Vec::new(),
        })
    }

    pub(super) fn name_not_found(&self, names: &[Suggested]) -> SourceError {
        SourceError::NameNotFound {
            path: self.path.to_owned(),
            name: self.wanted.unwrap_or_default().to_owned(),
            names: names.iter().map(|name| shown(text(name))).collect(),
        }
    }
}

/// An image of an `index.json`.
#[derive(Debug)]
pub(super) struct Listed {
    /// The names that the index gives it.
    pub(super) names: Vec<Suggested>,
    pub(super) built: Built,
}

/// What an `index.json` lists.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) images: Vec<Listed>,
    pub(super) skipped: Vec<Skipped>,
    /// Without a name of their own, and with a subject that is part of one of the images.
    pub(super) referrers: Vec<Arc<ImageTree>>,
    /// The first fault in what was looked at without being asked for by its name.
    pub(super) fault: Option<SourceError>,
}

/// One entry of an index, or several that differ only in their names.
struct Entry<'a> {
    descriptor: &'a Descriptor,
    names: Vec<Suggested>,
}

/// Reads `oci-layout` and `index.json` and all that they lead to.
///
/// # Errors
/// When it is no layout of a known version, or something in it is not what its digest says.
pub(super) fn list(forest: &mut Forest, ask: &Ask) -> Result<Listing, SourceError> {
    check_version(forest)?;
    let top = read_index(forest)?;
    let Children::Index { manifests, .. } = top.children() else {
        return Err(forest.documents.damaged("its index.json is no index"));
    };
    let mut listing = Listing::default();
    if is_one_image(manifests) {
        listing.images.push(Listed { names: Vec::new(), built: forest.below(&top, 0)? });
        return Ok(listing);
    }
    let entries = entries(manifests, ask, &mut listing.skipped);
    let several = entries.len() > 1;
    if entries.len() > MAX_IMAGES {
        return Err(forest.documents.damaged(&format!("its index.json lists more than {MAX_IMAGES} images")));
    }
    let mut referrers = Vec::new();
    let (wanted, others) = asked_for(entries, ask);
    for Entry { descriptor, names } in wanted {
        let built = match forest.tree(descriptor, 1) {
            Ok(built) => built,
            // Its names are not those that were asked for: another one may have them.
            Err(error) if !ask.takes(&mut names.clone()) => {
                listing.fault.get_or_insert(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        match referrer(&built).filter(|_| several && names.is_empty()) {
            Some(tree) => referrers.push(tree),
            None => listing.images.push(Listed { names, built }),
        }
    }
    // What belongs to what was asked for, as far as it is whole.
    for other in others.iter().filter(|other| other.names.is_empty()) {
        referrers.extend(forest.tree(other.descriptor, 1).ok().and_then(|built| referrer(&built)));
    }
    listing.refer(&referrers, ask);
    Ok(listing)
}

impl Listing {
    /// Keeps what refers to one of the images.
    fn refer(&mut self, referrers: &[Arc<ImageTree>], ask: &Ask) {
        let parts = self.images.iter().flat_map(|listed| whole(&listed.built));
        self.referrers = ImageTree::referring(parts, referrers);
        let kept: HashSet<&Digest> = self.referrers.iter().map(|tree| tree.manifest.digest()).collect();
        for digest in referrers.iter().map(|tree| tree.manifest.digest()) {
            if ask.wanted.is_none() && !kept.contains(digest) {
                let reason = format!("`{digest}` belongs to an image that is not here");
                self.skipped.push(Skipped { path: ask.path.to_owned(), reason });
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

fn check_version(forest: &Forest) -> Result<(), SourceError> {
    let documents = forest.documents;
    let Some(blob) = forest.store.document("oci-layout")? else {
        return Err(documents.damaged("it has an index.json and no oci-layout"));
    };
    let layout: LayoutFile = strict_json(&documents.read("oci-layout", &blob)?).map_err(|source| {
        SourceError::Json { path: documents.path().to_owned(), entry: "oci-layout".to_owned(), source }
    })?;
    if layout.image_layout_version == LAYOUT_VERSION {
        return Ok(());
    }
    let version = shown(&layout.image_layout_version);
    Err(documents.damaged(&format!("it is a layout of version `{version}`, not {LAYOUT_VERSION}")))
}

fn read_index(forest: &Forest) -> Result<Manifest, SourceError> {
    let documents = forest.documents;
    let Some(blob) = forest.store.document("index.json")? else {
        return Err(documents.damaged("it has an oci-layout and no index.json"));
    };
    let raw = documents.read("index.json", &blob)?;
    let entry = "index.json".to_owned();
    Manifest::from_bytes(raw).map_err(|source| SourceError::Manifest {
        path: documents.path().to_owned(),
        entry,
        source,
    })
}

/// Some tools list the platforms of one image in the `index.json` itself.
fn is_one_image(manifests: &[Descriptor]) -> bool {
    let mut platforms = HashSet::new();
    let mut images = 0;
    for entry in manifests {
        if annotated(entry.annotations().as_ref()).is_some() || !is_manifest(entry.media_type()) {
            return false;
        }
        if is_attestation(entry) {
            continue;
        }
        images += 1;
        match entry.platform() {
            Some(platform) if platforms.insert(platform_text(platform)) => {}
            _ => return false,
        }
    }
    images > 1
}

/// The entries by digest, each with all its names.
fn entries<'a>(manifests: &'a [Descriptor], ask: &Ask, skipped: &mut Vec<Skipped>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    let mut places: HashMap<&Digest, usize> = HashMap::new();
    for descriptor in manifests {
        if let Some(reason) = no_image(descriptor) {
            skipped.push(Skipped { path: ask.path.to_owned(), reason });
            continue;
        }
        let name = annotated(descriptor.annotations().as_ref());
        if let Some(entry) = places.get(descriptor.digest()).and_then(|place| entries.get_mut(*place)) {
            entry.names.extend(name.filter(|name| !entry.names.contains(name)));
        } else {
            places.insert(descriptor.digest(), entries.len());
            entries.push(Entry { descriptor, names: name.into_iter().collect() });
        }
    }
    entries
}

/// Why an entry has no place in a registry of its own: an index.json may list anything. Docker's schema 1 is
/// left to be refused by its name.
fn no_image(entry: &Descriptor) -> Option<String> {
    let (digest, media_type) = (entry.digest(), entry.media_type());
    if !is_manifest(media_type) && !is_schema_1(media_type) {
        return Some(format!("`{digest}` is of type `{}`, which is no image", shown(media_type.as_ref())));
    }
    let kind = entry.annotations().as_ref()?.get("kind")?.strip_prefix("dev.cosignproject.cosign/")?;
    // They have no subject: in a registry their tag says what they belong to.
    (!kind.starts_with("image")).then(|| {
        format!(
            "`{digest}` is what `cosign save` keeps beside an image ({}); `cosign load` pushes it",
            shown(kind)
        )
    })
}

/// Only what was asked for is read, so that a fault elsewhere does not matter; the others come second.
/// Where no name of the index fits, `manifest.json` may still have it.
fn asked_for<'a>(entries: Vec<Entry<'a>>, ask: &Ask) -> (Vec<Entry<'a>>, Vec<Entry<'a>>) {
    let fits = |entry: &Entry| ask.takes(&mut entry.names.clone());
    if entries.iter().any(fits) { entries.into_iter().partition(fits) } else { (entries, Vec::new()) }
}

/// The tree, or the parts of it that are whole.
fn whole(built: &Built) -> impl Iterator<Item = &ImageTree> {
    let leaves = built.leaves.iter().filter(|_| built.tree.is_err()).map(|leaf| &leaf.tree);
    leaves.chain([&built.tree]).filter_map(|tree| tree.as_deref().ok())
}

/// The tree, where it is about another manifest.
fn referrer(built: &Built) -> Option<Arc<ImageTree>> {
    built.tree.as_ref().ok().filter(|tree| tree.manifest.subject().is_some()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptors(text: &str) -> Vec<Descriptor> {
        serde_json::from_str(text).unwrap()
    }

    fn entry(hex: char, more: &str) -> String {
        let digest = hex.to_string().repeat(64);
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{digest}","size":2{more}}}"#
        )
    }

    #[test]
    fn platforms_without_names_are_one_image() {
        let amd = entry('a', r#","platform":{"os":"linux","architecture":"amd64"}"#);
        let arm = entry('b', r#","platform":{"os":"linux","architecture":"arm64"}"#);
        let named = entry(
            'c',
            r#","platform":{"os":"linux","architecture":"s390x"},"annotations":{"org.opencontainers.image.ref.name":"1"}"#,
        );
        assert!(is_one_image(&descriptors(&format!("[{amd},{arm}]"))));
        assert!(!is_one_image(&descriptors(&format!("[{amd}]"))));
        assert!(!is_one_image(&descriptors(&format!("[{amd},{amd}]"))));
        assert!(!is_one_image(&descriptors(&format!("[{amd},{arm},{named}]"))));
    }
}
