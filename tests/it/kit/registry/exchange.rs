//! One request and its answer, and what a script does to them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::http::{Answer, Head};
use super::log::Entry;
use super::login::{self, Caller};
use super::route::Route;
use super::script::{Fault, Then};
use super::state::{Occupied, Shared};
use super::wire::{Body, Connection, Cut};
use super::{manifest, packages, read, upload};

/// Long enough for every task that has something to read to have begun.
const SETTLE: Duration = Duration::from_millis(3);

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Close,
    Swallow,
    Reset,
}

/// Which of the ports was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Registry,
    Tokens,
}

pub(super) struct Exchange<'a> {
    pub(super) shared: Arc<Shared>,
    pub(super) head: Head,
    pub(super) occupied: Option<Occupied>,
    pub(super) caller: Caller,
    connection: &'a mut Connection,
    body: Body,
    /// Its place in the log.
    number: usize,
    role: Role,
}

impl<'a> Exchange<'a> {
    /// `client` is the number of the connection.
    pub(super) fn begin(
        shared: Arc<Shared>,
        connection: &'a mut Connection,
        head: Head,
        client: u64,
    ) -> Result<Self, String> {
        let body = Body::of(&head)?;
        let number = shared.with(|state| state.enter(&head, client));
        let (occupied, caller, role) = (None, Caller::Anonymous, Role::Registry);
        Ok(Self { shared, head, occupied, caller, connection, body, number, role })
    }

    /// The request came to this port. The one for tokens gives out tokens and nothing else.
    pub(super) fn at(mut self, role: Role) -> Self {
        self.role = role;
        self.note(|entry| entry.elsewhere = role == Role::Tokens);
        self
    }

    pub(super) async fn run(mut self) -> After {
        let fault = self.shared.with(|state| state.scripts.next(&self.head));
        if let Some(fault) = &fault {
            self.note(|entry| entry.fault = Some(fault.name()));
        }
        match self.act(fault.as_ref()).await {
            Ok(after) => after,
            Err(cut) => {
                // Before the client can be back: what it left behind must be settled by then.
                drop(self.occupied.take());
                self.ended(None);
                match cut {
                    Cut::Client => After::Close,
                    Cut::Reset => After::Reset,
                    Cut::StopReading => std::future::pending().await,
                }
            }
        }
    }

    async fn act(&mut self, fault: Option<&Fault>) -> Result<After, Cut> {
        if let Some(refusal) = self.occupy().await {
            self.drain().await?;
            return self.deliver(refusal, None).await;
        }
        if let Some(fault) = fault
            && let Some(after) = self.instead(fault).await?
        {
            return Ok(after);
        }
        if self.body_is_too_large() {
            let answer = Answer::html(413, "Request Entity Too Large").with("Connection", "close");
            return self.early(answer, Then::Swallow).await;
        }
        let answer = self.answer().await?;
        self.drain().await?;
        if matches!(fault, Some(Fault::ResetMidBody(_))) {
            return Err(Cut::Reset);
        }
        self.deliver(answer, fault).await
    }

    async fn occupy(&mut self) -> Option<Answer> {
        match Route::of(&self.head.path) {
            Route::Session { id, .. } => {
                if matches!(self.head.method.as_str(), "GET" | "DELETE") {
                    // What a connection sent before its client left for this one is read first.
                    tokio::time::sleep(SETTLE).await;
                }
                match Occupied::session(&self.shared, &id, self.number as u64).await {
                    Ok(occupied) => self.occupied = occupied,
                    Err(refusal) => return Some(refusal),
                }
            }
            Route::Manifest { repository, .. } if self.head.method == "PUT" => {
                self.occupied = Some(Occupied::manifest(&self.shared, &repository));
            }
            _ => {}
        }
        None
    }

