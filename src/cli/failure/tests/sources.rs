use super::*;

#[test]
fn a_source_that_has_no_image_is_explained() {
    let path = || PathBuf::from("/home/u/app.tar");
    assert_snapshot!(explained(
        [
            SourceError::NotFound { path: path(), near: vec!["app2.tar".into()] },
            SourceError::NotFound { path: path(), near: vec!["app2.tar".into(), "apps.tar".into()] },
            SourceError::NotFound { path: path(), near: Vec::new() },
            SourceError::Read { path: path(), source: denied() },
            SourceError::NotAnImage { path: path(), reason: "it has no manifest".into() },
            SourceError::Damaged { path: path(), reason: "it ends within a header".into() },
            SourceError::LinksOut {
                path: path(),
                name: "blobs/sha256/ab".into(),
                target: "/elsewhere/ab".into()
            },
            SourceError::Unpack { path: path(), source: UnpackError::Truncated { codec: "gzip" } },
            SourceError::Unpack {
                path: path(),
                source: UnpackError::Memory { codec: "xz", limit: 64 << 20 }
            },
            SourceError::TooLarge { path: path(), limit: 64 << 30 },
            SourceError::NameNotFound { path: path(), name: "web:2".into(), names: vec!["web:1".into()] },
            SourceError::NameNotFound { path: path(), name: "web:2".into(), names: Vec::new() },
            SourceError::PlatformNotFound {
                source_name: "app.tar".into(),
                wanted: "linux/arm64".into(),
                present: vec!["linux/amd64".into()],
            },
        ],
        None
    ));
}

/// One image of Docker and one of Podman, or two of Docker.
fn several(sources: [&str; 2]) -> SourceError {
    let places = sources.map(|source| EnginePlace {
        source: format!("{source}:myapp:dev"),
        engine: format!("unix:///run/{source}.sock"),
        id: "19bc204df71f".into(),
        created: if source == "podman" { String::new() } else { "2026-10-01T08:00:00Z".into() },
    });
    SourceError::SeveralEngines { reference: "myapp:dev".into(), places: places.to_vec() }
}

#[test]
fn what_local_engines_say_is_explained() {
    let tried = |count: usize| (0..count).map(|n| format!("unix:///{n}.sock: has no such image")).collect();
    assert_snapshot!(explained(
        [
            SourceError::NotInEngine {
                reference: "myapp:dev".into(),
                tried: tried(2),
                near: vec!["myapp:latest".into()],
            },
            SourceError::NotInEngine { reference: "myapp:dev".into(), tried: tried(10), near: Vec::new() },
            SourceError::NotInEngine { reference: "myapp:dev".into(), tried: Vec::new(), near: Vec::new() },
            several(["docker-daemon", "podman"]),
            several(["docker-daemon", "docker-daemon"]),
            SourceError::NoneTagged { registry: "gitea.cnoe.localtest.me:8443".into(), tried: tried(1) },
            SourceError::EngineRefused {
                engine: "unix:///run/docker.sock".into(),
                reason: "content digest sha256:abc: not found".into()
            },
            SourceError::Engine { engine: "/var/run/docker.sock".into(), reason: "permission denied".into() },
        ],
        None
    ));
}

#[test]
fn a_folder_without_images_says_what_was_left_out() {
    let skipped = |n: usize| {
        let one = |n| Skipped { path: format!("/home/u/a/{n}.tar").into(), reason: "no image".into() };
        (0..n).map(one).collect()
    };
    assert_snapshot!(explained(
        [0, 2, 9]
            .map(|n| SourceError::NothingFound { path: "/home/u/a".into(), skipped: skipped(n) })
            .into_iter()
            .chain([SourceError::NothingNamed { path: "/home/u/a".into(), skipped: skipped(1) }]),
        None
    ));
}

#[test]
fn content_that_cannot_be_read_is_explained() {
    let path = || PathBuf::from("/home/u/app.tar");
    let errors = [
        ContentError::Open { path: path(), source: denied() },
        ContentError::NotRegular { path: path() },
        ContentError::Changed { path: path() },
        ContentError::Short { path: path(), file_len: 10, end: 20 },
        ContentError::TooLarge { len: 20, limit: 10 },
        ContentError::Spool { dir: "/var/tmp".into(), source: io::Error::from(io::ErrorKind::StorageFull) },
        ContentError::NoRoom { dir: "/var/tmp".into(), needed: 5 << 30, free: 1 << 20 },
        ContentError::Fetch { name: "docker-daemon:web:1".into(), reason: "no such image".into() },
        ContentError::Deferred(Arc::new(ContentError::Changed { path: "podman:web:1".into() })),
    ];
    assert_snapshot!(explained(errors.map(SourceError::Content), None));
}
