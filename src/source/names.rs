use std::collections::HashMap;
use std::path::Path;

use super::shown::{shown, shown_path};
use crate::oci::Tag;
use crate::port::{SourceName, Suggested};

const CONTAINERD_NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// What an archive of images is called, the compressed forms first.
const SUFFIXES: [&str; 12] = [
    ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".tgz", ".tzst", ".txz", ".tbz2", ".tbz", ".tar", ".oci",
    ".docker",
];

/// Whether a file calls itself a tar.
pub(super) fn is_archive_name(path: &Path) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    SUFFIXES.iter().take(10).any(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

/// The name of an image that has none: its file's or folder's, without what says that it is an archive.
pub(super) fn stem(path: &Path) -> String {
    // `.` and `..` have no name of their own.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut name = file_name(&absolute);
    while let Some(suffix) = SUFFIXES
        .iter()
        .find(|suffix| name.len() > suffix.len() && name.to_ascii_lowercase().ends_with(*suffix))
    {
        name.truncate(name.len() - suffix.len());
    }
    if name.is_empty() { "image".to_owned() } else { name }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name that an index gives a manifest: the one of containerd, which is always whole, before the one
/// of the spec, which docker writes as a tag alone.
pub(super) fn annotated(annotations: Option<&HashMap<String, String>>) -> Option<Suggested> {
    let annotations = annotations?;
    if let Some(name) = annotations.get(CONTAINERD_NAME).filter(|name| !name.is_empty()) {
        return Some(Suggested::Reference(name.clone()));
    }
    let name = annotations.get(REF_NAME).filter(|name| !name.is_empty())?;
    Some(match name.parse::<Tag>() {
        Ok(tag) => Suggested::Tag(tag),
        // A name that is neither is left to the naming, which refuses it by name.
        Err(_) => Suggested::Reference(name.clone()),
    })
}

/// Whether an image of this name is the one that was asked for: `web`, `web:latest` and
/// `docker.io/library/web:latest` are one name, and a tag alone is enough where names are tags.
pub(super) fn answers_to(suggested: &Suggested, wanted: &str) -> bool {
    match suggested {
        Suggested::Tag(tag) => tag.as_str() == wanted,
        Suggested::Reference(name) => {
            familiar(&tagged(name)) == familiar(&tagged(wanted))
                || name.rsplit_once(':').is_some_and(|(_, tag)| tag == wanted)
        }
    }
}

/// A reference with its tag said: `web` is `web:latest`. A digest stays as it is.
pub(super) fn tagged(name: &str) -> String {
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

/// The name as docker shows it, without what it adds; Podman adds `localhost/` to what it builds.
fn familiar(name: &str) -> &str {
    ["docker.io/library/", "index.docker.io/library/", "docker.io/", "localhost/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

pub(super) fn text(suggested: &Suggested) -> &str {
    match suggested {
        Suggested::Reference(name) => name,
        Suggested::Tag(tag) => tag.as_str(),
    }
}

/// `docker-archive:app.tar:myapp:dev`.
pub(super) fn source_name(scheme: &str, place: &Path, names: &[Suggested]) -> SourceName {
    let name = names.first().map(|name| format!(":{}", shown(familiar(text(name))))).unwrap_or_default();
    SourceName(format!("{scheme}:{}{name}", shown_path(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str) -> Suggested {
        Suggested::Reference(name.to_owned())
    }

    #[test]
    fn the_stem_has_no_suffix_of_an_archive() {
        for (path, name) in [
            ("dir/app.tar", "app"),
            ("app.tar.gz", "app"),
            ("app.oci.tar", "app"),
            ("app-1.2.TGZ", "app-1.2"),
            (".tar", ".tar"),
            ("layout/", "layout"),
        ] {
            assert_eq!(stem(Path::new(path)), name, "{path}");
        }
        assert_ne!(stem(Path::new(".")), "");
    }

    #[test]
    fn only_tars_are_archives_by_name() {
        assert!(is_archive_name(Path::new("x/a.tar")) && is_archive_name(Path::new("a.TBZ2")));
        assert!(!is_archive_name(Path::new("tar")) && !is_archive_name(Path::new("a.oci")));
        assert!(!is_archive_name(Path::new("a.tar/b")));
    }

    #[test]
    fn a_reference_name_is_a_tag_or_a_whole_reference() {
        let of = |pairs: &[(&str, &str)]| {
            let map = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            annotated(Some(&map))
        };
        assert_eq!(of(&[(REF_NAME, "1.0")]), Some(Suggested::Tag("1.0".parse().unwrap())));
        assert_eq!(of(&[(REF_NAME, "localhost/web:1.0")]), Some(reference("localhost/web:1.0")));
        assert_eq!(
            of(&[(REF_NAME, "1.0"), (CONTAINERD_NAME, "docker.io/a:1")]),
            Some(reference("docker.io/a:1"))
        );
        assert_eq!(of(&[(REF_NAME, "")]), None);
        assert_eq!(annotated(None), None);
    }

    #[test]
    fn the_spellings_of_one_name_are_one() {
        assert!(answers_to(&reference("docker.io/library/web:latest"), "web"));
        assert!(answers_to(&reference("localhost/web:1.0"), "web:1.0"));
        assert!(answers_to(&reference("localhost/web:1.0"), "1.0"));
        assert!(!answers_to(&reference("web:1.0"), "web"));
        assert!(!answers_to(&reference("team/web:1.0"), "web:1.0"));
        assert!(answers_to(&Suggested::Tag("1.0".parse().unwrap()), "1.0"));
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(tagged("localhost:5000/web"), "localhost:5000/web:latest");
        assert_eq!(tagged("web@sha256:00"), "web@sha256:00");
    }
}
