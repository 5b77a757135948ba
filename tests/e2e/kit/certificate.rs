use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

/// Of an ingress.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) key: String,
}

impl Certificate {
    /// Shaped like the one that `idpbuilder create` makes: ECDSA P-256, self-signed, a CA and a server at once.
    pub(crate) fn of_cluster(host: &str) -> Result<Self> {
        let mut params = CertificateParams::new(vec![host.to_owned(), format!("*.{host}")])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "cnoe.io");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        Ok(Self { pem: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
    }

    /// Of an authority that the user brought, and the authority's own certificate in PEM.
    pub(crate) fn of_an_authority(host: &str) -> Result<(Self, String)> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "an authority of the user's own");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate()?;
        let pem = authority.self_signed(&authority_key)?.pem();
        let mut params = CertificateParams::new(vec![host.to_owned(), format!("*.{host}")])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let signed = params.signed_by(&key, &Issuer::new(authority, authority_key))?;
        Ok((Self { pem: signed.pem(), key: key.serialize_pem() }, pem))
    }
}
