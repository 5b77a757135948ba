use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::SystemTime;

use bytes::Bytes;

use super::owner::{is_ours, make_private};
use crate::oci::{Digest, JSON_LIMIT, sha256};
use crate::pack::Form;
use crate::port::{PackIndex, Remembered};

/// An entry has less than this.
const LARGEST_ENTRY: u64 = 1024;
/// Entries that are kept; beyond, the oldest go until a quarter of the room is free again.
const MOST: usize = 8192;
/// What names of files that are not entries yet begin with.
const HALF_WRITTEN: &str = ".new-";

/// A folder of entries. Whatever fails in it is only not remembered.
#[derive(Debug)]
pub struct CacheFolder {
    folder: PathBuf,
    most: usize,
    pruned: Once,
}

impl CacheFolder {
    /// The folder is made when something is kept.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, most: MOST, pruned: Once::new() }
    }

    fn packs(&self) -> PathBuf {
        self.folder.join("packs")
    }

    fn configs(&self) -> PathBuf {
        self.folder.join("configs")
    }

    /// Writes beside the name and renames: a reader sees all of an entry or none of it.
    fn write(&self, folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
        make_private(&self.folder)?;
        make_private(folder)?;
        self.pruned.call_once(|| {
            for folder in [self.packs(), self.configs()] {
                sweep(&folder);
                prune(&folder, self.most);
            }
        });
        let mut file = tempfile::Builder::new().prefix(HALF_WRITTEN).tempfile_in(folder)?;
        // Tells it from what a killed run left. Without locks nothing is swept.
        file.as_file().try_lock().ok();
        file.write_all(content)?;
        file.persist(folder.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    fn keep(&self, folder: &Path, name: &str, content: &[u8]) {
        if let Err(error) = self.write(folder, name, content) {
            tracing::debug!(%error, folder = %folder.display(), "not remembered");
        }
    }
}

/// Reads a file of this user's that is not larger than it should be.
fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let meta = fs::symlink_metadata(path).ok()?;
    (meta.is_file() && is_ours(&meta) && meta.len() <= limit).then(|| fs::read(path).ok()).flatten()
}

/// Removes what runs left that were killed while they wrote. A writer that has made its file and not locked it
/// yet may lose it, and then does not remember.
fn sweep(folder: &Path) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().as_encoded_bytes().starts_with(HALF_WRITTEN.as_bytes())
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            fs::remove_file(entry.path()).ok();
        }
    }
}

fn prune(folder: &Path, most: usize) {
    let Ok(entries) = folder.read_dir() else { return };
    let mut entries: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    if entries.len() <= most {
        return;
    }
    entries.sort();
    let surplus = entries.len().saturating_sub(most / 4 * 3);
    for (_, path) in entries.iter().take(surplus) {
        fs::remove_file(path).ok();
    }
}

/// The file of an entry. A digest is hexadecimal and a key a word, so that no name leads elsewhere.
fn name(diff_id: &Digest, key: &str) -> String {
    format!("{}-{}.{key}", diff_id.algorithm(), diff_id.digest())
}

/// `<digest> <size> <checksum of both and of the name>`.
fn line(name: &str, packed: &Remembered) -> String {
    let Remembered { digest, size } = packed;
    let checksum = sha256(format!("{name} {digest} {size}").as_bytes());
    format!("{digest} {size} {}\n", checksum.digest())
}

impl PackIndex for CacheFolder {
    fn packed(&self, diff_id: &Digest, form: Form) -> Option<Remembered> {
        let name = name(diff_id, &form.cache_key()?);
        let bytes = read(&self.packs().join(&name), LARGEST_ENTRY)?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let mut words = text.split_whitespace();
        let digest = words.next()?.parse().ok()?;
        let remembered = Remembered { digest, size: words.next()?.parse().ok()? };
        (line(&name, &remembered) == text).then_some(remembered)
    }

    fn keep_packed(&self, diff_id: &Digest, form: Form, packed: &Remembered) {
        let Some(key) = form.cache_key() else { return };
        let name = name(diff_id, &key);
        self.keep(&self.packs(), &name, line(&name, packed).as_bytes());
    }

    fn config(&self, digest: &Digest) -> Option<Bytes> {
        let bytes = read(&self.configs().join(name(digest, "json")), JSON_LIMIT)?;
        (sha256(&bytes) == *digest).then(|| Bytes::from(bytes))
    }

