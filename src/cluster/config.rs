use std::fs::File;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri, header};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use kube::config::{AuthInfo, Cluster, Config, ExecAuthCluster, Kubeconfig};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::kubeconfig::{Context, FILE_LIMIT, uri};

/// What kube needs for one context. Made here, since kube's own way asks the environment for a proxy
/// before anything else, and fails for all clusters when it finds one that it cannot parse there.
///
/// # Errors
/// The reason, in words: a context whose cluster is missing, an address or certificates that are none.
pub(super) fn config(document: &Kubeconfig, context: &Context) -> Result<Config, String> {
    config_with(&Matcher::from_env(), document, context)
}

fn config_with(proxies: &Matcher, document: &Kubeconfig, context: &Context) -> Result<Config, String> {
    let cluster = cluster(document, context).ok_or("the kubeconfig has no cluster for it")?;
    let mut config = Config::new(uri(&context.server)?);
    config.proxy_url = match own_proxy(cluster)? {
        None if context.is_loopback() => None,
        None => proxies.intercept(&config.cluster_url).map(|proxy| with_login(&proxy)),
        own => own,
    };
    config.root_cert = roots(cluster)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or_default();
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.auth_info = login(document, context);
    if let Some(exec) = &mut config.auth_info.exec
        && exec.provide_cluster_info
    {
        exec.cluster = Some(ExecAuthCluster::try_from(cluster).map_err(|error| error.to_string())?);
    }
    let agent = HeaderValue::from_static(concat!("idpbuilder-push/", env!("CARGO_PKG_VERSION")));
    config.headers.push((header::USER_AGENT, agent));
    // A retry would only eat the time limit, and hide what the server said.
    config.default_retry = false;
    Ok(config)
}

fn cluster<'a>(document: &'a Kubeconfig, context: &Context) -> Option<&'a Cluster> {
    document.clusters.iter().find(|named| named.name == context.cluster)?.cluster.as_ref()
}

/// A user that is not there is nobody, as for kubectl.
fn login(document: &Kubeconfig, context: &Context) -> AuthInfo {
    let named = document.auth_infos.iter().find(|named| named.name == context.user);
    named.and_then(|named| named.auth_info.clone()).unwrap_or_default()
}

/// The kubeconfig's own proxy. That of the environment is second to it, and never stands before this machine.
fn own_proxy(cluster: &Cluster) -> Result<Option<Uri>, String> {
    let Some(own) = cluster.proxy_url.as_deref() else { return Ok(None) };
    let own = own.parse().ok();
    // kube's own message would show the password in it.
    own.filter(|url: &Uri| matches!(url.scheme_str(), Some("http" | "https" | "socks5")))
        .map(Some)
        .ok_or_else(|| "the kubeconfig's proxy-url is no address of a proxy".to_owned())
}

/// The proxy's URI with the login back in it, from where kube takes it.
fn with_login(proxy: &Intercept) -> Uri {
    with_userinfo(proxy).unwrap_or_else(|| proxy.uri().clone())
}

fn with_userinfo(proxy: &Intercept) -> Option<Uri> {
    let basic = proxy.basic_auth()?.to_str().ok()?.strip_prefix("Basic ")?;
    let login = Zeroizing::new(STANDARD.decode(basic).ok()?);
    let (user, password) = std::str::from_utf8(&login).ok()?.split_once(':')?;
    let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let mut parts = proxy.uri().clone().into_parts();
    let host = parts.authority?;
    parts.authority = format!("{}:{}@{host}", escaped(user), escaped(password)).parse().ok();
    Uri::from_parts(parts).ok()
}

/// The certificates in the kubeconfig, else in the file that it names; without either the system's.
fn roots(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, String> {
    let none = || "the kubeconfig's certificate authority is no certificate".to_owned();
    let pem = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) => STANDARD.decode(data).map_err(|_| none())?,
        (None, Some(file)) => read(file).map_err(|error| format!("could not read `{file}`: {error}"))?,
        (None, None) => return Ok(None),
    };
    let certificates = CertificateDer::pem_slice_iter(&pem).map(|found| found.map(|found| found.to_vec()));
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|_| none())?;
    if certificates.is_empty() { Err(none()) } else { Ok(Some(certificates)) }
}

