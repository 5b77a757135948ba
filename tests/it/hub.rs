//! Docker Hub, whose port and names cannot be had here: a proxy leads to a registry of ours that has its
//! name in the certificate.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::kit::folder;
use crate::kit::image::{Image, docker_archive};
use crate::kit::program::Program;
use crate::kit::registry::{Certificate, Login, Registry, User};

/// Where a proxy of ours listens, and what it was asked to connect to.
struct Proxy {
    address: String,
    asked: Receiver<String>,
}

impl Proxy {
    /// Leads every `CONNECT` to this registry. Its threads end with their connections.
    fn to(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, asked) = channel();
        let to = registry.address();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (tell, to) = (tell.clone(), to.clone());
                thread::spawn(move || {
                    let target = connect(client, &to);
                    target.map(|target| tell.send(target).ok())
                });
            }
        });
        Self { address, asked }
    }
}

fn connect(mut client: TcpStream, to: &str) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect(to)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from_client, mut to_client) = (client.try_clone()?, client);
    let mut to_server = server.try_clone()?;
    thread::spawn(move || {
        std::io::copy(&mut from_client, &mut to_server).ok();
        to_server.shutdown(Shutdown::Write).ok();
    });
    thread::spawn(move || {
        std::io::copy(&mut server, &mut to_client).ok();
        to_client.shutdown(Shutdown::Write).ok();
    });
    let head = String::from_utf8_lossy(&head);
    Ok(head.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn hub() -> Registry {
    Registry::distribution()
        .login(Login::Bearer)
        .user(User::new("Me", "made-up").writes_only("me/"))
        .certificate(Certificate::of_cluster("registry-1.docker.io"))
        .start()
}

/// A push of `nginx:1` and `me/web:2` with the login that `docker login` saves.
fn push(registry: &Registry, proxy: &Proxy, name: &str) -> (Program, tempfile::TempDir) {
    let folder = folder();
    let archive = folder.path().join("app.tar");
    docker_archive(&archive, &[Image::new("nginx:1").layer(1, 5000), Image::new("me/web:2").layer(2, 5000)]);
    let program = Program::new().args(["push", "--registry", name, "--ca-file"]);
    let ca = program.home().join("ca.pem");
    fs::write(&ca, registry.certificate_pem()).unwrap();
    let docker = program.home().join(".docker");
    fs::create_dir(&docker).unwrap();
    let auth = json!({ "auth": STANDARD.encode("Me:made-up") });
    let config = json!({ "auths": { "https://index.docker.io/v1/": auth } });
    fs::write(docker.join("config.json"), config.to_string()).unwrap();
    let program = program.arg(ca).arg(archive).env("https_proxy", format!("http://{}", proxy.address));
    (program, folder)
}

#[test]
fn docker_hub_is_connected_to_under_its_own_name_and_images_go_below_the_user() {
    for name in ["docker.io", "index.docker.io", "https://registry-1.docker.io"] {
        let registry = hub();
        let proxy = Proxy::to(&registry);
        let (program, _folder) = push(&registry, &proxy, name);
        let ran = program.run().exits(0);
        let references: Vec<&str> =
            ran.stdout.lines().filter_map(|line| line.split_once('@').map(|(name, _)| name)).collect();
        assert_eq!(references, ["docker.io/me/nginx:1", "docker.io/me/web:2"], "{ran}");
        assert!(registry.manifest("me/nginx", "1").is_some() && registry.manifest("me/web", "2").is_some());
        let mut asked: Vec<String> = proxy.asked.try_iter().collect();
        asked.dedup();
        assert_eq!(asked, ["registry-1.docker.io:443"]);
        // The proxy's address would be none of the registry's.
        let (program, _folder) = push(&registry, &proxy, name);
        let ran = program.args(["-o", "json"]).run().exits(0);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["registry"]["host"], "docker.io");
        assert_eq!(report["registry"]["address"], serde_json::Value::Null);
        registry.assert_orderly();
    }
}

#[test]
fn without_a_login_nothing_says_whose_the_images_are() {
    let registry = hub();
    let proxy = Proxy::to(&registry);
    let (program, _folder) = push(&registry, &proxy, "docker.io");
    program.args(["--auth", "none"]).run().exits(2).says(&["which user or organisation", "--owner NAME"]);
}
