//! The built program against the registry in this process: what it sends, what it says and how it ends.

mod archives;
mod certificates;
mod doctor;
mod failures;
#[cfg(unix)]
mod helper;
#[cfg(unix)]
mod login;
mod logs;
mod names;
#[cfg(unix)]
mod prune;
mod push;
mod refusals;
mod search;
#[cfg(target_os = "linux")]
mod secrets;
mod sharing;
#[cfg(unix)]
mod stop;
pub(crate) mod stored;
mod streams;
mod verify;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::kit::image::{self, Image};
use crate::kit::program::Ran;
use crate::kit::registry::Registry;

/// A file or folder that another tool wrote.
fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// What stdout holds after `-o json`.
fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{ran}"))
}

/// A `docker save` archive of one small image, named after it: `web:1.0` is in `web.tar`.
fn archive(folder: &Path, name: &str, seed: u64) -> PathBuf {
    let path = folder.join(format!("{}.tar", name.split(':').next().unwrap()));
    image::docker_archive(&path, &[Image::new(name).layer(seed, 3000)]);
    path
}

/// Requests that write, whatever became of them.
fn writes(registry: &Registry) -> usize {
    ["POST", "PATCH", "PUT", "DELETE"].map(|method| registry.count(method)).iter().sum()
}
