use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio_rustls::TlsAcceptor;

/// Shaped like the one that `idpbuilder create` makes: ECDSA P-256, self-signed, a CA and a server at once.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) pem: String,
    key: String,
}

impl Certificate {
    /// For `host` and `*.host`.
    pub(crate) fn of_cluster(host: &str) -> Self {
        Self::made(host, (2024, 2124))
    }

    /// One that was valid once.
    pub(crate) fn expired(host: &str) -> Self {
        Self::made(host, (2019, 2020))
    }

    /// One that will be valid some day.
    pub(crate) fn not_yet_valid(host: &str) -> Self {
        Self::made(host, (2124, 2224))
    }

    fn made(host: &str, (from, to): (i32, i32)) -> Self {
        let mut params = CertificateParams::new(vec![host.to_owned(), format!("*.{host}")])
            .expect("a host name of a test");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "cnoe.io");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate().expect("a new key");
        let pem = params.self_signed(&key).expect("a certificate of a new key").pem();
        Self { pem, key: key.serialize_pem() }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let chain = rustls::pki_types::CertificateDer::pem_slice_iter(self.pem.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("our own PEM");
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("our own PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the versions that ring has")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a key of its own certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}
