use super::kit::{archive, exact, find, find_in, layout, named, names, only, places, testdata, told};
use crate::oci::{Children, MediaType, sha256};
use crate::port::{Content, Encoding, FoundImage, SourceError, Suggested};
use crate::source::{ArchiveKind, Spec};

/// Every layer of an image is the tar that the configuration says.
fn check_layers(image: &FoundImage) {
    let Content::Unpacked { layers, .. } = &image.content else { panic!("{} is packed", image.source) };
    for layer in layers {
        assert_eq!(layer.encoding, Encoding::Tar);
        assert_eq!(sha256(&layer.blob.read_all(1 << 20).unwrap()), layer.diff_id, "{}", image.source);
    }
}

/// Every blob is what its descriptor says.
fn check_tree(image: &FoundImage) {
    let mut open = vec![exact(image).clone()];
    while let Some(tree) = open.pop() {
        for (descriptor, blob) in &tree.blobs {
            assert_eq!(sha256(&blob.read_all(1 << 20).unwrap()), *descriptor.digest());
        }
        open.extend(tree.children.iter().map(|child| child.as_ref().clone()));
    }
}

#[test]
fn what_docker_saved_is_found_with_its_linked_layers() {
    let path = testdata("valid-image.tar");
    let image = only(find(archive(&path)).unwrap());
    assert_eq!(names(&image), ["web:1.0"]);
    assert_eq!(image.source.to_string(), format!("docker-archive:{}:web:1.0", path.display()));
    assert_eq!(image.fallback, "valid-image");
    assert_eq!(image.platforms.len(), 1);
    let Content::Unpacked { layers, exact, .. } = &image.content else { panic!("packed") };
    assert!(exact.is_none());
    assert_eq!(layers.len(), 4);
    assert_eq!(layers[1].diff_id, layers[3].diff_id);
    check_layers(&image);
}

#[test]
fn several_images_and_tags_of_one_archive_are_all_found() {
    let found = find(archive(&testdata("docker-legacy-multi.tar"))).unwrap();
    let all: Vec<Vec<&str>> = found.images.iter().map(names).collect();
    assert_eq!(all, [vec!["team/api:2.1", "team/api:latest"], vec!["web:1.0"]]);
    found.images.iter().for_each(check_layers);
}

