//! What is pushed again and again.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::numbers::Numbers;
use super::remembered::{self, Writers};
use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::Program;
use crate::kit::registry::Registry;
use crate::program::stored;

/// Transfers at once, as the program does it by default.
pub(super) const JOBS: u64 = 3;
const CHUNK: u64 = 1 << 20;
/// Above this an upload that was killed is gone on with.
const LARGE: usize = 17 << 20;
const SMALL: usize = 600_000;

/// Images in one archive, and the folders of the machine that pushes them.
pub(super) struct Load {
    folder: TempDir,
    names: Vec<String>,
    /// The most that a transfer loses when its run is killed, in bytes.
    pub(super) piece: u64,
}

impl Load {
    /// For a registry whose uploads can be gone on with: large layers between small ones.
    pub(super) fn with_large_layers(numbers: Numbers) -> Self {
        let sizes = [LARGE, SMALL, SMALL, SMALL].repeat(times(numbers));
        Self::of(&sizes, CHUNK)
    }

    /// For one whose uploads cannot: a layer that was on its way is sent again.
    pub(super) fn of_many_images(numbers: Numbers) -> Self {
        let sizes = vec![2 << 20; 9 * times(numbers)];
        Self::of(&sizes, (2 << 20) + 64 * 1024)
    }

    /// So many small images.
    pub(super) fn of_images(count: usize) -> Self {
        Self::of(&vec![SMALL; count], CHUNK)
    }

    fn of(sizes: &[usize], piece: u64) -> Self {
        let folder = folder();
        let names: Vec<String> = (0..sizes.len()).map(|number| format!("app{number}")).collect();
        let image = |(seed, (name, size)): (u64, (&String, &usize))| {
            Image::new(&format!("{name}:1")).layer(1000 + seed, *size).layer(7, 50_000)
        };
        let images: Vec<Image> = (0..).zip(names.iter().zip(sizes)).map(image).collect();
        image::docker_archive(&folder.path().join("all.tar"), &images);
        Self { folder, names, piece }
    }

    pub(super) fn archive(&self) -> PathBuf {
        self.folder.path().join("all.tar")
    }
}

fn times(numbers: Numbers) -> usize {
    usize::try_from(numbers.weight).unwrap_or(usize::MAX)
}

/// A machine that outlives the runs on it.
pub(super) struct Machine {
    cache: TempDir,
    temporary: TempDir,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { cache: folder(), temporary: folder() }
    }

    /// A push of all of it, slow enough to be in the middle for a while.
    pub(super) fn push(&self, load: &Load, registry: &Registry) -> Program {
        Program::push_to(registry)
            .env("XDG_CACHE_HOME", self.cache.path())
            .env("TMPDIR", self.temporary.path())
            .args(["--chunk-size", "1MiB", "--limit-rate", "40MiB"])
            .arg(load.archive())
    }

    /// What a push that came to its end leaves for the next.
    pub(super) fn assert_remembers(&self) {
        assert!(!is_empty(&self.cache.path().join("idpbuilder-push/packs")));
    }

    pub(super) fn assert_sound(&self, writers: Writers) {
        remembered::assert_sound(&self.cache.path().join("idpbuilder-push"), writers);
        // Of a killed run too: what it unpacks to has no name.
        assert!(is_empty(self.temporary.path()));
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Each image can be pulled, and is what was pushed.
pub(super) fn assert_arrived(load: &Load, registry: &Registry) {
    let owner = if registry.is_gitea() { "giteaadmin/" } else { "" };
    for name in &load.names {
        stored::whole(registry, &format!("{owner}{name}"), "1");
    }
}
