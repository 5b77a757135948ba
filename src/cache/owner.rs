use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::content;

/// Whether it belongs to the user that this runs as: what anybody else put there is neither believed nor
/// written to. A program that runs as root in another user's home meets this.
#[cfg(unix)]
pub(super) fn is_ours(meta: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    meta.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
pub(super) fn is_ours(_: &Metadata) -> bool {
    true
}

/// A folder for this user alone; one that is there already, or a link to it, must be this user's.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    content::make_private(folder)?;
    if is_ours(&fs::symlink_metadata(folder)?) && is_ours(&fs::metadata(folder)?) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder belongs to another user"))
}

/// What a file is opened with that only this user reads. A link in its place is not followed, since what it
/// leads to would be overwritten.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options
}
