//! What happens to Gitea and its ingress in the middle of a push, by the numbers of `docs/faults.md`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::kit::image::{self, Image};
use crate::kit::{Gitea, Ingress, IngressSettings, Observer, Push, Ran, Running, Servers, pulled, soak};

cases![
    a_gitea_that_stands_still_for_longer_than_the_ingress_waits_is_waited_for,
    a_gitea_that_is_killed_and_started_again_loses_nothing,
    a_full_disk_is_told_and_the_push_after_it_goes_on,
    a_database_that_is_locked_for_a_while_is_waited_for,
    a_smaller_limit_of_the_ingress_is_learned,
    a_tag_that_another_client_moves_meanwhile_leads_to_a_whole_image,
    a_layer_that_another_client_takes_away_meanwhile_is_sent_again,
    tokens_that_a_new_secret_ends_in_the_middle_are_renewed,
];

/// A Gitea of the trial's own behind its own ingress, and an image for it.
struct Stage {
    gitea: Gitea,
    ingress: Ingress,
    image: Image,
    layout: TempDir,
}

const REPOSITORY: &str = "giteaadmin/app";

impl Stage {
    fn new(settings: &IngressSettings) -> Result<Self> {
        Self::with(Gitea::start()?, settings, &layers(6, 24 << 20)?)
    }

    fn with(gitea: Gitea, settings: &IngressSettings, layers: &[Vec<u8>]) -> Result<Self> {
        let ingress = Ingress::start(gitea.port, settings)?;
        let (image, layout) = (Image::of(layers), tempfile::tempdir()?);
        image.write(layout.path())?;
        Ok(Self { gitea, ingress, image, layout })
    }

    fn push(&self) -> Result<Push> {
        let push = Push::new()?.args(["--registry", &self.ingress.registry(), "--ca-file"]);
        let push = push.arg(self.ingress.ca_file()).args(["--username", Gitea::ADMIN, "--as", "app:1"]);
        Ok(push.env("IDPBUILDER_REGISTRY_PASSWORD", &self.gitea.password).arg(self.layout.path()))
    }

    fn observer(&self) -> Observer {
        Observer::of(&self.gitea, REPOSITORY, "1")
    }

    /// How many chunks Gitea has taken.
    fn chunks(&self) -> Result<usize> {
        let requests = self.ingress.requests(REPOSITORY)?;
        Ok(requests.iter().filter(|request| request.method == "PATCH" && request.status == 202).count())
    }

    /// A run whose first chunk has arrived, and whose last has not.
    fn in_the_middle(&self, push: Push) -> Result<Running> {
        let mut running = push.start()?;
        running.until(|| Ok(self.chunks()? > 0))?;
        Ok(running)
    }

    /// How many requests ended with this status.
    fn answered(&self, status: u16) -> Result<usize> {
        Ok(self.ingress.requests(REPOSITORY)?.iter().filter(|request| request.status == status).count())
    }

    /// The image is there byte for byte, and nothing else ever was under its tag.
    fn whole(&self, ran: &Ran, observer: Observer) -> Result<()> {
        let image = pulled(&self.gitea.admin(), REPOSITORY, "1")?;
        ensure!(image.digest == self.image.digest, "{} instead of {}", image.digest, self.image.digest);
        ensure!(ran.references() == [format!("{}/{REPOSITORY}:1@{}", self.ingress.registry(), image.digest)]);
        sleep(Duration::from_millis(50));
        let seen = observer.finish()?;
        ensure!(seen.digests == [image.digest], "{seen:?}");
        Ok(())
    }
}

fn layers(count: u64, length: usize) -> Result<Vec<Vec<u8>>> {
    (0..count).map(|seed| image::layer(seed + 1, length)).collect()
}

/// 33: nginx answers 504, and Gitea has half of what it was given.
fn a_gitea_that_stands_still_for_longer_than_the_ingress_waits_is_waited_for(_: &Servers) -> Result<()> {
    let patience = Duration::from_secs(if soak() { 60 } else { 4 });
    let stage = Stage::new(&IngressSettings { patience, ..IngressSettings::default() })?;
    let observer = stage.observer();
    let running = stage.in_the_middle(stage.push()?.within(patience * 4 + Duration::from_mins(2)))?;
    stage.gitea.freeze()?;
    sleep(patience * 7 / 6);
    stage.gitea.thaw()?;
    let ran = running.wait()?.exits(0)?;
    ensure!(stage.answered(504)? > 0, "nginx waited");
    stage.whole(&ran, observer)
}

/// 3, 4, 32: what was under way is cut, and 502 is answered until it is back.
fn a_gitea_that_is_killed_and_started_again_loses_nothing(_: &Servers) -> Result<()> {
    let mut stage = Stage::new(&IngressSettings::default())?;
    let observer = stage.observer();
    let running = stage.in_the_middle(stage.push()?)?;
    stage.gitea.kill()?;
    sleep(Duration::from_secs(1));
    stage.gitea.start_again()?;
    let ran = running.wait()?.exits(0)?;
    ensure!(stage.answered(502)? > 0, "nobody noticed");
    stage.whole(&ran, observer)
}

