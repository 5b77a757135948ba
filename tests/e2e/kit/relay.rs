use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use tempfile::TempDir;

/// A socket before that of an engine, which notes what is asked through it: one request a connection.
pub(crate) struct Relay {
    folder: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    pub(crate) fn before(host: &str) -> Result<Self> {
        let engine = PathBuf::from(host.trim_start_matches("unix://"));
        let folder = tempfile::Builder::new().prefix("e2e-relay-").tempdir()?;
        let listener = UnixListener::bind(folder.path().join("engine.sock"))?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(engine) = UnixStream::connect(&engine) {
                    let noted = Arc::clone(&noted);
                    thread::spawn(move || relay(client, engine, &noted));
                }
            }
        });
        Ok(Self { folder, asked })
    }

    /// For `DOCKER_HOST` or `CONTAINER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}/engine.sock", self.folder.path().display())
    }

    /// How many images were exported.
    pub(crate) fn exports(&self) -> usize {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|line| line.starts_with("GET /images/") && line.contains("/get")).count()
    }
}

fn relay(mut client: UnixStream, mut engine: UnixStream, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    let (mut answers, mut to_client) = (engine.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || {
        let copied = io::copy(&mut answers, &mut to_client);
        to_client.shutdown(Shutdown::Write).and(copied.map(drop))
    });
    let mut start = [0; 8192];
    let length = client.read(&mut start)?;
    let request = start.get(..length).unwrap_or_default();
    let line = String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    engine.write_all(request)?;
    io::copy(&mut client, &mut engine)?;
    engine.shutdown(Shutdown::Write)?;
    back.join().unwrap_or(Ok(()))
}