    /// Faults that come before the work, or in its place.
    async fn instead(&mut self, fault: &Fault) -> Result<Option<After>, Cut> {
        match fault {
            Fault::Answer(answer) => {
                self.drain().await?;
                return self.deliver(answer.clone(), None).await.map(Some);
            }
            Fault::Redirect(to) => {
                self.drain().await?;
                let answer = Answer::new(307).with("Location", redirected(to, &self.head.target));
                return self.deliver(answer, None).await.map(Some);
            }
            Fault::Early(answer, then) => return self.early(answer.clone(), *then).await.map(Some),
            Fault::ResetBeforeAnswer => {
                self.drain().await?;
                return Err(Cut::Reset);
            }
            Fault::Stall => {
                self.drain().await?;
                if let Some(occupied) = self.occupied.as_mut().filter(|_| self.body.taken > 0) {
                    occupied.receiving();
                    occupied.received();
                }
                self.connection.closed_by_client().await;
                return Err(Cut::Client);
            }
            Fault::ResetMidBody(bytes) => self.body.cut_after(*bytes, Cut::Reset),
            Fault::StopReading(bytes) => self.body.cut_after(*bytes, Cut::StopReading),
            Fault::DamagedBody => self.body.damage = true,
            Fault::LoseBlob(repository, digest) => {
                self.shared.with(|state| state.store.lose(repository, digest));
            }
            Fault::ForgetSessions => self.shared.with(|state| state.store.sessions.clear()),
            Fault::RevokeTokens => self.shared.with(|state| state.tokens.clear()),
            _ => {}
        }
        Ok(None)
    }

    async fn early(&mut self, answer: Answer, then: Then) -> Result<After, Cut> {
        let after = match then {
            Then::Swallow => After::Swallow,
            Then::Reset => After::Reset,
            Then::KeepReading => After::Keep,
        };
        self.deliver(answer, None).await?;
        if after == After::Keep {
            self.drain().await?;
        }
        Ok(after)
    }

    fn body_is_too_large(&self) -> bool {
        let limit = self.shared.settings.body_limit;
        self.head
            .header("content-length")
            .and_then(|text| text.parse::<u64>().ok())
            .is_some_and(|n| n > limit)
    }

    async fn answer(&mut self) -> Result<Answer, Cut> {
        if let Some(refusal) = self.refused_for_its_head() {
            return Ok(refusal);
        }
        let route = Route::of(&self.head.path);
        let gives_tokens = self.shared.token_port.is_none() || self.role == Role::Tokens;
        match route {
            Route::Token if gives_tokens => return login::token(self).await,
            Route::Token => return Ok(Answer::text(404, "tokens are given out elsewhere")),
            _ if self.role == Role::Tokens => return Ok(Answer::text(404, "only tokens are given out here")),
            _ => {}
        }
        if route == Route::Api && self.shared.settings.manner.is_gitea() {
            return Ok(packages::answer(self));
        }
        match login::admit(&self.shared, &self.head, &route) {
            Ok(caller) => self.caller = caller,
            Err(refusal) => return Ok(refusal),
        }
        match route {
            Route::Uploads { repository } if self.head.method == "POST" => {
                upload::open(self, &repository).await
            }
            Route::Session { repository, id } => upload::session(self, &repository, &id).await,
            Route::Manifest { repository, reference } if self.head.method == "PUT" => {
                manifest::put(self, &repository, &reference).await
            }
            route => Ok(read::answer(self, &route)),
        }
    }

    fn refused_for_its_head(&self) -> Option<Answer> {
        let forwarded =
            self.head.headers.iter().find(|(name, _)| {
                name.starts_with("x-forwarded-") || name == "forwarded" || name == "x-real-ip"
            });
        if let Some((name, _)) = forwarded {
            self.violation(&format!("header `{name}` is a proxy's to send"));
            return Some(Answer::text(400, "a client forwards nothing"));
        }
        let chunked = self.head.header("transfer-encoding").is_some();
        (chunked && self.shared.settings.length_required).then(|| Answer::html(411, "Length Required"))
    }

    pub(super) fn violation(&self, text: &str) {
        let text = format!("{} {}: {text}", self.head.method, self.head.path);
        self.shared.with(|state| state.violation(text));
    }

