use std::fmt;
use std::path::PathBuf;

/// A source as the user meant it; the command line makes it of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A tar: `FILE.tar`, `docker-archive:FILE[:REF]`, `oci-archive:FILE[:TAG]`.
    Archive { path: PathBuf, kind: ArchiveKind, name: Option<String> },
    /// `oci:DIR[:TAG]`.
    Layout { path: PathBuf, tag: Option<String> },
    /// An OCI layout if it is one, else a folder that is searched.
    Folder { path: PathBuf },
    /// `--from-manifests DIR|FILE`: the images that Kubernetes manifests refer to.
    Manifests { path: PathBuf },
    /// `--all-tagged`: every image of the local engines that is named for the registry of the run.
    AllTagged,
    /// `-`, a tar on standard input.
    Stdin,
    /// `myapp:dev`, `docker-daemon:REF`, `podman:REF`.
    Engine { reference: String, kind: EngineKind },
}

/// What an archive has to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArchiveKind {
    /// What it turns out to be.
    #[default]
    Any,
    DockerSave,
    Oci,
}

/// Which engine is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// The one that has the image.
    #[default]
    Any,
    Docker,
    Podman,
}

impl fmt::Display for Spec {
    /// The spelling that says outright what it is: `docker-archive:app.tar:myapp:dev`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, place, name) = match self {
            Self::Archive { path, kind, name } => {
                let scheme = match kind {
                    ArchiveKind::Any => "",
                    ArchiveKind::DockerSave => "docker-archive:",
                    ArchiveKind::Oci => "oci-archive:",
                };
                (scheme, path.display().to_string(), name)
            }
            Self::Layout { path, tag } => ("oci:", path.display().to_string(), tag),
            Self::Folder { path } => ("", path.display().to_string(), &None),
            Self::Manifests { path } => ("manifest:", path.display().to_string(), &None),
            Self::Stdin => ("", "-".to_owned(), &None),
            Self::AllTagged => ("--all-tagged", String::new(), &None),
            Self::Engine { reference, kind } => {
                let scheme = match kind {
                    EngineKind::Any => "",
                    EngineKind::Docker => "docker-daemon:",
                    EngineKind::Podman => "podman:",
                };
                (scheme, reference.clone(), &None)
            }
        };
        write!(f, "{scheme}{place}")?;
        name.as_ref().map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}
