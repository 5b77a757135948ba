use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// An answer, whatever its status. Header names are lower case.
pub(crate) struct Answer {
    request: String,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// Fails on any status but this one.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "{}: {} instead of {status}: {}",
            self.request,
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(self)
    }
}

/// A server without TLS, and who asks. Deliberately none of the product's code.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) port: u16,
    authorization: Option<String>,
}

impl Endpoint {
    pub(crate) fn local(port: u16) -> Self {
        Self { port, authorization: None }
    }

    pub(crate) fn basic(port: u16, user: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        Self { port, authorization: Some(format!("Authorization: Basic {pair}\r\n")) }
    }

    pub(crate) fn bearer(port: u16, token: &str) -> Self {
        Self { port, authorization: Some(format!("Authorization: Bearer {token}\r\n")) }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, "Accept: */*\r\n", &[])
    }

    pub(crate) fn json(&self, method: &str, path: &str, body: &Value) -> Result<Answer> {
        self.send(method, path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<Answer> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let headers = format!("{headers}{}", self.authorization.as_deref().unwrap_or_default());
        exchange(stream, method, path, &headers, body).with_context(|| format!("{method} {path}"))
    }

    pub(crate) fn answers(&self, path: &str) -> bool {
        self.get(path).is_ok_and(|answer| answer.status == 200)
    }
}

/// Questions on one connection that stays open, which answers without a body make simple.
pub(crate) struct Questions {
    stream: BufReader<TcpStream>,
    headers: String,
}

impl Questions {
    pub(crate) fn to(endpoint: &Endpoint, accept: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", endpoint.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let login = endpoint.authorization.as_deref().unwrap_or_default();
        let headers = format!("Host: localhost\r\nAccept: {accept}\r\n{login}");
        Ok(Self { stream: BufReader::new(stream), headers })
    }

    pub(crate) fn head(&mut self, path: &str) -> Result<Answer> {
        let request = format!("HEAD {path} HTTP/1.1\r\n{}\r\n", self.headers);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            ensure!(self.stream.read_until(b'\n', &mut head)? > 0, "the connection was closed");
        }
        parse(&head, format!("HEAD {path}"))
    }
}

/// One request to an engine's socket.
pub(crate) fn over_socket(socket: &Path, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
    exchange(UnixStream::connect(socket)?, method, path, "Content-Type: application/x-tar\r\n", body)
        .with_context(|| format!("{method} {path}"))
}

/// HTTP/1.0, since its answers come neither chunked nor on a connection that stays open.
fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Result<Answer> {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes, format!("{method} {path}"))
}

fn parse(bytes: &[u8], request: String) -> Result<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("no end of the headers")?;
    let (head, body) = bytes.split_at(end);
    let mut lines = std::str::from_utf8(head)?.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status line")?.parse()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Ok(Answer { request, status, headers, body: body.get(4..).unwrap_or_default().to_vec() })
}
