//! Images that Kubernetes manifests refer to, from an engine that a thread of the test plays.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::Program;
use crate::kit::registry::{Registry, sha256};

/// Answers what a push asks an engine, for images of these names.
struct Engine(TempDir);

impl Engine {
    fn with(names: &[&str]) -> Self {
        let folder = folder();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let images: Vec<(String, Vec<u8>)> =
            names.iter().map(|name| ((*name).to_owned(), saved(name))).collect();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &images);
            }
        });
        Self(folder)
    }

    fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.0.path().display())
    }
}

fn saved(name: &str) -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("saved.tar");
    image::docker_archive(&path, &[Image::new(name).layer(name.len() as u64, 10_000)]);
    fs::read(path).unwrap()
}

fn answer(mut stream: UnixStream, images: &[(String, Vec<u8>)]) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let path = path.find("/images/").map_or(path, |at| &path[at..]).replace("%3A", ":").replace("%2F", "/");
    let of = |end: &str| {
        let asked = path.strip_prefix("/images/")?.split('?').next()?.strip_suffix(end)?;
        images.iter().find(|(name, tar)| asked == name || asked == sha256(tar))
    };
    let (status, body) = match (of("/json"), of("/get")) {
        (Some((name, tar)), _) => {
            let inspected = json!({ "Id": sha256(tar), "RepoTags": [name] });
            ("200 OK", inspected.to_string().into_bytes())
        }
        (_, Some((_, tar))) => ("200 OK", tar.clone()),
        _ if path.ends_with("/version") => ("200 OK", br#"{"ApiVersion":"1.41"}"#.to_vec()),
        _ if path.starts_with("/images/json") => ("200 OK", b"[]".to_vec()),
        _ => ("404 Not Found", br#"{"message":"no such image"}"#.to_vec()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn deployment(folder: &Path, file: &str, images: &[&str]) {
    let containers: Vec<_> = images.iter().map(|image| json!({ "name": "a", "image": image })).collect();
    let template = json!({ "spec": { "containers": containers } });
    let object = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "template": template } });
    fs::write(folder.join(file), format!("# a comment\n---\n{object}\n")).unwrap();
}

fn push(registry: &Registry, engine: &Engine, manifests: &Path) -> Program {
    Program::push_to(registry).env("DOCKER_HOST", engine.host()).arg("--from-manifests").arg(manifests)
}

#[test]
fn the_users_own_images_are_pushed_and_the_rest_is_left() {
    let registry = Registry::gitea().start();
    let engine = Engine::with(&["web:1.0", "job:2"]);
    let folder = folder();
    let full = format!("{}/giteaadmin/web:1.0", registry.address());
    deployment(folder.path(), "a.yaml", &[&full, "nginx:1.27"]);
    deployment(folder.path(), "b.yml", &["job:2"]);
    fs::write(folder.path().join("chart.yaml"), "{{- if .Values.x }}\nkind: Pod\n{{- end }}\n").unwrap();
    let ran = push(&registry, &engine, folder.path()).run().exits(0);
    assert_eq!(ran.stdout.lines().count(), 2, "{ran}");
    ran.says(&[
        "left `nginx:1.27`: not named for this registry, and in no local engine",
        "chart.yaml: it is a template",
        "it is `web:1.0` of the local engine",
        "calls it `job:2`",
    ]);
    assert_eq!(registry.tags("giteaadmin/web"), ["1.0"]);
    assert_eq!(registry.tags("giteaadmin/job"), ["2"]);
    registry.assert_orderly();
}

#[test]
fn an_image_of_the_registry_that_no_engine_has_is_a_failed_entry() {
    let registry = Registry::gitea().start();
    let engine = Engine::with(&["web:1.0"]);
    let folder = folder();
    let missing = ["api", "db"].map(|name| format!("{}/giteaadmin/{name}:1", registry.address()));
    deployment(folder.path(), "a.yaml", &["web:1.0", &missing[0]]);
    let ran = push(&registry, &engine, &folder.path().join("a.yaml")).args(["-o", "json"]).run().exits(3);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let statuses: Vec<_> =
        report["images"].as_array().unwrap().iter().map(|image| &image["status"]).collect();
    assert_eq!(statuses, ["pushed", "failed"]);
    assert!(report["images"][1]["source"].as_str().unwrap().ends_with(&format!("a.yaml:{}", missing[0])));
    ran.says(&[&format!("image `{}` is in no local engine", missing[0])]);
    // Where all of them are missing, each is said.
    deployment(folder.path(), "a.yaml", &[&missing[0], &missing[1]]);
    let ran = push(&registry, &engine, folder.path()).run().exits(3);
    ran.says(&[&format!("image `{}` is in", missing[0]), &format!("image `{}` is in", missing[1])]);
    registry.assert_orderly();
}

#[test]
fn manifests_and_sources_go_together_and_a_search_does_not() {
    let registry = Registry::gitea().start();
    let engine = Engine::with(&["web:1.0"]);
    let folder = folder();
    deployment(folder.path(), "a.yaml", &["web:1.0"]);
    let archive = folder.path().join("api.tar");
    image::docker_archive(&archive, &[Image::new("api:1").layer(9, 1000)]);
    push(&registry, &engine, folder.path()).arg(&archive).run().exits(0);
    assert_eq!((registry.tags("giteaadmin/web").len(), registry.tags("giteaadmin/api").len()), (1, 1));
    push(&registry, &engine, folder.path()).args(["--path", "."]).run().exits(2);
}

#[test]
fn manifests_without_an_image_of_the_user_are_no_success() {
    let registry = Registry::gitea().start();
    let engine = Engine::with(&[]);
    let folder = folder();
    deployment(folder.path(), "a.yaml", &["nginx:1.27"]);
    let ran = push(&registry, &engine, folder.path()).run().exits(3);
    ran.says(&["refers to no image of this registry or of a local engine", "left `nginx:1.27`"]);
    assert_eq!(registry.count("POST"), 0);
}

#[test]
fn list_shows_what_manifests_would_push() {
    let engine = Engine::with(&["web:1.0"]);
    let folder = folder();
    deployment(folder.path(), "a.yaml", &["r.example/me/web:1.0", "nginx:1.27"]);
    let list = Program::new().args(["list", "-r", "r.example", "--from-manifests"]).arg(folder.path());
    let ran = list.env("DOCKER_HOST", engine.host()).run().exits(0);
    assert_eq!(ran.stdout, "r.example/me/web:1.0\n");
}
