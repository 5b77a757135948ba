use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::{Address, TlsFiles};
use crate::source::shown::shown;

/// To connect, and to be answered, unless it is said otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// No document is read beyond this many bytes: an engine with 10,000 images lists them in 8 MB.
const DOCUMENT_LIMIT: usize = 32 * 1024 * 1024;
/// What an error may say.
pub(super) const MESSAGE_LIMIT: usize = 1024;

/// Why an engine gave no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("there is no such socket")]
    NoSocket,
    #[error("could not connect")]
    Connect(#[source] io::Error),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error("no answer within {} seconds", after.as_secs())]
    Silent { after: Duration },
    #[error("the connection broke")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written")]
    Request(#[from] http::Error),
    /// What the engine says, already fit to be shown.
    #[error("it answered {status}: {message}")]
    Refused { status: u16, message: String },
    #[error("its answer is larger than {DOCUMENT_LIMIT} bytes, or broke off")]
    Document,
    #[error("its answer is not understood")]
    Json(#[from] serde_json::Error),
}

impl RequestError {
    /// 400 is the answer to what can be no name; then it is no image either.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 400, .. })
    }
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

/// A document of the engine. Its API is asked without a version, so that each engine takes its own newest.
///
/// # Errors
/// When the engine cannot be reached, refuses, or answers something else.
pub(super) async fn document<T: DeserializeOwned>(address: &Address, path: &str) -> Result<T, RequestError> {
    let body = get(address, path, PATIENCE).await?;
    let bytes = within(PATIENCE, collected(body, DOCUMENT_LIMIT)).await??;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The body of an answer, on a connection of its own. `patience` is for the first byte of the answer.
///
/// # Errors
/// As `document`.
pub(super) async fn get(address: &Address, path: &str, patience: Duration) -> Result<Incoming, RequestError> {
    let request = Request::get(path)
        .header(header::HOST, address.host())
        .header(header::ACCEPT, "*/*")
        .header(header::USER_AGENT, concat!("idpbuilder-push/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())?;
    let mut sender = within(PATIENCE, connect(address)).await??;
    let answer = within(patience, sender.send_request(request)).await??;
    let status = answer.status();
    if status == StatusCode::OK {
        return Ok(answer.into_body());
    }
    let said = within(PATIENCE, collected(answer.into_body(), DOCUMENT_LIMIT)).await?.unwrap_or_default();
    let message = match serde_json::from_slice::<Message>(&said) {
        Ok(said) => said.message,
        Err(_) => String::from_utf8_lossy(&said).into_owned(),
    };
    let message = shown(message.trim()).chars().take(MESSAGE_LIMIT).collect();
    Err(RequestError::Refused { status: status.as_u16(), message })
}

async fn within<T>(after: Duration, answer: impl Future<Output = T>) -> Result<T, RequestError> {
    timeout(after, answer).await.map_err(|_| RequestError::Silent { after })
}

async fn collected(body: Incoming, limit: usize) -> Result<Bytes, RequestError> {
    let collected = Limited::new(body, limit).collect().await.map_err(|_| RequestError::Document)?;
    Ok(collected.to_bytes())
}

type Sender = http1::SendRequest<Empty<Bytes>>;

async fn connect(address: &Address) -> Result<Sender, RequestError> {
    match address {
        Address::Socket(path) => socket(path).await,
        Address::Plain(authority) => over(tcp(authority).await?).await,
        Address::Tls { authority, files } => {
            let (files, host) = (files.clone(), host_of(authority).to_owned());
            let read = tokio::task::spawn_blocking(move || tls(&files));
            let config = read.await.map_err(|error| RequestError::Tls(error.to_string()))??;
            let name = ServerName::try_from(host).map_err(|error| RequestError::Tls(error.to_string()))?;
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, tcp(authority).await?).await;
            over(stream.map_err(RequestError::Connect)?).await
        }
    }
}

#[cfg(unix)]
async fn socket(path: &Path) -> Result<Sender, RequestError> {
    // Also where this user may not look into the folder: then the engine is not this user's.
    if path.symlink_metadata().is_err() {
        return Err(RequestError::NoSocket);
    }
    over(tokio::net::UnixStream::connect(path).await.map_err(RequestError::Connect)?).await
}

#[cfg(windows)]
async fn socket(path: &Path) -> Result<Sender, RequestError> {
    use tokio::net::windows::named_pipe::ClientOptions;
    match ClientOptions::new().open(path) {
        Ok(pipe) => over(pipe).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(RequestError::NoSocket),
        Err(error) => Err(RequestError::Connect(error)),
    }
}

async fn tcp(authority: &str) -> Result<TcpStream, RequestError> {
    TcpStream::connect(authority).await.map_err(RequestError::Connect)
}

/// The connection lives beside the request, and ends when the answer has been read or let go of.
async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Sender, RequestError> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn host_of(authority: &str) -> &str {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// As docker's tools do it: the one authority counts, and no system's.
fn tls(files: &TlsFiles) -> Result<ClientConfig, RequestError> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        RequestError::Tls(format!("{}: {error}", crate::source::shown::shown_path(path)))
    };
    let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, RequestError> {
        let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(path, &error))?;
        read.collect::<Result<_, _>>().map_err(|error| failed(path, &error))
    };
    let mut roots = RootCertStore::empty();
    for root in certificates(&files.ca)? {
        roots.add(root).map_err(|error| failed(&files.ca, &error))?;
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| failed(&files.key, &error))?;
    let own = certificates(&files.cert)?;
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| RequestError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_client_auth_cert(own, key)
        .map_err(|error| failed(&files.cert, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_certificate_has_neither_port_nor_brackets() {
        for (authority, host) in
            [("engine:2376", "engine"), ("[::1]:2376", "::1"), ("10.0.0.1:1", "10.0.0.1")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
