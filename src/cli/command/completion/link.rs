use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::failure::LocalError;

/// What kubectl looks for on PATH when it completes `kubectl idpbuilder-push`.
const NAME: &str = "kubectl_complete-idpbuilder_push";
/// Names of the program that a link of ours may lead to.
const PROGRAMS: [&str; 3] = ["idpbuilder-push", "kubectl-idpbuilder_push", "kubectl-idpbuilder-push"];

/// Links the program, as it was called, so that a link to it that is moved by an upgrade is followed.
///
/// # Errors
/// `LinkTaken` for what is there and is none of ours, `Link` where nothing can be written.
pub(super) fn install(folder: &Path, program: &Path) -> Result<PathBuf, LocalError> {
    let link = folder.join(NAME);
    let failed = |source| LocalError::Link { path: link.clone(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    if is_there(&link)? {
        fs::remove_file(&link).map_err(failed)?;
    }
    symlink(program, &link).map_err(failed)?;
    Ok(link)
}

/// `None` where there is no link.
///
/// # Errors
/// As `install`.
pub(super) fn uninstall(folder: &Path) -> Result<Option<PathBuf>, LocalError> {
    let link = folder.join(NAME);
    if !is_there(&link)? {
        return Ok(None);
    }
    fs::remove_file(&link).map_err(|source| LocalError::Link { path: link.clone(), source })?;
    Ok(Some(link))
}

fn is_there(link: &Path) -> Result<bool, LocalError> {
    match fs::symlink_metadata(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(LocalError::Link { path: link.to_owned(), source }),
        Ok(_) => {}
    }
    let target = fs::read_link(link).ok();
    let name = target.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    match name {
        Some(name) if PROGRAMS.contains(&name) => Ok(true),
        _ => Err(LocalError::LinkTaken { path: link.to_owned() }),
    }
}

#[cfg(unix)]
fn symlink(program: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_made_made_anew_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        for program in ["/a/kubectl-idpbuilder_push", "/b/idpbuilder-push"] {
            let link = install(&bin, Path::new(program)).unwrap();
            assert_eq!(fs::read_link(link).unwrap(), Path::new(program));
        }
        assert_eq!(uninstall(&bin).unwrap(), Some(bin.join(NAME)));
        assert_eq!(uninstall(&bin).unwrap(), None);
    }

    #[test]
    fn what_others_put_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "a script").unwrap();
        let program = Path::new("/a/idpbuilder-push");
        assert!(matches!(install(folder.path(), program), Err(LocalError::LinkTaken { .. })));
        assert!(matches!(uninstall(folder.path()), Err(LocalError::LinkTaken { .. })));
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), "a script");
    }
}
