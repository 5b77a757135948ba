#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::kit::{Oci, Tar, config, saved};
use crate::oci::sha256;
use crate::source::EngineSockets;

/// An image of a fake engine, and the archive that it exports.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) names: Vec<String>,
    pub(super) id: String,
    pub(super) inspected: Value,
    pub(super) export: Vec<u8>,
}

impl Stored {
    /// As Docker's graph drivers and Podman keep it: the id is the digest of the configuration.
    pub(super) fn unpacked(names: &[&str], layers: &[&[u8]]) -> Self {
        let config = config(layers);
        let tar = saved(names, layers).bytes();
        Self::new(names, sha256(config.to_string().as_bytes()).as_ref(), layers, tar)
    }

    /// As the containerd store keeps it: the id is the digest of what the index lists.
    pub(super) fn packed(name: &str, id: &str, layers: &[&[u8]], oci: Oci) -> Self {
        Self::new(&[name], id, layers, oci.into_tar().bytes())
    }

    fn new(names: &[&str], id: &str, layers: &[&[u8]], export: Vec<u8>) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(layer).to_string()).collect();
        let inspected = json!({"Id": id, "RepoTags": names, "Created": "2026-01-02T03:04:05Z", "Os": "linux",
            "Architecture": "amd64", "Size": 1, "RootFS": {"Type": "layers", "Layers": diff_ids}});
        Self { names, id: id.to_owned(), inspected, export }
    }

    fn is(&self, asked: &str) -> bool {
        let asked = asked.strip_prefix("sha256:").unwrap_or(asked);
        let hex = self.id.strip_prefix("sha256:").unwrap();
        let by_id = asked.len() >= 12 && hex.starts_with(asked);
        by_id || self.names.iter().any(|name| name == asked || name.strip_suffix(":latest") == Some(asked))
    }
}

/// What a fake engine has and was asked.
#[derive(Default)]
struct Inside {
    product: &'static str,
    stored: Vec<Stored>,
    asked: Vec<String>,
    /// Exports begin and do not go on.
    stalls: bool,
    /// So many of the next exports break off.
    cut: usize,
}

/// An engine that answers the requests that a push sends, and nothing else, until the test ends.
pub(super) struct Engine {
    _dir: tempfile::TempDir,
    socket: PathBuf,
    inside: Arc<Mutex<Inside>>,
}

impl Engine {
    /// Listens under `socket` in a folder of its own.
    pub(super) fn at(socket: &str, stored: Vec<Stored>) -> Self {
        Self::of("Engine", socket, stored)
    }

    /// Podman behind a socket that calls itself one of Docker.
    pub(super) fn podman(socket: &str, stored: Vec<Stored>) -> Self {
        Self::of("Podman Engine", socket, stored)
    }

    fn of(product: &'static str, socket: &str, stored: Vec<Stored>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join(socket);
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let inside = Arc::new(Mutex::new(Inside { product, stored, ..Inside::default() }));
        let shared = Arc::clone(&inside);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &shared);
            }
        });
        Self { _dir: dir, socket, inside }
    }

    pub(super) fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Replaces the images.
    pub(super) fn has(&self, stored: Vec<Stored>) {
        self.inside.lock().unwrap().stored = stored;
    }

    /// From now on an export begins and does not go on.
    pub(super) fn stalls(&self) {
        self.inside.lock().unwrap().stalls = true;
    }

    /// The next exports break off in the middle.
    pub(super) fn cuts(&self, exports: usize) {
        self.inside.lock().unwrap().cut = exports;
    }

    /// How many exports it was asked for.
    pub(super) fn exports(&self) -> usize {
        self.inside.lock().unwrap().asked.iter().filter(|path| path.contains("/get")).count()
    }
}

/// Engines at these addresses and nowhere else.
pub(super) fn engines(docker: &str, podman: &str) -> EngineSockets {
    EngineSockets {
        docker_host: Some(docker.to_owned()),
        container_host: Some(podman.to_owned()),
        ..EngineSockets::default()
    }
}

pub(super) const NOWHERE: &str = "unix:///nonexistent.sock";

pub(super) fn docker_at(address: &str) -> EngineSockets {
    engines(address, NOWHERE)
}

/// An engine behind TLS that asks its clients for a certificate; it serves one image.
pub(super) fn behind_tls(server: rustls::ServerConfig, stored: Stored) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let inside = Arc::new(Mutex::new(Inside { stored: vec![stored], ..Inside::default() }));
    let server = Arc::new(server);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&server)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            answer(&mut stream, &inside);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

fn answer(mut stream: impl Read + Write, inside: &Mutex<Inside>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let Some(path) = request.split(' ').nth(1) else { return };
    let mut inside = inside.lock().unwrap();
    let (status, body) = reply(path, &mut inside);
    let cut = path.contains("/get") && inside.cut > 0;
    inside.cut -= usize::from(cut);
    let stalls = path.contains("/get") && inside.stalls;
    drop(inside);
    let sent = if cut { &body[..body.len() / 2] } else { &body };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    if stalls {
        // Until the other side has had enough.
        let _ = stream.read(&mut byte);
        return;
    }
    let _ = stream.write_all(sent);
}

fn reply(path: &str, inside: &mut Inside) -> (&'static str, Vec<u8>) {
    inside.asked.push(path.to_owned());
    let path = path.split('?').next().unwrap_or_default();
    let stored = |name: &str| inside.stored.iter().find(|stored| stored.is(name));
    let image = path.strip_prefix("/images/").unwrap_or_default();
    let found = match (image.strip_suffix("/json"), image.strip_suffix("/get")) {
        (Some(name), _) => stored(name).map(|stored| stored.inspected.to_string().into_bytes()),
        (_, Some(name)) => stored(name).map(|stored| stored.export.clone()),
        _ if image == "json" => Some(list(&inside.stored).to_string().into_bytes()),
        _ if path == "/version" => Some(
            json!({"ApiVersion": "1.41", "Components": [{"Name": inside.product, "Version": "1"}]})
                .to_string()
                .into_bytes(),
        ),
        _ => None,
    };
    match found {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", br#"{"message":"no such image"}"#.to_vec()),
    }
}

fn list(stored: &[Stored]) -> Value {
    stored
        .iter()
        .map(|one| {
            json!({"Id": one.id, "RepoTags": one.names, "ParentId": "", "RepoDigests": [], "Created": 0,
                "Size": 0, "SharedSize": 0, "Labels": {}, "Containers": 0})
        })
        .collect()
}

/// An archive that no engine exports.
pub(super) fn nonsense(names: &[&str]) -> Stored {
    Stored { export: Tar::default().file("x", b"x").bytes(), ..Stored::unpacked(names, &[]) }
}
