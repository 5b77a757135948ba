//! The address of an API server, read as kubectl reads it.

use http::Uri;
use kube::config::{AuthInfo, Cluster};
use url::Url;

/// The URL of a cluster's API server. An address without a scheme is HTTPS where certificates are named,
/// or leave to skip their check is given, and else HTTP (`DefaultServerURL` of client-go). A login in it is
/// left out: Kubernetes knows none of that kind since 1.19. Empty when the kubeconfig has none.
pub(super) fn address(cluster: &Cluster, login: Option<&AuthInfo>) -> String {
    let given = cluster.server.as_deref().unwrap_or_default();
    if given.is_empty() {
        return String::new();
    }
    let address = match given.contains("://") {
        true => given.to_owned(),
        false if speaks_tls(cluster, login) => format!("https://{given}"),
        false => format!("http://{given}"),
    };
    match Url::parse(&address) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            let cleared = url.set_username("").and_then(|()| url.set_password(None));
            cleared.map(|()| url.into()).unwrap_or_default()
        }
        _ => address,
    }
}

fn speaks_tls(cluster: &Cluster, login: Option<&AuthInfo>) -> bool {
    let certificates =
        login.and_then(|login| login.client_certificate.as_ref().or(login.client_certificate_data.as_ref()));
    cluster.certificate_authority.is_some()
        || cluster.certificate_authority_data.is_some()
        || cluster.insecure_skip_tls_verify.unwrap_or_default()
        || certificates.is_some()
}

/// # Errors
/// Why it is no address that can be asked, in words.
pub(in super::super) fn uri(address: &str) -> Result<Uri, String> {
    if address.is_empty() {
        return Err("the kubeconfig has no address of its API server".to_owned());
    }
    let none = || "the kubeconfig's address of its API server is none".to_owned();
    let url = Url::parse(address).map_err(|_| none())?;
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        return Err(format!(
            "the kubeconfig's address of its API server is neither http nor https: `{scheme}`"
        ));
    }
    url.as_str().parse().map_err(|_| none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(mut cluster: serde_json::Value, server: &str, login: &serde_json::Value) -> String {
        cluster["server"] = json!(server);
        let login: AuthInfo = serde_json::from_value(login.clone()).unwrap();
        address(&serde_json::from_value(cluster).unwrap(), Some(&login))
    }

    #[test]
    fn an_address_without_a_scheme_is_https_where_certificates_are_named() {
        let nothing = json!({});
        for (cluster, login, expected) in [
            (json!({}), json!({}), "http://127.0.0.1:17001"),
            (json!({ "insecure-skip-tls-verify": false }), json!({ "token": "t" }), "http://127.0.0.1:17001"),
            (json!({ "insecure-skip-tls-verify": true }), json!({}), "https://127.0.0.1:17001"),
            (json!({ "certificate-authority": "ca.crt" }), json!({}), "https://127.0.0.1:17001"),
            (json!({ "certificate-authority-data": "QQ==" }), json!({}), "https://127.0.0.1:17001"),
            (json!({}), json!({ "client-certificate": "c.crt" }), "https://127.0.0.1:17001"),
            (json!({}), json!({ "client-certificate-data": "QQ==" }), "https://127.0.0.1:17001"),
        ] {
            assert_eq!(read(cluster, "127.0.0.1:17001", &login), expected);
        }
        assert_eq!(read(json!({}), "localhost:6443", &nothing), "http://localhost:6443");
        assert_eq!(read(json!({}), "https://h:1/k8s/x", &nothing), "https://h:1/k8s/x");
        assert_eq!(read(json!({}), "", &nothing), "");
    }

    #[test]
    fn a_login_in_an_address_is_left_out() {
        assert_eq!(read(json!({}), "https://u:made-up@h:1/x", &json!({})), "https://h:1/x");
        assert_eq!(read(json!({}), "u:made-up@h:1", &json!({})), "http://h:1/");
    }

    #[test]
    fn what_is_no_address_of_http_is_refused() {
        for (address, expected) in [
            ("", "no address"),
            ("ftp://h", "neither http nor https: `ftp`"),
            ("unix:///run/k.sock", "neither http nor https: `unix`"),
            ("http://", "is none"),
            ("http://a b", "is none"),
            ("http://h:99999", "is none"),
            ("127.0.0.1:1", "is none"),
        ] {
            let reason = uri(address).unwrap_err();
            assert!(reason.contains(expected), "{address}: {reason}");
        }
        assert_eq!(uri("HTTPS://H:1").unwrap(), "https://h:1/");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_has_a_scheme_and_a_host(text in "(https?:)?(//)?\\PC{0,24}") {
            if let Ok(uri) = uri(&read(json!({}), &text, &json!({}))) {
                prop_assert!(uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()));
            }
        }
    }
}
