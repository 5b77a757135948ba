//! Values of flags: each is parsed once, where it was typed, with a sentence for what is wrong.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::cluster::SecretName;
use crate::job::Compression;
use crate::oci::{NameError, Platform, Repository, Tag};
use crate::pack::{Codec, Encoder};
use crate::plan::Rename;
use crate::port::{Origin, Scheme, Secret};

/// Why a value is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    #[error("expected a number with a unit, such as 500ms, 30s or 2m")]
    Duration,
    #[error("expected a number of bytes, such as 16MiB or 512m")]
    Size,
    #[error("it must not be zero")]
    Zero,
    #[error("it is less than 1KiB a second")]
    TooSlow,
    #[error("it is too large")]
    TooLarge,
    #[error("it is empty")]
    Empty,
    #[error("expected {form}")]
    Form { form: &'static str },
    #[error("{part}: {reason}")]
    Part { part: &'static str, reason: String },
    #[error("registry names hold no user name; use --username and --password-stdin")]
    UserInAddress,
}

/// `--registry [scheme://]HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RegistryAddress {
    /// Absent where no scheme was written.
    pub(super) scheme: Option<Scheme>,
    /// `HOST` or `HOST:PORT`, checked; the port that it stands for depends on the scheme.
    pub(super) authority: String,
    /// What images go below, in the place of an owner.
    pub(super) path: Option<Repository>,
}

/// Without the scheme, which other flags say again.
impl fmt::Display for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, "/{path}"))
    }
}

impl RegistryAddress {
    /// The same address as an origin of `scheme`.
    pub(super) fn origin(&self, scheme: Scheme) -> Result<Origin, ValueError> {
        Origin::parse(scheme, &self.authority)
            .map_err(|_| ValueError::Form { form: "[http[s]://]HOST[:PORT][/PATH]" })
    }
}

pub(super) fn registry(text: &str) -> Result<RegistryAddress, ValueError> {
    let form = ValueError::Form { form: "[http[s]://]HOST[:PORT][/PATH]" };
    let (scheme, rest) = match text.split_once("://") {
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some(("http", rest)) => (Some(Scheme::Http), rest),
        Some(_) => return Err(form),
        None => (None, text),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err(ValueError::UserInAddress);
    }
    let path = path.trim_end_matches('/');
    let path = match path {
        "" => None,
        path => Some(path.parse::<Repository>().map_err(|error| name_part("its path", &error))?),
    };
    let address = RegistryAddress { scheme, authority: authority.to_owned(), path };
    address.origin(scheme.unwrap_or(Scheme::Https))?;
    Ok(address)
}

fn name_part(part: &'static str, error: &NameError) -> ValueError {
    ValueError::Part { part, reason: error.to_string() }
}

/// A time of a number and a unit; zero is refused.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(ValueError::Duration)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| ValueError::Duration)?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => return Err(ValueError::Duration),
    };
    // A year is beyond any wait, and far from where adding to a clock overflows.
    match milliseconds.filter(|ms| *ms <= 365 * 24 * 3_600_000) {
        Some(0) => Err(ValueError::Zero),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err(ValueError::TooLarge),
    }
}

/// Bytes; `k`, `m` and `g` are binary, as in nginx and Docker. Zero is refused.
pub(super) fn size(text: &str) -> Result<NonZeroU64, ValueError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| ValueError::Size)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(ValueError::Size),
    };
    let bytes = number.checked_mul(factor).filter(|bytes| *bytes <= 1 << 50).ok_or(ValueError::TooLarge)?;
    NonZeroU64::new(bytes).ok_or(ValueError::Zero)
}

/// Bytes a second, with or without `/s`. Slower than the least, a transfer could not be told from one that
/// has come to a stand.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, ValueError> {
    let rate = size(text.strip_suffix("/s").unwrap_or(text))?;
    if rate.get() < LEAST_RATE { Err(ValueError::TooSlow) } else { Ok(rate) }
}

const LEAST_RATE: u64 = 1024;

/// `--resolve HOST:PORT:ADDR`, as curl's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolve {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) address: IpAddr,
}

pub(super) fn resolve(text: &str) -> Result<Resolve, ValueError> {
    let form = || ValueError::Form { form: "HOST:PORT:ADDRESS" };
    let mut parts = text.splitn(3, ':');
    let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(form());
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(form)?;
    if host.is_empty() {
        return Err(form());
    }
    Ok(Resolve { host: host.to_ascii_lowercase(), port, address: address.parse().map_err(|_| form())? })
}

