use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{CertificateError, Error as TlsError, InvalidMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::certificate::{bare, is_for, valid_from, valid_until};
use super::proxy::{Proxies, tunnel};
use super::resolve::Resolver;
use super::tls::{Tls, is_ca_as_end_entity};
use super::wire::{Line, Wire};
use crate::port::{NetworkFault, Origin, Scheme};

const CONNECT: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long one address is given before the next is tried beside it (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

/// A connection, encrypted where the origin says so.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) tls: Tls,
    pub(super) resolver: Arc<Resolver>,
    pub(super) proxies: Proxies,
    /// The kernel gives a connection up whose bytes are not acknowledged for so long.
    pub(super) unacknowledged: Duration,
    pub(super) peer: Peer,
}

/// Where the last connection led, where no proxy stands in between.
#[derive(Debug, Default)]
pub(super) struct Peer(Mutex<Option<SocketAddr>>);

impl Peer {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, address: Option<SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

/// How far a connection came.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// The proxy in between: then it is the one whose name is looked up, and that is connected to.
    pub(super) proxy: Option<Origin>,
    /// In the order in which they are tried; none before they are known.
    pub(super) addresses: Vec<SocketAddr>,
    /// The one that took the connection.
    pub(super) connected: Option<SocketAddr>,
}

impl Dialer {
    pub(super) async fn dial(&self, origin: &Origin) -> Result<(Box<dyn Stream>, Arc<Line>), NetworkFault> {
        self.go(origin, &mut Way::default()).await
    }

    /// As `dial`; `way` is there also where it leads nowhere.
    pub(super) async fn go(
        &self,
        origin: &Origin,
        way: &mut Way,
    ) -> Result<(Box<dyn Stream>, Arc<Line>), NetworkFault> {
        let proxy = self.proxies.for_origin(origin)?;
        let hop = proxy.as_ref().map_or(origin, |proxy| &proxy.origin);
        way.proxy = proxy.as_ref().map(|proxy| proxy.origin.clone());
        way.addresses = self.resolver.addresses(hop).await?;
        let socket = self.socket(&way.addresses).await?;
        way.connected = socket.peer_addr().ok();
        self.peer.is(way.connected.filter(|_| proxy.is_none()));
        let (mut wire, line) = Wire::new(socket);
        if let Some(proxy) = proxy {
            tunnel(&mut wire, &proxy, origin).await?;
        }
        match origin.scheme() {
            Scheme::Http => Ok((Box::new(wire), line)),
            Scheme::Https => Ok((Box::new(self.handshake(wire, origin).await?), line)),
        }
    }

    async fn socket(&self, addresses: &[SocketAddr]) -> Result<TcpStream, NetworkFault> {
        let socket = connected(addresses).await?;
        socket.set_nodelay(true).ok();
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(self.unacknowledged)).ok();
        Ok(socket)
    }

    async fn handshake<T: Stream>(
        &self,
        wire: T,
        origin: &Origin,
    ) -> Result<tokio_rustls::client::TlsStream<T>, NetworkFault> {
        let name = ServerName::try_from(origin.host().to_owned())
            .map_err(|_| NetworkFault::WrongName { reason: "it is no name for a certificate".to_owned() })?;
        let connector = TlsConnector::from(Arc::clone(&self.tls.config));
        match timeout(HANDSHAKE, connector.connect(name, wire)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.tls_fault(&error)),
            Err(_) => Err(NetworkFault::Tls { reason: format!("no handshake in {} s", HANDSHAKE.as_secs()) }),
        }
    }

    fn tls_fault(&self, error: &io::Error) -> NetworkFault {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        let Some(cause) = cause else { return NetworkFault::Tls { reason: error.to_string() } };
        if matches!(cause, TlsError::InvalidMessage(InvalidMessage::InvalidContentType)) {
            return NetworkFault::NotTls;
        }
        let TlsError::InvalidCertificate(invalid) = cause else {
            return NetworkFault::Tls { reason: cause.to_string() };
        };
        match invalid {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                NetworkFault::Expired { reason: validity(invalid) }
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                NetworkFault::WrongName { reason: names(invalid) }
            }
            _ => NetworkFault::Untrusted { reason: distrust(cause), fingerprint: self.tls.fingerprint() },
        }
    }
}

fn validity(error: &CertificateError) -> String {
    let date = |time: &UnixTime| UNIX_EPOCH + Duration::from_secs(time.as_secs());
    match error {
        CertificateError::ExpiredContext { not_after, .. } => valid_until(date(not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => valid_from(date(not_before)),
        error => error.to_string(),
    }
}

fn names(error: &CertificateError) -> String {
    let CertificateError::NotValidForNameContext { presented, .. } = error else { return error.to_string() };
    let names: Vec<String> = presented.iter().map(|name| bare(name).to_owned()).collect();
    is_for(&names)
}

fn distrust(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "nobody who is trusted has signed it".to_owned()
        }
        error if is_ca_as_end_entity(error) => {
            "it has signed itself, and is not one of those that are trusted".to_owned()
        }
        error => error.to_string(),
    }
}

/// The first address that answers; one that is slow or refuses does not hold up the next.
async fn connected(addresses: &[SocketAddr]) -> Result<TcpStream, NetworkFault> {
    let mut last = None;
    let ended = timeout(CONNECT, first(addresses, &mut last)).await;
    let address = addresses.first().map(ToString::to_string).unwrap_or_default();
    match (ended, last) {
        (Ok(Some(socket)), _) => Ok(socket),
        (_, Some((address, error))) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(NetworkFault::Refused { address: address.to_string() })
        }
        (_, Some((address, source))) => Err(NetworkFault::Connect { address: address.to_string(), source }),
        (_, None) => Err(NetworkFault::Connect { address, source: io::ErrorKind::TimedOut.into() }),
    }
}

async fn first(addresses: &[SocketAddr], last: &mut Option<(SocketAddr, io::Error)>) -> Option<TcpStream> {
    let attempt = |address: &SocketAddr| {
        let address = *address;
        async move { (address, TcpStream::connect(address).await) }
    };
    let mut left = addresses.iter();
    let mut attempts: FuturesUnordered<_> = left.next().map(attempt).into_iter().collect();
    loop {
        let has_more = left.len() > 0;
        tokio::select! {
            Some((address, attempt)) = attempts.next() => match attempt {
                Ok(socket) => return Some(socket),
                Err(error) => *last = Some(worse(last.take(), (address, error))),
            },
            () = sleep(STAGGER), if has_more => {}
            else => return None,
        }
        attempts.extend(left.next().map(attempt));
    }
}

/// Of two failures the one that says more: a refusal tells of a machine, "no route" of none.
fn worse(before: Option<(SocketAddr, io::Error)>, now: (SocketAddr, io::Error)) -> (SocketAddr, io::Error) {
    match before {
        Some(before) if before.1.kind() == io::ErrorKind::ConnectionRefused => before,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_leaves_the_next() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let socket = connected(&[closed, open]).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), open);
    }

    #[tokio::test]
    async fn a_refusal_names_the_address() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = connected(&[closed]).await.unwrap_err();
        assert!(matches!(error, NetworkFault::Refused { address } if address == closed.to_string()));
    }
}
