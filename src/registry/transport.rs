use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::body::{Part, Payload, Sending, SourceFault};
use super::connect::Dialer;
use super::received::Received;
use super::retry::Policy;
use super::wire::Line;
use crate::port::{NetworkFault, Origin};

/// Tokens, errors and manifests are small; nothing larger is read.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// Servers close idle connections after 75 s at the earliest.
const IDLE: Duration = Duration::from_mins(1);
const MOST_IDLE: usize = 16;

/// One request, to be sent any number of times.
#[derive(Clone)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: &'a str,
    pub(super) headers: HeaderMap,
    pub(super) content: Content<'a>,
    /// Bytes that the registry may have to store before it answers.
    pub(super) storing: u64,
    /// Takes the body of a 200 while it comes; the answer has none then.
    pub(super) received: Option<&'a Received>,
}

#[derive(Clone)]
pub(super) enum Content<'a> {
    Nothing,
    Bytes(Bytes),
    Part(Part<'a>),
}

impl Content<'_> {
    /// In bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Part(part) => part.range.end.saturating_sub(part.range.start),
        }
    }
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(super) enum Fault {
    Cancelled,
    Source(SourceFault),
    Network(NetworkFault),
}

impl From<NetworkFault> for Fault {
    fn from(fault: NetworkFault) -> Self {
        Self::Network(fault)
    }
}

/// Connections to one origin.
#[derive(Debug)]
pub(super) struct Transport {
    origin: Origin,
    dialer: Arc<Dialer>,
    policy: Policy,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Payload>,
    line: Arc<Line>,
}

impl Transport {
    pub(super) fn new(origin: Origin, dialer: Arc<Dialer>, policy: Policy) -> Self {
        Self { origin, dialer, policy, idle: Mutex::default() }
    }

    /// Sends one request and reads its whole answer. Nothing is tried twice here, but for a connection
    /// that was closed while it was idle, before it took the request.
    pub(super) async fn send(&self, call: &Call<'_>, cancel: &CancellationToken) -> Result<Answer, Fault> {
        loop {
            let (connection, fresh) = match self.idle_connection().await {
                Some(connection) => (connection, false),
                None => (self.connect(cancel).await?, true),
            };
            match self.exchange(connection, call, cancel).await {
                Ok(answer) => return Ok(answer),
                Err(Unsent::NotTaken(_)) if !fresh => {}
                Err(Unsent::NotTaken(fault) | Unsent::Failed(fault)) => return Err(fault),
            }
        }
    }

