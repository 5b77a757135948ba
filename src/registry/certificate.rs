use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::tls::fingerprint;
use crate::port::NetworkFault;

/// Names beyond these are not shown.
const MOST_NAMES: usize = 64;

/// What a server's certificate says of itself. Nothing is checked here but that it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    /// Host names, with or without a wildcard, and addresses.
    pub names: Vec<String>,
    /// SHA-256, as `AB:CD:...`.
    pub fingerprint: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Reads DER; `None` for what is no certificate. `WebPKI`, which judges it in a handshake, is asked for
    /// a time before and a time after all certificates, and says from when and until when it would be valid.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let der = CertificateDer::from(der.to_vec());
        let read = EndEntityCert::try_from(&der).ok()?;
        let (Error::CertNotValidYet { not_before, .. }, Error::CertExpired { not_after, .. }) =
            (judged(&read, Duration::ZERO)?, judged(&read, Duration::from_secs(u64::MAX))?)
        else {
            return None;
        };
        let (not_before, not_after) = (system_time(not_before)?, system_time(not_after)?);
        let (names, fingerprint) = (names(&read), fingerprint(&der));
        Some(Self { not_before, not_after, names, fingerprint, der })
    }

    /// Why a handshake with this host would end at this time, if by nothing else: its dates or its names.
    #[must_use]
    pub fn fault(&self, host: &str, now: SystemTime) -> Option<NetworkFault> {
        if now > self.not_after {
            return Some(NetworkFault::Expired { reason: valid_until(self.not_after) });
        }
        if now < self.not_before {
            return Some(NetworkFault::Expired { reason: valid_from(self.not_before) });
        }
        (!self.is_for(host)).then(|| NetworkFault::WrongName { reason: is_for(&self.names) })
    }

    fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        EndEntityCert::try_from(&self.der)
            .is_ok_and(|read| read.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

pub(super) fn valid_until(not_after: SystemTime) -> String {
    format!("it was valid until {}", httpdate::fmt_http_date(not_after))
}

pub(super) fn valid_from(not_before: SystemTime) -> String {
    format!("it is valid from {}", httpdate::fmt_http_date(not_before))
}

pub(super) fn is_for(names: &[String]) -> String {
    format!("it is for {}", names.join(", "))
}

fn judged(certificate: &EndEntityCert<'_>, at: Duration) -> Option<Error> {
    let now = UnixTime::since_unix_epoch(at);
    certificate.verify_for_usage(&[], &[], &[], now, KeyUsage::server_auth(), None, None).err()
}

fn system_time(time: UnixTime) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()))
}

/// `WebPKI` tells all names when it is asked for one that no certificate can have. It tells each as
/// `DnsName("name")` or `IpAddress(address)`.
fn names(certificate: &EndEntityCert<'_>) -> Vec<String> {
    let Ok(nobody) = ServerName::try_from("nobody.invalid") else { return Vec::new() };
    match certificate.verify_is_valid_for_subject_name(&nobody) {
        Err(Error::CertNotValidForName(context)) => {
            context.presented.iter().take(MOST_NAMES).map(|name| bare(name).to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// A name as `WebPKI` tells it, without what kind it is of.
pub(super) fn bare(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest.strip_suffix(')').unwrap_or(rest));
    inner.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    /// As idpbuilder makes it: its own authority.
    fn der(names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 2);
        params.not_after = date_time_ymd(2021, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_its_dates_and_names() {
        let read =
            Certificate::read(&der(&["cnoe.localtest.me", "*.cnoe.localtest.me", "127.0.0.1"])).unwrap();
        let date = |text| httpdate::parse_http_date(text).unwrap();
        assert_eq!(read.not_before, date("Thu, 02 Jan 2020 00:00:00 GMT"));
        assert_eq!(read.not_after, date("Thu, 04 Mar 2021 00:00:00 GMT"));
        assert_eq!(read.names, ["cnoe.localtest.me", "*.cnoe.localtest.me", "127.0.0.1"]);
        for host in ["cnoe.localtest.me", "gitea.cnoe.localtest.me", "127.0.0.1"] {
            assert!(read.is_for(host), "{host}");
        }
        for host in ["localtest.me", "a.b.cnoe.localtest.me", "127.0.0.2", "", "a b"] {
            assert!(!read.is_for(host), "{host}");
        }
    }

    #[test]
    fn what_a_handshake_would_end_by_is_known_before() {
        let read = Certificate::read(&der(&["cnoe.localtest.me"])).unwrap();
        let on = |text: &str| httpdate::parse_http_date(text).unwrap();
        let (before, within) = (on("Wed, 01 Jan 2020 00:00:00 GMT"), on("Wed, 01 Jul 2020 00:00:00 GMT"));
        let after = on("Fri, 05 Mar 2021 00:00:00 GMT");
        let fault = |host, now| read.fault(host, now).map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(fault("cnoe.localtest.me", within), "");
        assert!(
            fault("cnoe.localtest.me", after).ends_with("it was valid until Thu, 04 Mar 2021 00:00:00 GMT")
        );
        assert!(
            fault("cnoe.localtest.me", before).ends_with("it is valid from Thu, 02 Jan 2020 00:00:00 GMT")
        );
        assert!(fault("other.example", within).ends_with("it is for cnoe.localtest.me"));
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        let whole = der(&["x"]);
        for der in [&[][..], b"x", &whole[..whole.len() - 1]] {
            assert_eq!(Certificate::read(der), None);
        }
    }
}
