//! One connection, byte by byte, so that a scripted fault can happen at any of them.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::http::{Framing, Head};

const HEAD_LIMIT: usize = 64 << 10;
const PIECE: usize = 64 << 10;

/// TCP, with or without TLS on top.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

pub(super) struct Connection {
    wire: Box<dyn Wire>,
    buffer: BytesMut,
}

impl Connection {
    pub(super) fn new(wire: Box<dyn Wire>) -> Self {
        Self { wire, buffer: BytesMut::new() }
    }

    /// Reads what there is. Zero bytes are the end; so is TLS without its goodbye.
    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(PIECE);
        self.wire.read_buf(&mut self.buffer).await
    }

    /// The bytes before the empty line, or what there is if they cannot be a head, or `None` when the client is
    /// done with this connection.
    pub(super) async fn head(&mut self) -> Option<Bytes> {
        loop {
            if self.buffer.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
                return Some(self.buffer.split().freeze());
            }
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.buffer.split_to(end + 4);
                return Some(head.freeze().slice(..end));
            }
            if self.buffer.len() > HEAD_LIMIT || !matches!(self.fill().await, Ok(1..)) {
                return None;
            }
        }
    }

    /// At least one byte and at most `most`, or `None` at the end.
    async fn piece(&mut self, most: u64) -> Option<Bytes> {
        if self.buffer.is_empty() && !matches!(self.fill().await, Ok(1..)) {
            return None;
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Some(self.buffer.split_to(self.buffer.len().min(most)).freeze())
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.buffer.split_to(end + 2);
                return std::str::from_utf8(&line).ok().map(|line| line.trim_end().to_owned());
            }
            if self.buffer.len() > HEAD_LIMIT || !matches!(self.fill().await, Ok(1..)) {
                return None;
            }
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    /// Waits until the client has closed, and drops what it still sends.
    pub(super) async fn closed_by_client(&mut self) {
        while matches!(self.fill().await, Ok(1..)) {
            self.buffer.clear();
        }
    }

    /// Says goodbye and swallows what is still on its way, as nginx does after a 413.
    pub(super) async fn close_gently(mut self) {
        self.wire.shutdown().await.ok();
        tokio::time::timeout(Duration::from_secs(5), self.closed_by_client()).await.ok();
    }

    /// The next thing that the client sees is a reset.
    pub(super) fn reset(self) {
        self.wire.tcp().set_zero_linger().ok();
    }
}

/// Why a body did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The client went away, or sent what is no body.
    Client,
    /// The script wants a reset here.
    Reset,
    /// The script wants that nothing more is read.
    StopReading,
}

#[derive(Debug, Clone, Copy)]
enum Left {
    Length(u64),
    /// Bytes left of the chunk that is being read; zero before the next size line.
    Chunk(u64),
    Nothing,
}

/// The body of one request, and where the script cuts it.
pub(super) struct Body {
    left: Left,
    continue_owed: bool,
    pub(super) taken: u64,
    cut: Option<(u64, Cut)>,
    pub(super) damage: bool,
}

impl Body {
    pub(super) fn of(head: &Head) -> Result<Self, String> {
        let left = match head.framing()? {
            Framing::Length(0) => Left::Nothing,
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunk(0),
        };
        let continue_owed = head.expects_continue() && !matches!(left, Left::Nothing);
        Ok(Self { left, continue_owed, taken: 0, cut: None, damage: false })
    }

    pub(super) fn cut_after(&mut self, bytes: u64, how: Cut) {
        self.cut = Some((bytes, how));
    }

    /// Whether the client still waits for a word before it sends anything.
    pub(super) fn continue_owed(&self) -> bool {
        self.continue_owed
    }

    /// The next bytes, or `None` when all of them are there.
    pub(super) async fn next(&mut self, connection: &mut Connection) -> Result<Option<Bytes>, Cut> {
        let most = match self.cut {
            Some((after, how)) if self.taken >= after => return Err(how),
            Some((after, _)) => after - self.taken,
            None => u64::MAX,
        };
        if std::mem::take(&mut self.continue_owed) {
            connection.write(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Cut::Client)?;
        }
        let left = self.measure(connection).await?;
        if left == 0 {
            return Ok(None);
        }
        let mut piece = connection.piece(most.min(left)).await.ok_or(Cut::Client)?;
        self.count(connection, piece.len() as u64).await?;
        if std::mem::take(&mut self.damage) {
            piece = piece.iter().enumerate().map(|(at, byte)| if at == 0 { !byte } else { *byte }).collect();
        }
        Ok(Some(piece))
    }

    /// Bytes left, of the body or of its current chunk.
    async fn measure(&mut self, connection: &mut Connection) -> Result<u64, Cut> {
        match self.left {
            Left::Nothing => Ok(0),
            Left::Chunk(0) => {
                let line = connection.line().await.ok_or(Cut::Client)?;
                let digits = line.split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(digits, 16).map_err(|_| Cut::Client)?;
                self.left = if size == 0 { Left::Nothing } else { Left::Chunk(size) };
                // No trailers: the line after the last chunk is the empty one.
                if size == 0 && connection.line().await.as_deref() != Some("") {
                    return Err(Cut::Client);
                }
                Ok(size)
            }
            Left::Length(left) | Left::Chunk(left) => Ok(left),
        }
    }

    async fn count(&mut self, connection: &mut Connection, bytes: u64) -> Result<(), Cut> {
        self.taken += bytes;
        self.left = match self.left {
            Left::Length(left) if left > bytes => Left::Length(left - bytes),
            Left::Chunk(left) if left > bytes => Left::Chunk(left - bytes),
            Left::Chunk(_) => match connection.line().await.as_deref() {
                Some("") => Left::Chunk(0),
                _ => return Err(Cut::Client),
            },
            Left::Length(_) | Left::Nothing => Left::Nothing,
        };
        Ok(())
    }
}
