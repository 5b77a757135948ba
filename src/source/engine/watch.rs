use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::ready;
use futures_util::stream::{BoxStream, SelectAll, StreamExt as _, empty, once};
use http_body_util::BodyStream;
use tokio::time::{Instant, timeout_at};

use super::client;
use super::request::{PATIENCE, get};
use super::select::{self, Asked, Chosen};
use super::sockets::Endpoint;
use crate::port::{Fingerprint, Sight, Snapshot, SourceError, Watched};
use crate::source::open::{Places, open};
use crate::source::spec::{EngineKind, Spec};

/// How often the image is asked for beside the events: some builders tell of nothing, an engine may have no
/// events, and what happened while it was started again is told by nobody.
const POLL: Duration = Duration::from_secs(2);

/// An image of an engine, asked for whenever an engine tells of its images.
pub(in crate::source) struct EngineWatch {
    reference: String,
    kind: EngineKind,
    places: Places,
    streams: SelectAll<BoxStream<'static, Heard>>,
    /// The engines that are listened to, by their names.
    listening: Vec<String>,
    told: Option<Told>,
    /// There is reason to look.
    due: bool,
    next_look: Instant,
}

/// What an engine's stream of events says.
enum Heard {
    Something,
    /// It has ended; the engine of this name may be started again.
    Ended(String),
}

/// What was given out last.
#[derive(PartialEq, Eq)]
enum Told {
    Ready(Fingerprint),
    Unready(String),
}

impl EngineWatch {
    pub(in crate::source) fn new(reference: String, kind: EngineKind, places: Places) -> Self {
        let (streams, listening) = (SelectAll::new(), Vec::new());
        let next_look = Instant::now();
        Self { reference, kind, places, streams, listening, told: None, due: true, next_look }
    }

    /// Waits for an event, or for the time to ask anyway.
    async fn wake(&mut self) {
        while !self.due {
            let heard = async {
                match self.streams.next().await {
                    Some(heard) => heard,
                    None => pending().await,
                }
            };
            match timeout_at(self.next_look, heard).await {
                // Not looked at once: an engine without events ends them whenever it is asked for them.
                Ok(Heard::Ended(engine)) => self.listening.retain(|name| *name != engine),
                Ok(Heard::Something) | Err(_) => self.due = true,
            }
        }
    }

    /// Listens to the engines that answered and are not listened to.
    fn listen(&mut self, asked: &[Asked]) {
        for Asked { endpoint, answer } in asked {
            if answer.is_ok()
                && !self.listening.contains(&endpoint.name)
                && let Some(stream) = events(endpoint)
            {
                self.listening.push(endpoint.name.clone());
                self.streams.push(stream);
            }
        }
    }

    async fn look(&mut self) -> Result<Snapshot, SourceError> {
        let reference = self.reference.as_str();
        if !super::is_askable(reference) {
            return Err(super::not_askable(reference));
        }
        let asked = super::ask(reference, super::endpoints(self.kind, &self.places).await).await;
        let chosen = select::choose(reference, &asked);
        let snapshot = match chosen {
            Ok(Some(chosen)) => Ok(self.snapshot(&chosen)),
            Ok(None) => Err(super::not_in_engine(reference, &asked).await),
            Err(error) => Err(error),
        };
        self.listen(&asked);
        snapshot
    }

    fn snapshot(&self, chosen: &Chosen) -> Snapshot {
        let image = &chosen.here.image;
        let content = match &image.id {
            Some(id) => id.to_string(),
            None => format!("{:?} {:?}", image.diff_ids, image.created),
        };
        let spec = Spec::Engine { reference: self.reference.clone(), kind: self.kind };
        Snapshot { fingerprint: Fingerprint(content), source: open(spec, &self.places) }
    }
}

#[async_trait]
impl Watched for EngineWatch {
    async fn next(&mut self) -> Sight {
        loop {
            self.wake().await;
            let sight = self.look().await;
            self.due = false;
            self.next_look = Instant::now() + POLL;
            let told = match &sight {
                Ok(snapshot) => Told::Ready(snapshot.fingerprint.clone()),
                Err(error) => Told::Unready(error.to_string()),
            };
            if self.told.as_ref() != Some(&told) {
                self.told = Some(told);
                return sight.map_or_else(Sight::Unready, Sight::Ready);
            }
        }
    }
}

/// `{"type":["image"]}`: of which image and what does not matter, since its id is asked for.
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22image%22%5D%7D";

/// What an engine tells of its images from now on, until it tells no more.
fn events(endpoint: &Endpoint) -> Option<BoxStream<'static, Heard>> {
    let address = client::address(endpoint).ok()?.clone();
    let frames = async move {
        match get(&address, EVENTS, PATIENCE).await {
            Ok(body) => BodyStream::new(body).boxed(),
            Err(_) => empty().boxed(),
        }
    };
    let heard = once(frames).flatten().take_while(|frame| ready(frame.is_ok()));
    let ended = once(ready(Heard::Ended(endpoint.name.clone())));
    Some(heard.map(|_| Heard::Something).chain(ended).boxed())
}
