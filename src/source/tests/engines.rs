#![cfg(unix)]

use std::os::unix::net::UnixListener;
use std::sync::Arc;

use serde_json::json;

use super::fake_engine::{Engine, NOWHERE, Stored, behind_tls, docker_at, engines, nonsense};
use super::kit::{Oci, exact, find_in, layer, names, only, places, told};
use crate::event::Events;
use crate::port::{Found, NoCache, SourceError};
use crate::source::{EngineImages, EngineKind, EngineSockets, Places, Spec, open};

mod tagged;

fn ask(reference: &str, kind: EngineKind, sockets: EngineSockets) -> Result<Found, SourceError> {
    let spec = Spec::Engine { reference: reference.to_owned(), kind };
    find_in(spec, &Places { sockets, ..places() })
}

fn tried(result: Result<Found, SourceError>) -> (Vec<String>, Vec<String>) {
    match result.unwrap_err() {
        SourceError::NotInEngine { tried, near, .. } => (tried, near),
        other => panic!("{other}"),
    }
}

fn web(names: &[&str]) -> Stored {
    Stored::unpacked(names, &[&layer("x")])
}

#[test]
fn an_image_of_an_engine_has_the_name_that_it_was_asked_for_by() {
    let engine = Engine::at("docker.sock", vec![web(&["web:latest", "other:1"])]);
    for reference in ["web", "web:latest"] {
        let image = only(ask(reference, EngineKind::Docker, docker_at(&engine.address())).unwrap());
        assert_eq!(names(&image), [reference]);
        assert_eq!(image.source.to_string(), format!("docker-daemon:{reference}"));
    }
}

#[test]
fn an_image_that_is_only_listed_is_not_exported_and_one_that_is_remembered_is_known_whole() {
    let engine = Engine::at("docker.sock", vec![web(&["web:1", "r.example/me/web:1"])]);
    let list =
        Places { sockets: docker_at(&engine.address()), registry: Some("r.example".into()), ..places() };
    let list = Places { engine_images: EngineImages::Outline, ..list };
    let by_name = Spec::Engine { reference: "web:1".to_owned(), kind: EngineKind::Docker };
    for spec in [by_name.clone(), Spec::AllTagged] {
        let found = find_in(spec, &list).unwrap();
        assert!(found.images.is_empty());
        let [outline] = &found.outlines[..] else { panic!("{found:?}") };
        assert_eq!((outline.size, outline.layers, outline.platforms.len()), (Some(1), Some(1), 1));
        assert!(outline.source.to_string().starts_with("docker-daemon:"));
    }
    assert_eq!(engine.exports(), 0);
    find_in(by_name.clone(), &Places { engine_images: EngineImages::Export, ..list.clone() }).unwrap();
    let found = find_in(by_name, &list).unwrap();
    assert_eq!((found.images.len(), found.outlines.len(), engine.exports()), (1, 0, 1));
}

#[test]
fn an_id_is_no_name() {
    let stored = web(&["web:1.0"]);
    let id = stored.id.clone();
    let engine = Engine::at("docker.sock", vec![stored]);
    for reference in [&id, &id[7..19], &id[7..]] {
        let image = only(ask(reference, EngineKind::Any, docker_at(&engine.address())).unwrap());
        assert_eq!(names(&image), ["web:1.0"]);
        assert_eq!(image.fallback, id[7..19]);
    }
}

#[test]
fn podman_is_asked_for_what_was_built_here() {
    let engine = Engine::at("podman.sock", vec![web(&["localhost/web:1.0"])]);
    let image = only(ask("web:1.0", EngineKind::Any, engines(NOWHERE, &engine.address())).unwrap());
    assert_eq!(names(&image), ["web:1.0"]);
    assert_eq!(image.source.to_string(), "podman:web:1.0");
}

#[test]
fn podman_behind_a_socket_of_docker_is_asked_so_too() {
    let podman = Engine::podman("docker.sock", vec![web(&["localhost/web:1.0"])]);
    only(ask("web:1.0", EngineKind::Docker, docker_at(&podman.address())).unwrap());
    let docker = Engine::at("docker.sock", vec![web(&["localhost/web:1.0"])]);
    assert!(ask("web:1.0", EngineKind::Docker, docker_at(&docker.address())).is_err());
}

#[test]
fn different_images_of_one_name_are_an_error_that_names_both() {
    let docker = Engine::at("docker.sock", vec![web(&["web:1.0"])]);
    let other = Stored::unpacked(&["localhost/web:1.0"], &[&layer("y")]);
    let podman = Engine::at("podman.sock", vec![other]);
    let sockets = engines(&docker.address(), &podman.address());
    let error = ask("web:1.0", EngineKind::Any, sockets.clone()).unwrap_err();
    let SourceError::SeveralEngines { places, .. } = error else { panic!("{error}") };
    let shown: Vec<_> = places.iter().map(|place| (place.source.as_str(), place.engine.clone())).collect();
    assert_eq!(shown, [("docker-daemon:web:1.0", docker.address()), ("podman:web:1.0", podman.address())]);
    for (kind, source) in
        [(EngineKind::Docker, "docker-daemon:web:1.0"), (EngineKind::Podman, "podman:web:1.0")]
    {
        let image = only(ask("web:1.0", kind, sockets.clone()).unwrap());
        assert_eq!(image.source.to_string(), source);
    }
}

