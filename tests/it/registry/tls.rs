//! What TLS says before anything is encrypted, read byte by byte.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const HANDSHAKE: u8 = 22;
const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const VERSIONS: u16 = 43;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// Bytes that are read from their front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self, length: usize) -> usize {
        self.take(length).iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    /// What a length of so many bytes stands before.
    fn vector(&mut self, length: usize) -> Reader<'a> {
        let length = self.number(length);
        Reader(self.take(length))
    }
}

/// The content of one record.
async fn record(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.unwrap();
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut content).await.unwrap();
    (head[0], content)
}

/// The extensions of a `ClientHello` by their numbers (RFC 8446, section 4.1.2).
fn extensions(hello: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut hello = Reader(hello);
    assert_eq!(hello.number(1), 1, "a ClientHello");
    let mut body = hello.vector(3);
    body.take(2 + 32);
    body.vector(1);
    body.vector(2);
    body.vector(1);
    let mut list = body.vector(2);
    let mut found = Vec::new();
    while !list.0.is_empty() {
        let kind = u16::try_from(list.number(2)).unwrap();
        found.push((kind, list.vector(2).0.to_vec()));
    }
    found
}

fn extension(extensions: &[(u16, Vec<u8>)], kind: u16) -> Option<&[u8]> {
    extensions.iter().find(|(found, _)| *found == kind).map(|(_, content)| content.as_slice())
}

/// A client that speaks to this port under a name, once and with any certificate.
fn client(port: u16, host: &str) -> RegistryClient {
    // It is asked for nothing: a setting has one.
    let registry = Registry::distribution().start();
    let origin = Origin::new(Scheme::Https, host, port);
    let options = move |options: Options| Options {
        origin: origin.clone(),
        trust: Trust::Nothing,
        policy: Policy { retries: 0, ..options.policy },
        ..options
    };
    Setting { options: Box::new(options), ..Setting::anonymous(&registry) }.client().registry
}

/// What the first record says that a client sends to `host`.
async fn hello_to(host: &str) -> Vec<(u16, Vec<u8>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap().port(), host);
    let asking = tokio::spawn(async move { client.ask_dialect().await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let (kind, content) = record(&mut stream).await;
    asking.abort();
    assert_eq!(kind, HANDSHAKE);
    extensions(&content)
}

#[tokio::test]
async fn tls_is_offered_in_two_versions_for_one_name_and_one_protocol() {
    let hello = hello_to("gitea.localhost").await;
    let mut versions = Reader(extension(&hello, VERSIONS).unwrap());
    let mut versions = versions.vector(1);
    let mut offered = Vec::new();
    while !versions.0.is_empty() {
        offered.push(u16::try_from(versions.number(2)).unwrap());
    }
    offered.sort_unstable();
    assert_eq!(offered, [TLS_1_2, TLS_1_3]);
    let mut names = Reader(extension(&hello, SERVER_NAME).unwrap());
    let mut names = names.vector(2);
    assert_eq!(names.number(1), 0, "a host's name");
    assert_eq!(names.vector(2).0, b"gitea.localhost");
    assert!(names.0.is_empty());
    assert_eq!(extension(&hello, PROTOCOLS), Some(b"\0\x09\x08http/1.1".as_slice()));
}

#[tokio::test]
async fn an_address_is_not_named_to_the_server() {
    assert_eq!(extension(&hello_to("127.0.0.1").await, SERVER_NAME), None);
}

#[tokio::test]
async fn an_older_tls_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap().port(), "localhost");
    let asking = tokio::spawn(async move { client.ask_dialect().await });
    let (mut stream, _) = listener.accept().await.unwrap();
    record(&mut stream).await;
    // A ServerHello of TLS 1.1 with a cipher that it had, and nothing else.
    let hello = [&[2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
    let length = u8::try_from(hello.len()).unwrap();
    stream.write_all(&[&[HANDSHAKE, 3, 2, 0, length][..], &hello].concat()).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, RegistryError::Network { .. }), "{error:?}");
    assert!(rest.first().is_none_or(|kind| *kind == 21), "more than an alert came: {rest:?}");
}
