use proptest::prelude::*;

use super::*;

/// A file system of a few names.
struct Paper(&'static [(&'static str, Seen)]);

impl Probe for Paper {
    fn look(&self, path: &Path) -> Seen {
        self.0.iter().find(|(name, _)| Path::new(name) == path).map_or(Seen::Nothing, |(_, seen)| *seen)
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        if path == Path::new(".") { PathBuf::from("/home/u") } else { path.to_path_buf() }
    }
}

const DISK: Paper = Paper(&[
    ("app.tar", Seen::File),
    ("./app", Seen::File),
    ("app", Seen::File),
    ("Notes", Seen::File),
    ("pipe", Seen::Stream),
    ("layout", Seen::Layout),
    ("myapp", Seen::Folder),
    ("images/", Seen::Folder),
    ("./images", Seen::Folder),
    ("/abs/x.tgz", Seen::File),
]);

fn spec(word: &str) -> Spec {
    meant(OsStr::new(word), &DISK).unwrap().spec
}

fn error(word: &str) -> WordError {
    meant(OsStr::new(word), &DISK).unwrap_err()
}

fn archive(path: &str, kind: ArchiveKind, name: Option<&str>) -> Spec {
    Spec::Archive { path: path.into(), kind, name: name.map(str::to_owned) }
}

fn engine(reference: &str, kind: EngineKind) -> Spec {
    Spec::Engine { reference: reference.into(), kind }
}

#[test]
fn a_word_without_a_scheme_is_a_path_or_an_image() {
    let any = ArchiveKind::Any;
    let folder = |path: &str| Spec::Folder { path: path.into() };
    for (word, expected) in [
        ("app.tar", archive("app.tar", any, None)),
        ("missing.TAR.GZ", archive("missing.TAR.GZ", any, None)),
        ("./missing.tzst", archive("./missing.tzst", any, None)),
        ("/abs/x.tgz", archive("/abs/x.tgz", any, None)),
        ("./app", archive("./app", any, None)),
        ("app", archive("app", any, None)),
        ("Notes", archive("Notes", any, None)),
        ("pipe", archive("pipe", any, None)),
        ("layout", folder("layout")),
        ("./images", folder("./images")),
        ("images/", folder("images/")),
        ("./missing", folder("./missing")),
        ("..", folder("..")),
        ("myapp", engine("myapp", EngineKind::Any)),
        ("myapp:dev", engine("myapp:dev", EngineKind::Any)),
        ("team/api:2.1", engine("team/api:2.1", EngineKind::Any)),
        ("ghcr.io:443/a/b", engine("ghcr.io:443/a/b", EngineKind::Any)),
    ] {
        assert_eq!(spec(word), expected, "{word}");
    }
}

#[test]
fn a_scheme_says_it_outright() {
    for (word, expected) in [
        ("docker-archive:app.tar", archive("app.tar", ArchiveKind::DockerSave, None)),
        ("docker-archive:app.tar:myapp:dev", archive("app.tar", ArchiveKind::DockerSave, Some("myapp:dev"))),
        ("docker-archive:C:\\x\\a.tar:v", archive("C:\\x\\a.tar", ArchiveKind::DockerSave, Some("v"))),
        ("oci-archive:/a/b.tar:1.0", archive("/a/b.tar", ArchiveKind::Oci, Some("1.0"))),
        ("oci:layout", Spec::Layout { path: "layout".into(), tag: None }),
        ("oci:layout:1.0", Spec::Layout { path: "layout".into(), tag: Some("1.0".into()) }),
        ("docker-daemon:myapp:dev", engine("myapp:dev", EngineKind::Docker)),
        ("podman:localhost/web:1.0", engine("localhost/web:1.0", EngineKind::Podman)),
    ] {
        assert_eq!(spec(word), expected, "{word}");
    }
}

#[test]
fn where_a_path_and_an_image_could_be_meant_the_path_wins_with_a_note() {
    let note = |word: &str| meant(OsStr::new(word), &DISK).unwrap().note;
    for word in ["app", "layout"] {
        let note = note(word).unwrap();
        assert!(note.contains(&format!("docker-daemon:{word}")), "{note}");
    }
    for word in ["app.tar", "./app", "myapp", "Notes"] {
        assert_eq!(note(word), None, "{word}");
    }
}

#[test]
fn what_is_neither_is_refused() {
    assert_eq!(error(""), WordError::Nothing);
    for word in ["docker-archive:", "oci:", "docker-daemon:", "podman:", "oci:layout:", "oci-archive::x"] {
        assert!(matches!(error(word), WordError::Empty { .. }), "{word}");
    }
    for word in ["my app", "a//b", "name:", "podman:a b"] {
        assert!(matches!(error(word), WordError::NotAName { .. }), "{word}");
    }
}

#[test]
fn a_dash_is_standard_input_unless_that_is_a_terminal() {
    struct Terminal;

    impl Probe for Terminal {
        fn look(&self, _: &Path) -> Seen {
            Seen::Nothing
        }

        fn resolve(&self, path: &Path) -> PathBuf {
            path.to_path_buf()
        }

        fn input_is_typed(&self) -> bool {
            true
        }
    }

    assert_eq!(spec("-"), Spec::Stdin);
    assert_eq!(meant(OsStr::new("-"), &Terminal), Err(WordError::TypedInput));
}

#[test]
fn capitals_are_refused_with_a_suggestion() {
    for (word, name, suggested) in
        [("MyApp:Dev", "MyApp:Dev", "myapp:Dev"), ("docker-daemon:MyApp", "MyApp", "docker-daemon:myapp")]
    {
        let expected = WordError::UpperCase { word: name.into(), suggestion: suggested.into() };
        assert_eq!(error(word), expected, "{word}");
    }
}

#[test]
fn the_home_folder_and_the_top_are_not_searched() {
    let home = Some(Path::new("/home/u"));
    for path in [".", "/", "/home/u"] {
        assert!(matches!(searched(Path::new(path), home, &DISK), Err(WordError::Search { .. })), "{path}");
    }
    let folder = Spec::Folder { path: "/home/u/images".into() };
    assert_eq!(searched(Path::new("/home/u/images"), home, &DISK), Ok(folder));
    assert!(searched(Path::new("."), None, &DISK).is_ok());
}

#[cfg(unix)]
#[test]
fn what_is_no_utf_8_is_a_path() {
    use std::os::unix::ffi::OsStrExt;
    let word = OsStr::from_bytes(b"caf\xe9.tar");
    assert_eq!(meant(word, &DISK).unwrap().spec, Spec::Folder { path: word.into() });
}

proptest! {
    #[test]
    fn no_word_panics(word in "\\PC{0,40}") {
        let _ = meant(OsStr::new(&word), &DISK);
    }

    #[test]
    fn what_a_spec_shows_means_the_same(
        file in "[a-z]{1,8}\\.tar", name in "[a-z]{1,8}:[a-z0-9]{1,8}", which in 0..3
    ) {
        let word = match which {
            0 => format!("docker-archive:{file}:{name}"),
            1 => format!("oci-archive:{file}:{name}"),
            _ => format!("podman:{name}"),
        };
        prop_assert_eq!(spec(&word).to_string(), word);
    }
}