#[test]
fn the_same_image_in_two_engines_is_taken_once() {
    let docker = Engine::at("docker.sock", vec![web(&["web:1.0"])]);
    let podman = Engine::at("podman.sock", vec![web(&["localhost/web:1.0"])]);
    let sockets = engines(&docker.address(), &podman.address());
    let image = only(ask("web:1.0", EngineKind::Any, sockets).unwrap());
    assert_eq!(image.source.to_string(), "docker-daemon:web:1.0");
    assert_eq!((docker.exports(), podman.exports()), (1, 0));
}

#[test]
fn an_engine_that_failed_beside_the_one_that_has_the_image_is_named() {
    let engine = Engine::at("podman.sock", vec![web(&["web:1.0"])]);
    let sockets = engines("tcp://127.0.0.1:1", &engine.address());
    let image = only(ask("web:1.0", EngineKind::Any, sockets).unwrap());
    assert!(image.notes[0].contains("tcp://127.0.0.1:1 could not be asked"), "{:?}", image.notes);
}

#[test]
fn every_place_that_was_asked_is_named_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let dead = dir.path().join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let engine = Engine::at("podman.sock", vec![web(&["web:1.0"])]);
    let sockets = engines(&format!("unix://{}", dead.display()), &engine.address());
    let (tried, near) = tried(ask("wbe:1.0", EngineKind::Any, sockets));
    assert!(tried[0].contains("dead.sock: ") && tried[0].contains("refused"), "{tried:?}");
    assert!(tried[1].contains("podman.sock: has no such image"), "{tried:?}");
    assert_eq!(near, ["web:1.0"]);
}

#[test]
fn an_address_that_cannot_be_asked_says_why() {
    for (address, reason) in [
        ("ssh://user@host", "ssh is not supported: forward"),
        ("fd://x", "`fd` addresses are not supported"),
        ("nonsense", "no address"),
        ("unix:///nonexistent.sock", "no such socket"),
        ("/nonexistent.sock", "no such socket"),
        ("tcp://127.0.0.1:1", "refused"),
    ] {
        let (tried, _) = tried(ask("web", EngineKind::Docker, docker_at(address)));
        assert_eq!(tried.len(), 1);
        assert!(tried[0].contains(reason), "{tried:?}");
    }
}

#[test]
fn a_name_that_would_be_another_request_is_not_sent() {
    let engine = Engine::at("docker.sock", vec![web(&["web:1.0"])]);
    for reference in ["", "../json", "a b", "web?all=1", "web#x", "a//b", "web\r\nX: y"] {
        let (tried, _) = tried(ask(reference, EngineKind::Docker, docker_at(&engine.address())));
        assert!(tried[0].contains("no engine was asked"), "{reference:?}: {tried:?}");
    }
}

#[test]
fn an_export_that_is_no_image_is_told_of() {
    let engine = Engine::at("docker.sock", vec![nonsense(&["web:1.0"])]);
    let error = told(ask("web:1.0", EngineKind::Docker, docker_at(&engine.address())));
    assert!(error.contains("docker-daemon:web:1.0"), "{error}");
}

#[test]
fn an_export_that_breaks_off_is_asked_for_once_more() {
    let engine = Engine::at("docker.sock", vec![Stored::unpacked(&["web:1.0"], &[&layer("x")])]);
    engine.cuts(1);
    assert!(ask("web:1.0", EngineKind::Docker, docker_at(&engine.address())).is_ok());
    assert_eq!(engine.exports(), 2);
    engine.cuts(2);
    let error = ask("web:1.0", EngineKind::Docker, docker_at(&engine.address())).unwrap_err();
    assert!(
        matches!(&error, SourceError::Engine { reason, .. } if reason.contains("broke off")),
        "{error:?}"
    );
    assert_eq!(engine.exports(), 4);
}

/// Two platforms, of which one is not there, as after a pull.
fn half_an_index(present: &str) -> (Stored, [String; 2]) {
    let mut oci = Oci::default();
    let content = layer("x");
    let images = ["amd64", "arm64"].map(|architecture| oci.image(architecture, &content));
    let digests = images.clone().map(|image| image["digest"].as_str().unwrap().to_owned());
    for (image, architecture) in images.iter().zip(["amd64", "arm64"]) {
        if !present.contains(architecture) {
            oci.drop_blob(image);
        }
    }
    let index = oci.index(&images);
    let id = index["digest"].as_str().unwrap().to_owned();
    oci.list(index, Some("1.0"));
    (Stored::packed("web:1.0", &id, &[&content], oci), digests)
}

