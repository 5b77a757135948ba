//! What is sent once, and what is not sent at all.

use std::collections::BTreeSet;

use super::{archive, json, stored, testdata, writes};
use crate::kit::folder;
use crate::kit::image::{self, Image, Packing};
use crate::kit::program::Program;
use crate::kit::registry::{Entry, Fault, Match, Registry};

/// Digests of the blobs that arrived with their bytes, in the order of their last requests.
fn uploaded(registry: &Registry) -> Vec<String> {
    let done = |entry: &Entry| {
        let digest = entry.query("digest").map(str::to_owned);
        // A POST without a body mounts.
        digest.filter(|_| entry.status == Some(201) && (entry.method == "PUT" || entry.body_bytes > 0))
    };
    registry
        .requests()
        .iter()
        .filter(|entry| entry.path.contains("/blobs/uploads"))
        .filter_map(done)
        .collect()
}

#[test]
fn a_second_push_of_the_same_image_only_reads() {
    for name in ["valid-image.tar", "docker-legacy-multi.tar", "skopeo-oci.tar", "multi-platform-layout"] {
        let registry = Registry::gitea().start();
        let push = || Program::push_to(&registry).arg(testdata(name)).args(["-o", "json"]).run().exits(0);
        let first = json(&push());
        registry.clear_log();
        let second = json(&push());
        assert_eq!(writes(&registry), 0, "{name}: {:#?}", registry.lines());
        for (before, after) in
            first["images"].as_array().unwrap().iter().zip(second["images"].as_array().unwrap())
        {
            assert_eq!((&after["status"], &after["digest"]), (&"exists".into(), &before["digest"]), "{name}");
        }
        assert_eq!(second["summary"]["bytesSent"], 0);
        registry.assert_orderly();
    }
}

#[test]
fn an_exact_image_that_is_there_is_asked_for_once() {
    let registry = Registry::gitea().start();
    let push = || Program::push_to(&registry).arg(testdata("skopeo-oci.tar")).run().exits(0);
    push();
    registry.clear_log();
    push();
    let asked = |entry: &&Entry| entry.status != Some(401) && !entry.path.ends_with("/token");
    let asked: Vec<String> = registry.requests().iter().filter(asked).map(Entry::line).collect();
    assert_eq!(asked, ["HEAD /v2/giteaadmin/web/manifests/1.0 200"]);
}

#[test]
fn images_that_share_a_layer_send_it_once_for_a_repository() {
    for settings in [Registry::gitea(), Registry::distribution()] {
        let (registry, folder) = (settings.start(), folder());
        let images = [("web:1", 2), ("web:2", 3), ("web:3", 4)]
            .map(|(name, own)| Image::new(name).layer(1, 200_000).layer(own, 3000));
        let source = folder.path().join("all.tar");
        image::docker_archive(&source, &images);
        Program::push_to(&registry).arg(source).run().exits(0);
        let uploaded = uploaded(&registry);
        // The shared layer, and a layer and a configuration of each image.
        assert_eq!(uploaded.len(), 7, "{:#?}", registry.lines());
        assert_eq!(uploaded.iter().collect::<BTreeSet<_>>().len(), 7);
        registry.assert_orderly();
    }
}

#[test]
fn a_shared_blob_is_mounted_into_the_second_repository() {
    for settings in [Registry::gitea(), Registry::distribution()] {
        let (registry, folder) = (settings.start(), folder());
        let images = ["web:1", "api:1"].map(|name| Image::new(name).layer(1, 200_000));
        let source = folder.path().join("all.tar");
        image::docker_archive(&source, &images);
        let ran = Program::push_to(&registry).arg(source).args(["-o", "json"]).run().exits(0);
        let uploaded = uploaded(&registry);
        assert_eq!(uploaded.len(), 3, "a layer and two configurations: {:#?}", registry.lines());
        let layers = |field: &str| -> u64 {
            let images = json(&ran)["images"].as_array().unwrap().clone();
            images.iter().map(|image| image["layers"][field].as_u64().unwrap()).sum()
        };
        assert_eq!((layers("uploaded"), layers("mounted"), layers("total")), (1, 1, 2), "{ran}");
        let owner = if registry.is_gitea() { "giteaadmin/" } else { "" };
        for name in ["web", "api"] {
            stored::whole(&registry, &format!("{owner}{name}"), "1");
        }
        registry.assert_orderly();
    }
}

