//! Configs of docker and what helpers print, tried with any bytes.

use super::config::Config;
use super::helper;
use crate::oci::Repository;
use crate::port::{Origin, Scheme};

pub(crate) fn docker_config(bytes: &[u8]) {
    let Ok(config) = Config::parse(bytes) else { return };
    let repository: Option<Repository> = "team/app".parse().ok();
    for authority in ["gitea.example:8443", "index.docker.io", "[::1]:5000"] {
        let Ok(origin) = Origin::parse(Scheme::Https, authority) else { continue };
        let _ = (config.helper(&origin), config.has_entries());
        let _ = config.identity(&origin, repository.as_ref());
    }
}

/// Of one that succeeds, and of one that fails.
pub(crate) fn helper_output(bytes: &[u8]) {
    let _ = helper::login(bytes);
    let said = [helper::refusal(bytes, b""), helper::refusal(b"", bytes)];
    assert!(said.iter().flatten().all(|said| !said.contains(char::is_control)));
}
