//! What the registry has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use ring::digest::{Context, SHA256, SHA512, digest};

/// A manifest under one name, a tag or a digest.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) digest: String,
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
    /// Blobs that this version has; Gitea forgets them with it.
    pub(super) blobs: BTreeSet<String>,
    /// Grows with each version.
    pub(super) made: u64,
}

#[derive(Debug, Default)]
pub(super) struct Repository {
    /// Blobs that belong to no version: all of them in distribution, not yet used ones in Gitea.
    pub(super) blobs: BTreeSet<String>,
    pub(super) versions: BTreeMap<String, Version>,
}

impl Repository {
    pub(super) fn has(&self, digest: &str) -> bool {
        self.blobs.contains(digest) || self.versions.values().any(|version| version.blobs.contains(digest))
    }

    /// By tag or by digest.
    pub(super) fn manifest(&self, reference: &str) -> Option<&Version> {
        if is_digest(reference) {
            self.versions.values().find(|version| version.digest == reference)
        } else {
            self.versions.get(reference)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Sound,
    /// Gitea's database and its file disagree: nothing but a DELETE helps.
    Poisoned,
    /// The client has asked for it and was told that it cannot have it back.
    Lost,
}

/// An upload that has begun.
pub(super) struct Session {
    pub(super) repository: String,
    pub(super) bytes: Vec<u8>,
    hasher: Context,
    /// What the last `_state` was; each step makes another.
    pub(super) step: u64,
    pub(super) condition: Condition,
    pub(super) busy: Option<u64>,
    /// Whether the last chunk was shorter than chunks may be, so that it must stay the last.
    pub(super) was_short: bool,
    /// Whether the last request on it ended without an answer.
    pub(super) was_cut: bool,
}

/// Where a session stood before a request.
pub(super) struct Before {
    length: usize,
    hasher: Context,
}

impl Before {
    pub(super) fn len(&self) -> u64 {
        self.length as u64
    }
}

impl Session {
    pub(super) fn new(repository: &str) -> Self {
        let hasher = Context::new(&SHA256);
        let repository = repository.to_owned();
        Self {
            repository,
            bytes: Vec::new(),
            hasher,
            step: 0,
            condition: Condition::Sound,
            busy: None,
            was_short: false,
            was_cut: false,
        }
    }

    pub(super) fn append(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        self.hasher.update(piece);
    }

    pub(super) fn before(&self) -> Before {
        Before { length: self.bytes.len(), hasher: self.hasher.clone() }
    }

    pub(super) fn go_back(&mut self, before: Before) {
        self.bytes.truncate(before.length);
        self.hasher = before.hasher;
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether its bytes are what `wanted` says, by the hash that was kept while they came.
    pub(super) fn is(&self, wanted: &str) -> bool {
        match wanted.split_once(':') {
            Some(("sha256", hash)) => hex(self.hasher.clone().finish().as_ref()) == hash,
            _ => digest_like(wanted, &self.bytes).as_deref() == Some(wanted),
        }
    }
}

#[derive(Default)]
pub(super) struct Store {
    /// The files, whoever refers to them.
    pub(super) contents: HashMap<String, Bytes>,
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) sessions: BTreeMap<String, Session>,
    /// Blobs that a test took away: that a manifest comes without them is not the client's fault.
    pub(super) lost: HashSet<(String, String)>,
    next_session: u64,
}

impl Store {
    pub(super) fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    /// The blob, if this repository has it and its file is there.
    pub(super) fn blob(&self, repository: &str, digest: &str) -> Option<&Bytes> {
        self.repositories.get(repository).filter(|found| found.has(digest))?;
        self.contents.get(digest)
    }

    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<&Version> {
        self.repositories.get(repository)?.manifest(reference)
    }

    pub(super) fn link(&mut self, repository: &str, digest: &str) {
        self.lost.remove(&(repository.to_owned(), digest.to_owned()));
        self.repository(repository).blobs.insert(digest.to_owned());
    }

    pub(super) fn add_blob(&mut self, repository: &str, digest: &str, bytes: Bytes) {
        self.contents.insert(digest.to_owned(), bytes);
        self.link(repository, digest);
    }

    /// Takes the blob from this repository, and its file from all.
    pub(super) fn lose(&mut self, repository: &str, digest: &str) {
        self.contents.remove(digest);
        for (name, found) in &mut self.repositories {
            if name == repository || found.has(digest) {
                self.lost.insert((name.clone(), digest.to_owned()));
            }
            if name == repository {
                found.blobs.remove(digest);
                found.versions.values_mut().for_each(|version| _ = version.blobs.remove(digest));
            }
        }
    }

    pub(super) fn spoil(&mut self, repository: &str, digest: &str, bytes: &Bytes) {
        let versions = self.repository(repository).versions.values_mut();
        for version in versions.filter(|version| version.digest == digest) {
            version.bytes = bytes.clone();
        }
    }

    /// A new session. Its name has hyphens like a UUID, and counts up so that logs read well.
    pub(super) fn open_session(&mut self, repository: &str) -> String {
        self.next_session += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.next_session);
        self.sessions.insert(id.clone(), Session::new(repository));
        id
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.contents.values().map(|bytes| bytes.len() as u64).sum()
    }
}

pub(super) fn is_digest(reference: &str) -> bool {
    let lower_hex =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match reference.split_once(':') {
        Some(("sha256", hash)) => hash.len() == 64 && lower_hex(hash),
        Some(("sha512", hash)) => hash.len() == 128 && lower_hex(hash),
        _ => false,
    }
}

/// `sha256:...` of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(digest(&SHA256, bytes).as_ref()))
}

/// The digest of these bytes by the algorithm of `example`.
pub(super) fn digest_like(example: &str, bytes: &[u8]) -> Option<String> {
    match example.split_once(':')? {
        ("sha256", _) => Some(sha256(bytes)),
        ("sha512", _) => Some(format!("sha512:{}", hex(digest(&SHA512, bytes).as_ref()))),
        _ => None,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
