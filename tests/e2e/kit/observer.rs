use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use super::gitea::Gitea;
use super::http::{Endpoint, Questions};
use super::pulled::MANIFESTS;

/// Asks Gitea every 5 ms what a tag points to, and whether all of that is there.
pub(crate) struct Observer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

/// What was seen from one moment to another.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Digests that the tag had, one after another.
    pub(crate) digests: Vec<String>,
    /// How often the tag was asked for and Gitea answered.
    pub(crate) answers: usize,
    /// A digest, and a blob that was not there while the tag had it.
    holes: Vec<(String, String)>,
}

impl Observer {
    /// The repository with its owner.
    pub(crate) fn of(gitea: &Gitea, repository: &str, tag: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, admin) = (Arc::clone(&stop), gitea.admin());
        let (repository, tag) = (format!("/v2/{repository}"), tag.to_owned());
        let thread = thread::spawn(move || {
            let mut watch = Watch { admin, repository, tag, questions: None, seen: Seen::default() };
            while !stopped.load(Ordering::Relaxed) {
                // A Gitea that stands still or is away tells nothing; the connection may be gone too.
                if watch.look().is_err() {
                    watch.questions = None;
                }
                thread::sleep(Duration::from_millis(5));
            }
            watch.seen
        });
        Self { stop, thread: Some(thread) }
    }

    /// Fails if the tag ever led to something that was not whole.
    pub(crate) fn finish(mut self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it was finished before")?;
        let seen = thread.join().map_err(|_| anyhow!("the observer panicked"))?;
        ensure!(seen.holes.is_empty(), "the tag led to what was not whole: {seen:?}");
        ensure!(seen.answers > 0, "the observer saw nothing");
        Ok(seen)
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Watch {
    admin: Endpoint,
    repository: String,
    tag: String,
    questions: Option<Questions>,
    seen: Seen,
}

impl Watch {
    fn look(&mut self) -> Result<()> {
        let Some(digest) = self.tagged()? else { return Ok(()) };
        if self.seen.digests.last() == Some(&digest) {
            return Ok(());
        }
        // What another client's tag replaces is deleted: a hole is one only while the tag is the same.
        for blob in self.blobs(&digest)? {
            if !self.has(&format!("blobs/{blob}"))? && self.tagged()?.as_ref() == Some(&digest) {
                self.seen.holes.push((digest.clone(), blob));
            }
        }
        self.seen.digests.push(digest);
        Ok(())
    }

    /// The digest that the tag has, if it is there.
    fn tagged(&mut self) -> Result<Option<String>> {
        let path = format!("{}/manifests/{}", self.repository, self.tag);
        let answer = self.questions()?.head(&path)?;
        let digest = match answer.status {
            200 => Some(answer.header("docker-content-digest").context("no digest")?.to_owned()),
            404 => None,
            status => bail!("{status}"),
        };
        self.seen.answers += 1;
        Ok(digest)
    }

    fn has(&mut self, below: &str) -> Result<bool> {
        let path = format!("{}/{below}", self.repository);
        match self.questions()?.head(&path)?.status {
            200 => Ok(true),
            404 => Ok(false),
            status => bail!("{status}"),
        }
    }

    fn blobs(&self, digest: &str) -> Result<Vec<String>> {
        let path = format!("{}/manifests/{digest}", self.repository);
        let accept = format!("Accept: {}\r\n", MANIFESTS.join(", "));
        let manifest = self.admin.send("GET", &path, &accept, &[])?.expect(200)?.json()?;
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let blobs = layers.chain(manifest.get("config")).map(|blob| blob["digest"].as_str());
        blobs.map(|digest| Ok(digest.context("a blob without a digest")?.to_owned())).collect()
    }

    /// With a token, since a password or an access token costs Gitea 20 ms each time.
    fn questions(&mut self) -> Result<&mut Questions> {
        if self.questions.is_none() {
            let token: Value = self.admin.get("/v2/token")?.expect(200)?.json()?;
            let token = token["token"].as_str().context("no token")?;
            let endpoint = Endpoint::bearer(self.admin.port, token);
            self.questions = Some(Questions::to(&endpoint, &MANIFESTS.join(", "))?);
        }
        self.questions.as_mut().context("just made")
    }
}