    async fn idle_connection(&self) -> Option<Connection> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let mut connection = idle.connection;
            let is_ready = timeout(Duration::from_secs(1), connection.sender.ready()).await;
            if idle.since.elapsed() < IDLE && matches!(is_ready, Ok(Ok(()))) {
                return Some(connection);
            }
            connection.line.cut();
        }
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && !connection.sender.is_closed() {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    async fn connect(&self, cancel: &CancellationToken) -> Result<Connection, Fault> {
        let dialled = tokio::select! {
            dialled = self.dialer.dial(&self.origin) => dialled?,
            () = cancel.cancelled() => return Err(Fault::Cancelled),
        };
        let (stream, line) = dialled;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| closed(&error))?;
        // The task ends with the connection: when it is closed, cut, or its sender is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, "connection ended");
            }
        });
        Ok(Connection { sender, line })
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        call: &Call<'_>,
        cancel: &CancellationToken,
    ) -> Result<Answer, Unsent> {
        let (request, sending) = self.request(call)?;
        let size = request.body().len();
        let answered = connection.sender.try_send_request(request);
        let watch = Watch {
            line: &connection.line,
            sending: &sending,
            policy: self.policy,
            size,
            storing: call.storing,
        };
        let response = tokio::select! {
            biased;
            response = answered => response,
            fault = watch.fault() => {
                connection.line.cut();
                return Err(Unsent::Failed(fault.into()));
            }
            () = cancel.cancelled() => {
                connection.line.cut();
                return Err(Unsent::Failed(Fault::Cancelled));
            }
        };
        let response = response.map_err(|mut error| {
            connection.line.cut();
            let fault = match sending.take_fault() {
                Some(fault) => Fault::Source(fault),
                None => closed(error.error()).into(),
            };
            if error.take_message().is_some() { Unsent::NotTaken(fault) } else { Unsent::Failed(fault) }
        })?;
        let answer = self.read(response, call.received, cancel).await;
        if answer.is_ok() && sending.is_done() {
            self.keep(connection);
        } else {
            // An early answer: what is left of the body is not worth sending.
            connection.line.cut();
        }
        answer.map_err(Unsent::Failed)
    }

    fn request(&self, call: &Call<'_>) -> Result<(Request<Payload>, Arc<Sending>), Unsent> {
        let payload = match &call.content {
            Content::Nothing => Payload::bytes(Bytes::new()),
            Content::Bytes(bytes) => Payload::bytes(bytes.clone()),
            Content::Part(part) => Payload::part(part),
        };
        let sending = payload.sending();
        let length = payload.len();
        let built = Request::builder()
            .method(call.method.clone())
            .uri(call.path)
            .header(http::header::HOST, self.origin.authority())
            .body(payload);
        let mut request = built.map_err(|error| {
            let reason = format!("`{}` is no path: {error}", call.path.escape_debug());
            Unsent::Failed(NetworkFault::Answer { reason }.into())
        })?;
        request.headers_mut().extend(call.headers.clone());
        if length > 0 || !matches!(call.method, Method::GET | Method::HEAD | Method::DELETE) {
            request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
        }
        Ok((request, sending))
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        received: Option<&Received>,
        cancel: &CancellationToken,
    ) -> Result<Answer, Fault> {
        let (head, body) = response.into_parts();
        let limit = self.policy.stall * 2;
        let received = received.filter(|_| head.status == StatusCode::OK);
        let read = async {
            match received {
                Some(received) => received.fill(body, self.policy.stall).await.map(|()| Bytes::new()),
                None => {
                    timeout(limit, bounded(body)).await.unwrap_or(Err(NetworkFault::Silent { after: limit }))
                }
            }
        };
        let body = tokio::select! {
            body = read => body?,
            () = cancel.cancelled() => return Err(Fault::Cancelled),
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// Whether the server can have seen anything of the request.
enum Unsent {
    NotTaken(Fault),
    Failed(Fault),
}

/// The whole body. One that is cut short is an error, never a shorter body.
async fn bounded(mut body: Incoming) -> Result<Bytes, NetworkFault> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| closed(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > LARGEST_ANSWER {
            return Err(NetworkFault::Answer {
                reason: format!("it is longer than {} MiB", LARGEST_ANSWER >> 20),
            });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

pub(super) fn closed(error: &hyper::Error) -> NetworkFault {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    // Bytes that are no HTTP come from something else than a registry, and will the next time.
    if error.is_parse() { NetworkFault::Answer { reason } } else { NetworkFault::Closed { reason } }
}

/// Notices that nothing happens any more.
struct Watch<'a> {
    line: &'a Line,
    sending: &'a Sending,
    policy: Policy,
    size: u64,
    storing: u64,
}

impl Watch<'_> {
    /// Ends only when the request should be given up.
    async fn fault(&self) -> NetworkFault {
        let tick = (self.policy.stall / 8).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let began = Instant::now();
        let (mut sent, mut since) = (self.line.sent(), began);
        let size = self.size.max(self.storing);
        let silence = self.policy.silence(size);
        loop {
            sleep(tick).await;
            let now = self.line.sent();
            if now != sent {
                (sent, since) = (now, Instant::now());
            }
            match (size, self.sending.is_done()) {
                // The head of an answer has one deadline, however slowly it drips.
                (0, _) if began.elapsed() >= self.policy.stall * 2 => {
                    return NetworkFault::Silent { after: self.policy.stall * 2 };
                }
                (1.., true) if since.elapsed() >= silence => return NetworkFault::Silent { after: silence },
                (1.., false) if since.elapsed() >= self.policy.stall => {
                    return NetworkFault::Stalled { after: self.policy.stall };
                }
                _ => {}
            }
        }
    }
}
