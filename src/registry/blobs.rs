use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, StatusCode, header};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::answer::Answer;
use super::body::{Checked, Part};
use super::client::{Dialect, RegistryClient, faults, refused};
use super::courier::{Pause, Setback, error, passing};
use super::location::Session;
use super::pace::Pace;
use super::request::{Mount, Scope, blob_path, call, open_path, session_path, upload};
use super::retry::Passing;
use super::transport::{Call, Content, Fault};
use super::upload::{
    Action, Broken, BrokenKind, Carried, Closing, Event, Failure, Form, Machine, Numbering, Reply, Size,
};
use crate::event::Events;
use crate::oci::{Digest, Repository};
use crate::port::{NetworkFault, Origin, RegistryError, Scheme, Stored, Upload};

const REDIRECTS: u8 = 5;
/// A run that ends lets go of its sessions, but does not wait for long.
const CLOSING: Duration = Duration::from_secs(1);

/// Bytes of a body whose size nobody minds: a 413 for it means something else.
const SMALL: u64 = 1024 * 1024;

/// An upload with what all of its requests share.
struct Journey<'a> {
    upload: &'a Upload<'a>,
    checked: Arc<Checked>,
    scope: Scope,
    mount: Mount<'a>,
    subject: String,
    events: &'a Events,
    pace: &'a Arc<Pace>,
}

impl RegistryClient {
    /// HEAD of a blob: its size, `None` where this repository does not have it.
    pub(super) async fn read_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<u64>, RegistryError> {
        let path = blob_path(repository, digest);
        let subject = format!("{repository}@{digest}");
        let (mut budget, scope) = (self.courier.policy.budget(), Scope::of(repository));
        let asking = call(Method::HEAD, &path);
        let head = self.patiently(&mut budget, &asking, &scope, &subject).await?;
        let head = self.followed(head, &asking, &subject).await?;
        match head.status.as_u16() {
            200 => Ok(Some(head.content_length().unwrap_or(0))),
            404 | 405 | 501 => Ok(None),
            _ => Err(refused(&head, &subject)),
        }
    }

    /// Storage elsewhere is asked without any login. A repository that has moved is no storage.
    pub(super) async fn followed(
        &self,
        answer: Answer,
        asked: &Call<'_>,
        subject: &str,
    ) -> Result<Answer, RegistryError> {
        let mut answer = answer;
        let mut at = format!("{}{}", self.courier.origin, asked.path);
        for _ in 0..REDIRECTS {
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let location = answer.header(&header::LOCATION).unwrap_or_default();
            let url = Url::parse(&at).and_then(|base| base.join(location));
            let Some((origin, path)) = url.ok().and_then(|url| self.storage(&url)) else {
                return Err(refused(&answer, subject));
            };
            at = format!("{origin}{path}");
            let there = Call { received: asked.received, ..call(asked.method.clone(), &path) };
            answer = self.courier.patiently(&origin, &there, subject, &self.cancel).await?;
        }
        Err(refused(&answer, subject))
    }

    fn storage(&self, url: &Url) -> Option<(Origin, String)> {
        let scheme = match (url.scheme(), self.courier.origin.scheme()) {
            ("https", _) => Scheme::Https,
            ("http", Scheme::Http) => Scheme::Http,
            _ => return None,
        };
        let host = url.host_str()?.trim_matches(['[', ']']);
        let origin = Origin::new(scheme, host, url.port_or_known_default()?);
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        (origin != self.courier.origin).then(|| (origin, format!("{}{query}", url.path())))
    }

