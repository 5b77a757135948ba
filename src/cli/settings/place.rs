use std::path::PathBuf;

use crate::cli::args::TlsArgs;
use crate::cli::environment::{Environment, REGISTRY_URL};
use crate::cli::usage::UsageError;
use crate::cli::value::{self, RegistryAddress, ValueError};
use crate::oci::Repository;
use crate::port::{Origin, Scheme};

/// Which registry is pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Place {
    /// The one that the cluster says.
    Cluster,
    Given(GivenRegistry),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct GivenRegistry {
    pub(in crate::cli) origin: Origin,
    /// What images go below, in the place of an owner.
    pub(in crate::cli) path: Option<Repository>,
    /// Whether the user said http or https; else the cluster knows better.
    pub(in crate::cli) says_scheme: bool,
    /// `--registry`, or the variable's name.
    pub(in crate::cli) given_by: &'static str,
}

/// How the registry's certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Tls {
    /// Against the cluster's own, pinned, for its registry; else against the system's roots.
    Known,
    /// Against the system's roots and those of a file.
    CaFile(PathBuf),
    /// Not at all.
    Insecure,
    /// There is none: plain HTTP.
    Plain,
}

pub(super) fn of(
    registry: Option<RegistryAddress>,
    args: TlsArgs,
    environment: &Environment,
) -> Result<(Place, Tls), UsageError> {
    let tls = match args {
        TlsArgs { plain_http: true, .. } => Tls::Plain,
        TlsArgs { insecure: true, .. } => Tls::Insecure,
        TlsArgs { ca_file: Some(path), .. } => Tls::CaFile(path),
        TlsArgs { .. } => Tls::Known,
    };
    let Some((address, given_by)) = chosen(registry, environment)? else {
        return match tls {
            Tls::Plain => Err(UsageError::PlainHttpWithoutRegistry),
            tls => Ok((Place::Cluster, tls)),
        };
    };
    let scheme = match (address.scheme, &tls) {
        (Some(Scheme::Https), Tls::Plain) => {
            return Err(UsageError::PlainHttpForHttps { registry: address.authority });
        }
        (_, Tls::Plain) => Scheme::Http,
        (Some(Scheme::Http), _) => return Err(UsageError::PlainHttpMissing { registry: address.authority }),
        (_, _) => Scheme::Https,
    };
    let origin = address.origin(scheme).map_err(no_registry(given_by))?.connected();
    let says_scheme = address.scheme.is_some() || tls == Tls::Plain;
    Ok((Place::Given(GivenRegistry { origin, path: address.path, says_scheme, given_by }), tls))
}

/// The registry for names alone, where nothing connects to it.
///
/// # Errors
/// When none was typed, and that of the environment is none.
pub(super) fn named(
    registry: Option<RegistryAddress>,
    environment: &Environment,
) -> Result<Place, UsageError> {
    let given = chosen(registry, environment)?.and_then(|(address, given_by)| {
        let origin = address.origin(address.scheme.unwrap_or(Scheme::Https)).ok()?;
        let says_scheme = address.scheme.is_some();
        Some(GivenRegistry { origin, path: address.path, says_scheme, given_by })
    });
    Ok(given.map_or(Place::Cluster, Place::Given))
}

fn chosen(
    registry: Option<RegistryAddress>,
    environment: &Environment,
) -> Result<Option<(RegistryAddress, &'static str)>, UsageError> {
    if let Some(address) = registry {
        return Ok(Some((address, "--registry")));
    }
    let Some(text) = &environment.registry else { return Ok(None) };
    value::registry(text).map(|address| Some((address, REGISTRY_URL))).map_err(no_registry(REGISTRY_URL))
}

fn no_registry(variable: &'static str) -> impl FnOnce(ValueError) -> UsageError {
    move |source| UsageError::EnvironmentValue { variable, what: "registry address", source }
}
