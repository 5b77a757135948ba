use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};

use crate::oci::sha256;

/// How the registry's certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's roots, and these certificates in DER (`--ca-file`).
    System { further: Vec<Vec<u8>> },
    /// Only these certificates in DER: what the cluster says that its ingress shows.
    Only(Vec<Vec<u8>>),
    /// None is checked (`--insecure`). The connection is encrypted all the same.
    Nothing,
}

/// Why no TLS can be spoken at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("certificate {position} is not one that can be trusted: {reason}")]
    Certificate { position: usize, reason: String },
    #[error("TLS cannot be set up: {reason}")]
    Setup { reason: String },
}

/// A client's TLS, and the last certificate that a server showed.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    shown: Shown,
}

type Shown = Arc<Mutex<Option<CertificateDer<'static>>>>;

impl Tls {
    pub(super) fn new(trust: &Trust) -> Result<Self, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let shown = Arc::default();
        let check = match trust {
            Trust::Nothing => Check::Nothing,
            Trust::System { further } => Check::Anchored {
                webpki: webpki(system_roots(), further, &provider)?,
                anchors: ders(further),
            },
            Trust::Only(certificates) => Check::Anchored {
                webpki: webpki(RootCertStore::empty(), certificates, &provider)?,
                anchors: ders(certificates),
            },
        };
        let verifier = Verifier { check, provider: Arc::clone(&provider), shown: Arc::clone(&shown) };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Setup { reason: error.to_string() })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), shown })
    }

    /// `AB:CD:...` of the leaf that the server showed last.
    pub(super) fn fingerprint(&self) -> Option<String> {
        self.shown().as_ref().map(fingerprint)
    }

    /// The leaf that the server showed last.
    pub(super) fn shown(&self) -> Option<CertificateDer<'static>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ders(certificates: &[Vec<u8>]) -> Vec<CertificateDer<'static>> {
    certificates.iter().map(|der| CertificateDer::from(der.clone())).collect()
}

/// Roots that cannot be read are left out, as other clients do; none at all means that none is trusted.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn webpki(
    mut roots: RootCertStore,
    further: &[Vec<u8>],
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, TrustError> {
    for (position, certificate) in ders(further).into_iter().enumerate() {
        roots
            .add(certificate)
            .map_err(|error| TrustError::Certificate { position: position + 1, reason: error.to_string() })?;
    }
    if roots.is_empty() {
        return Ok(None);
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map(Some)
        .map_err(|error| TrustError::Setup { reason: error.to_string() })
}

#[derive(Debug)]
enum Check {
    Anchored { webpki: Option<Arc<WebPkiServerVerifier>>, anchors: Vec<CertificateDer<'static>> },
    Nothing,
}

/// idpbuilder's certificate is its own authority and the server's at once. `WebPKI` refuses such a leaf
/// (`CaUsedAsEndEntity`) although it is among the roots; exactly then, a leaf that equals one of the
/// given certificates and is valid for the name is taken. Expiry is checked before, signatures after.
#[derive(Debug)]
struct Verifier {
    check: Check,
    provider: Arc<CryptoProvider>,
    shown: Shown,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        let (webpki, anchors) = match &self.check {
            Check::Nothing => return Ok(ServerCertVerified::assertion()),
            Check::Anchored { webpki: None, .. } => return Err(CertificateError::UnknownIssuer.into()),
            Check::Anchored { webpki: Some(webpki), anchors } => (webpki, anchors),
        };
        let checked = webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            Err(error) if is_ca_as_end_entity(&error) && anchors.contains(end_entity) => {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// rustls has no variant of its own for it: it is `WebPKI`'s error in a wrapper.
pub(super) fn is_ca_as_end_entity(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else {
        return false;
    };
    matches!(inner.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// SHA-256, as `AB:CD:...`.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = sha256(certificate).digest().to_ascii_uppercase();
    let pairs: Vec<String> =
        digest.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
    pairs.join(":")
}