    fn journey<'a>(&'a self, upload: &'a Upload<'a>) -> Result<Journey<'a>, RegistryError> {
        let Upload { repository, digest, blob, hashed, mount_from, .. } = upload;
        Ok(Journey {
            upload,
            checked: Checked::new(digest, blob.len(), *hashed)?,
            scope: Scope::of(repository).and_reading(*mount_from),
            mount: match (mount_from, self.dialect()) {
                (_, Dialect::Gitea) => Mount::FromAnywhere,
                (Some(from), Dialect::Spec) => Mount::From(from),
                (None, Dialect::Spec) => Mount::No,
            },
            subject: format!("{repository}@{digest}"),
            events: &self.courier.events,
            pace: &self.pace,
        })
    }

    /// Drives the state machine: performs its actions, tells it what came of them.
    pub(super) async fn upload_blob(&self, upload: &Upload<'_>) -> Result<Stored, RegistryError> {
        let Upload { blob, mount_from, meter, cancel, .. } = upload;
        let journey = self.journey(upload)?;
        let form = if self.dialect() == Dialect::Gitea { Form::Gitea } else { Form::Spec };
        let size =
            Size { blob: blob.len(), chunk: self.chunk, limit: self.body_limit.load(Ordering::Relaxed) };
        let machine = Machine::new(form, size, self.courier.policy);
        let machine = if mount_from.is_some() { machine.mounting() } else { machine };
        let (mut machine, mut entry) = self.noted(machine, upload);
        let (mut event, mut hopeless) = (Event::Begin, None);
        loop {
            event = match machine.next(event) {
                Action::End(end) => {
                    entry.ended(&end);
                    return end.map_err(|end| self.failed(end, &journey, hopeless));
                }
                Action::Close { session, why: Closing::GivenUp } if entry.has(&session) => Event::Closed,
                Action::Wait { wait, reason, attempt, host } => {
                    meter.count_retry();
                    let host = host.then_some(&self.courier.origin);
                    let pause = Pause { subject: &journey.subject, reason: &reason, wait, attempt, host };
                    match self.courier.wait(pause, cancel).await {
                        Ok(()) => Event::Waited,
                        Err(_) => Event::Cancelled,
                    }
                }
                action => match self.perform(&action, &journey).await {
                    Ok(event) => {
                        entry.hear(&event);
                        event
                    }
                    Err(error) => {
                        hopeless.get_or_insert(error);
                        Event::Hopeless
                    }
                },
            };
        }
    }

    /// `Err` is what no further attempt can mend.
    async fn perform(&self, action: &Action, journey: &Journey<'_>) -> Result<Event, RegistryError> {
        let Journey { upload, scope, subject, .. } = journey;
        let path = journey.path(action);
        let call = journey.call(action, &path);
        let sent = match action {
            Action::Close { .. } => return Ok(self.close(&call, journey).await),
            _ if upload.cancel.is_cancelled() => return Ok(Event::Cancelled),
            Action::Open { carried: Carried::Nothing } => {
                faults(self.opening(&call, scope, upload.cancel).await)
            }
            _ => faults(self.attempt(&call, scope, upload.cancel).await),
        };
        let sent = match sent {
            Err(RegistryError::Cancelled) => return Ok(Event::Cancelled),
            sent => sent?,
        };
        let origin = &self.courier.origin;
        if let Some(setback) = Setback::of(origin, sent.as_ref())
            && let Some(spent) = self.courier.in_vain(&setback)
        {
            return Err(self.courier.exhausted(subject, setback, spent));
        }
        let refused = sent.as_ref().is_ok_and(|answer| answer.status == StatusCode::PAYLOAD_TOO_LARGE);
        if refused && call.content.len() > SMALL {
            self.body_limit.fetch_min(call.content.len() - 1, Ordering::Relaxed);
        }
        match sent {
            Ok(answer) if *action == Action::Ask => {
                let answer = self.followed(answer, &call, subject).await?;
                self.reply(&answer, action, &path, journey).map(Event::Answered)
            }
            Ok(answer) => self.reply(&answer, action, &path, journey).map(Event::Answered),
            Err(Fault::Cancelled) => Ok(Event::Cancelled),
            Err(Fault::Network(fault)) if passing(&fault).is_some() => Ok(Event::Broken(broken(&fault))),
            Err(fault) => Err(error(origin, subject, fault)),
        }
    }

    /// As far as it is possible: nothing depends on it but the registry's disk. A run that ends does not
    /// wait for it for long.
    async fn close(&self, call: &Call<'_>, journey: &Journey<'_>) -> Event {
        let alone = CancellationToken::new();
        let ending = async {
            journey.upload.cancel.cancelled().await;
            sleep(CLOSING).await;
        };
        tokio::select! {
            _ = self.attempt(call, &journey.scope, &alone) => Event::Closed,
            () = ending => Event::Cancelled,
        }
    }

    fn failed(
        &self,
        failure: Failure,
        journey: &Journey<'_>,
        hopeless: Option<RegistryError>,
    ) -> RegistryError {
        let subject = journey.subject.clone();
        match failure {
            Failure::Refused { refusal, status, message } => {
                RegistryError::Refused { refusal, status, subject, message }
            }
            Failure::Exhausted { spent, last, status } => {
                let (to, kind) = (&self.courier.origin, Passing::Fault);
                self.courier.exhausted(&subject, Setback { to, kind, reason: last, status }, spent)
            }
            Failure::Cancelled => RegistryError::Cancelled,
            Failure::Hopeless => hopeless.unwrap_or(RegistryError::Cancelled),
        }
    }

    /// Only what the machine decides by. A Location that leads elsewhere ends it here.
    fn reply(
        &self,
        answer: &Answer,
        action: &Action,
        path: &str,
        journey: &Journey<'_>,
    ) -> Result<Reply, RegistryError> {
        let status = answer.status.as_u16();
        let location = answer.header(&header::LOCATION).filter(|_| answer.status.is_success());
        let opens = matches!(action, Action::Open { .. } | Action::Patch { .. } | Action::Status { .. });
        let session = match location.filter(|_| opens && status != 201) {
            Some(location) => {
                Some(Session::resolve(&self.courier.origin, path, location).map_err(|foreign| {
                    RegistryError::ForeignLocation {
                        origin: self.courier.origin.clone(),
                        location: foreign.0,
                    }
                })?)
            }
            None => None,
        };
        if status == 201
            && let Some(found) = answer.digest()
            && found.as_ref() != Ok(journey.upload.digest)
        {
            let found = found.map_or_else(|text| text, |digest| digest.to_string());
            let (subject, expected) = (journey.subject.clone(), journey.upload.digest.clone());
            return Err(RegistryError::DigestMismatch { subject, expected, found });
        }
        Ok(Reply {
            status,
            session,
            acknowledged: answer.acknowledged(),
            length: answer.content_length(),
            chunk_min: answer.chunk_min(),
            passing: answer.passing(),
            refusal: (!answer.status.is_success()).then(|| answer.refusal()),
            message: answer.said(),
        })
    }
}

