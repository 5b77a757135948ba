//! Archives that are compressed as a whole, and standard input.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::{Program, Ran};
use crate::kit::registry::{PASSWORD, Registry, USER};

fn tar(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join("plain.tar");
    image::docker_archive(&path, &[Image::new(name).layer(1, 300_000).layer(2, 5_000)]);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Files of the temporary folder that have a name; spools have none.
fn left_behind(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|all| all.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

fn digest(ran: &Ran) -> String {
    ran.stdout.trim_end().rsplit_once('@').unwrap().1.to_owned()
}

#[test]
fn a_compressed_archive_is_pushed_as_the_tar_that_it_holds() {
    let registry = Registry::distribution().start();
    let folder = folder();
    let tar = tar(folder.path(), "web:1.0");
    let mut digests = Vec::new();
    let packed = [
        ("a.tar", tar.clone()),
        ("b.tar.gz", gzip(&tar)),
        ("c.tar.zst", zstd(&tar)),
        ("d.tar.xz", xz(&tar)),
        ("e.tar.bz2", bzip2(&tar)),
    ];
    for (name, bytes) in packed {
        let (path, spools) = (folder.path().join(name), folder.path().join("spools"));
        fs::write(&path, bytes).unwrap();
        let push = Program::push_to(&registry).args(["--as", &format!("from-{}", &name[..1])]);
        let ran = push.arg("--tmp-dir").arg(&spools).arg(&path).run().exits(0);
        assert_eq!(left_behind(&spools), [""; 0].map(PathBuf::from));
        digests.push(digest(&ran));
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
    registry.assert_orderly();
}

#[test]
fn a_folder_is_searched_for_compressed_archives_too() {
    let registry = Registry::distribution().start();
    let folder = folder();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("a.tgz", gzip(&tar(folder.path(), "web:1.0")));
    write("b", xz(&tar(folder.path(), "api:2.0")));
    write("cut.tar.gz", gzip(&tar(folder.path(), "cut:1"))[..1000].to_vec());
    let ran = Program::push_to(&registry).arg("--path").arg(folder.path()).run().exits(0);
    assert_eq!(ran.stdout.lines().count(), 2);
    ran.says(&["skipped", "cut.tar.gz: its gzip content ends too early"]);
    assert_eq!(registry.tags("web"), ["1.0"]);
    assert_eq!(registry.tags("api"), ["2.0"]);
    registry.assert_orderly();
}

#[test]
fn a_tar_on_standard_input_is_pushed() {
    let registry = Registry::distribution().start();
    let folder = folder();
    let tar = tar(folder.path(), "web:1.0");
    let mut digests = Vec::new();
    for bytes in [tar.clone(), gzip(&tar)] {
        let ran = Program::push_to(&registry).arg("-").input(bytes).run().exits(0);
        assert!(ran.stdout.contains("/web:1.0@sha256:"), "{ran}");
        digests.push(digest(&ran));
    }
    assert_eq!(digests[0], digests[1]);
    registry.assert_orderly();
}

#[cfg(unix)]
#[test]
fn a_pipe_is_pushed_beside_a_password_of_the_environment() {
    let registry = Registry::gitea().start();
    let folder = folder();
    let path = folder.path().join("web.tar.zst");
    fs::write(&path, zstd(&tar(folder.path(), "web:1.0"))).unwrap();
    let script = format!(
        "cat '{}' | '{}' push --registry {} --plain-http -u {USER} -",
        path.display(),
        env!("CARGO_BIN_EXE_idpbuilder-push"),
        registry.address()
    );
    let shell = Program::called(Path::new("/bin/sh")).args(["-c", &script]);
    shell.env("IDPBUILDER_REGISTRY_PASSWORD", PASSWORD).run().exits(0);
    assert_eq!(registry.tags("giteaadmin/web"), ["1.0"]);
    registry.assert_orderly();
}

#[test]
fn an_image_of_standard_input_without_a_name_needs_one() {
    let registry = Registry::distribution().start();
    let folder = folder();
    let path = folder.path().join("layout.tar");
    image::oci_archive(&path, &[Image::new("web:1.0").layer(1, 5_000)]);
    let tar = fs::read(path).unwrap();
    let ran = Program::push_to(&registry).arg("-").input(tar.clone()).run().exits(2);
    ran.says(&["the image has no name", "--as NAME:TAG -"]);
    Program::push_to(&registry).args(["--as", "web", "-"]).input(tar).run().exits(0);
    assert_eq!(registry.tags("web"), ["1.0"]);
    registry.assert_orderly();
}

#[test]
fn standard_input_is_not_a_tar_and_a_password_at_once() {
    let registry = Registry::gitea().start();
    let ran = Program::push_to(&registry).arg("-").run().exits(2);
    ran.says(&["both `-` and `--password-stdin` read standard input"]);
    assert_eq!(registry.lines(), [""; 0]);
}

#[test]
fn what_cannot_be_unpacked_is_no_image() {
    let registry = Registry::distribution().start();
    let folder = folder();
    let tar = tar(folder.path(), "web:1.0");
    let path = folder.path().join("web.tar.gz");
    for (bytes, said) in [
        (gzip(&tar)[..200_000].to_vec(), "its gzip content ends too early"),
        (gzip(&gzip(&tar)), "compressed more than once"),
        (xz(b"text"), "too few for a tar"),
        (zstd(&[7; 5000]), "what zstd unpacks to is no tar"),
    ] {
        fs::write(&path, bytes).unwrap();
        Program::push_to(&registry).arg(&path).run().exits(3).says(&["web.tar.gz", said]);
    }
    assert_eq!(registry.count("POST") + registry.count("PUT"), 0);
}

#[test]
fn list_shows_what_is_in_compressed_archives() {
    let folder = folder();
    let tar = gzip(&tar(folder.path(), "web:1.0"));
    let ran = Program::new().args(["list", "-"]).input(tar).run().exits(0);
    assert_eq!(ran.stdout, "<registry>/<owner>/web:1.0\n");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_for_a_pipe() {
    let registry = Registry::distribution().start();
    let folder = folder();
    let path = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // For both, so that it is not waited for a reader; and there is a writer from the start.
    let mut pipe = fs::File::options().read(true).write(true).open(&path).unwrap();
    let running = Program::push_to(&registry).arg(&path).start();
    // More than a pipe holds, so that somebody has read of it.
    pipe.write_all(&tar(folder.path(), "web:1.0")[..200_000]).unwrap();
    running.signal("INT");
    running.wait().exits(130);
    assert_eq!(registry.count("PUT"), 0);
}