#[test]
fn one_image_of_several_is_found_by_its_name() {
    let path = testdata("docker-legacy-multi.tar");
    let by_name = |name| find(named(&path, ArchiveKind::DockerSave, name));
    let image = only(by_name("team/api").unwrap());
    assert_eq!(names(&image), ["team/api:latest"]);
    assert!(image.source.to_string().ends_with("docker-legacy-multi.tar:team/api:latest"));
    assert_eq!(names(&only(by_name("docker.io/library/web:1.0").unwrap())), ["web:1.0"]);
    match by_name("wbe:1.0").unwrap_err() {
        SourceError::NameNotFound { name, names, .. } => {
            assert_eq!(name, "wbe:1.0");
            assert_eq!(names, ["team/api:2.1", "team/api:latest", "web:1.0"]);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_hybrid_archive_with_unpacked_layers_is_packed_and_keeps_its_manifest() {
    let image = only(find(archive(&testdata("docker-hybrid.tar"))).unwrap());
    assert_eq!(names(&image), ["docker.io/library/web:1.0"]);
    assert!(image.source.to_string().ends_with("docker-hybrid.tar:web:1.0"), "{}", image.source);
    check_layers(&image);
    let Content::Unpacked { exact: Some(tree), layers, config } = &image.content else { panic!("no tree") };
    assert_eq!(layers.len(), 4);
    let Children::Image { config: descriptor, .. } = tree.manifest.children() else { panic!("no image") };
    assert_eq!(sha256(config), *descriptor.digest());
}

#[test]
fn a_hybrid_archive_with_packed_layers_goes_up_byte_for_byte() {
    let image = only(find(archive(&testdata("docker-hybrid-packed.tar"))).unwrap());
    assert_eq!(names(&image), ["docker.io/team/api:2.1"]);
    check_tree(&image);
    let oci = find(named(&testdata("docker-hybrid-packed.tar"), ArchiveKind::Oci, "team/api:2.1"));
    let oci = only(oci.unwrap());
    assert!(oci.source.to_string().starts_with("oci-archive:"));
    assert_eq!(exact(&oci).manifest.digest(), exact(&image).manifest.digest());
}

#[test]
fn what_podman_and_skopeo_wrote_is_found() {
    let docker = only(find(archive(&testdata("podman-docker.tar"))).unwrap());
    assert_eq!(names(&docker), ["localhost/web:1.0"]);
    check_layers(&docker);
    for (file, name) in [("podman-oci.tar", "localhost/web:1.0"), ("skopeo-oci.tar", "web:1.0")] {
        let image = only(find(archive(&testdata(file))).unwrap());
        assert_eq!(names(&image), [name], "{file}");
        check_tree(&image);
        assert!(image.source.to_string().starts_with("oci-archive:"), "{}", image.source);
        assert_eq!(image.platforms.len(), 1);
    }
}

#[test]
fn a_layout_gives_a_tag_and_the_folder_a_name() {
    let image = only(find(layout(&testdata("oci-layout"))).unwrap());
    assert_eq!(image.suggested, [Suggested::Tag("1.0".parse().unwrap())]);
    assert_eq!(image.fallback, "oci-layout");
    assert!(image.source.to_string().starts_with("oci:"));
    check_tree(&image);
    let same = only(find(Spec::Folder { path: testdata("oci-layout") }).unwrap());
    assert_eq!(exact(&same).manifest.digest(), exact(&image).manifest.digest());
}

#[test]
fn an_index_of_platforms_is_one_image() {
    let spec = Spec::Layout { path: testdata("multi-platform-layout"), tag: Some("1.0".to_owned()) };
    let image = only(find(spec).unwrap());
    let tree = exact(&image);
    assert_eq!(*tree.manifest.descriptor().media_type(), MediaType::ImageIndex);
    assert_eq!((tree.children.len(), image.platforms.len()), (2, 2));
    check_tree(&image);
}

#[test]
fn a_tag_that_a_layout_has_not_is_an_error_with_those_it_has() {
    let spec = Spec::Layout { path: testdata("oci-layout"), tag: Some("2.0".to_owned()) };
    assert!(matches!(find(spec).unwrap_err(), SourceError::NameNotFound { names, .. } if names == ["1.0"]));
}

#[test]
fn a_tar_without_an_image_and_a_damaged_one_are_told_apart() {
    let none = find(archive(&testdata("invalid-image.tar"))).unwrap_err();
    assert!(matches!(none, SourceError::NotAnImage { .. }), "{none}");
    let damaged = find(archive(&testdata("damaged-image.tar"))).unwrap_err();
    assert!(
        matches!(&damaged, SourceError::Damaged { reason, .. } if reason.contains("at byte")),
        "{damaged}"
    );
}

#[test]
fn an_archive_that_is_of_another_kind_than_was_said_is_refused() {
    let oci = Spec::Archive { path: testdata("valid-image.tar"), kind: ArchiveKind::Oci, name: None };
    assert!(told(find(oci)).contains("`docker save` wrote it"));
    let docker =
        Spec::Archive { path: testdata("skopeo-oci.tar"), kind: ArchiveKind::DockerSave, name: None };
    assert!(told(find(docker)).contains("it is an OCI archive"));
}

#[test]
fn all_testdata_is_found_in_one_search() {
    let found = find(Spec::Folder { path: testdata("") }).unwrap();
    assert_eq!(found.images.len(), 10);
    let skipped: Vec<_> =
        found.skipped.iter().map(|one| one.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(skipped, ["damaged-image.tar", "invalid-image.tar"]);
    let sources: Vec<_> = found.images.iter().map(|image| image.source.to_string()).collect();
    let again = find(Spec::Folder { path: testdata("") }).unwrap();
    assert_eq!(sources, again.images.iter().map(|image| image.source.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_path_that_is_not_there_is_an_error_with_near_names() {
    match find(archive(&testdata("vald-image.tar"))).unwrap_err() {
        SourceError::NotFound { near, .. } => assert_eq!(near.first().unwrap(), "valid-image.tar"),
        other => panic!("{other}"),
    }
    let nowhere = Spec::Folder { path: "/nonexistent/folder".into() };
    assert!(matches!(find(nowhere), Err(SourceError::NotFound { near, .. }) if near.is_empty()));
}

#[test]
fn a_source_is_called_what_was_said() {
    let spec = named("app.tar".as_ref(), ArchiveKind::DockerSave, "myapp:dev");
    let source = crate::source::open(spec, &places());
    assert_eq!(source.name().to_string(), "docker-archive:app.tar:myapp:dev");
}

#[test]
fn opening_a_layout_holds_no_more_files_than_the_pool() {
    let small = crate::source::Places { pool: crate::content::FilePool::new(1), ..places() };
    check_tree(&only(find_in(layout(&testdata("multi-platform-layout")), &small).unwrap()));
}
