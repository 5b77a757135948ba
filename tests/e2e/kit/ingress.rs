use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::certificate::Certificate;
use super::process::{Server, free_port};

/// What differs between two clusters' ingresses.
pub(crate) struct IngressSettings {
    /// `None` takes a free one.
    pub(crate) port: Option<u16>,
    /// Names that lead to Gitea as a whole.
    pub(crate) gitea_names: Vec<&'static str>,
    /// The name below which path routing finds Gitea.
    pub(crate) path_name: &'static str,
    pub(crate) body_limit: &'static str,
    /// How long Gitea may be silent, or take nothing, before nginx answers 504.
    pub(crate) patience: Duration,
    pub(crate) speaks: Speaks,
    /// `None`: one as idpbuilder makes it.
    pub(crate) certificate: Option<Certificate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http,
    Https,
}

impl Default for IngressSettings {
    fn default() -> Self {
        Self {
            port: None,
            gitea_names: vec!["gitea.cnoe.localtest.me", "gitea.localhost", "localhost"],
            path_name: "cnoe.localtest.me",
            body_limit: "1024m",
            patience: Duration::from_mins(1),
            speaks: Speaks::Https,
            certificate: None,
        }
    }
}

/// nginx with the directives that ingress-nginx writes for idpbuilder's Gitea.
pub(crate) struct Ingress {
    _server: Server,
    folder: TempDir,
    pub(crate) port: u16,
    pub(crate) certificate: Certificate,
}

/// One request as nginx logged it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Head and body.
    pub(crate) bytes: u64,
    pub(crate) status: u16,
}

impl Ingress {
    pub(crate) const HOST: &str = "cnoe.localtest.me";

    pub(crate) fn start(gitea: u16, settings: &IngressSettings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("e2e-ingress-").tempdir()?;
        let certificate =
            settings.certificate.clone().map_or_else(|| Certificate::of_cluster(Self::HOST), Ok)?;
        let port = settings.port.map_or_else(free_port, Ok)?;
        fs::write(folder.path().join("tls.crt"), &certificate.pem)?;
        fs::write(folder.path().join("tls.key"), &certificate.key)?;
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, nginx_conf(folder.path(), port, gitea, settings)?)?;
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.arg("-p").arg(folder.path()).arg("-c").arg(&configuration).args(["-e", "stderr"]);
        let server = Server::start("nginx", &mut nginx, folder.path())?
            .ready(Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { _server: server, folder, port, certificate })
    }

    /// `gitea.cnoe.localtest.me:<port>`, what a pushed reference starts with.
    pub(crate) fn registry(&self) -> String {
        format!("gitea.{}:{}", Self::HOST, self.port)
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    /// Finished requests whose path holds `part`, in the order of their end.
    pub(crate) fn requests(&self, part: &str) -> Result<Vec<Request>> {
        let log = fs::read_to_string(self.folder.path().join("access.log"))?;
        Ok(log.lines().filter_map(Request::parse).filter(|request| request.path.contains(part)).collect())
    }
}

impl Request {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (bytes, status) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { method, path, bytes, status })
    }
}

fn nginx_conf(folder: &Path, port: u16, gitea: u16, settings: &IngressSettings) -> Result<String> {
    let folder = folder.display();
    let (names, path_name, body_limit) =
        (settings.gitea_names.join(" "), settings.path_name, settings.body_limit);
    let patience = format!("{}s", settings.patience.as_secs());
    let proxy = "proxy_pass http://gitea;";
    let mut text = String::new();
    // Without `user` nginx's workers would be nobody, who cannot enter a temporary folder of root's.
    writeln!(text, "user root root;\ndaemon off;\nworker_processes 2;\npid {folder}/nginx.pid;")?;
    writeln!(text, "events {{ worker_connections 1024; }}\nhttp {{")?;
    writeln!(text, "log_format short '$request_method $request_uri $request_length $status';")?;
    writeln!(text, "access_log {folder}/access.log short;")?;
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "{kind}_temp_path {folder}/{kind};")?;
    }
    // One pod is three equal upstreams: that is how ingress-nginx comes to send a PUT again. It asks anew each
    // time, where nginx would leave an upstream that failed alone for ten seconds.
    let pod = format!("server 127.0.0.1:{gitea} max_fails=0;");
    writeln!(text, "upstream gitea {{ {pod} {pod} {pod} keepalive 32; }}")?;
    writeln!(text, "{}", PROXY.replace("BODY_LIMIT", body_limit).replace("PATIENCE", &patience))?;
    writeln!(text, "ssl_certificate {folder}/tls.crt;\nssl_certificate_key {folder}/tls.key;")?;
    let tls = if settings.speaks == Speaks::Https { " ssl http2" } else { "" };
    let listen = format!("listen 127.0.0.1:{port}{tls};");
    writeln!(text, "server {{ {listen} server_name {names}; location / {{ {proxy} }} }}")?;
    writeln!(text, "server {{ {listen} server_name {path_name};")?;
    writeln!(
        text,
        "location ~* \"^/v2/gitea(/|$)(.*)\" {{ rewrite \"(?i)/v2/gitea(/|$)(.*)\" /v2/$2 break; {proxy} }}"
    )?;
    writeln!(
        text,
        "location ~* \"^/gitea(/|$)(.*)\" {{ rewrite \"(?i)/gitea(/|$)(.*)\" /$2 break; {proxy} }}"
    )?;
    writeln!(text, "location ~* \"^/v2\" {{ {proxy} }} }}")?;
    let default = format!("listen 127.0.0.1:{port} default_server{tls};");
    writeln!(text, "server {{ {default} server_name _; return 404; }}\n}}")?;
    Ok(text)
}

const PROXY: &str = "client_max_body_size BODY_LIMIT;
proxy_request_buffering on;
proxy_buffering off;
proxy_http_version 1.1;
proxy_connect_timeout 5s;
proxy_read_timeout PATIENCE;
proxy_send_timeout PATIENCE;
client_body_timeout 60s;
keepalive_timeout 75s;
keepalive_requests 1000;
proxy_next_upstream error timeout;
proxy_next_upstream_tries 3;
proxy_set_header Connection '';
proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $http_host;
proxy_set_header X-Real-IP $remote_addr;";
