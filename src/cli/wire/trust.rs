use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::place::Target;
use crate::cli::facts::TlsFacts;
use crate::cli::failure::{Fault, LocalError};
use crate::cli::settings::{Reach, Tls};
use crate::cluster;
use crate::port::Scheme;
use crate::registry::Trust;

/// More than any bundle of roots.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;

/// How the registry is known to be the one that is meant.
pub(super) struct Chosen {
    pub(super) trust: Trust,
    pub(super) facts: TlsFacts,
}

pub(super) fn of(reach: &Reach, target: &Target) -> Result<Chosen, Fault> {
    let system = Trust::System { further: Vec::new() };
    let (trust, facts) = match &reach.tls {
        // Without TLS there is nothing to check, and the system's roots need not be read.
        _ if target.origin.scheme() == Scheme::Http => (Trust::Only(Vec::new()), TlsFacts::Plain),
        Tls::Plain => (Trust::Only(Vec::new()), TlsFacts::Plain),
        Tls::Insecure => (Trust::Nothing, TlsFacts::Insecure),
        Tls::CaFile(path) => (Trust::System { further: certificates(path)? }, TlsFacts::CaFile),
        Tls::Known => match target.cluster().map(|cluster| &cluster.trust) {
            Some(cluster::Trust::Pinned(der)) => (Trust::Only(vec![der.clone()]), TlsFacts::Pinned),
            Some(cluster::Trust::Roots(ders)) => {
                (Trust::System { further: ders.clone() }, TlsFacts::ClusterAuthority)
            }
            Some(cluster::Trust::System | cluster::Trust::Plain) | None => (system, TlsFacts::System),
        },
    };
    Ok(Chosen { trust, facts })
}

/// All certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, LocalError> {
    let unreadable = |source| LocalError::CaFile { path: path.to_owned(), source };
    let refused = |reason: &str| LocalError::NotCertificates { path: path.to_owned(), reason: reason.into() };
    let len = std::fs::metadata(path).map_err(unreadable)?.len();
    if len > LARGEST_FILE {
        return Err(refused("it is too large"));
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    let ders: Result<Vec<Vec<u8>>, _> =
        CertificateDer::pem_slice_iter(&text).map(|der| der.map(|der| der.to_vec())).collect();
    match ders {
        Ok(ders) if ders.is_empty() => Err(refused("it has no PEM certificate in it")),
        Ok(ders) => Ok(ders),
        Err(error) => Err(refused(&error.to_string())),
    }
}
