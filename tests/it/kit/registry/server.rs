//! Sockets: listening, refusing, and one task for each connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::exchange::{After, Exchange, Role};
use super::http::{Answer, Head};
use super::state::{Greeting, Shared};
use super::wire::Connection;

/// A port of this machine that stays ours while nobody listens: a second socket is bound to it, so that
/// no other test is given it, and a connection to it is refused.
pub(super) struct Port {
    pub(super) number: u16,
    _kept: Socket,
}

impl Port {
    pub(super) fn reserve() -> io::Result<Self> {
        let kept = bound(0)?;
        let address = kept.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { number: address.port(), _kept: kept })
    }

    /// `buffer` bounds what the kernel takes in for a connection that is not read, in bytes.
    pub(super) fn listen(&self, buffer: Option<u32>) -> io::Result<std::net::TcpListener> {
        let socket = bound(self.number)?;
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        }
        socket.listen(1024)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    Ok(socket)
}

/// A thread that all connections share; what happens in it happens in one order.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("registry").enable_all().build()
}

/// Somebody listens; dropped, nobody does.
pub(super) struct Listening(JoinHandle<()>);

impl Listening {
    pub(super) fn start(
        runtime: &Runtime,
        listener: std::net::TcpListener,
        shared: &Arc<Shared>,
        role: Role,
    ) -> io::Result<Self> {
        let _context = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        let tls = shared.settings.certificate.as_ref().map(super::certificate::Certificate::acceptor);
        Ok(Self(runtime.spawn(accept(listener, Arc::clone(shared), tls, role))))
    }

    /// Returns when the port refuses connections.
    pub(super) fn stop(self) {
        self.0.abort();
        while !self.0.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>, role: Role) {
    while let Ok((tcp, _)) = listener.accept().await {
        tcp.set_nodelay(true).ok();
        let killed = Arc::new(Notify::new());
        let (client, greeting) = shared.with(|state| {
            state.connections += 1;
            state.live.insert(state.connections, Arc::clone(&killed));
            (state.connections, state.greetings.pop_front())
        });
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        tokio::spawn(async move {
            match greeting {
                Some(Greeting::Reset) => _ = tcp.set_zero_linger(),
                Some(Greeting::Silence) => killed.notified().await,
                None => greet(tcp, tls, &shared, (client, role), &killed).await,
            }
            shared.with(|state| state.live.remove(&client));
        });
    }
}

async fn greet(
    tcp: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: &Arc<Shared>,
    client: (u64, Role),
    killed: &Notify,
) {
    let mut connection = match tls {
        None => Connection::new(Box::new(tcp)),
        Some(tls) => match tls.accept(tcp).await {
            Ok(stream) => Connection::new(Box::new(stream)),
            Err(_) => return,
        },
    };
    let after = tokio::select! {
        after = serve(shared, &mut connection, client) => after,
        () = killed.notified() => After::Reset,
    };
    match after {
        After::Keep | After::Close => {}
        After::Swallow => connection.close_gently().await,
        After::Reset => connection.reset(),
    }
}

/// The first byte of a client that believes to speak TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// Answers one request after another until the connection ends, and says how it ends.
async fn serve(shared: &Arc<Shared>, connection: &mut Connection, (client, role): (u64, Role)) -> After {
    let most = shared.settings.requests_per_connection.unwrap_or(u32::MAX);
    for _ in 0..most {
        let Some(bytes) = connection.head().await else { return After::Close };
        if bytes.first() == Some(&TLS_HANDSHAKE) {
            connection.write(b"HTTP/1.0 400 Bad Request\r\n\r\n").await.ok();
            return After::Swallow;
        }
        let head = match Head::parse(&bytes) {
            Ok(head) => head,
            Err(error) => return refuse(shared, connection, error).await,
        };
        let wants_close = head.wants_close();
        let exchange = match Exchange::begin(Arc::clone(shared), connection, head, client) {
            Ok(exchange) => exchange.at(role),
            Err(error) => return refuse(shared, connection, error).await,
        };
        match exchange.run().await {
            After::Keep if wants_close => return After::Swallow,
            After::Keep => {}
            after => return after,
        }
    }
    After::Swallow
}

async fn refuse(shared: &Shared, connection: &mut Connection, error: String) -> After {
    let answer = Answer::text(400, &error).with("Connection", "close");
    shared.with(|state| state.violation(format!("not HTTP/1.1: {error}")));
    connection.write(&[answer.head_bytes(), answer.body].concat()).await.ok();
    After::Swallow
}
