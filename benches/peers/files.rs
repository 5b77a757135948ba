//! Layers made of this machine's own files.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ring::digest::{Context as Hasher, SHA256};
use tar::{Builder, Header};

/// In this order, each folder sorted, so that a machine makes the same layers again.
const ROOTS: &[&str] = &["/usr/bin", "/usr/lib", "/usr/share"];

/// A file on disk, and what it is called by its content.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    /// SHA-256 in hexadecimal.
    pub(crate) hash: String,
    pub(crate) size: u64,
}

/// Counts and hashes what passes.
pub(crate) struct Hashed<W> {
    inner: W,
    hasher: Hasher,
    size: u64,
}

impl Hashed<BufWriter<File>> {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let inner = BufWriter::new(File::create(path)?);
        Ok(Self { inner, hasher: Hasher::new(&SHA256), size: 0 })
    }

    pub(crate) fn finish(mut self, path: PathBuf) -> Result<Stored> {
        self.inner.flush()?;
        let sum = self.hasher.finish();
        Ok(Stored { path, hash: hexadecimal(sum.as_ref()), size: self.size })
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..n).unwrap_or_default());
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    hexadecimal(ring::digest::digest(&SHA256, bytes).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The machine's files, one after another; from the start again when they are used up.
pub(crate) struct Files {
    all: Vec<PathBuf>,
    next: usize,
    turn: usize,
}

impl Files {
    pub(crate) fn of_this_machine() -> Result<Self> {
        let mut all = Vec::new();
        for root in ROOTS {
            walk(Path::new(root), &mut all);
        }
        ensure!(!all.is_empty(), "none of {} has a file", ROOTS.join(", "));
        Ok(Self { all, next: 0, turn: 0 })
    }

    fn next(&mut self) -> Option<(File, u64, String)> {
        loop {
            let Some(path) = self.all.get(self.next) else {
                (self.next, self.turn) = (0, self.turn + 1);
                continue;
            };
            self.next += 1;
            let (Ok(file), Some(name)) = (File::open(path), path.to_str()) else { continue };
            let size = file.metadata().ok()?.len();
            return Some((file, size, format!("{}{name}", self.turn)));
        }
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        match fs::symlink_metadata(&path).map(|found| found.file_type()) {
            Ok(kind) if kind.is_dir() => walk(&path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

/// What a layer is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filling {
    Files,
    /// As many bytes again that no encoder makes smaller.
    FilesAndNoise,
}

/// A layer of at least `size` bytes.
pub(crate) fn layer(path: PathBuf, size: u64, filling: Filling, files: &mut Files) -> Result<Stored> {
    let mut tar = Builder::new(Hashed::create(&path)?);
    let mut written = 0;
    while written < size {
        let (file, length, name) = files.next().context("no file")?;
        // One large file would be the whole layer, or make it much longer than it should be.
        if length > size / 2 || written + length > size + size / 64 {
            continue;
        }
        append(&mut tar, &name, length, file)?;
        written += length;
        if filling == Filling::FilesAndNoise {
            append(&mut tar, &format!("{name}.noise"), length, Noise(length | 1).take(length))?;
            written += length;
        }
    }
    tar.into_inner()?.finish(path)
}

/// The same layer with one file more.
pub(crate) fn changed(layer: &Stored, path: PathBuf) -> Result<Stored> {
    let mut tar = Builder::new(Hashed::create(&path)?);
    append(&mut tar, "changed", 12, &b"hello world\n"[..])?;
    // A tar that follows before the end is written is the rest of this one.
    io::copy(&mut File::open(&layer.path)?, tar.get_mut())?;
    tar.into_inner()?.finish(path)
}

pub(crate) fn append<W: Write>(
    tar: &mut Builder<W>,
    name: &str,
    size: u64,
    content: impl Read,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o755);
    header.set_mtime(0);
    let name = name.trim_start_matches('/');
    tar.append_data(&mut header, name, content.take(size)).with_context(|| name.to_owned())
}

/// Pseudo-random bytes, by xorshift.
struct Noise(u64);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for bytes in buffer.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let fresh = self.0.to_le_bytes();
            bytes.copy_from_slice(fresh.get(..bytes.len()).unwrap_or_default());
        }
        Ok(buffer.len())
    }
}
