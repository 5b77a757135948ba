use serde::Deserialize;
use serde_json::Value;

use crate::port::Scheme;

use super::answer::is_object_name;
use super::endpoint::Site;
use super::{ClusterError, Routing, SecretName};

/// A custom resource as it comes; what is taken from it is checked field by field.
#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResourceList {
    pub(super) items: Vec<Resource>,
}

/// What a Localbuild says of the cluster that `idpbuilder create` made from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Localbuild {
    pub(super) name: String,
    /// `spec.buildCustomization`; idpbuilder writes it since 0.8.0.
    pub(super) site: Option<Site>,
    /// PEM.
    pub(super) certificate: Option<String>,
    /// From the status, so a hint.
    pub(super) secret: Option<SecretName>,
    /// From the status, so a hint.
    pub(super) external_url: Option<String>,
}

impl Resource {
    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// # Errors
    /// `Localbuild` for a field of the specification that has another type, or cannot be part of an address.
    pub(super) fn read(self) -> Result<Localbuild, ClusterError> {
        let Self { metadata: Metadata { name }, spec, status } = self;
        let fields = Fields { localbuild: &name, customization: spec.get("buildCustomization") };
        let (site, certificate) = (fields.site()?, fields.text("selfSignedCert")?.map(str::to_owned));
        let gitea = status.get("gitea");
        let hint = |field| gitea.and_then(|gitea| gitea.get(field)?.as_str()).filter(|text| !text.is_empty());
        // The misspelling is the name of the field since its beginning.
        let secret = hint("adminUserSecretNameecret")
            .zip(hint("adminUserSecretNamespace"))
            .map(|(name, namespace)| SecretName::new(namespace, name))
            .filter(|secret| is_object_name(&secret.namespace) && is_object_name(&secret.name));
        let external_url = hint("externalURL").map(str::to_owned);
        Ok(Localbuild { name, site, certificate, secret, external_url })
    }
}

struct Fields<'a> {
    localbuild: &'a str,
    customization: Option<&'a Value>,
}

/// What `idpbuilder create` takes when it is not told otherwise.
const PORT: u16 = 8443;

impl<'a> Fields<'a> {
    fn site(&self) -> Result<Option<Site>, ClusterError> {
        let host = match self.text("host")? {
            Some(host) => host,
            None => match self.text("ingressHost")? {
                Some(host) => host,
                None => return Ok(None),
            },
        };
        let scheme = match self.text("protocol")? {
            None | Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some(other) => return Err(self.refused("protocol", other)),
        };
        let routing = match self.get("usePathRouting") {
            None | Some(Value::Bool(false)) => Routing::SubDomain,
            Some(Value::Bool(true)) => Routing::Path,
            Some(other) => return Err(self.refused("usePathRouting", &other.to_string())),
        };
        Ok(Some(Site { scheme, host: host.to_owned(), port: self.port()?, routing }))
    }

    /// idpbuilder writes a string.
    fn port(&self) -> Result<u16, ClusterError> {
        let port = match self.get("port") {
            None => return Ok(PORT),
            Some(Value::String(text)) if text.is_empty() => return Ok(PORT),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        port.parse().ok().filter(|port| *port != 0).ok_or_else(|| self.refused("port", &port))
    }

    /// Empty is as good as absent.
    fn text(&self, field: &'static str) -> Result<Option<&'a str>, ClusterError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => Err(self.refused(field, &other.to_string())),
        }
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.customization.and_then(|customization| customization.get(field)).filter(|value| !value.is_null())
    }

