use std::collections::BTreeSet;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::ready;
use futures_util::stream::{BoxStream, SelectAll, StreamExt as _, once};
use tokio::time::{Instant, timeout_at};

use super::client::{self, Image, Tagged};
use super::select::{self, Asked};
use super::sockets::Endpoint;
use super::tagged::{all_tags, for_registry};
use crate::port::{Fingerprint, Sight, Snapshot, SourceError, Suggested, Watched};
use crate::source::manifests;
use crate::source::names::answers_to;
use crate::source::open::{Places, open};
use crate::source::spec::{EngineKind, Spec};

/// How often the images are asked for beside the events: some builders tell of nothing, an engine may have no
/// events, and what happened while it was started again is told by nobody.
const POLL: Duration = Duration::from_secs(2);

/// Images of engines, asked for whenever an engine tells of its images.
pub(in crate::source) struct EngineWatch {
    spec: Spec,
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
    pub(in crate::source) fn new(spec: Spec, places: Places) -> Self {
        let (streams, listening) = (SelectAll::new(), Vec::new());
        let next_look = Instant::now();
        Self { spec, places, streams, listening, told: None, due: true, next_look }
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
        // Each look is a run of its own, and so is each push.
        self.places.learned = Arc::default();
        let places = &self.places;
        let (fingerprint, asked) = match &self.spec {
            Spec::Engine { reference, kind } => image(reference, *kind, places).await,
            Spec::Manifests { path } => named(path, places).await,
            _ => tagged(places).await,
        };
        self.listen(&asked);
        let source = open(self.spec.clone(), &Places { learned: Arc::default(), ..self.places.clone() });
        Ok(Snapshot { fingerprint: Fingerprint(fingerprint?), source })
    }
}

/// What tells one state of the engines from another, and the places that were asked.
type Look = (Result<String, SourceError>, Vec<Asked>);

async fn image(reference: &str, kind: EngineKind, places: &Places) -> Look {
    if !super::is_askable(reference) {
        return (Err(super::not_askable(reference)), Vec::new());
    }
    let asked = super::ask(reference, kind, places).await;
    let fingerprint = match select::choose(reference, &asked) {
        Ok(Some(chosen)) => Ok(content(&chosen.here.image)),
        Ok(None) => Err(super::not_in_engine(reference, &asked).await),
        Err(error) => Err(error),
    };
    (fingerprint, asked)
}

fn content(image: &Image) -> String {
    match &image.id {
        Some(id) => id.to_string(),
        None => format!("{:?} {:?}", image.diff_ids, image.created),
    }
}

async fn tagged(places: &Places) -> Look {
    let (tags, asked) = all_tags(places).await;
    (for_registry(tags, &asked, places).map(|tags| listed(&tags)), asked)
}

/// The names in the manifests, and what of them the engines have.
async fn named(path: &Path, places: &Places) -> Look {
    let (mut tags, asked) = all_tags(places).await;
    let names = manifests::spellings(path, places).await;
    let fingerprint = names.map(|names| {
        tags.retain(|tag| names.iter().any(|name| is_called(&tag.name, name)));
        format!("{}\n{}", listed(&tags), names.join("\n"))
    });
    (fingerprint, asked)
}

/// Podman shows a name that was given without a host with one of its own.
fn is_called(shown: &str, name: &str) -> bool {
    let has = |shown: &str| answers_to(&Suggested::Reference(shown.to_owned()), name);
    has(shown) || shown.strip_prefix("localhost/").is_some_and(has)
}

fn listed(tags: &BTreeSet<Tagged>) -> String {
    let lines: Vec<String> = tags.iter().map(|tag| format!("{} {}", tag.name, tag.id)).collect();
    lines.join("\n")
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

/// Of which image does not matter, since its id is asked for.
fn events(endpoint: &Endpoint) -> Option<BoxStream<'static, Heard>> {
    let engine = endpoint.name.clone();
    let heard = client::events(endpoint)?.map(|()| Heard::Something);
    Some(heard.chain(once(ready(Heard::Ended(engine)))).boxed())
}
