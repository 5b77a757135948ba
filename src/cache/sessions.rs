use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use super::owner::{is_ours, make_private, private_file};
use crate::oci::{Digest, Repository, sha256};
use crate::port::{Claim, Origin, SessionJournal};

/// A path and its checksum have less than this.
const LARGEST: u64 = 4096;
/// Registries keep a session for a day or longer; what is nearly that old is not worth a request.
const OLDEST: Duration = Duration::from_hours(20);

/// A folder of small files, one for each upload that is open. A file is locked by the process whose upload it
/// is, until that process ends in whatever way, so that two runs never write into one session.
#[derive(Debug)]
pub struct SessionFolder {
    folder: PathBuf,
    pruned: Once,
}

impl SessionFolder {
    /// Below the cache folder; made when something is noted.
    #[must_use]
    pub fn new(cache: &Path) -> Self {
        Self { folder: cache.join("sessions"), pruned: Once::new() }
    }

    fn locked(&self, name: &str) -> std::io::Result<Entry> {
        if let Some(cache) = self.folder.parent() {
            make_private(cache)?;
        }
        make_private(&self.folder)?;
        self.pruned.call_once(|| prune(&self.folder));
        let path = self.folder.join(name);
        let file = private_file().open(&path)?;
        let meta = file.metadata()?;
        if !(meta.is_file() && is_ours(&meta)) {
            return Err(std::io::Error::new(ErrorKind::PermissionDenied, "it is no file of this user"));
        }
        file.try_lock()?;
        Ok(Entry { session: read(&file, name), file, path, name: name.to_owned() })
    }
}

impl SessionJournal for SessionFolder {
    fn claim(&self, registry: &Origin, repository: &Repository, digest: &Digest) -> Option<Box<dyn Claim>> {
        let name = sha256(format!("{registry} {repository} {digest}").as_bytes()).digest().to_owned();
        match self.locked(&name) {
            Ok(entry) => Some(Box::new(entry)),
            Err(error) => {
                tracing::debug!(%error, "an upload session is not noted");
                None
            }
        }
    }
}

/// `<path> <checksum of it and of the name>`.
fn line(name: &str, path: &str) -> String {
    format!("{path} {}\n", sha256(format!("{name} {path}").as_bytes()).digest())
}

/// Entries of uploads that nobody came back to, or that were done when their run was killed.
fn prune(folder: &Path) {
    let Ok(entries) = folder.read_dir() else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Ok(file) = File::open(&path) else { continue };
        if is_old(&file) && file.try_lock().is_ok() {
            fs::remove_file(&path).ok();
        }
    }
}

fn is_old(file: &File) -> bool {
    let written = file.metadata().and_then(|meta| meta.modified());
    written.is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() > OLDEST)
}

fn read(mut file: &File, name: &str) -> Option<String> {
    let meta = file.metadata().ok()?;
    if meta.len() > LARGEST || is_old(file) {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let path = text.split(' ').next()?;
    (line(name, path) == text).then(|| path.to_owned())
}

struct Entry {
    file: File,
    path: PathBuf,
    name: String,
    session: Option<String>,
}

impl Entry {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }
}

impl Claim for Entry {
    fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    fn note(&mut self, path: &str) {
        if self.session.as_deref() == Some(path) {
            return;
        }
        // A half-written line is none: its checksum says so.
        match self.write(&line(&self.name, path)) {
            Ok(()) => self.session = Some(path.to_owned()),
            Err(error) => tracing::debug!(%error, "an upload session is not noted"),
        }
    }

    fn forget(&mut self) {
        self.session = None;
        if let Err(error) = self.write("") {
            tracing::debug!(%error, "an upload session is still noted");
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Removed while it is locked: whoever opened it in between has an entry that nobody finds.
        if self.session.is_none() {
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Scheme;

    fn claim(folder: &SessionFolder) -> Option<Box<dyn Claim>> {
        let origin = Origin::new(Scheme::Https, "r.example", 8443);
        folder.claim(&origin, &"owner/web".parse().unwrap(), &sha256(b"layer"))
    }

    #[test]
    fn what_a_run_noted_is_there_for_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let folder = SessionFolder::new(dir.path());
        let mut first = claim(&folder).unwrap();
        assert_eq!(first.session(), None);
        first.note("/v2/owner/web/blobs/uploads/1");
        first.note("/v2/owner/web/blobs/uploads/2");
        drop(first);
        assert_eq!(claim(&folder).unwrap().session(), Some("/v2/owner/web/blobs/uploads/2"));
    }

    #[test]
    fn a_session_belongs_to_one_run_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = SessionFolder::new(dir.path());
        let first = claim(&folder).unwrap();
        assert!(claim(&folder).is_none());
        drop(first);
        assert!(claim(&folder).is_some());
    }

    #[test]
    fn what_is_over_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = SessionFolder::new(dir.path());
        let mut first = claim(&folder).unwrap();
        first.note("/v2/x");
        first.forget();
        drop(first);
        assert_eq!(fs::read_dir(dir.path().join("sessions")).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_entry_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = SessionFolder::new(dir.path());
        claim(&folder).unwrap().note("/v2/x");
        let path = fs::read_dir(dir.path().join("sessions")).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in [whole.replace("/v2/x", "/v2/y"), whole[..20].to_owned(), "x".repeat(5000)] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(claim(&folder).unwrap().session(), None);
            fs::write(&path, "").unwrap();
        }
    }

    #[test]
    fn what_nobody_came_back_to_goes_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        claim(&SessionFolder::new(dir.path())).unwrap().note("/v2/x");
        let path = fs::read_dir(dir.path().join("sessions")).unwrap().next().unwrap().unwrap().path();
        let old = SystemTime::now() - OLDEST - Duration::from_mins(1);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let origin = Origin::new(Scheme::Https, "other.example", 443);
        let folder = SessionFolder::new(dir.path());
        drop(folder.claim(&origin, &"owner/web".parse().unwrap(), &sha256(b"layer")));
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        claim(&SessionFolder::new(dir.path())).unwrap().note("/v2/x");
        let folder = dir.path().join("sessions");
        let entry = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_an_entry_is_not_followed() {
        let (dir, victim) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        fs::write(victim.path(), "of somebody").unwrap();
        let folder = SessionFolder::new(dir.path());
        let mut first = claim(&folder).unwrap();
        first.note("/v2/x");
        let path = fs::read_dir(dir.path().join("sessions")).unwrap().next().unwrap().unwrap().path();
        drop(first);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(victim.path(), &path).unwrap();
        assert!(claim(&folder).is_none());
        assert_eq!(fs::read_to_string(victim.path()).unwrap(), "of somebody");
    }
}
