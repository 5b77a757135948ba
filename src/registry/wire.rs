use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known of a connection from outside, and the way to end it at once.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Bytes that left through the socket. What comes in is no sign of progress: an answer may drip.
    sent: AtomicU64,
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Line {
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends the connection, also while it is blocked in a write: dropping its future would not.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "ended by the client"));
        }
        Ok(())
    }
}

/// A socket that can be watched and cut. A server that refuses a body answers and resets; a write that
/// fails then must not hide the answer, which still waits to be read: such a write stays pending.
#[derive(Debug)]
pub(super) struct Wire<T> {
    socket: T,
    line: Arc<Line>,
    reset: bool,
}

impl<T> Wire<T> {
    pub(super) fn new(socket: T) -> (Self, Arc<Line>) {
        let line = Arc::new(Line::default());
        (Self { socket, line: Arc::clone(&line), reset: false }, line)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.reader.register(cx.waker());
        self.line.check()?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    fn written(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Err(error)) if is_reset(&error) => {
                self.reset = true;
                Poll::Pending
            }
            Poll::Ready(Ok(n)) => {
                self.line.sent.fetch_add(n as u64, Ordering::Relaxed);
                Poll::Ready(Ok(n))
            }
            other => other,
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.writer.register(cx.waker());
        self.line.check()?;
        if self.reset {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.written(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.writer.register(cx.waker());
        self.line.check()?;
        if self.reset {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.written(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.writer.register(cx.waker());
        self.line.check()?;
        if self.reset {
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset || self.line.check().is_err() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// A peer that has answered and reset: reads give the answer, writes fail.
    struct Answered(&'static [u8]);

    impl AsyncRead for Answered {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            buf.put_slice(self.0);
            self.0 = b"";
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Answered {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn an_answer_before_a_reset_can_be_read() {
        let (mut wire, _) = Wire::new(Answered(b"413"));
        let write = tokio::time::timeout(std::time::Duration::from_millis(20), wire.write_all(b"body")).await;
        assert!(write.is_err(), "the failed write stays pending");
        let mut answer = String::new();
        wire.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "413");
    }

    #[tokio::test]
    async fn a_blocked_write_ends_when_the_line_is_cut() {
        let (ours, _theirs) = duplex(8);
        let (mut wire, line) = Wire::new(ours);
        let write = tokio::spawn(async move { wire.write_all(&[0; 1024]).await });
        tokio::task::yield_now().await;
        line.cut();
        assert_eq!(write.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(line.sent(), 8);
    }
}