    fn note(&self, change: impl FnOnce(&mut Entry)) {
        self.shared.with(|state| state.entry(self.number).map(change));
    }

    fn ended(&self, status: Option<u16>) {
        self.shared.with(|state| {
            let tick = state.tick();
            if let Some(entry) = state.entry(self.number) {
                (entry.status, entry.ended) = (status, Some(tick));
            }
        });
    }

    /// The next bytes of the body.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        let piece = self.body.next(self.connection).await?;
        if let Some(piece) = &piece {
            self.note(|entry| entry.took(piece));
        }
        Ok(piece)
    }

    /// The whole body, or `None` when it is longer than `limit`.
    pub(super) async fn whole_body(&mut self, limit: u64) -> Result<Option<Vec<u8>>, Cut> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            if body.len() as u64 <= limit {
                body.extend_from_slice(&piece);
            }
        }
        Ok((body.len() as u64 <= limit).then_some(body))
    }

    async fn drain(&mut self) -> Result<(), Cut> {
        // A client that asked first has sent nothing, and the answer tells it not to.
        if self.body.continue_owed() {
            return Ok(());
        }
        while self.piece().await?.is_some() {}
        Ok(())
    }

    async fn deliver(&mut self, answer: Answer, fault: Option<&Fault>) -> Result<After, Cut> {
        if let Some(Fault::Late(time)) = fault {
            tokio::select! {
                () = tokio::time::sleep(*time) => {}
                () = self.connection.closed_by_client() => return Err(Cut::Client),
            }
        }
        // Before the answer is written: the client may ask again as soon as it has read it.
        if let Some(occupied) = self.occupied.take() {
            occupied.leave();
        }
        self.ended((!matches!(fault, Some(Fault::AnswerLost))).then_some(answer.status));
        let dated = answer.with("Date", httpdate::fmt_http_date(self.shared.now()));
        let answer = changed(dated, fault);
        let head = answer.head_bytes();
        let body = if self.head.method == "HEAD" { &[][..] } else { &answer.body };
        let bytes = [&head, body].concat();
        let (cut, after) = match fault {
            Some(Fault::AnswerLost) => (0, After::Close),
            Some(Fault::TruncatedAnswer(bytes)) => (*bytes, After::Close),
            Some(Fault::TruncatedBody(bytes)) => (head.len() + bytes, After::Close),
            Some(Fault::CloseAfterAnswer) => (bytes.len(), After::Close),
            Some(Fault::ResetAfterAnswer) => (bytes.len(), After::Reset),
            _ if self.body.continue_owed() => (bytes.len(), After::Swallow),
            _ => (bytes.len(), After::Keep),
        };
        self.write(bytes.get(..cut).unwrap_or(&bytes), fault).await?;
        Ok(after)
    }

    async fn write(&mut self, bytes: &[u8], fault: Option<&Fault>) -> Result<(), Cut> {
        let Some(Fault::SlowAnswer { bytes: step, every }) = fault else {
            return self.connection.write(bytes).await.map_err(|_| Cut::Client);
        };
        for piece in bytes.chunks((*step).max(1)) {
            self.connection.write(piece).await.map_err(|_| Cut::Client)?;
            tokio::time::sleep(*every).await;
        }
        Ok(())
    }
}

/// The answer as the script wants it.
fn changed(answer: Answer, fault: Option<&Fault>) -> Answer {
    match fault {
        Some(Fault::Header(name, value)) => answer.without(name).with(name, value),
        Some(Fault::NoHeader(name)) => answer.without(name),
        Some(Fault::OversizedHeader(length)) => answer.with("X-Large", "x".repeat(*length)),
        Some(Fault::OversizedBody(length)) => answer.body(vec![b' '; *length]),
        _ => answer,
    }
}

fn redirected(to: &str, target: &str) -> String {
    let authority = to.split_once("://").map_or(to, |(_, rest)| rest);
    if authority.contains('/') { to.to_owned() } else { format!("{to}{target}") }
}
