use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::event::Events;
use crate::port::{NetworkFault, Origin, Scheme};

/// A resolver that drops names which point to loopback may also keep silent about them.
const LOOPBACK_NAME_WAIT: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(10);
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// What becomes of `*.localtest.me` and its like where the resolver drops them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebind {
    /// This machine, with a warning; the certificate is still checked for the name.
    Fallback,
    /// An error: without a checked certificate anybody could sit there.
    Strict,
    /// Always this machine, and DNS is not asked: for a login that may go nowhere else.
    Loopback,
}

/// `--resolve HOST:PORT:ADDR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    pub host: String,
    pub port: u16,
    pub address: IpAddr,
}

/// How a name is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `localhost` and below: never asked of DNS (RFC 6761).
    Loopback,
    /// Public DNS says loopback, if it is let through.
    PublicLoopback,
    Address(IpAddr),
    Name,
}

/// Finds addresses, one look-up at a time, and remembers them for the run.
#[derive(Debug)]
pub(super) struct Resolver {
    pinned: Vec<Pinned>,
    rebind: Rebind,
    events: Events,
    known: Mutex<HashMap<(String, u16), Vec<SocketAddr>>>,
}

impl Resolver {
    pub(super) fn new(pinned: Vec<Pinned>, rebind: Rebind, events: Events) -> Self {
        Self { pinned, rebind, events, known: Mutex::default() }
    }

    /// Addresses in the order in which they are tried.
    pub(super) async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, NetworkFault> {
        let key = (origin.host().to_owned(), origin.port());
        let mut known = self.known.lock().await;
        if let Some(addresses) = known.get(&key) {
            return Ok(addresses.clone());
        }
        let addresses = self.look_up(origin).await?;
        known.insert(key, addresses.clone());
        Ok(addresses)
    }

    async fn look_up(&self, origin: &Origin) -> Result<Vec<SocketAddr>, NetworkFault> {
        let (host, port) = (origin.host(), origin.port());
        let pinned = self.pinned.iter().find(|pinned| pinned.host == host && pinned.port == port);
        if let Some(pinned) = pinned {
            return Ok(vec![SocketAddr::new(pinned.address, port)]);
        }
        // Without TLS nothing but the address says who is there.
        let is_plain = origin.scheme() == Scheme::Http;
        let on_loopback = || LOOPBACK.map(|address| SocketAddr::new(address, port)).to_vec();
        match kind(host) {
            Kind::Loopback => Ok(on_loopback()),
            Kind::PublicLoopback if is_plain || self.rebind == Rebind::Loopback => Ok(on_loopback()),
            Kind::Address(address) => Ok(vec![SocketAddr::new(address, port)]),
            Kind::Name => twice(|| asked(host, port, WAIT))
                .await
                .map_err(|source| NetworkFault::Resolve { host: host.to_owned(), source }),
            Kind::PublicLoopback => match (asked(host, port, LOOPBACK_NAME_WAIT).await, self.rebind) {
                (Ok(addresses), _) => Ok(addresses),
                (Err(source), Rebind::Strict | Rebind::Loopback) => {
                    Err(NetworkFault::Resolve { host: host.to_owned(), source })
                }
                (Err(_), Rebind::Fallback) => {
                    self.events.warn(format!(
                        "\"{host}\" does not resolve (some resolvers drop names that point to 127.0.0.1); \
                         using 127.0.0.1:{port}, certificate still checked"
                    ));
                    Ok(on_loopback())
                }
            },
        }
    }
}

/// A resolver that has just failed is asked once more.
async fn twice<T, F: Future<Output = io::Result<T>>>(mut ask: impl FnMut() -> F) -> io::Result<T> {
    if let Ok(answer) = ask().await {
        return Ok(answer);
    }
    sleep(Duration::from_millis(500)).await;
    ask().await
}

async fn asked(host: &str, port: u16, wait: Duration) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = timeout(wait, lookup_host((host, port))).await??.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
    }
    Ok(interleaved(addresses))
}

