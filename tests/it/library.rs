//! The library as another program uses it: what `examples/push.rs` does, against a registry.

#[path = "../../examples/push.rs"]
#[expect(dead_code, reason = "the example is a program, and this calls what it does")]
mod example;

use idpbuilder_push::report::{Status, Verdict};

use crate::kit::folder;
use crate::kit::image::{Image, docker_archive};
use crate::kit::registry::{PASSWORD, Registry, USER};

#[tokio::test]
async fn the_example_pushes_an_archive_with_a_login() {
    let registry = Registry::gitea().start();
    let folder = folder();
    let archive = folder.path().join("web.tar");
    docker_archive(&archive, &[Image::new("web:1").layer(1, 9000)]);
    let address = format!("http://{}", registry.address());
    let report = example::push(&address, USER, PASSWORD, archive.clone()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Done);
    assert_eq!(report.images[0].reference, format!("{}/giteaadmin/web:1", registry.address()));
    let pushed = registry.manifest("giteaadmin/web", "1").unwrap();
    assert_eq!(report.images[0].digest.as_ref().unwrap().to_string(), pushed.digest);
    // The same again finds it there.
    let report = example::push(&address, USER, PASSWORD, archive).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Exists), "{report:?}");
    registry.assert_orderly();
}

#[tokio::test]
async fn the_example_says_what_failed() {
    let registry = Registry::gitea().start();
    let folder = folder();
    let address = format!("http://{}", registry.address());
    let missing = folder.path().join("none.tar");
    let error = example::push(&address, USER, PASSWORD, missing).await.unwrap_err();
    assert!(error.to_string().contains("none.tar"), "{error}");
    let archive = folder.path().join("web.tar");
    docker_archive(&archive, &[Image::new("web:1").layer(1, 9000)]);
    let error = example::push(&address, USER, "wrong", archive).await.unwrap_err();
    assert!(!error.to_string().contains("wrong"), "{error}");
    assert_eq!(registry.count("POST"), 0);
}
