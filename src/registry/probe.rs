//! What a push needs of the registry, asked one by one. Each question goes the way that a push goes, and
//! leaves nothing behind.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::{Method, header};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::client::{Dialect, RegistryClient, faults, refused};
use super::connect::Way;
use super::courier::{Setback, error};
use super::location::Session;
use super::request::{self, Scope, call, uploads_path};
use super::transport::Fault;
use crate::oci::Repository;
use crate::port::{NetworkFault, Refusal, RegistryError};

/// How long the end of a session is waited for: the registry ends it by itself one day.
const CANCELLING: Duration = Duration::from_secs(10);

/// One connection: how far it came, and what broke it.
#[derive(Debug)]
pub struct Knock {
    /// `HOST:PORT` of the proxy in between: then the addresses are its own.
    pub proxy: Option<String>,
    /// In the order in which they are tried; none where the name does not resolve.
    pub addresses: Vec<SocketAddr>,
    /// The one that took the connection.
    pub connected: Option<SocketAddr>,
    /// The certificate that the registry showed, in DER, be it trusted or not.
    pub shown: Option<Vec<u8>>,
    pub outcome: Result<(), RegistryError>,
}

/// What the registry says to `GET /v2/` without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// 200 or 401.
    pub status: u16,
    pub dialect: Dialect,
    /// The `Date` of its answer, in whole seconds.
    pub date: Option<SystemTime>,
}

/// By what a registry let us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It asked for no login.
    Open,
    /// It asked, and there is none.
    Nobody,
    /// By the login's first identity.
    First,
    /// By the second one: the first was refused.
    Second,
}

/// What became of a session that was opened to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    Gone,
    /// The registry does not end sessions when it is asked to.
    Left,
}

impl RegistryClient {
    /// Opens a connection, and closes it again.
    pub async fn knock(&self) -> Knock {
        let (courier, mut way) = (&self.courier, Way::default());
        let outcome = tokio::select! {
            dialled = courier.dialer().go(&courier.origin, &mut way) => dialled.map(drop).map_err(Fault::Network),
            () = self.cancel.cancelled() => Err(Fault::Cancelled),
        };
        Knock {
            proxy: way.proxy.map(|proxy| proxy.authority()),
            addresses: way.addresses,
            connected: way.connected,
            shown: self.shown(),
            outcome: outcome.map_err(|fault| error(&courier.origin, "the registry", fault)),
        }
    }

    /// Asks whether a registry is there (distribution-spec 1.1, "Determining Support").
    ///
    /// # Errors
    /// When nothing answers, or something else than a registry does. Nothing is tried twice.
    pub async fn ping(&self) -> Result<Ping, RegistryError> {
        let sent = self.courier.once(&self.courier.origin, &request::ping(), &self.cancel).await;
        let answer = self.settled(sent, "/v2/")?;
        let status = answer.status.as_u16();
        match status {
            200 | 401 => {
                self.learn(&answer);
                let date = answer.header(&header::DATE);
                let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
                Ok(Ping { status, dialect: self.dialect(), date })
            }
            404 | 405 => {
                let reason = format!("`/v2/` is answered with {status}, and no registry does that");
                let source = NetworkFault::Answer { reason };
                Err(RegistryError::Network { origin: self.courier.origin.clone(), source })
            }
            _ => Err(refused(&answer, "/v2/")),
        }
    }

    /// Logs in as a push to this repository does.
    ///
    /// # Errors
    /// When the login is refused, or asked for in a way that cannot be followed.
    pub async fn log_in(&self, repository: &Repository) -> Result<Entry, RegistryError> {
        let scope = Scope::of(repository);
        let call = request::ping();
        let sent = faults(self.attempt(&call, &scope, &self.cancel).await)?;
        let answer = self.settled(sent, repository.as_str())?;
        if !answer.status.is_success() {
            return Err(refused(&answer, repository.as_str()));
        }
        Ok(self.login.entry(&scope).await)
    }

    /// Opens an upload session in a repository, and cancels it at once. Without a blob and a manifest no
    /// registry lists the repository.
    ///
    /// # Errors
    /// When there is no right to write there, or the registry does not know the owner.
    pub async fn try_write(&self, repository: &Repository) -> Result<Cancelled, RegistryError> {
        let (path, scope) = (uploads_path(repository), Scope::of(repository));
        let sent = faults(self.opening(&call(Method::POST, &path), &scope, &self.cancel).await)?;
        let answer = self.settled(sent, repository.as_str())?;
        match answer.status.as_u16() {
            202 => {}
            // As an upload takes it, whatever the answer says.
            404 => {
                return Err(RegistryError::Refused {
                    refusal: Refusal::OwnerUnknown,
                    status: 404,
                    subject: repository.to_string(),
                    message: answer.said(),
                });
            }
            _ => return Err(refused(&answer, repository.as_str())),
        }
        let location = answer.header(&header::LOCATION).unwrap_or_default();
        let origin = &self.courier.origin;
        let session = Session::resolve(origin, &path, location).map_err(|foreign| {
            RegistryError::ForeignLocation { origin: origin.clone(), location: foreign.0 }
        })?;
        // Also when the run is stopped: what was opened is closed.
        let (alone, call) = (CancellationToken::new(), call(Method::DELETE, session.path()));
        let closed = timeout(CANCELLING, self.attempt(&call, &scope, &alone)).await;
        let is_gone =
            matches!(closed, Ok(Ok(answer)) if answer.status.is_success() || answer.status.as_u16() == 404);
        Ok(if is_gone { Cancelled::Gone } else { Cancelled::Left })
    }

    /// One attempt is all: whoever asks wants to know what is wrong now.
    fn settled(&self, sent: Result<Answer, Fault>, subject: &str) -> Result<Answer, RegistryError> {
        let origin = &self.courier.origin;
        let answer = sent.map_err(|fault| error(origin, subject, fault))?;
        match Setback::of(origin, Ok(&answer)) {
            None => Ok(answer),
            Some(Setback { reason: last, status, .. }) => {
                Err(RegistryError::Exhausted { subject: subject.to_owned(), attempts: 1, last, status })
            }
        }
    }
}
