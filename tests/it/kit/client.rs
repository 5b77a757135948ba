use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use serde_json::Value;

use super::registry::Registry;

trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// One connection of a client that does only what it is told. The product's own client is not used to judge
/// the registry that judges the product.
pub(crate) struct Client {
    wire: Box<dyn Wire>,
    socket: TcpStream,
    host: String,
    authorization: Option<String>,
}

/// An answer, whatever its status. Header names are lower case.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn of(registry: &Registry) -> Self {
        let mut client = Self::to_port(registry.port()).unwrap();
        if !registry.certificate_pem().is_empty() {
            client.start_tls(&registry.certificate_pem(), "localhost");
        }
        client
    }

    pub(crate) fn to_port(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        socket.set_nodelay(true)?;
        let wire = Box::new(socket.try_clone()?);
        Ok(Self { wire, socket, host: format!("127.0.0.1:{port}"), authorization: None })
    }

    fn start_tls(&mut self, pem: &str, name: &str) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned::new(pem, provider)))
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        self.wire = Box::new(StreamOwned::new(session, self.socket.try_clone().unwrap()));
    }

    pub(crate) fn basic(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        self
    }

    pub(crate) fn bearer(mut self, token: &str) -> Self {
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    /// One request with its whole body. An absolute URL stands for its path and query.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        self.begin(method, target, headers, body.len())?;
        self.wire.write_all(body)?;
        self.wire.flush()?;
        self.reply(method)
    }

    pub(crate) fn get(&mut self, target: &str) -> Reply {
        self.ask("GET", target, &[("Accept", "*/*")], b"").unwrap()
    }

    pub(crate) fn head(&mut self, target: &str) -> Reply {
        self.ask("HEAD", target, &[("Accept", "*/*")], b"").unwrap()
    }

    pub(crate) fn post(&mut self, target: &str) -> Reply {
        self.ask("POST", target, &[], b"").unwrap()
    }

    pub(crate) fn put(&mut self, target: &str, body: &[u8]) -> Reply {
        self.ask("PUT", target, OCTETS, body).unwrap()
    }

    pub(crate) fn patch(&mut self, target: &str, range: Option<&str>, body: &[u8]) -> Reply {
        let mut headers = OCTETS.to_vec();
        headers.extend(range.map(|range| ("Content-Range", range)));
        self.ask("PATCH", target, &headers, body).unwrap()
    }

    pub(crate) fn put_manifest(&mut self, target: &str, media_type: &str, body: &[u8]) -> Reply {
        self.ask("PUT", target, &[("Content-Type", media_type)], body).unwrap()
    }

    /// Sends a head that promises `length` bytes.
    pub(crate) fn begin(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> io::Result<()> {
        let target = target
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
            .unwrap_or(target);
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in
            headers.iter().copied().chain(self.authorization.as_deref().map(|value| ("Authorization", value)))
        {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !headers.iter().any(|(name, _)| *name == "Transfer-Encoding") {
            head.extend(["Content-Length: ", &length.to_string(), "\r\n"]);
        }
        self.wire.write_all(format!("{head}\r\n").as_bytes())?;
        self.wire.flush()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)?;
        self.wire.flush()
    }

    pub(crate) fn reply(&mut self, method: &str) -> io::Result<Reply> {
        let lines = self.head_lines()?;
        let status = lines[0].split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or(io::ErrorKind::InvalidData)?;
        let headers = lines[1..].iter().filter_map(|line| line.split_once(':'));
        let headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        if method != "HEAD" && status >= 200 && status != 204 {
            reply.body = vec![0; reply.header("content-length").map_or(0, |length| length.parse().unwrap())];
            self.wire.read_exact(&mut reply.body)?;
        }
        Ok(reply)
    }

    fn head_lines(&mut self) -> io::Result<Vec<String>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.wire.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&head);
        Ok(text.trim_end().split("\r\n").map(str::to_owned).collect())
    }

    /// Whether the server has closed this connection; waits for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.wire.read(&mut [0]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// Trusts one certificate. A CA that is its own server, as idpbuilder makes it, is refused by webpki for just
/// that, after its dates were looked at.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    inner: Arc<WebPkiServerVerifier>,
}

impl Pinned {
    fn new(pem: &str, provider: Arc<CryptoProvider>) -> Self {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        Self { certificate, inner }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                if *end_entity == self.certificate && other.to_string().contains("CaUsedAsEndEntity") =>
            {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

const OCTETS: &[(&str, &str)] = &[("Content-Type", "application/octet-stream")];

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location in {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the first error, as the spec words it.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}
