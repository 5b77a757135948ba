use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::connect::Stream;
use super::resolve::is_loopback_name;
use crate::port::{NetworkFault, Origin, Scheme, Secret};

/// A proxy's answer is a status line and a few headers.
const LONGEST_ANSWER: usize = 16 * 1024;
/// A proxy connects to the registry before it answers.
const TUNNEL: Duration = Duration::from_secs(20);

/// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say. This machine is always reached
/// directly, by whatever name.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

/// The hop before the registry.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) origin: Origin,
    /// The whole value of `Proxy-Authorization`.
    authorization: Option<Secret>,
}

impl Proxies {
    /// Empty values mean none.
    #[must_use]
    pub fn new(http: &str, https: &str, all: &str, no: &str) -> Self {
        if [http, https, all].iter().all(|value| value.is_empty()) {
            return Self(None);
        }
        Self(Some(Arc::new(Matcher::builder().http(http).https(https).all(all).no(no).build())))
    }

    /// `None`: the origin is reached directly.
    ///
    /// A proxy is spoken to in plain HTTP only. One that is to be reached otherwise is an error, since
    /// its login would go there for everybody to read.
    pub(super) fn for_origin(&self, origin: &Origin) -> Result<Option<Proxy>, NetworkFault> {
        if is_loopback_name(origin.host()) {
            return Ok(None);
        }
        let intercept = self.0.as_ref().and_then(|proxies| {
            let uri = origin.to_string().parse().ok()?;
            proxies.intercept(&uri)
        });
        let Some(intercept) = intercept else { return Ok(None) };
        let uri = intercept.uri();
        let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
        let port = uri.port_u16().unwrap_or(Scheme::Http.default_port());
        let proxy = Origin::new(Scheme::Http, host.trim_matches(['[', ']']), port);
        if scheme != "http" {
            let reason = format!("its scheme is `{}`, and only `http` is supported", scheme.escape_debug());
            return Err(NetworkFault::Proxy { proxy: proxy.authority(), reason });
        }
        let authorization =
            intercept.basic_auth().and_then(|value| Some(Secret::new(value.to_str().ok()?.to_owned())));
        Ok(Some(Proxy { origin: proxy, authorization }))
    }
}

/// Asks the proxy for a way to the origin (RFC 9110, 9.3.6).
pub(super) async fn tunnel(
    stream: &mut impl Stream,
    proxy: &Proxy,
    origin: &Origin,
) -> Result<(), NetworkFault> {
    let asked = timeout(TUNNEL, connect(stream, proxy, origin)).await;
    asked
        .unwrap_or_else(|_| Err(format!("no answer to CONNECT for {} s", TUNNEL.as_secs())))
        .map_err(|reason| NetworkFault::Proxy { proxy: proxy.origin.authority(), reason })
}

/// `Err` is the reason.
async fn connect(stream: &mut impl Stream, proxy: &Proxy, origin: &Origin) -> Result<(), String> {
    let host = origin.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let to = format!("{host}:{}", origin.port());
    let login = proxy.authorization.as_ref().map(Secret::expose);
    let login = login.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{login}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.map_err(|error| error.to_string())?);
        if answer.len() > LONGEST_ANSWER {
            return Err("its answer does not end".to_owned());
        }
    }
    let text = String::from_utf8_lossy(&answer);
    match text.split(' ').nth(1).unwrap_or_default() {
        "200" => Ok(()),
        status => Err(format!("it answered {} to CONNECT", status.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> Proxies {
        Proxies::new("http://web:3128", "http://u:p@secure:3129", "", "internal.example")
    }

    fn hop(origin: &str) -> Option<String> {
        let (scheme, host) = origin.split_once("://").unwrap();
        let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
        let proxy = proxies().for_origin(&Origin::parse(scheme, host).unwrap()).unwrap();
        proxy.map(|proxy| proxy.origin.authority())
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        assert_eq!(hop("https://r.example").as_deref(), Some("secure:3129"));
        assert_eq!(hop("http://r.example").as_deref(), Some("web:3128"));
        assert_eq!(hop("https://internal.example"), None);
    }

    #[test]
    fn this_machine_is_reached_directly() {
        for origin in ["https://gitea.cnoe.localtest.me:8443", "http://localhost:5000", "http://127.0.0.1"] {
            assert_eq!(hop(origin), None, "{origin}");
        }
    }

    #[tokio::test]
    async fn a_refusal_names_the_proxy_and_no_login() {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.unwrap();
        let origin = Origin::parse(Scheme::Https, "r.example").unwrap();
        let proxy = proxies().for_origin(&origin).unwrap().unwrap();
        let error = tunnel(&mut ours, &proxy, &origin).await.unwrap_err();
        assert_eq!(error.to_string(), "the proxy secure:3129 cannot be used: it answered 407 to CONNECT");
        assert!(!format!("{proxy:?}").contains("Basic"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_that_says_nothing_is_not_waited_for() {
        let (mut ours, _theirs) = tokio::io::duplex(1024);
        let origin = Origin::parse(Scheme::Https, "r.example").unwrap();
        let proxy = proxies().for_origin(&origin).unwrap().unwrap();
        let error = tunnel(&mut ours, &proxy, &origin).await.unwrap_err();
        assert!(error.to_string().ends_with("no answer to CONNECT for 20 s"), "{error}");
    }

    #[test]
    fn a_proxy_that_wants_tls_or_socks_is_refused_before_its_login_is_sent() {
        let origin = Origin::parse(Scheme::Https, "r.example").unwrap();
        for proxy in ["https://u:p@secure:443", "socks5://u:p@secure:1080"] {
            let error = Proxies::new("", proxy, "", "").for_origin(&origin).unwrap_err();
            assert!(error.to_string().contains("only `http` is supported"), "{error}");
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }
}
