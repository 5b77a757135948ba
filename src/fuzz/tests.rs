use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;

#[cfg(target_os = "linux")]
mod readers;

/// Steps of a sequence of numbers that depends on the seed alone (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn piece<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.below(bytes.len());
        &bytes[start..(start + 1 + self.below(600)).min(bytes.len())]
    }

    /// One change of any kind.
    fn change(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        match self.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = b"\0\xff\x80 0\"\\/:,={[\n"[self.below(14)],
            2 => bytes.truncate(at),
            3 => {
                let other = &corpus[self.below(corpus.len())];
                bytes.splice(at..at, self.piece(other).to_vec());
            }
            4 => {
                let piece = self.piece(bytes).repeat(1 + self.below(8));
                bytes.splice(at..at, piece);
            }
            _ => {
                let random: Vec<u8> = (0..self.below(16)).map(|_| self.next().to_le_bytes()[0]).collect();
                let end = (at + random.len()).min(bytes.len());
                bytes.splice(at..end, random);
            }
        }
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// So many, or so many where there is time for it: `make soak`.
#[expect(clippy::disallowed_methods, reason = "it is about the tests, not about the program")]
fn cases(few: u64, many: u64) -> u64 {
    if std::env::var_os("IDPBUILDER_PUSH_SOAK").is_some() { many } else { few }
}

fn tried((name, target): (&str, Target), corpus: &[Vec<u8>]) {
    for case in 0..cases(5_000, 200_000) {
        let mut random = Random(case);
        let mut bytes = corpus[random.below(corpus.len())].clone();
        // The first ones are the corpus as it is.
        if let Some(given) = usize::try_from(case).ok().and_then(|case| corpus.get(case)) {
            bytes.clone_from(given);
        } else {
            (0..=random.below(4)).for_each(|_| random.change(&mut bytes, corpus));
        }
        let began = Instant::now();
        let fine = catch_unwind(|| target(&bytes)).is_ok();
        // No measure of speed: a hang is what this is for.
        assert!(fine && began.elapsed() < Duration::from_secs(20), "{name} {case}: {}", bytes.escape_ascii());
    }
}

#[test]
fn changed_bytes_of_all_kinds_are_read_or_refused() {
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(|| tried(*target, &corpus(target.0)));
        }
    });
}

#[test]
fn every_folder_of_the_corpus_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let folders = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let folders = folders.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut folders: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    folders.sort();
    let mut targets: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    targets.sort_unstable();
    assert_eq!(folders, targets);
}
