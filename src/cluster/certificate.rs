use std::collections::BTreeMap;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::api::Api;
use super::localbuild::Localbuild;
use super::request::Request;
use super::secret::Encoded;
use super::{ClusterError, Note, SecretName, Topic, Trust};

/// An authority's file has a few; the system's own bundle has about 150.
const COUNT_LIMIT: usize = 512;

#[derive(Deserialize)]
struct ConfigMap {
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

/// Finds the certificate of the ingress at the first place that has one: the secret that idpbuilder
/// documents, the Localbuild, the `ConfigMap` for those who may read no secret, the secret of the ingress.
/// No private key is taken from any of them.
///
/// Places that cannot be read are passed over, since without a certificate the system's roots decide; then
/// `notes` says why.
pub(super) async fn find(api: &Api, localbuild: &Localbuild, hosts: &[&str], notes: &mut Vec<Note>) -> Trust {
    let mut missed = Vec::new();
    let mut tried = |place: &str, found: Result<Option<String>, ClusterError>| match found {
        Ok(Some(pem)) => match trust(&pem) {
            Ok(trust) => Some(trust),
            Err(reason) => {
                missed.push(format!("the certificate in {place} is of no use: {reason}"));
                None
            }
        },
        Ok(None) => None,
        Err(error) => {
            missed.push(error.to_string());
            None
        }
    };
    if let Some(trust) = tried("secret default/idpbuilder-cert", secret(api, "default", "ca.crt").await) {
        return trust;
    }
    if let Some(trust) = tried("the Localbuild", Ok(localbuild.certificate.clone())) {
        return trust;
    }
    if let Some(trust) = tried("ConfigMap argocd/argocd-tls-certs-cm", config_map(api, hosts).await) {
        return trust;
    }
    if let Some(trust) =
        tried("secret ingress-nginx/idpbuilder-cert", secret(api, "ingress-nginx", "tls.crt").await)
    {
        return trust;
    }
    let why = if missed.is_empty() { "it has none".to_owned() } else { missed.join("; ") };
    let text = format!("the cluster's certificate could not be found ({why}): the system's roots decide");
    notes.push(Note::new(Topic::Certificate, text));
    Trust::System
}

async fn secret(api: &Api, namespace: &str, key: &str) -> Result<Option<String>, ClusterError> {
    let request = Request::secret(&SecretName::new(namespace, "idpbuilder-cert"));
    let found: Option<Encoded> = api.get(&request).await?;
    Ok(found.and_then(|found| found.bytes(key)).map(|pem| String::from_utf8_lossy(&pem).into_owned()))
}

/// Argo CD's list of certificates, by host.
async fn config_map(api: &Api, hosts: &[&str]) -> Result<Option<String>, ClusterError> {
    let request = Request::config_map(&SecretName::new("argocd", "argocd-tls-certs-cm"));
    let found: Option<ConfigMap> = api.get(&request).await?;
    let data = found.and_then(|found| found.data).unwrap_or_default();
    Ok(hosts.iter().find_map(|host| data.get(*host)).cloned())
}

/// One certificate is that of the server, pinned; it is also good as a root. Several are roots.
fn trust(pem: &str) -> Result<Trust, String> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| "it is no PEM".to_owned())?;
        RootCertStore::empty().add(certificate.clone()).map_err(|_| "it is no certificate".to_owned())?;
        if certificates.len() == COUNT_LIMIT {
            return Err(format!("it has more than {COUNT_LIMIT} certificates in it"));
        }
        certificates.push(certificate.to_vec());
    }
    match certificates.pop() {
        None => Err("it has no certificate in it".to_owned()),
        Some(only) if certificates.is_empty() => Ok(Trust::Pinned(only)),
        Some(last) => {
            certificates.push(last);
            Ok(Trust::Roots(certificates))
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate() -> (String, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let made =
            CertificateParams::new(vec!["cnoe.localtest.me".into()]).unwrap().self_signed(&key).unwrap();
        (made.pem(), made.der().to_vec())
    }

    #[test]
    fn one_certificate_is_pinned_and_several_are_roots() {
        let ((one, one_der), (two, two_der)) = (certificate(), certificate());
        assert_eq!(trust(&one), Ok(Trust::Pinned(one_der.clone())));
        assert_eq!(trust(&format!("a comment\n{one}")), Ok(Trust::Pinned(one_der.clone())));
        assert_eq!(trust(&format!("{one}\n{two}")), Ok(Trust::Roots(vec![one_der, two_der])));
    }

    #[test]
    fn what_holds_no_certificate_is_refused() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for pem in ["", "no PEM", key.as_str(), no_der, cut] {
            assert!(trust(pem).is_err(), "{pem}");
        }
    }

    #[test]
    fn more_certificates_than_any_authority_has_are_refused() {
        let (one, _) = certificate();
        assert!(trust(&one.repeat(COUNT_LIMIT)).is_ok());
        assert!(trust(&one.repeat(COUNT_LIMIT + 1)).is_err());
    }
}