/// 31: all that Gitea says is 500.
fn a_full_disk_is_told_and_the_push_after_it_goes_on(_: &Servers) -> Result<()> {
    let gitea = Gitea::start_on_small_disk(256 << 20)?;
    let stage = Stage::with(gitea, &IngressSettings::default(), &layers(3, 20 << 20)?)?;
    let observer = stage.observer();
    let ballast = stage.gitea.fill_disk(30 << 20)?;
    let ran = stage.push()?.args(["--retry-max-wait", "1s"]).run()?.exits(6)?;
    ran.says(&["registry answered 500", "full disk", "push again"])?;
    std::fs::remove_file(ballast)?;
    let ran = stage.push()?.run()?.exits(0)?;
    stage.whole(&ran, observer)
}

/// 31, 34: Gitea waits half a second for its database, and then answers 500, or 401 where it cannot read who asks.
fn a_database_that_is_locked_for_a_while_is_waited_for(_: &Servers) -> Result<()> {
    let stage = Stage::new(&IngressSettings::default())?;
    let observer = stage.observer();
    let running = stage.in_the_middle(stage.push()?)?;
    let refused = || -> Result<usize> { Ok(stage.answered(500)? + stage.answered(401)?) };
    let before = refused()?;
    let lock = Lock::on(&stage.gitea)?;
    let locked = Instant::now();
    let lasts = |seconds| locked.elapsed() < Duration::from_secs(seconds);
    while lasts(5) || (lasts(20) && refused()? == before) {
        sleep(Duration::from_millis(100));
    }
    drop(lock);
    let ran = running.wait()?.exits(0)?;
    ensure!(refused()? > before, "Gitea did not mind");
    stage.whole(&ran, observer)
}

/// 25: no annotation is read here, so that the first refusal is what tells.
fn a_smaller_limit_of_the_ingress_is_learned(_: &Servers) -> Result<()> {
    let stage = Stage::new(&IngressSettings { body_limit: "8m", ..IngressSettings::default() })?;
    let observer = stage.observer();
    let ran = stage.push()?.run()?.exits(0)?;
    // Three transfers at once may each be refused before one has learned it.
    let refused = stage.answered(413)?;
    ensure!((1..=6).contains(&refused), "{refused} requests were refused");
    stage.whole(&ran, observer)
}

/// 60: the last one to put the tag has it.
fn a_tag_that_another_client_moves_meanwhile_leads_to_a_whole_image(_: &Servers) -> Result<()> {
    let stage = Stage::new(&IngressSettings::default())?;
    let other = Image::of(&[image::layer(77, 1 << 20)?]);
    let observer = stage.observer();
    let running = stage.in_the_middle(stage.push()?.args(["--limit-rate", "48MiB"]))?;
    other.put(&stage.gitea.admin(), REPOSITORY, "1")?;
    let ran = running.wait()?.exits(0)?;
    let image = pulled(&stage.gitea.admin(), REPOSITORY, "1")?;
    ensure!(ran.references() == [format!("{}/{REPOSITORY}:1@{}", stage.ingress.registry(), image.digest)]);
    sleep(Duration::from_millis(50));
    let seen = observer.finish()?;
    ensure!(seen.digests == [other.digest, stage.image.digest], "{seen:?}");
    Ok(())
}

/// 44, 45: the tag that is moved was all that kept the layers which the push found there.
fn a_layer_that_another_client_takes_away_meanwhile_is_sent_again(_: &Servers) -> Result<()> {
    let stage = Stage::new(&IngressSettings::default())?;
    let before = Image::of(&layers(2, 24 << 20)?);
    let after = Image::of(&[image::layer(77, 1 << 20)?]);
    before.put(&stage.gitea.admin(), REPOSITORY, "1")?;
    let observer = stage.observer();
    let running = stage.in_the_middle(stage.push()?.args(["--limit-rate", "48MiB"]))?;
    after.put(&stage.gitea.admin(), REPOSITORY, "1")?;
    let ran = running.wait()?.exits(0)?;
    ensure!(stage.answered(404)? > 0, "nothing was missing");
    let image = pulled(&stage.gitea.admin(), REPOSITORY, "1")?;
    ensure!(ran.references() == [format!("{}/{REPOSITORY}:1@{}", stage.ingress.registry(), image.digest)]);
    sleep(Duration::from_millis(50));
    let seen = observer.finish()?;
    ensure!(seen.digests == [before.digest, after.digest, stage.image.digest], "{seen:?}");
    Ok(())
}

/// 16: the same registry, which does not know its own tokens any more.
fn tokens_that_a_new_secret_ends_in_the_middle_are_renewed(_: &Servers) -> Result<()> {
    let mut stage = Stage::new(&IngressSettings::default())?;
    let observer = stage.observer();
    let running = stage.in_the_middle(stage.push()?)?;
    stage.gitea.stop();
    stage.gitea.change_token_secret()?;
    stage.gitea.start_again()?;
    let ran = running.wait()?.exits(0)?;
    ensure!(stage.answered(401)? > 0, "the token was still good");
    let logins = stage.ingress.requests("/v2/token")?;
    let taken = logins.iter().filter(|request| request.status == 200).count();
    ensure!(taken == 2, "{logins:?}");
    stage.whole(&ran, observer)
}

/// Nobody else reads or writes the database while this is there.
struct Lock(Child);

const LOCK: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
database.execute('BEGIN EXCLUSIVE')
print('locked', flush=True)
sys.stdin.read()
";

impl Lock {
    fn on(gitea: &Gitea) -> Result<Self> {
        let mut python = Command::new("python3");
        python.args(["-c", LOCK]).arg(gitea.database()?).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut lock = Self(python.spawn().context("cannot run python3; run `make setup`")?);
        let stdout = lock.0.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "locked\n", "the database cannot be locked");
        Ok(lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}