fn pushed_of(stored: Stored, preferred: &[&str]) -> String {
    let engine = Engine::at("docker.sock", vec![stored]);
    let preferred = preferred.iter().map(|architecture| super::kit::linux(architecture)).collect();
    let places = Places { sockets: docker_at(&engine.address()), preferred, ..places() };
    let spec = Spec::Engine { reference: "web:1.0".to_owned(), kind: EngineKind::Docker };
    exact(&only(find_in(spec, &places).unwrap())).manifest.digest().to_string()
}

#[test]
fn of_an_index_that_is_not_whole_the_platform_that_is_there_is_pushed() {
    let (stored, [_, arm]) = half_an_index("arm64");
    assert_eq!(pushed_of(stored, &["amd64"]), arm);
}

#[test]
fn of_several_platforms_of_an_index_that_is_not_whole_the_nodes_decide_before_the_engine() {
    let mut oci = Oci::default();
    let content = layer("x");
    let images = ["s390x", "amd64", "arm64"].map(|architecture| oci.image(architecture, &content));
    let digests = images.clone().map(|image| image["digest"].as_str().unwrap().to_owned());
    oci.drop_blob(&images[0]);
    let index = oci.index(&images);
    let id = index["digest"].as_str().unwrap().to_owned();
    oci.list(index, Some("1.0"));
    let mut stored = Stored::packed("web:1.0", &id, &[&content], oci);
    assert_eq!(pushed_of(stored.clone(), &["arm64"]), digests[2]);
    assert_eq!(pushed_of(stored.clone(), &["amd64"]), digests[1]);
    stored.inspected["Architecture"] = json!("arm64");
    assert_eq!(pushed_of(stored.clone(), &["riscv64"]), digests[2]);
    stored.inspected["Architecture"] = json!("amd64");
    assert_eq!(pushed_of(stored, &[]), digests[1]);
}

#[test]
fn an_engine_behind_tls_is_asked_with_the_users_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    let signed = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &ca).unwrap(), key)
    };
    let (client, client_key) = signed();
    for (name, text) in
        [("ca.pem", ca.pem()), ("cert.pem", client.pem()), ("key.pem", client_key.serialize_pem())]
    {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let (server, server_key) = signed();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(server_key.serialize_der().into());
    let config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    let address = behind_tls(config, web(&["web:1.0"]));
    let with = |certificates| EngineSockets { docker_certificates: certificates, ..docker_at(&address) };
    only(ask("web:1.0", EngineKind::Docker, with(Some(dir.path().to_owned()))).unwrap());
    assert!(ask("web:1.0", EngineKind::Docker, with(None)).is_err());
}

#[test]
fn engines_that_answer_are_told_apart_from_places_that_are_silent() {
    let (docker, podman) = (Engine::at("docker.sock", Vec::new()), Engine::podman("podman.sock", Vec::new()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let census = |sockets| runtime.block_on(crate::source::engines(&sockets));
    let both = census(engines(&docker.address(), &podman.address()));
    let answering = [("Docker".to_owned(), docker.address()), ("Podman".to_owned(), podman.address())];
    assert_eq!((both.answering.as_slice(), both.silent.len()), (&answering[..], 0));
    let none = census(engines(NOWHERE, "tcp://127.0.0.1:1"));
    assert_eq!(none.answering, []);
    assert_eq!(none.silent.len(), 2, "{:?}", none.silent);
    assert!(none.silent[1].contains("there is no such socket"), "{:?}", none.silent);
}

#[test]
fn what_an_engine_says_at_the_end_of_an_export_is_its_error() {
    let image = web(&["web:1.0"]);
    let said = br#"{"errorDetail":{"message":"content digest sha256:abc: not found"},"error":"content digest sha256:abc: not found"}"#;
    for (kept, end) in [(700, "\r\n"), (1024, ""), (0, "\r\n")] {
        let export = [&image.export[..kept], said, end.as_bytes()].concat();
        let engine = Engine::at("docker.sock", vec![Stored { export, ..image.clone() }]);
        let error = ask("web:1.0", EngineKind::Docker, docker_at(&engine.address())).unwrap_err();
        let shown = format!("{error:?}");
        assert!(shown.contains("reason: \"content digest sha256:abc: not found\""), "{kept}: {shown}");
    }
}

#[test]
fn an_engine_that_does_not_answer_is_waited_for_once() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("hung.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let places = Places { sockets: docker_at(&format!("unix://{}", socket.display())), ..places() };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    for name in ["web:1", "web:2"] {
        let spec = Spec::Engine { reference: name.to_owned(), kind: EngineKind::Any };
        let found = runtime.block_on(open(spec, &places).find(&Events::none()));
        let (tried, _) = tried(found);
        assert!(tried[0].contains("no answer within 10 seconds"), "{tried:?}");
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(std::iter::from_fn(|| listener.accept().ok()).count(), 1);
}