/// `--trust-realm REGISTRY=HOST`: a token server elsewhere that may see the registry's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrustedRealm {
    /// `HOST` or `HOST:PORT`.
    pub(super) registry: String,
    pub(super) realm: String,
}

pub(super) fn trusted_realm(text: &str) -> Result<TrustedRealm, ValueError> {
    let form = || ValueError::Form { form: "REGISTRY=HOST" };
    let (registry, realm) = text.split_once('=').ok_or_else(form)?;
    for part in [registry, realm] {
        Origin::parse(Scheme::Https, part).map_err(|_| form())?;
    }
    Ok(TrustedRealm { registry: registry.to_ascii_lowercase(), realm: realm.to_ascii_lowercase() })
}

/// `--secret NAMESPACE/NAME`.
pub(super) fn secret_name(text: &str) -> Result<SecretName, ValueError> {
    let good = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    };
    match text.split_once('/') {
        Some((namespace, name)) if good(namespace) && good(name) => {
            Ok(SecretName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err(ValueError::Form { form: "NAMESPACE/NAME" }),
    }
}

/// `--platform os/arch[/variant]` or `all`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PlatformChoice {
    All,
    One(Box<Platform>),
}

pub(super) fn platform(text: &str) -> Result<PlatformChoice, ValueError> {
    if text == "all" {
        return Ok(PlatformChoice::All);
    }
    let form = || ValueError::Form { form: "OS/ARCH, OS/ARCH/VARIANT or `all`" };
    let good = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let parts: Vec<&str> = text.split('/').collect();
    if !parts.iter().all(good) {
        return Err(form());
    }
    let json = match parts.as_slice() {
        [os, arch] => serde_json::json!({ "os": os, "architecture": arch }),
        [os, arch, variant] => serde_json::json!({ "os": os, "architecture": arch, "variant": variant }),
        _ => return Err(form()),
    };
    serde_json::from_value(json).map(|platform| PlatformChoice::One(Box::new(platform))).map_err(|_| form())
}

/// `--as NAME[:TAG]`.
pub(super) fn rename(text: &str) -> Result<Rename, ValueError> {
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, rest)) if !rest.contains('/') => (name, Some(tag(rest)?)),
        _ => (text, None),
    };
    let name: Repository = name.parse().map_err(|error| name_part("its name", &error))?;
    Ok(Rename { name: name.as_str().to_owned(), tag })
}

pub(super) fn tag(text: &str) -> Result<Tag, ValueError> {
    text.parse().map_err(|error| name_part("its tag", &error))
}

/// `--owner`: in any case, since Gitea shows owners as they were made.
pub(super) fn owner(text: &str) -> Result<String, ValueError> {
    match text.to_lowercase().parse::<Repository>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(name_part("its name", &error)),
    }
}

/// The name of an image, without a tag.
pub(super) fn image(text: &str) -> Result<Repository, ValueError> {
    if text.contains([':', '@']) {
        return Err(ValueError::Form { form: "a name without tag and digest" });
    }
    text.parse().map_err(|error| name_part("its name", &error))
}

/// A password or token: never shown again, not even in an error.
pub(super) fn secret(text: &str) -> Result<Secret, ValueError> {
    if text.is_empty() { Err(ValueError::Empty) } else { Ok(Secret::new(text.to_owned())) }
}

/// A name that must say something.
pub(super) fn filled(text: &str) -> Result<String, ValueError> {
    if text.is_empty() { Err(ValueError::Empty) } else { Ok(text.to_owned()) }
}

/// `--compression HOW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompressionChoice {
    /// What fits the registry.
    Auto,
    These(Compression),
}

pub(super) fn compression(text: &str) -> Result<CompressionChoice, ValueError> {
    let form = ValueError::Form { form: "auto, none, gzip[:LEVEL] or zstd[:LEVEL]" };
    let (codec, level) = text.split_once(':').map_or((text, None), |(codec, level)| (codec, Some(level)));
    let codec = match (codec, level) {
        ("auto", None) => return Ok(CompressionChoice::Auto),
        ("none", None) => return Ok(CompressionChoice::These(Compression::None)),
        ("gzip", _) => Codec::Gzip,
        ("zstd", _) => Codec::Zstd,
        _ => return Err(form),
    };
    let level = level.map_or(Ok(1), str::parse).map_err(|_| form)?;
    let encoder = Encoder::new(codec, level)
        .map_err(|error| ValueError::Part { part: "the level", reason: error.to_string() })?;
    Ok(CompressionChoice::These(Compression::Pack(encoder)))
}

#[cfg(test)]
mod tests;
