use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::cluster::Pod;

pub(super) const LOCALBUILDS: &str = "/apis/idpbuilder.cnoe.io/v1alpha1/localbuilds";
pub(super) const CREDENTIAL: &str = "/api/v1/namespaces/gitea/secrets/gitea-credential";
pub(super) const CERTIFICATE: &str = "/api/v1/namespaces/default/secrets/idpbuilder-cert";
pub(super) const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/gitea/ingresses/my-gitea-custom";
pub(super) const NODES: &str = "/api/v1/nodes?limit=100";

/// A Kubernetes API on 127.0.0.1 that answers from a table.
pub(super) struct Api {
    pub(super) server: String,
    /// The authority of its certificate, in base64 of PEM.
    authority: Option<String>,
    /// Heads of the requests, in lower case.
    seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Status and body by path; what has none is not there.
#[derive(Clone, Default)]
pub(super) struct Answers(HashMap<String, (u16, String)>);

impl Answers {
    pub(super) fn object(mut self, path: &str, object: &Value) -> Self {
        self.0.insert(path.to_owned(), (200, object.to_string()));
        self
    }

    pub(super) fn secret(self, path: &str, fields: &[(&str, &str)]) -> Self {
        let data: serde_json::Map<_, _> =
            fields.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
        self.object(path, &json!({ "kind": "Secret", "data": data }))
    }

    pub(super) fn refusal(mut self, path: &str, code: u16, message: &str) -> Self {
        let status = json!({ "kind": "Status", "status": "Failure", "message": message, "code": code });
        self.0.insert(path.to_owned(), (code, status.to_string()));
        self
    }

    pub(super) fn without(mut self, path: &str) -> Self {
        self.0.remove(path);
        self
    }

    /// What `idpbuilder create` leaves, with this `buildCustomization`.
    pub(super) fn cluster(customization: &Value) -> Self {
        let status = json!({ "gitea": { "adminUserSecretNameecret": "gitea-credential",
            "adminUserSecretNamespace": "gitea" } });
        let localbuild = json!({ "metadata": { "name": "localdev" }, "spec": { "buildCustomization": customization },
            "status": status });
        let annotations = json!({ "nginx.ingress.kubernetes.io/proxy-body-size": "512m" });
        let facts = json!({ "operatingSystem": "linux", "architecture": "arm64" });
        Self::default()
            .object(LOCALBUILDS, &json!({ "items": [localbuild] }))
            .secret(
                CREDENTIAL,
                &[("username", "giteaAdmin"), ("password", "made-up"), ("token", "made-up-too")],
            )
            .object(INGRESS, &json!({ "metadata": { "annotations": annotations } }))
            .object(NODES, &json!({ "items": [{ "status": { "nodeInfo": facts } }] }))
    }

    fn to(&self, path: &str) -> String {
        let missing = || {
            if path.starts_with("/apis/idpbuilder.cnoe.io/") {
                // A kind that is not there is answered by the server's router, and not in JSON.
                return (404, "404 page not found\n".to_owned());
            }
            (404, json!({ "kind": "Status", "code": 404, "message": "not found" }).to_string())
        };
        let (code, body) = self.0.get(path).cloned().unwrap_or_else(missing);
        let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
        format!("HTTP/1.1 {code} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }
}

impl Api {
    pub(super) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, None, answers, seen.clone()));
        Self { server, authority: None, seen, task }
    }

    pub(super) async fn start_tls(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("https://{}", listener.local_addr().unwrap());
        let (acceptor, authority) = tls();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, Some(acceptor), answers, seen.clone()));
        Self { server, authority: Some(STANDARD.encode(authority)), seen, task }
    }

    /// What a pod of this cluster would have.
    pub(super) fn as_of_a_pod(&self) -> (TempDir, Pod) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "made-up").unwrap();
        let authority = STANDARD.decode(self.authority.as_ref().unwrap()).unwrap();
        fs::write(folder.path().join("ca.crt"), authority).unwrap();
        let port = self.server.rsplit_once(':').unwrap().1.to_owned();
        let pod = Pod { host: "127.0.0.1".to_owned(), port, folder: folder.path().to_owned() };
        (folder, pod)
    }

    /// Its address as kubectl takes it too.
    pub(super) fn without_scheme(mut self) -> Self {
        self.server = self.server.split("//").last().unwrap().to_owned();
        self
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answers: Answers,
    seen: Arc<Mutex<Vec<String>>>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, answers, seen) = (tls.clone(), answers.clone(), seen.clone());
        tokio::spawn(async move {
            match tls {
                None => answer(stream, &answers, &seen).await,
                Some(tls) => answer(tls.accept(stream).await.unwrap(), &answers, &seen).await,
            }
        });
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, answers: &Answers, seen: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while stream.read_line(&mut head).await.is_ok_and(|len| len > 0) {
        if head.ends_with("\r\n\r\n") {
            let path = head.split(' ').nth(1).unwrap();
            let answer = answers.to(path);
            seen.lock().unwrap().push(head.to_lowercase());
            head.clear();
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

fn tls() -> (TlsAcceptor, String) {
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = root.self_signed(&root_key).unwrap().pem();
    let issuer = Issuer::new(root, root_key);
    let leaf = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (Arc::new(config).into(), pem)
}

/// A listener that never answers, as a paused container's.
pub(super) struct Dead {
    pub(super) server: String,
    _listener: std::net::TcpListener,
}

impl Dead {
    pub(super) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self { server: format!("http://{}", listener.local_addr().unwrap()), _listener: listener }
    }
}

/// A kubeconfig in a folder of its own; the first context is the current one.
pub(super) struct File {
    folder: TempDir,
    text: String,
}

impl File {
    pub(super) fn new(current: &str) -> Self {
        let text = format!(
            "current-context: {current}\nusers:\n- {{name: dev, user: {{token: made-up}}}}\n- {{name: cloud, user: \
             {{exec: {{apiVersion: v1, command: ./login}}}}}}\ncontexts: []\n"
        );
        Self { folder: tempfile::tempdir().unwrap(), text }
    }

    /// A document of its own for each context: the reader merges them.
    pub(super) fn context(mut self, name: &str, server: &str) -> Self {
        self.add(name, server, "dev", "");
        self
    }

    pub(super) fn of(self, name: &str, api: &Api) -> Self {
        let mut this = self;
        let authority = api.authority.as_ref().map(|pem| format!(", certificate-authority-data: {pem}"));
        this.add(name, &api.server, "dev", &authority.unwrap_or_default());
        this
    }

    pub(super) fn with_plugin(mut self, name: &str, api: &Api) -> Self {
        self.add(name, &api.server, "cloud", "");
        self
    }

    fn add(&mut self, name: &str, server: &str, user: &str, more: &str) {
        write!(
            self.text,
            "---\nclusters:\n- {{name: {name}, cluster: {{server: '{server}'{more}}}}}\ncontexts:\n- {{name: {name}, \
             context: {{cluster: {name}, user: {user}}}}}\n"
        )
        .unwrap();
    }

    pub(super) fn path(&self) -> PathBuf {
        let path = self.folder.path().join("config");
        fs::write(&path, &self.text).unwrap();
        path
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The listening port of nobody.
pub(super) async fn refused_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(TcpStream::connect(address).await.is_err());
    format!("http://{address}")
}
