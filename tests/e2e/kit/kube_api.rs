use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::authority::Authority;
use super::process::{Server, built, free_port};

const GO_MOD: &str = include_str!("../../servers/kubernetes/go.mod");

/// A Kubernetes API without nodes: etcd and kube-apiserver, in the version that idpbuilder's kind uses.
pub(crate) struct KubeApi {
    _api: Server,
    _etcd: Server,
    folder: TempDir,
    kubectl: PathBuf,
}

impl KubeApi {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-kube-").tempdir()?;
        let kubectl = built("kubectl", "k8s.io/kubernetes", GO_MOD)?.join("kubectl");
        let authority = Authority::new(folder.path())?;
        authority.server("server")?;
        authority.client("kubernetes-admin", "/O=kubeadm:cluster-admins/CN=kubernetes-admin")?;
        authority.client("super-admin", "/O=system:masters/CN=kubernetes-super-admin")?;
        authority.client("developer", "/CN=developer")?;
        let (etcd, endpoint) = start_etcd(folder.path())?;
        let port = free_port()?;
        for user in ["kubernetes-admin", "super-admin", "developer"] {
            fs::write(folder.path().join(format!("{user}.kubeconfig")), kubeconfig(&authority, user, port)?)?;
        }
        let admin = folder.path().join("super-admin.kubeconfig");
        let api =
            Server::start("kube-apiserver", &mut apiserver(folder.path(), port, &endpoint)?, folder.path())?
                .ready(Duration::from_secs(90), || {
                    // kubectl costs more than the wait: not before somebody listens.
                    if TcpStream::connect(("127.0.0.1", port)).is_err() {
                        return false;
                    }
                    let mut ask = Command::new(&kubectl);
                    ask.arg("--kubeconfig").arg(&admin).args(["get", "--raw", "/readyz"]);
                    ask.output().is_ok_and(|ran| ran.status.success())
                })?;
        Ok(Self { _api: api, _etcd: etcd, folder, kubectl })
    }

    /// What `idpbuilder create` leaves in `~/.kube/config`: cluster, user and context are `kind-localdev`.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubernetes-admin.kubeconfig")
    }

    /// The same API under the context `kind-<name>`, alone in its file.
    pub(crate) fn kubeconfig_named(&self, name: &str) -> Result<PathBuf> {
        let text = fs::read_to_string(self.kubeconfig())?.replace("kind-localdev", &format!("kind-{name}"));
        let path = self.folder.path().join(format!("{name}.kubeconfig"));
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Of a user who may find the cluster and must not read secrets.
    pub(crate) fn developer_kubeconfig(&self) -> PathBuf {
        self.folder.path().join("developer.kubeconfig")
    }

    pub(crate) fn kubectl_path(&self) -> &Path {
        &self.kubectl
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with_input(arguments, "")
    }

    /// Server-side apply; by system:masters, since the rights of all others are objects too.
    pub(crate) fn apply(&self, objects: &[Value]) -> Result<()> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        self.kubectl_with_input(&["apply", "--server-side", "-f", "-"], &list.to_string()).map(drop)
    }

    fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(self.folder.path().join("super-admin.kubeconfig")).args(arguments);
        command.env("HOME", self.folder.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
        let ran = child.wait_with_output()?;
        ensure!(
            ran.status.success(),
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&ran.stderr)
        );
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

fn start_etcd(folder: &Path) -> Result<(Server, String)> {
    let (client, peer) = (free_port()?, free_port()?);
    let endpoint = format!("http://127.0.0.1:{client}");
    let mut etcd = Command::new("etcd");
    etcd.arg("--data-dir").arg(folder.join("etcd")).arg("--unsafe-no-fsync");
    etcd.args(["--listen-client-urls", &endpoint, "--advertise-client-urls", &endpoint]);
    let peer = format!("http://127.0.0.1:{peer}");
    etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer, "--initial-cluster"]);
    let server = Server::start("etcd", etcd.arg(format!("default={peer}")), folder)?;
    let server =
        server.ready(Duration::from_secs(20), || super::http::Endpoint::local(client).answers("/health"))?;
    Ok((server, endpoint))
}

fn apiserver(folder: &Path, port: u16, etcd: &str) -> Result<Command> {
    let mut command =
        Command::new(built("kube-apiserver", "k8s.io/kubernetes", GO_MOD)?.join("kube-apiserver"));
    let flag = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    command.args([format!("--etcd-servers={etcd}"), format!("--secure-port={port}")]);
    command.args([
        flag("cert-dir", "apiserver"),
        flag("tls-cert-file", "server.crt"),
        flag("tls-private-key-file", "server.key"),
        flag("client-ca-file", "ca.crt"),
        flag("service-account-key-file", "server.key"),
        flag("service-account-signing-key-file", "server.key"),
    ]);
    command.args([
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--shutdown-delay-duration=0s",
    ]);
    Ok(command)
}

fn kubeconfig(authority: &Authority<'_>, user: &str, port: u16) -> Result<String> {
    let encoded = |path: PathBuf| fs::read(path).map(|bytes| STANDARD.encode(bytes));
    let name = "kind-localdev";
    let cluster = json!({ "server": format!("https://127.0.0.1:{port}"),
        "certificate-authority-data": encoded(authority.certificate("ca"))? });
    let user = json!({ "client-certificate-data": encoded(authority.certificate(user))?,
        "client-key-data": encoded(authority.key(user))? });
    // JSON is YAML, which is what clients expect of a kubeconfig.
    let config = json!({ "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": name,
        "clusters": [{ "name": name, "cluster": cluster }],
        "users": [{ "name": name, "user": user }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }] });
    Ok(serde_json::to_string_pretty(&config)?)
}