fn read(path: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(cluster: &str) -> Result<Config, String> {
        made_behind(&Matcher::builder().build(), cluster)
    }

    fn made_behind(proxies: &Matcher, cluster: &str) -> Result<Config, String> {
        let text = format!(
            "clusters:\n- {{name: c, cluster: {{{cluster}}}}}\nusers:\n- {{name: u, user: {{token: made-up}}}}\n"
        );
        let document = Kubeconfig::from_yaml(&text).unwrap();
        let server = document.clusters[0].cluster.as_ref().unwrap().server.clone().unwrap_or_default();
        let (name, cluster, user) = ("x".to_owned(), "c".to_owned(), "u".to_owned());
        config_with(proxies, &document, &Context { name, cluster, server, user, plugin: None })
    }

    #[test]
    fn the_login_of_a_proxy_of_the_environment_is_kept_as_kube_reads_it() {
        let behind = |proxy: &str, cluster: &str| {
            let config = made_behind(&Matcher::builder().all(proxy).build(), cluster).unwrap();
            config.proxy_url.map(|url| url.to_string())
        };
        let far = "server: 'https://k8s.example'";
        for (proxy, expected) in [
            ("http://u:p@proxy:1", "http://u:p@proxy:1/"),
            ("http://u%40x:p%3A%2f@proxy:1", "http://u%40x:p%3A%2F@proxy:1/"),
            ("https://u@proxy", "https://u:@proxy/"),
            ("proxy:1", "http://proxy:1/"),
            ("http://[::1]:3128", "http://[::1]:3128/"),
            ("http://u:p@[::1]:3128", "http://u:p@[::1]:3128/"),
        ] {
            assert_eq!(behind(proxy, far).as_deref(), Some(expected), "{proxy}");
        }
        assert_eq!(behind("http://u:p@proxy:1", "server: 'https://127.0.0.1:1'"), None);
        let own = behind("http://u:p@proxy:1", &format!("{far}, proxy-url: 'http://own:2'"));
        assert_eq!(own.as_deref(), Some("http://own:2/"));
    }

    #[test]
    fn a_context_is_read_whole() {
        let config = made(
            "server: 'https://k8s.example:6443', insecure-skip-tls-verify: true, tls-server-name: n, proxy-url: 'http://p:1'",
        )
        .unwrap();
        assert_eq!(config.cluster_url.host(), Some("k8s.example"));
        assert!(config.accept_invalid_certs && config.root_cert.is_none());
        assert_eq!(config.tls_server_name.as_deref(), Some("n"));
        assert_eq!(config.proxy_url.unwrap().authority().unwrap().as_str(), "p:1");
        assert!(config.auth_info.token.is_some());
    }

    #[test]
    fn the_authority_is_read_from_the_kubeconfig_or_from_its_file() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made_up = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let (pem, der) = (made_up.pem(), made_up.der().to_vec());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        std::fs::write(&file, &pem).unwrap();
        for authority in [
            format!("certificate-authority-data: {}", STANDARD.encode(&pem)),
            format!("certificate-authority: '{}'", file.display()),
        ] {
            let config = made(&format!("server: 'https://127.0.0.1:1', {authority}")).unwrap();
            assert_eq!(config.root_cert, Some(vec![der.clone()]));
        }
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        for (cluster, expected) in [
            ("proxy-url: x", "no address of its API server"),
            ("server: 'https://h', certificate-authority-data: '%'", "no certificate"),
            ("server: 'ftp://h'", "neither http nor https"),
            ("server: '127.0.0.1:17001'", "address of its API server is none"),
            ("server: 'https://h', certificate-authority: /no/such/ca", "could not read `/no/such/ca`"),
            ("server: 'https://h', proxy-url: 'a b'", "proxy-url is no address"),
            ("server: 'https://h', proxy-url: 'ftp://u:made-up@p'", "proxy-url is no address of a proxy"),
        ] {
            let reason = made(cluster).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
