use std::path::{Path, PathBuf};

use crate::source::shown::{shown, shown_path};

const FORWARD: &str = "forward the engine's socket, `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`, and \
                       set DOCKER_HOST=unix:///tmp/docker.sock";

/// Where an engine listens, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A socket, or a named pipe of Windows.
    Socket(PathBuf),
    /// `host:port` without TLS.
    Plain(String),
    /// `host:port` with TLS on both sides.
    Tls { authority: String, files: TlsFiles },
}

/// What docker's tools show an engine that wants TLS, and check it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsFiles {
    pub(super) ca: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl TlsFiles {
    /// The three files of a folder.
    ///
    /// # Errors
    /// When one of them is not there.
    pub(super) fn of(folder: &Path) -> Result<Self, String> {
        let file = |name: &str| {
            let path = folder.join(name);
            if path.is_file() { Ok(path) } else { Err(format!("{} is missing", shown_path(&path))) }
        };
        Ok(Self { ca: file("ca.pem")?, cert: file("cert.pem")?, key: file("key.pem")? })
    }
}

impl Address {
    /// Reads `unix:///run/docker.sock`, `tcp://127.0.0.1:2375`, or the bare path of a socket.
    ///
    /// # Errors
    /// Why an engine cannot be asked there, and what to do.
    pub(super) fn parse(text: &str, tls: Option<TlsFiles>) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some(parts) => parts,
            None if text.starts_with('/') => ("unix", text),
            None => return Err("it is no address of the form scheme://place".to_owned()),
        };
        if rest.is_empty() {
            return Err("it says nothing after the scheme".to_owned());
        }
        match (scheme, tls) {
            ("unix", _) if cfg!(unix) => Ok(Self::Socket(PathBuf::from(rest))),
            ("npipe", _) if cfg!(windows) => Ok(Self::Socket(PathBuf::from(rest))),
            ("tcp" | "https", Some(files)) => Ok(Self::Tls { authority: authority(rest, "2376"), files }),
            ("tcp" | "http", None) => Ok(Self::Plain(authority(rest, "2375"))),
            ("https", None) => Err("it needs DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH".to_owned()),
            ("ssh", _) => Err(format!("ssh is not supported: {FORWARD}")),
            (other, _) => Err(format!("`{}` addresses are not supported here", shown(other))),
        }
    }

    /// For the header of that name: docker's tools send a made-up one where there is no host.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Socket(_) => "docker",
            Self::Plain(authority) | Self::Tls { authority, .. } => authority,
        }
    }

    /// Whether both lead to one engine: links and mounts give a socket many names.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Socket(here), Self::Socket(there)) => {
                here == there || identity(here).is_some_and(|here| Some(here) == identity(there))
            }
            _ => self == other,
        }
    }
}

/// Docker's tools take an address without a port, too.
fn authority(rest: &str, port: &str) -> String {
    let authority = rest.split('/').next().unwrap_or_default();
    let host_ends = authority.rfind(']').unwrap_or(0);
    let has_port = authority.get(host_ends..).is_some_and(|end| end.contains(':'));
    if has_port { authority.to_owned() } else { format!("{authority}:{port}") }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_dockers_tools_read_it() {
        let plain = |text: &str| Address::parse(text, None);
        assert_eq!(plain("unix:///run/a.sock"), Ok(Address::Socket("/run/a.sock".into())));
        assert_eq!(plain("/run/a.sock"), Ok(Address::Socket("/run/a.sock".into())));
        for (text, authority) in [
            ("tcp://127.0.0.1:1", "127.0.0.1:1"),
            ("tcp://engine", "engine:2375"),
            ("http://engine/path", "engine:2375"),
            ("tcp://[::1]", "[::1]:2375"),
            ("tcp://[::1]:1", "[::1]:1"),
        ] {
            assert_eq!(plain(text), Ok(Address::Plain(authority.to_owned())), "{text}");
        }
        let files = TlsFiles { ca: "ca".into(), cert: "cert".into(), key: "key".into() };
        let tls = Address::parse("tcp://engine", Some(files.clone()));
        assert_eq!(tls, Ok(Address::Tls { authority: "engine:2376".to_owned(), files }));
    }

    #[test]
    fn an_address_that_cannot_be_asked_says_what_to_do() {
        for (text, reason) in [
            ("ssh://user@host", "ssh -nNT -L"),
            ("fd://x", "`fd` addresses"),
            ("https://engine", "DOCKER_CERT_PATH"),
            ("nonsense", "no address"),
            ("unix://", "says nothing"),
        ] {
            assert!(Address::parse(text, None).unwrap_err().contains(reason), "{text}");
        }
    }

    #[test]
    fn a_missing_file_of_tls_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), "x").unwrap();
        assert!(TlsFiles::of(dir.path()).unwrap_err().contains("cert.pem is missing"));
    }
}