#[test]
fn a_blob_that_the_registry_has_is_not_sent() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let image = Image::new("web:1").layer(1, 5_000_000).layer(2, 3000);
    assert!(image.packed_layers()[0].bytes.len() > 2 << 20, "what is small costs less than a question");
    registry.put_blob("giteaadmin/web", image.packed_layers()[0].bytes.clone());
    let source = folder.path().join("web.tar");
    image::oci_archive(&source, std::slice::from_ref(&image));
    let ran = Program::push_to(&registry).arg(source).args(["-o", "json"]).run().exits(0);
    assert_eq!(json(&ran)["images"][0]["layers"]["existing"], 1);
    assert!(!uploaded(&registry).contains(&image.packed_layers()[0].digest()));
    registry.assert_orderly();
}

#[test]
fn a_new_tag_from_another_machine_sends_no_layer_that_another_tag_has() {
    for settings in [Registry::gitea(), Registry::distribution()] {
        let (registry, folder) = (settings.start(), folder());
        let source = folder.path().join("web.tar");
        // Large enough that asking is worth more than packing.
        let image = |name: &str| Image::new(name).layer(1, 9 << 20);
        for name in ["web:1.4.2", "web:1.4.3"] {
            image::docker_archive(&source, &[image(name)]);
            registry.clear_log();
            // Each program has a home, and so a cache, of its own.
            Program::push_to(&registry).arg(&source).run().exits(0);
        }
        let owner = if registry.is_gitea() { "giteaadmin/" } else { "" };
        let manifest = stored::whole(&registry, &format!("{owner}web"), "1.4.3");
        let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
        assert!(!uploaded(&registry).contains(&layer), "{:#?}", registry.lines());
        registry.assert_orderly();
    }
}

#[test]
fn a_blob_that_was_lost_meanwhile_is_sent_in_a_second_round() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let image = Image::new("web:1").layer(1, 3000).layer(2, 3000);
    let source = folder.path().join("web.tar");
    image::oci_archive(&source, std::slice::from_ref(&image));
    let lost = image.packed_layers()[1].digest();
    let put = Match::method("PUT").path_contains("/manifests/");
    registry.script(put, Fault::LoseBlob("giteaadmin/web".to_owned(), lost.clone()));
    let ran = Program::push_to(&registry).arg(source).run().exits(0);
    ran.says(&["note: the registry lost a blob of the image"]);
    let uploaded = uploaded(&registry);
    assert_eq!(uploaded.iter().filter(|digest| **digest == lost).count(), 2, "{:#?}", registry.lines());
    assert_eq!(uploaded.len(), 4, "only what was lost is sent again: {:#?}", registry.lines());
    stored::whole(&registry, "giteaadmin/web", "1");
    registry.assert_orderly();
}

#[test]
fn a_blob_that_is_lost_again_and_again_ends_the_image_with_advice() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let image = Image::new("web:1").layer(1, 3000);
    image::oci_archive(&folder.path().join("web.tar"), std::slice::from_ref(&image));
    let lost = Fault::LoseBlob("giteaadmin/web".to_owned(), image.packed_layers()[0].digest());
    registry.script(Match::method("PUT").path_contains("/manifests/").always(), lost);
    let ran = Program::push_to(&registry).current_dir(folder.path()).arg("./web.tar").run().exits(7);
    ran.says(&["says that it lacks a layer of `giteaadmin/web", "push again"]);
    assert_eq!(registry.tags("giteaadmin/web"), [""; 0]);
    registry.assert_orderly();
}

#[test]
fn layers_that_stay_unpacked_keep_their_digests() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let image = Image::new("web:1").layer(1, 200_000).packing(Packing::None);
    let source = folder.path().join("web.tar");
    image::docker_archive(&source, std::slice::from_ref(&image));
    Program::push_to(&registry).args(["--compression", "none"]).arg(source).run().exits(0);
    let manifest = stored::whole(&registry, "giteaadmin/web", "1");
    assert_eq!(stored::layer_types(&manifest), ["application/vnd.oci.image.layer.v1.tar"]);
    assert_eq!(manifest["layers"][0]["digest"], image.packed_layers()[0].digest());
    registry.assert_orderly();
}

#[test]
fn unpacked_layers_go_up_in_gzip_unless_it_is_said_otherwise() {
    let (registry, folder) = (Registry::distribution().start(), folder());
    let source = archive(folder.path(), "web:1", 1);
    Program::push_to(&registry).arg(&source).run().exits(0);
    let manifest = stored::whole(&registry, "web", "1");
    assert_eq!(stored::layer_types(&manifest), ["application/vnd.oci.image.layer.v1.tar+gzip"]);
    let media_type = registry.manifest("web", "1").unwrap().media_type;
    assert_eq!(media_type, "application/vnd.oci.image.manifest.v1+json");
    registry.assert_orderly();
}