impl Journey<'_> {
    fn path(&self, action: &Action) -> String {
        let Upload { repository, digest, .. } = self.upload;
        match action {
            Action::Open { carried: Carried::WholeBlob } => {
                open_path(repository, self.mount, digest, Some(digest))
            }
            Action::Open { carried: Carried::Nothing } => open_path(repository, self.mount, digest, None),
            Action::Patch { session, .. } | Action::Status { session } | Action::Close { session, .. } => {
                session.path().to_owned()
            }
            Action::Commit { session, .. } => session_path(session, digest),
            Action::Ask | Action::Wait { .. } | Action::End(_) => blob_path(repository, digest),
        }
    }

    fn call<'b>(&'b self, action: &Action, path: &'b str) -> Call<'b> {
        let size = self.upload.blob.len();
        match action {
            Action::Open { carried: Carried::WholeBlob } => {
                upload(Method::POST, path, self.part(0..size), None)
            }
            Action::Open { carried: Carried::Nothing } => call(Method::POST, path),
            Action::Patch { range, numbering, .. } => {
                let numbered = (*numbering == Numbering::Numbered).then_some(range);
                upload(Method::PATCH, path, self.part(range.clone()), numbered)
            }
            Action::Commit { carried: Carried::WholeBlob, .. } => {
                upload(Method::PUT, path, self.part(0..size), None)
            }
            Action::Commit { carried: Carried::Nothing, .. } => {
                Call { storing: size, ..call(Method::PUT, path) }
            }
            Action::Status { .. } => call(Method::GET, path),
            Action::Close { .. } => call(Method::DELETE, path),
            Action::Ask | Action::Wait { .. } | Action::End(_) => call(Method::HEAD, path),
        }
    }

    fn part(&self, range: std::ops::Range<u64>) -> Content<'_> {
        Content::Part(Part {
            blob: self.upload.blob,
            range,
            checked: &self.checked,
            pace: self.pace,
            meter: self.upload.meter,
            events: self.events,
        })
    }
}

fn broken(fault: &NetworkFault) -> Broken {
    let kind = match fault {
        NetworkFault::Refused { .. } | NetworkFault::Connect { .. } | NetworkFault::Tls { .. } => {
            BrokenKind::Unreachable
        }
        NetworkFault::Stalled { .. } => BrokenKind::Stalled,
        NetworkFault::Silent { .. } => BrokenKind::Silent,
        _ => BrokenKind::Cut,
    };
    Broken { kind, reason: fault.to_string(), status: None }
}
