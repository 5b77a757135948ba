use std::collections::{HashMap, HashSet, VecDeque};

use crate::oci::{Digest, Tag};
use crate::port::{InUse, ManifestName};

/// What the decision needs to know of one version of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub name: ManifestName,
    /// The larger one is the newer one.
    pub number: u64,
    /// Of the manifest, whatever the version is called.
    pub digest: Digest,
    /// The manifests that an index lists.
    pub children: Vec<Digest>,
    /// What the manifest says something of: a signature's image.
    pub subject: Option<Digest>,
    /// Of the image's configuration, by which some engines name what runs.
    pub config: Option<Digest>,
}

/// What becomes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Delete,
    Keep(Why),
}

/// Why a version stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A tag points to it.
    Tagged(Tag),
    /// A workload of the cluster names it, such as `pod default/web`.
    InUse(String),
    /// It is newer than every tag: a push puts manifests first and the tag last, and may be under way.
    Fresh,
    /// It is one of the newest that were asked to stay.
    Recent,
    /// An index that stays lists it.
    PartOf(Digest),
    /// A manifest that stays says something of it.
    SubjectOf(Digest),
    /// It says something of a manifest that stays.
    RefersTo(Digest),
}

/// Decides what becomes of each version of one image, in their order. `keep` is how many of the newest
/// versions without a tag stay, parts of an index and what refers to another manifest not counted.
///
/// What stays keeps what it needs. Of that a version is deleted only if no tag, no index that stays, and
/// no workload needs it.
#[must_use]
pub fn decide(versions: &[Version], keep: usize, in_use: &InUse) -> Vec<Fate> {
    let mut closure = Closure::new(versions);
    for version in versions {
        if let ManifestName::Tag(tag) = &version.name {
            let reach = if lists_referrers(tag) { Reach::Parts } else { Reach::All };
            closure.keep(&version.digest, Why::Tagged(tag.clone()), reach);
        }
    }
    closure.close();
    for version in versions {
        let named = std::iter::once(&version.digest).chain(&version.config);
        if let Some(user) = named.into_iter().find_map(|digest| in_use.digests.get(digest)) {
            closure.keep(&version.digest, Why::InUse(user.clone()), Reach::All);
        }
    }
    closure.close();
    for version in newer_than_tags(versions) {
        closure.keep(&version.digest, Why::Fresh, Reach::All);
    }
    closure.close();
    for digest in newest(versions, keep) {
        closure.keep(digest, Why::Recent, Reach::All);
    }
    closure.close();
    versions.iter().map(|version| closure.fate(version)).collect()
}

/// How far what stays keeps others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// What it lists and what refers to it.
    Parts,
    /// Also what it refers to itself.
    All,
}

struct Closure<'a> {
    manifests: HashMap<&'a Digest, &'a Version>,
    referrers: HashMap<&'a Digest, Vec<&'a Digest>>,
    kept: HashMap<Digest, (Why, Reach)>,
    open: VecDeque<Digest>,
}

impl<'a> Closure<'a> {
    fn new(versions: &'a [Version]) -> Self {
        let mut referrers: HashMap<&Digest, Vec<&Digest>> = HashMap::new();
        for version in versions {
            if let Some(subject) = &version.subject {
                referrers.entry(subject).or_default().push(&version.digest);
            }
        }
        Self {
            manifests: versions.iter().map(|version| (&version.digest, version)).collect(),
            referrers,
            kept: HashMap::new(),
            open: VecDeque::new(),
        }
    }

    /// The first reason stands; a farther reach is followed all the same.
    fn keep(&mut self, digest: &Digest, why: Why, reach: Reach) {
        match self.kept.get_mut(digest) {
            Some((_, known)) if *known >= reach => return,
            Some((_, known)) => *known = reach,
            None => {
                self.kept.insert(digest.clone(), (why, reach));
            }
        }
        self.open.push_back(digest.clone());
    }

    fn close(&mut self) {
        while let Some(digest) = self.open.pop_front() {
            let reach = self.kept.get(&digest).map_or(Reach::Parts, |(_, reach)| *reach);
            for referrer in self.referrers.get(&digest).cloned().unwrap_or_default() {
                self.keep(referrer, Why::RefersTo(digest.clone()), reach);
            }
            let Some(version) = self.manifests.get(&digest).copied() else { continue };
            for child in &version.children {
                self.keep(child, Why::PartOf(digest.clone()), reach);
            }
            if let (Reach::All, Some(subject)) = (reach, &version.subject) {
                self.keep(subject, Why::SubjectOf(digest.clone()), reach);
            }
        }
    }

    fn fate(&self, version: &Version) -> Fate {
        match (&version.name, self.kept.get(&version.digest)) {
            (ManifestName::Tag(tag), _) => Fate::Keep(Why::Tagged(tag.clone())),
            (ManifestName::Digest(_), Some((why, _))) => Fate::Keep(why.clone()),
            (ManifestName::Digest(_), None) => Fate::Delete,
        }
    }
}

/// None where no tag is left: nothing tells then what a push has only just begun.
fn newer_than_tags(versions: &[Version]) -> impl Iterator<Item = &Version> {
    let tags = versions.iter().filter(|version| matches!(version.name, ManifestName::Tag(_)));
    let last = tags.map(|tag| tag.number).max();
    versions.iter().filter(move |version| last.is_some_and(|last| version.number > last))
}

/// The newest versions that nothing else of this image stands above.
fn newest(versions: &[Version], keep: usize) -> Vec<&Digest> {
    let there: HashSet<&Digest> = versions.iter().map(|version| &version.digest).collect();
    let tagged: HashSet<&Digest> = versions
        .iter()
        .filter(|version| matches!(version.name, ManifestName::Tag(_)))
        .map(|version| &version.digest)
        .collect();
    let parts: HashSet<&Digest> = versions.iter().flat_map(|version| &version.children).collect();
    let stands_alone = |version: &&Version| {
        let refers = version.subject.as_ref().is_some_and(|subject| there.contains(subject));
        !refers && !tagged.contains(&version.digest) && !parts.contains(&version.digest)
    };
    let mut alone: Vec<&Version> = versions.iter().filter(stands_alone).collect();
    alone.sort_by_key(|version| std::cmp::Reverse(version.number));
    alone.into_iter().take(keep).map(|version| &version.digest).collect()
}

/// `sha256-<hex>`: under such a tag a registry without the referrers API has the list of what refers to a
/// manifest. It must not keep alive the manifest that it is about.
fn lists_referrers(tag: &Tag) -> bool {
    tag.as_str().strip_prefix("sha256-").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests;
