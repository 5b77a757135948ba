//! Manifests with a subject: signatures and the like, which go with the image that they refer to.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::folder;
use crate::kit::image::{Image, docker_archive, layout_files};
use crate::kit::program::Program;
use crate::kit::registry::{Fault, Match, Registry, Settings, sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const REPOSITORY: &str = "giteaadmin/web";

/// A layout of one image and of what refers to it, in this order.
struct Signed {
    folder: TempDir,
    image: String,
    referrers: Vec<String>,
}

fn signed(texts: &[&str]) -> Signed {
    let folder = folder();
    let mut files = layout_files(&[Image::new("web:1").layer(1, 5000)]);
    let mut index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let image = index["manifests"][0].clone();
    let subject = json!({ "mediaType": MANIFEST, "digest": image["digest"], "size": image["size"] });
    let mut referrers = Vec::new();
    for text in texts {
        let document = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.signature",
            "config": add(&mut files, "application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [add(&mut files, "text/plain", text.as_bytes())],
            "annotations": { "text": text }, "subject": subject,
        });
        let descriptor = add(&mut files, MANIFEST, document.to_string().as_bytes());
        referrers.push(descriptor["digest"].as_str().unwrap().to_owned());
        index["manifests"].as_array_mut().unwrap().insert(0, descriptor);
    }
    files.insert("index.json".to_owned(), index.to_string().into_bytes());
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    Signed { folder, image: image["digest"].as_str().unwrap().to_owned(), referrers }
}

fn add(files: &mut BTreeMap<String, Vec<u8>>, media_type: &str, bytes: &[u8]) -> Value {
    let digest = sha256(bytes);
    files.insert(format!("blobs/{}", digest.replace(':', "/")), bytes.to_vec());
    json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
}

fn push(registry: &Registry, signed: &Signed) -> Program {
    Program::push_to(registry).args(["--as", "giteaadmin/web:1"]).arg(signed.folder.path())
}

/// Where a registry that keeps no list has it.
fn list_tag(signed: &Signed) -> String {
    signed.image.replace(':', "-")
}

fn listed(registry: &Registry, signed: &Signed) -> Vec<Value> {
    let list = registry.manifest(REPOSITORY, &list_tag(signed)).expect("there is no list");
    assert_eq!(list.media_type, "application/vnd.oci.image.index.v1+json");
    serde_json::from_slice::<Value>(&list.bytes).unwrap()["manifests"].as_array().unwrap().clone()
}

fn digests(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|entry| entry["digest"].as_str().unwrap()).collect()
}

/// What was put, without the blobs: references of manifests in their order.
fn puts(registry: &Registry) -> Vec<String> {
    let manifests = registry.requests().into_iter().filter(|entry| entry.method == "PUT");
    manifests.filter_map(|entry| Some(entry.path.split_once("/manifests/")?.1.to_owned())).collect()
}

fn both() -> [Settings; 2] {
    [Registry::distribution(), Registry::gitea()]
}

#[test]
fn what_refers_to_an_image_is_put_behind_it_and_its_tag_last() {
    for settings in both() {
        let registry = settings.start();
        let signed = signed(&["one", "two"]);
        push(&registry, &signed).run().exits(0);
        let puts = puts(&registry);
        assert_eq!(puts.first(), Some(&signed.image));
        assert_eq!(puts.last().map(String::as_str), Some("1"));
        let list = list_tag(&signed);
        assert_eq!(puts.iter().filter(|reference| **reference == list).count(), 2, "{puts:?}");
        for referrer in &signed.referrers {
            let at = puts.iter().position(|reference| reference == referrer).unwrap();
            assert_eq!(puts[at + 1], list, "{puts:?}");
        }
        let listed = listed(&registry, &signed);
        let mut found = digests(&listed);
        found.sort_unstable();
        let mut expected: Vec<&str> = signed.referrers.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        for entry in listed {
            assert_eq!(entry["artifactType"], "application/vnd.example.signature");
            assert!(entry["annotations"]["text"].is_string());
        }
        registry.assert_orderly();
    }
}

#[test]
fn a_registry_that_keeps_the_list_itself_gets_none() {
    let registry = Registry::distribution().keeps_referrers().start();
    let signed = signed(&["one"]);
    push(&registry, &signed).run().exits(0);
    assert_eq!(registry.tags(REPOSITORY), ["1"]);
    assert!(registry.manifest(REPOSITORY, &signed.referrers[0]).is_some());
    registry.assert_orderly();
}

#[test]
fn an_image_that_is_there_gets_what_is_new_about_it() {
    for settings in both() {
        let registry = settings.start();
        push(&registry, &signed(&["one"])).run().exits(0);
        registry.clear_log();
        let more = signed(&["one", "two"]);
        let ran = push(&registry, &more).args(["-o", "json"]).run().exits(0);
        assert!(ran.stdout.contains(r#""status": "pushed""#), "{ran}");
        assert_eq!(digests(&listed(&registry, &more)), more.referrers);
        registry.clear_log();
        let again = push(&registry, &more).args(["-o", "json"]).run().exits(0);
        assert!(again.stdout.contains(r#""status": "exists""#), "{again}");
        assert_eq!(puts(&registry), [""; 0]);
        registry.assert_orderly();
    }
}

#[test]
fn an_answer_that_is_lost_is_needed_where_it_says_who_keeps_the_list() {
    let registry = Registry::distribution().keeps_referrers().start();
    let signed = signed(&["one"]);
    let referrer = &signed.referrers[0];
    registry.script(Match::method("PUT").path_contains(referrer), Fault::AnswerLost);
    push(&registry, &signed).run().exits(0);
    assert_eq!(puts(&registry).iter().filter(|reference| *reference == referrer).count(), 2);
    assert_eq!(registry.tags(REPOSITORY), ["1"]);
    registry.assert_orderly();
}

#[test]
fn what_is_no_list_is_left_and_the_image_gets_no_tag() {
    let registry = Registry::distribution().start();
    let signed = signed(&["one"]);
    let other = folder();
    let image = other.path().join("other.tar");
    docker_archive(&image, &[Image::new("other:1").layer(9, 100)]);
    let name = format!("giteaadmin/web:{}", list_tag(&signed));
    Program::push_to(&registry).args(["--as", &name]).arg(&image).run().exits(0);
    push(&registry, &signed)
        .run()
        .exits(7)
        .says(&["is no list of what refers to an image", "it is an image"]);
    assert_eq!(registry.tags(REPOSITORY), [list_tag(&signed)]);
}