    fn refused(&self, field: &'static str, value: &str) -> ClusterError {
        let (name, value) = (self.localbuild.to_owned(), value.chars().take(256).collect());
        ClusterError::Localbuild { name, field, value }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(spec: &Value, status: &Value) -> Result<Localbuild, ClusterError> {
        let resource = json!({ "metadata": { "name": "localdev" }, "spec": spec, "status": status });
        serde_json::from_value::<Resource>(resource).unwrap().read()
    }

    fn customized(customization: &Value) -> Result<Option<Site>, ClusterError> {
        read(&json!({ "buildCustomization": customization }), &Value::Null).map(|localbuild| localbuild.site)
    }

    fn site(scheme: Scheme, host: &str, port: u16, routing: Routing) -> Site {
        Site { scheme, host: host.to_owned(), port, routing }
    }

    #[test]
    fn what_idpbuilder_writes_is_read() {
        let spec = json!({ "buildCustomization": { "protocol": "https", "host": "cnoe.localtest.me",
            "ingressHost": "cnoe.localtest.me", "port": "8443", "usePathRouting": false,
            "selfSignedCert": "PEM", "staticPassword": false }, "packageConfigs": {} });
        let status = json!({ "gitea": { "available": true, "externalURL": "https://gitea.cnoe.localtest.me:8443",
            "adminUserSecretNameecret": "gitea-credential", "adminUserSecretNamespace": "gitea" } });
        let expected = Localbuild {
            name: "localdev".into(),
            site: Some(site(Scheme::Https, "cnoe.localtest.me", 8443, Routing::SubDomain)),
            certificate: Some("PEM".into()),
            secret: Some(SecretName::new("gitea", "gitea-credential")),
            external_url: Some("https://gitea.cnoe.localtest.me:8443".into()),
        };
        assert_eq!(read(&spec, &status).unwrap(), expected);
    }

    #[test]
    fn the_site_is_read_field_by_field() {
        let table = [
            (json!({ "host": "a", "port": 443 }), Some(site(Scheme::Https, "a", 443, Routing::SubDomain))),
            (json!({ "host": "a" }), Some(site(Scheme::Https, "a", 8443, Routing::SubDomain))),
            (
                json!({ "host": "", "ingressHost": "b", "port": "" }),
                Some(site(Scheme::Https, "b", 8443, Routing::SubDomain)),
            ),
            (
                json!({ "host": "a", "ingressHost": "b" }),
                Some(site(Scheme::Https, "a", 8443, Routing::SubDomain)),
            ),
            (
                json!({ "host": "a", "protocol": "http", "port": "8080", "usePathRouting": true }),
                Some(site(Scheme::Http, "a", 8080, Routing::Path)),
            ),
            (json!({ "port": "8443" }), None),
            (json!({}), None),
            (Value::Null, None),
            (json!([1, 2]), None),
        ];
        for (customization, expected) in table {
            assert_eq!(customized(&customization).unwrap(), expected, "{customization}");
        }
    }

    #[test]
    fn a_field_of_another_type_is_named() {
        for (field, value) in [
            ("port", json!("https")),
            ("port", json!(0)),
            ("port", json!(-1)),
            ("port", json!(65536)),
            ("port", json!(8443.5)),
            ("protocol", json!("ftp")),
            ("protocol", json!(1)),
            ("host", json!({ "a": 1 })),
            ("usePathRouting", json!("yes")),
            ("selfSignedCert", json!([])),
        ] {
            let mut customization = json!({ "host": "a" });
            customization[field] = value.clone();
            let Err(ClusterError::Localbuild { field: found, .. }) = customized(&customization) else {
                panic!("{field} {value}")
            };
            assert_eq!(found, field);
        }
    }

    #[test]
    fn a_hint_that_is_no_name_of_a_secret_is_ignored() {
        for (name, namespace) in [("", "gitea"), ("a", ""), ("../x", "gitea"), ("a", "Gitea")] {
            let gitea = json!({ "adminUserSecretNameecret": name, "adminUserSecretNamespace": namespace });
            assert_eq!(read(&json!({}), &json!({ "gitea": gitea })).unwrap().secret, None);
        }
        assert_eq!(read(&json!({}), &json!({ "gitea": "x" })).unwrap().secret, None);
    }

    proptest! {
        #[test]
        fn any_port_is_read_as_a_string_or_as_a_number(port: u32) {
            let (text, number) = (customized(&json!({ "host": "a", "port": port.to_string() })),
                customized(&json!({ "host": "a", "port": port })));
            let expected = u16::try_from(port).ok().filter(|port| *port != 0);
            prop_assert_eq!(text.ok().flatten().map(|site| site.port), expected);
            prop_assert_eq!(number.ok().flatten().map(|site| site.port), expected);
        }
    }
}
