//! What the index of a tar takes for its files, Python's tarfile and GNU tar take for its files too.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::*;
use crate::source::fuzz::{Seen, mended, seen};

/// `None` for a reader that refused the archive.
#[derive(Deserialize)]
struct Others {
    python: Option<Vec<(String, u64, u64)>>,
    tar: Option<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    files: Vec<(String, u64)>,
    /// Of the contents of all files, one after another. `None` beside entries of GNU tar's own kinds, which it
    /// takes for files here and for something else there; the index passes over them.
    content: Option<String>,
}

const SIZES: [&[u8; 12]; 8] = [
    b"00000000000\0",
    b"00000001000\0",
    b"       1000 ",
    b"\x80\0\0\0\0\0\0\0\0\0\x02\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\0",
    b"000000000001",
    b"\0\0\0\0\0\0\0\0\0\0\0\0",
    b"1000\0 77777 ",
];
const KINDS: &[u8] = b"0\x001234567xgLKSVDMNX?";
const MAGICS: [&[u8; 8]; 3] = [b"ustar\x0000", b"ustar  \0", b"\0\0\0\0\0\0\0\0"];

/// A change that a header or a PAX record may have, where another reader might lose its way.
fn aimed(random: &mut Random, bytes: &mut Vec<u8>) {
    let blocks = bytes.len() / 512;
    let start = random.below(blocks) * 512;
    let header = start..start + 512;
    match random.below(8) {
        0 => bytes[start + 124..start + 136].copy_from_slice(SIZES[random.below(SIZES.len())]),
        1 => bytes[start + 156] = KINDS[random.below(KINDS.len())],
        2 => bytes[start + 257..start + 265].copy_from_slice(MAGICS[random.below(3)]),
        3 => bytes[start + 345 + random.below(155)] = b'p',
        4 => drop(bytes.drain(header)),
        5 => {
            let block = bytes[header].to_vec();
            let at = random.below(blocks) * 512;
            bytes.splice(at..at, block);
        }
        6 => {
            // Of sizes, and of the lengths of records.
            let digits = (start..start + 512).filter(|at| bytes[*at].is_ascii_digit());
            let digits: Vec<usize> = digits.collect();
            if let Some(at) = digits.get(random.below(digits.len())) {
                bytes[*at] = b"0123456789"[random.below(10)];
            }
        }
        _ => drop(bytes.splice(start..start, [[0; 512], [b'x'; 512]][random.below(2)])),
    }
}

fn mutants() -> Vec<(Vec<u8>, Vec<Seen>)> {
    let corpus = corpus("tar");
    let mut accepted: Vec<_> =
        corpus.iter().filter_map(|bytes| Some((bytes.clone(), seen(bytes)?))).collect();
    for case in 0..cases(2_500, 30_000) {
        let mut random = Random(case ^ 0x7461_7200);
        let mut bytes = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(3) {
            if random.below(4) == 0 {
                random.change(&mut bytes, &corpus);
            } else {
                aimed(&mut random, &mut bytes);
            }
            bytes.resize(bytes.len().max(1024), 0);
        }
        let bytes = mended(bytes);
        accepted.extend(seen(&bytes).map(|seen| (bytes, seen)));
    }
    accepted
}

fn asked(archives: &[(Vec<u8>, Vec<Seen>)]) -> Vec<Others> {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = String::new();
    for (number, (bytes, _)) in archives.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        fs::write(&path, bytes).unwrap();
        writeln!(paths, "{}", path.display()).unwrap();
    }
    assert!(Command::new("tar").arg("--version").output().is_ok(), "GNU tar is needed");
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("readers.py")]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().expect("python3 is needed");
    let mut stdin = python.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(paths.as_bytes()));
    let answer = python.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(answer.status.success(), "python3 and GNU tar are needed");
    let lines = std::str::from_utf8(&answer.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What is stored sparse is refused when it is asked for, so that nothing else need be right there.
///
/// In a header of GNU's form Python takes what stands at byte 345 for the start of the name. It is a time there,
/// for GNU tar and for the index.
fn is_as_in_python(bytes: &[u8], ours: &[&Seen], theirs: &[(String, u64, u64)]) -> bool {
    let same = |(ours, theirs): (&&Seen, &(String, u64, u64))| {
        let (name, at) = (hex(&ours.name), usize::try_from(ours.offset).unwrap());
        let is_gnu = bytes[at - 512..at].get(257..265) == Some(b"ustar  \0");
        let named = name == theirs.0 || (is_gnu && theirs.0.ends_with(&format!("2f{name}")));
        ours.sparse || (named && (ours.offset, ours.len) == (theirs.1, theirs.2))
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same)
}

fn is_as_in_tar(bytes: &[u8], ours: &[&Seen], theirs: &Listed) -> bool {
    let same = |(ours, theirs): (&&Seen, &(String, u64))| {
        ours.sparse || (&hex(&ours.name), ours.len) == (&theirs.0, theirs.1)
    };
    let sparse = ours.iter().any(|file| file.sparse);
    let content = theirs.content.as_ref().filter(|_| !sparse);
    ours.len() == theirs.files.len()
        && ours.iter().zip(&theirs.files).all(same)
        && content.is_none_or(|digest| *digest == self::content(bytes, ours))
}

fn content(bytes: &[u8], files: &[&Seen]) -> String {
    let index = |number: u64| usize::try_from(number).unwrap();
    let ranges = files.iter().map(|file| &bytes[index(file.offset)..index(file.offset + file.len)]);
    sha256(&ranges.collect::<Vec<_>>().concat()).to_string().replace("sha256:", "")
}

#[test]
fn an_archive_that_is_accepted_is_read_as_python_and_tar_read_it() {
    let archives = mutants();
    let (mut by_python, mut by_tar) = (0, 0);
    for ((bytes, ours), others) in archives.iter().zip(asked(&archives)) {
        // The old form of a folder: nobody takes it for a file.
        let ours: Vec<&Seen> = ours.iter().filter(|file| !file.name.ends_with(b"/")).collect();
        if let Some(theirs) = others.python {
            let same = is_as_in_python(bytes, &ours, &theirs);
            assert!(same, "{ours:?}\npython: {theirs:?}\n{}", bytes.escape_ascii());
            by_python += 1;
        }
        if let Some(theirs) = others.tar {
            let same = is_as_in_tar(bytes, &ours, &theirs);
            assert!(same, "{ours:?}\ntar: {theirs:?}\n{}", bytes.escape_ascii());
            by_tar += 1;
        }
    }
    // Else there was nothing to compare.
    let all = archives.len();
    assert!(by_python > all / 2 && by_tar > all / 2, "{by_python} and {by_tar} of {all}");
}