    fn keep_config(&self, config: &Bytes) {
        self.keep(&self.configs(), &name(&sha256(config), "json"), config);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::{Encoder, Encoding};

    fn remembered(content: &str) -> Remembered {
        Remembered { digest: sha256(content.as_bytes()), size: 7 }
    }

    #[test]
    fn what_is_kept_is_remembered_by_another_process() {
        let dir = tempfile::tempdir().unwrap();
        let diff_id = sha256(b"layer");
        let folder = dir.path().join("cache");
        CacheFolder::new(folder.clone()).keep_packed(
            &diff_id,
            Form::Packed(Encoder::GZIP),
            &remembered("packed"),
        );
        let other = CacheFolder::new(folder);
        assert_eq!(other.packed(&diff_id, Form::Packed(Encoder::GZIP)), Some(remembered("packed")));
        assert_eq!(other.packed(&sha256(b"other"), Form::Packed(Encoder::GZIP)), None);
        assert_eq!(other.packed(&diff_id, Form::AsIs(Encoding::Gzip)), None);
    }

    #[test]
    fn what_killed_runs_left_half_written_goes_and_what_is_being_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheFolder::new(dir.path().to_owned());
        for folder in [cache.packs(), cache.configs()] {
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(".new-left"), "half").unwrap();
        }
        let written = File::create(cache.packs().join(".new-written")).unwrap();
        written.lock().unwrap();
        cache.keep_packed(&sha256(b"layer"), Form::Packed(Encoder::GZIP), &remembered("packed"));
        assert!(!cache.packs().join(".new-left").exists());
        assert!(!cache.configs().join(".new-left").exists());
        assert!(cache.packs().join(".new-written").exists());
        assert!(cache.packed(&sha256(b"layer"), Form::Packed(Encoder::GZIP)).is_some());
    }

    #[test]
    fn a_damaged_entry_is_none_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheFolder::new(dir.path().to_owned());
        let diff_id = sha256(b"layer");
        cache.keep_packed(&diff_id, Form::Packed(Encoder::GZIP), &remembered("packed"));
        let path = fs::read_dir(cache.packs()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in ["", "x", &whole.replace(" 7 ", " 8 "), &whole[1..], &"x".repeat(5000)] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(cache.packed(&diff_id, Form::Packed(Encoder::GZIP)), None, "{damaged}");
        }
        cache.keep_packed(&diff_id, Form::Packed(Encoder::GZIP), &remembered("packed"));
        assert_eq!(cache.packed(&diff_id, Form::Packed(Encoder::GZIP)), Some(remembered("packed")));
    }

    #[test]
    fn a_configuration_is_only_given_for_its_own_digest() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheFolder::new(dir.path().to_owned());
        let config = Bytes::from_static(b"{}");
        cache.keep_config(&config);
        assert_eq!(cache.config(&sha256(b"{}")), Some(config));
        let path = fs::read_dir(cache.configs()).unwrap().next().unwrap().unwrap().path();
        fs::write(path, b"{ }").unwrap();
        assert_eq!(cache.config(&sha256(b"{}")), None);
    }

    #[test]
    fn the_oldest_entries_go_when_there_are_too_many() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..12_u32 {
            let cache = CacheFolder { most: 8, ..CacheFolder::new(dir.path().to_owned()) };
            cache.keep_packed(
                &sha256(&number.to_le_bytes()),
                Form::Packed(Encoder::GZIP),
                &remembered("packed"),
            );
        }
        let left = fs::read_dir(dir.path().join("packs")).unwrap().count();
        assert!(left <= 9, "{left}");
    }

    #[test]
    fn the_oldest_entries_go_whatever_is_kept_first() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..12_u32 {
            let cache = CacheFolder { most: 8, ..CacheFolder::new(dir.path().to_owned()) };
            cache.keep_config(&Bytes::copy_from_slice(&number.to_le_bytes()));
            let diff_id = sha256(&number.to_le_bytes());
            cache.keep_packed(&diff_id, Form::Packed(Encoder::GZIP), &remembered("packed"));
        }
        for folder in ["packs", "configs"] {
            let left = fs::read_dir(dir.path().join(folder)).unwrap().count();
            assert!(left <= 9, "{folder}: {left}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_remembers_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cache = CacheFolder::new(file.path().join("below"));
        cache.keep_packed(&sha256(b"layer"), Form::Packed(Encoder::GZIP), &remembered("packed"));
        assert_eq!(cache.packed(&sha256(b"layer"), Form::Packed(Encoder::GZIP)), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheFolder::new(dir.path().join("cache"));
        cache.keep_config(&Bytes::from_static(b"{}"));
        for path in [cache.folder.clone(), cache.configs()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let entry = fs::read_dir(cache.configs()).unwrap().next().unwrap().unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// Only root can give a file away.
    #[cfg(unix)]
    #[test]
    fn what_another_user_put_there_is_not_believed() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheFolder::new(dir.path().join("cache"));
        let config = Bytes::from_static(b"{}");
        cache.keep_config(&config);
        let entry = fs::read_dir(cache.configs()).unwrap().next().unwrap().unwrap().path();
        std::os::unix::fs::chown(&entry, Some(12345), None).unwrap();
        assert_eq!(cache.config(&sha256(b"{}")), None);
        std::os::unix::fs::chown(&cache.folder, Some(12345), None).unwrap();
        cache.keep_config(&Bytes::from_static(b"[]"));
        assert_eq!(fs::read_dir(cache.configs()).unwrap().count(), 1);
    }
}