/// IPv4 and IPv6 in turns, IPv4 first: a kind cluster may listen on 127.0.0.1 alone.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (four, six): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv4);
    let (mut four, mut six) = (four.into_iter(), six.into_iter());
    let mut order = Vec::new();
    loop {
        let pair = [four.next(), six.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// Whether the origin, by its spelling alone, is this machine.
#[must_use]
pub fn is_this_machine(origin: &Origin) -> bool {
    is_loopback_name(origin.host())
}

/// Whether the name, by its spelling alone, means this machine.
pub(super) fn is_loopback_name(host: &str) -> bool {
    match kind(host) {
        Kind::Loopback | Kind::PublicLoopback => true,
        Kind::Address(address) => address.is_loopback(),
        Kind::Name => false,
    }
}

fn kind(host: &str) -> Kind {
    if let Ok(address) = host.parse() {
        return Kind::Address(address);
    }
    let host = host.trim_end_matches('.');
    if host == "localhost" || host.ends_with(".localhost") {
        return Kind::Loopback;
    }
    let in_address = ["nip.io", "sslip.io"]
        .iter()
        .find_map(|suffix| host.strip_suffix(suffix)?.strip_suffix('.'))
        .is_some_and(names_loopback);
    if host == "localtest.me" || host.ends_with(".localtest.me") || in_address {
        return Kind::PublicLoopback;
    }
    Kind::Name
}

/// `app.127.0.0.1`, `app-127-0-0-1`.
fn names_loopback(name: &str) -> bool {
    let parts: Vec<&str> = name.split(['.', '-']).collect();
    parts.windows(4).any(|four| four.join(".").parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(pinned: Vec<Pinned>) -> Resolver {
        Resolver::new(pinned, Rebind::Strict, Events::none())
    }

    #[test]
    fn names_are_told_apart_by_spelling() {
        for host in ["localhost", "gitea.localhost"] {
            assert_eq!(kind(host), Kind::Loopback, "{host}");
        }
        for host in ["localtest.me", "gitea.cnoe.localtest.me", "r.127.0.0.1.nip.io", "r-127-0-0-1.sslip.io"]
        {
            assert_eq!(kind(host), Kind::PublicLoopback, "{host}");
        }
        for host in ["evil-localtest.me", "localhost.evil", "10.0.0.1.nip.io", "nip.io", "r.example"] {
            assert_eq!(kind(host), Kind::Name, "{host}");
        }
        assert!(is_loopback_name("127.0.0.2") && is_loopback_name("::1") && !is_loopback_name("10.0.0.1"));
    }

    #[tokio::test]
    async fn localhost_is_never_asked_of_dns() {
        let origin = Origin::new(Scheme::Https, "gitea.localhost", 8443);
        let addresses = resolver(Vec::new()).addresses(&origin).await.unwrap();
        assert_eq!(addresses, ["127.0.0.1:8443".parse().unwrap(), "[::1]:8443".parse().unwrap()]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_fails_is_asked_once_more() {
        for (failures, answer) in [(0, Some(1)), (1, Some(2)), (2, None)] {
            let mut asked = 0;
            let answered = twice(|| {
                asked += 1;
                let fails = asked <= failures;
                std::future::ready(if fails { Err(io::Error::other("SERVFAIL")) } else { Ok(asked) })
            });
            assert_eq!(answered.await.ok(), answer);
            assert!(asked <= 2);
        }
    }

    #[tokio::test]
    async fn without_tls_a_public_name_of_this_machine_is_not_asked_of_dns() {
        let origin = Origin::new(Scheme::Http, "gitea.cnoe.localtest.me", 8080);
        let addresses = resolver(Vec::new()).addresses(&origin).await.unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
    }

    #[tokio::test]
    async fn a_given_address_comes_first() {
        let given = Pinned { host: "r.example".into(), port: 443, address: LOOPBACK[0] };
        let origin = Origin::new(Scheme::Https, "r.example", 443);
        let addresses = resolver(vec![given]).addresses(&origin).await.unwrap();
        assert_eq!(addresses, ["127.0.0.1:443".parse().unwrap()]);
    }

    #[test]
    fn ipv4_and_ipv6_take_turns() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let given = vec![parse("[::1]:1"), parse("[::2]:1"), parse("127.0.0.1:1")];
        assert_eq!(interleaved(given), [parse("127.0.0.1:1"), parse("[::1]:1"), parse("[::2]:1")]);
    }
}
