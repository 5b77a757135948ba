//! What images are called.

use super::{archive, json, stored, writes};
use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::program::{Program, Ran, assert_ran};
use crate::kit::registry::{Registry, Settings};

/// Pushes `team/web:1.0` with these flags and says where it went.
fn named(settings: Settings, flags: &[&str]) -> Vec<String> {
    let (registry, folder) = (settings.start(), folder());
    let source = folder.path().join("saved.tar");
    image::docker_archive(&source, &[Image::new("team/web:1.0").layer(1, 3000)]);
    let ran = Program::push_to(&registry).args(flags).arg(source).run().exits(0);
    registry.assert_orderly();
    told(&ran, &registry)
}

/// The references of stdout below the registry, without digests, each of which was read back.
fn told(ran: &Ran, registry: &Registry) -> Vec<String> {
    let host = format!("{}/", registry.address());
    let below = ran.stdout.lines().map(|line| {
        let (reference, digest) = line.split_once('@').unwrap();
        let below = reference.strip_prefix(&host).unwrap();
        let (repository, tag) = below.rsplit_once(':').unwrap();
        assert_eq!(stored::digest(registry, repository, tag), digest);
        below.to_owned()
    });
    below.collect()
}

#[test]
fn the_last_part_of_a_name_goes_below_the_user() {
    assert_eq!(named(Registry::gitea(), &[]), ["giteaadmin/web:1.0"]);
}

#[test]
fn keep_path_keeps_all_of_it() {
    assert_eq!(named(Registry::gitea(), &["--keep-path"]), ["giteaadmin/team/web:1.0"]);
}

#[test]
fn an_owner_stands_before_the_name_in_lower_case() {
    assert_eq!(named(Registry::gitea().owner("Team"), &["--owner", "Team"]), ["team/web:1.0"]);
    assert_eq!(named(Registry::distribution(), &["--owner", "team"]), ["team/web:1.0"]);
}

#[test]
fn as_renames_below_the_owner_and_with_a_slash_below_the_registry() {
    assert_eq!(named(Registry::gitea(), &["--as", "shop"]), ["giteaadmin/shop:1.0"]);
    assert_eq!(named(Registry::gitea(), &["--as", "shop:2"]), ["giteaadmin/shop:2"]);
    assert_eq!(named(Registry::gitea().owner("team"), &["--as", "team/shop:2"]), ["team/shop:2"]);
}

#[test]
fn each_tag_that_is_given_takes_the_place_of_the_images_own() {
    let tags = ["--tag", "a", "--tag", "b"];
    assert_eq!(named(Registry::gitea(), &tags), ["giteaadmin/web:a", "giteaadmin/web:b"]);
}

#[test]
fn two_tags_of_a_run_send_the_image_once() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let source = archive(folder.path(), "web:1.0", 1);
    Program::push_to(&registry).args(["--tag", "a", "--tag", "b"]).arg(source).run().exits(0);
    // A configuration, a layer, the manifest by its digest and under each tag.
    assert_eq!((registry.count("POST"), registry.count("PUT")), (2, 3), "{:#?}", registry.lines());
    registry.assert_orderly();
}

#[test]
fn a_path_behind_the_registry_is_the_owner() {
    let (registry, folder) = (Registry::distribution().start(), folder());
    let source = archive(folder.path(), "web:1.0", 1);
    let place = format!("{}/team/apps", registry.address());
    let ran = Program::new().args(["--plain-http", "-r", &place]).arg(source).run().exits(0);
    assert_eq!(told(&ran, &registry), ["team/apps/web:1.0"]);
    registry.assert_orderly();
}

#[test]
fn a_name_that_starts_with_the_registry_keeps_its_path() {
    let (registry, folder) = (Registry::gitea().owner("team").start(), folder());
    let source = folder.path().join("saved.tar");
    let name = format!("{}/Team/deep/web:1.0", registry.address());
    image::docker_archive(&source, &[Image::new(&name).layer(1, 3000)]);
    let ran = Program::push_to(&registry).arg(source).run().exits(0);
    assert_eq!(told(&ran, &registry), ["team/deep/web:1.0"]);
    registry.assert_orderly();
}

#[test]
fn an_image_without_a_name_is_called_after_its_file() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let source = folder.path().join("shop-0.9.tar");
    image::oci_archive(&source, &[Image::new("ignored:0.9").layer(1, 3000)]);
    let ran = Program::push_to(&registry).arg(source).run().exits(0);
    assert_eq!(told(&ran, &registry), ["giteaadmin/shop-0.9:0.9"]);
    registry.assert_orderly();
}

#[test]
fn two_different_images_with_one_target_are_refused_before_anything_is_sent() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    image::docker_archive(&folder.path().join("a.tar"), &[Image::new("one/web:1.0").layer(1, 3000)]);
    image::docker_archive(&folder.path().join("b.tar"), &[Image::new("two/web:1.0").layer(2, 3000)]);
    let push = Program::push_to(&registry).current_dir(folder.path()).args(["./a.tar", "./b.tar"]);
    let ran = push.run().exits(2);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    registry.assert_orderly();
    assert_ran!(ran);
}

#[test]
fn the_same_image_from_two_files_is_one() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    for file in ["a.tar", "b.tar"] {
        image::docker_archive(&folder.path().join(file), &[Image::new("web:1.0").layer(1, 3000)]);
    }
    let push = Program::push_to(&registry).current_dir(folder.path()).args(["./a.tar", "./b.tar"]);
    let ran = push.args(["-o", "json"]).run().exits(0);
    assert_eq!(json(&ran)["images"].as_array().unwrap().len(), 1);
    registry.assert_orderly();
}

#[test]
fn one_name_for_several_images_is_refused() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    archive(folder.path(), "web:1.0", 1);
    archive(folder.path(), "api:1.0", 2);
    let push = Program::push_to(&registry).current_dir(folder.path()).args(["./web.tar", "./api.tar"]);
    let ran = push.args(["--as", "shop"]).run().exits(2);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    assert_ran!(ran);
}

#[test]
fn a_name_that_gitea_does_not_take_is_refused_with_one_that_it_takes() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    image::docker_archive(&folder.path().join("a.tar"), &[Image::new("my__web:1.0").layer(1, 3000)]);
    let ran = Program::push_to(&registry).current_dir(folder.path()).arg("./a.tar").run().exits(2);
    assert_eq!(writes(&registry), 0, "{:#?}", registry.lines());
    assert_ran!(ran);
}

#[test]
fn gitea_gets_tags_in_lower_case_and_the_user_is_told() {
    let (registry, folder) = (Registry::gitea().start(), folder());
    let source = archive(folder.path(), "web:RC1", 1);
    let ran = Program::push_to(&registry).arg(source).run().exits(0);
    assert_eq!(told(&ran, &registry), ["giteaadmin/web:rc1"]);
    assert!(ran.stderr.contains("note: Gitea keeps tags in lower case: `RC1` becomes `rc1`"), "{ran}");
    registry.assert_orderly();
}
