//! Archives that are compressed as a whole, and standard input.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::kit::{Tar, archive, find, find_in, layer, names, only, places, saved, testdata, told};
use crate::oci::sha256;
use crate::port::Found;
use crate::source::{Places, Spec};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn image(tag: &str) -> Vec<u8> {
    let digests: Vec<String> = (0..20).map(|n| sha256(format!("{tag}{n}").as_bytes()).to_string()).collect();
    saved(&[tag], &[&layer(&digests.concat())]).bytes()
}

#[test]
fn an_archive_is_compressed_whatever_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["web.tar.gz", "web.tar", "web.tar.xz", "web"] {
        let path = dir.path().join(name);
        fs::write(&path, gzip(&image("web:1"))).unwrap();
        let image = only(find(archive(&path)).unwrap());
        assert_eq!((names(&image), image.fallback.as_str()), (vec!["web:1"], "web"), "{name}");
    }
}

fn search(folder: &Path) -> (Vec<String>, Vec<String>) {
    let found = find(Spec::Folder { path: folder.to_owned() }).unwrap();
    let names = found.images.iter().flat_map(|image| names(image)).map(str::to_owned).collect();
    (names, found.skipped.into_iter().map(|skipped| skipped.reason).collect())
}

#[test]
fn a_search_finds_what_is_compressed_by_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| fs::write(dir.path().join(name), content).unwrap();
    write("a.tar.gz", &gzip(&image("a:1")));
    write("b", &gzip(&image("b:1")));
    write("c.log.gz", &gzip(b"a log"));
    write("d.gz", &gzip(&Tar::default().file("src/main.c", b"").bytes()));
    assert_eq!(search(dir.path()), (vec!["a:1".to_owned(), "b:1".to_owned()], vec![]));
}

#[test]
fn what_calls_itself_an_archive_and_cannot_be_unpacked_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| fs::write(dir.path().join(name), content).unwrap();
    write("a.tar.gz", &gzip(&image("a:1")));
    write("b.tgz", &gzip(&image("b:1"))[..300]);
    write("c.tgz", &gzip(b"a log"));
    write("d.tgz", &gzip(&Tar::default().file("src/main.c", b"").bytes()));
    write("e.tgz", &gzip(&gzip(&image("e:1"))));
    let (found, skipped) = search(dir.path());
    assert_eq!(found, ["a:1"]);
    let expected = [
        "its gzip content ends too early",
        "5 bytes, which is too few for a tar",
        "its first entry is none of an image",
        "compressed more than once, with gzip inside",
    ];
    assert_eq!(skipped.len(), expected.len(), "{skipped:?}");
    for (skipped, expected) in skipped.iter().zip(expected) {
        assert!(skipped.contains(expected), "{skipped}");
    }
}

fn from_input(bytes: &[u8]) -> Result<Found, crate::port::SourceError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    find_in(Spec::Stdin, &Places { stdin: Some(Arc::new(file)), ..places() })
}

#[test]
fn standard_input_has_the_names_of_its_images_and_none_of_its_own() {
    let image = only(from_input(&gzip(&image("web:1"))).unwrap());
    assert_eq!((names(&image), image.fallback.as_str()), (vec!["web:1"], ""));
    assert_eq!(image.source.to_string(), "docker-archive:-:web:1");
    let nameless = only(from_input(&saved(&[], &[&layer("x")]).bytes()).unwrap());
    assert_eq!((names(&nameless), nameless.fallback.as_str()), (vec![], ""));
}

#[test]
fn standard_input_without_a_tar_says_so() {
    assert!(told(from_input(b"")).contains("`-` holds no image: it has 0 bytes"));
    assert!(told(from_input(&[b'x'; 600])).contains("`-` holds no image: it is no tar"));
    assert!(told(find(Spec::Stdin)).contains("could not read `-`"));
}

#[cfg(unix)]
#[test]
fn a_pipe_that_was_named_is_read_also_where_its_writer_comes_later() {
    use std::os::fd::{AsRawFd, OwnedFd};

    let (reader, mut writer) = std::io::pipe().unwrap();
    let sending = std::thread::spawn(move || writer.write_all(&gzip(&image("web:1"))).unwrap());
    let reader = OwnedFd::from(reader);
    let found = only(find(archive(Path::new(&format!("/dev/fd/{}", reader.as_raw_fd())))).unwrap());
    assert_eq!((names(&found), found.fallback.as_str()), (vec!["web:1"], ""));
    sending.join().unwrap();

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tar");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let to = path.clone();
    let sending = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        fs::write(to, gzip(&image("web:2"))).unwrap();
    });
    assert_eq!(names(&only(find(archive(&path)).unwrap())), ["web:2"]);
    sending.join().unwrap();
}

#[test]
fn a_search_finds_what_every_tool_saved_and_somebody_packed() {
    let dir = tempfile::tempdir().unwrap();
    let tools =
        ["docker-hybrid", "docker-hybrid-packed", "docker-legacy-multi", "podman-docker", "podman-oci"];
    for tool in tools.into_iter().chain(["skopeo-oci", "valid-image"]) {
        let content = fs::read(testdata(&format!("{tool}.tar"))).unwrap();
        fs::write(dir.path().join(tool), gzip(&content)).unwrap();
        let plain = find(archive(&testdata(&format!("{tool}.tar")))).unwrap();
        let packed = find(Spec::Folder { path: dir.path().to_owned() }).unwrap();
        assert_eq!(packed.images.len(), plain.images.len(), "{tool}");
        fs::remove_file(dir.path().join(tool)).unwrap();
    }
}

/// Packs with a program of this machine, if it is there: what others write is what is read.
fn packed_by(program: &str, arguments: &[&str], content: &[u8]) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.tar");
    fs::write(&path, content).unwrap();
    let input = File::open(&path).unwrap();
    let output = Command::new(program).args(arguments).stdin(input).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[test]
fn what_the_usual_programs_write_is_read() {
    let content = saved(&["web:1"], &[&layer(&"x".repeat(300_000))]).bytes();
    for (program, arguments) in [
        ("gzip", &["-9"][..]),
        ("zstd", &["-q", "--long=27", "-c"]),
        ("pzstd", &["-q", "-c"]),
        ("xz", &["-9e", "-c"]),
        ("xz", &["-0", "--block-size=65536", "--check=sha256", "-c"]),
        ("bzip2", &["-9"]),
    ] {
        if let Some(packed) = packed_by(program, arguments, &content) {
            assert_eq!(names(&only(from_input(&packed).unwrap())), ["web:1"], "{program}");
        }
    }
}
