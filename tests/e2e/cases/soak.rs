//! Runs that are killed, against the registry that idpbuilder sets up: `make soak` takes many.

#[path = "../../it/soak/numbers.rs"]
#[expect(dead_code, reason = "tests/it uses all of it")]
mod numbers;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::kit::{Ingress, IngressSettings, Push, Servers, image, pulled};
use numbers::{Numbers, Random};

cases![a_push_to_gitea_that_is_killed_at_any_moment_goes_on];

const JOBS: u64 = 3;
const CHUNK: u64 = 1 << 20;
/// Above this an upload that was killed is gone on with.
const LARGE: usize = 17 << 20;
const SIZES: [usize; 5] = [LARGE, 600_000, LARGE, 600_000, 600_000];
/// Runs of one push before it is let through.
const MOST_KILLS: u32 = 5;
/// The heads of the requests on the way to a blob, of which each has less than 1 KiB.
const HEADS: u64 = 1 << 20;

#[derive(Debug, Default)]
struct Sum {
    pushes: u32,
    kills: u32,
    content: u64,
    received: u64,
    /// Sessions that were given up, since Gitea did not take more into them.
    given_up: u64,
}

/// Archives that no run before has had, and what the machine remembers of them.
struct Round {
    folder: TempDir,
    number: u64,
}

impl Round {
    fn new(number: u64) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-soak-").tempdir()?;
        let round = Self { folder, number };
        for (index, size) in (0..).zip(SIZES) {
            let layer = image::layer(1_000_000 + number * 100 + index, size)?;
            image::docker_archive(&round.archive(index), &format!("{}:1", round.name(index)), &[layer])?;
        }
        Ok(round)
    }

    fn name(&self, index: u64) -> String {
        format!("soak{}-{index}", self.number)
    }

    fn archive(&self, index: u64) -> std::path::PathBuf {
        self.folder.path().join(format!("{}.tar", self.name(index)))
    }

    fn indices() -> impl Iterator<Item = u64> {
        (0..).take(SIZES.len())
    }

    fn push(&self, servers: &Servers, ingress: &Ingress) -> Result<Push> {
        let login = ["--registry", &ingress.registry(), "--username", "giteaAdmin"];
        let push = Push::new()?.args(login).args(["--password", &servers.gitea.password, "--ca-file"]);
        let push = push.arg(ingress.ca_file()).env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        let push = push.args(["--chunk-size", "1MiB", "--limit-rate", "40MiB"]);
        Ok(push.args(Self::indices().map(|index| self.archive(index))))
    }

    /// Bytes of the blobs, after each was read back.
    fn arrived(&self, servers: &Servers) -> Result<u64> {
        let mut sizes = BTreeMap::new();
        for index in Self::indices() {
            let image = pulled(&servers.gitea.admin(), &format!("giteaadmin/{}", self.name(index)), "1")?;
            sizes.extend(image.blobs.iter().map(|(digest, blob)| (digest.clone(), blob.len() as u64)));
        }
        Ok(sizes.values().sum())
    }
}

/// What went to blobs by now: bytes, and sessions that were deleted.
fn uploads(ingress: &Ingress) -> Result<(u64, u64)> {
    let requests = ingress.requests("/blobs/uploads")?;
    let deleted = requests.iter().filter(|request| request.method == "DELETE").count() as u64;
    Ok((requests.iter().map(|request| request.bytes).sum(), deleted))
}

fn killed_push(servers: &Servers, round: &Round, within: Duration, random: &mut Random) -> Result<Sum> {
    let ingress = Ingress::start(servers.gitea.port, &IngressSettings::default())?;
    let mut kills = 0;
    loop {
        let running = round.push(servers, &ingress)?.start()?;
        if kills == MOST_KILLS {
            running.wait()?.exits(0)?;
            break;
        }
        sleep(random.moment_within(within));
        let ran = running.kill()?;
        if ran.code.is_some() {
            ran.exits(0)?;
            break;
        }
        kills += 1;
    }
    let content = round.arrived(servers)?;
    let (received, given_up) = uploads(&ingress)?;
    let most = content + u64::from(kills) * JOBS * CHUNK + given_up * LARGE as u64 + HEADS;
    ensure!(received <= most, "{received} bytes for {content} after {kills} kills, {given_up} given up");
    ensure!(no_file_is_left(round.folder.path())?, "a file of a killed run is left");
    Ok(Sum { pushes: 1, kills, content, received, given_up })
}

/// Only what is remembered is in the folder of what is remembered.
fn no_file_is_left(folder: &Path) -> Result<bool> {
    let cache = folder.join("cache/idpbuilder-push");
    for entry in std::fs::read_dir(&cache)? {
        let entry = entry?;
        let known = ["packs", "configs", "sessions"].iter().any(|name| entry.file_name() == *name);
        if !known || !entry.file_type()?.is_dir() {
            return Ok(false);
        }
        for file in std::fs::read_dir(entry.path())? {
            if file?.file_name().as_encoded_bytes().starts_with(b".") {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

#[expect(clippy::print_stdout, reason = "figures are for whoever reads the run")]
fn a_push_to_gitea_that_is_killed_at_any_moment_goes_on(servers: &Servers) -> Result<()> {
    let (numbers, mut random) = (Numbers::of_this_run(), Random::of_this_run());
    println!("seed {}", random.seed);
    let first = Round::new(0)?;
    let began = Instant::now();
    first.push(servers, &servers.ingress)?.run()?.exits(0)?;
    let (within, mut sum) = (began.elapsed(), Sum::default());
    for number in 1.. {
        if sum.kills >= numbers.kills {
            break;
        }
        let push = killed_push(servers, &Round::new(number)?, within, &mut random)?;
        sum.pushes += push.pushes;
        sum.kills += push.kills;
        sum.content += push.content;
        sum.received += push.received;
        sum.given_up += push.given_up;
    }
    println!("the real Gitea behind nginx: {sum:?}");
    Ok(())
}
