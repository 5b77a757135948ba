use serde_json::json;

use super::kit::{Oci, config, layer, names, only, read_tar};
use crate::oci::sha256;
use crate::port::Content;

#[test]
fn names_of_manifest_json_are_used_where_the_index_has_only_tags() {
    let content = layer("x");
    let hybrid = |name: Option<&str>| {
        let mut oci = Oci::default();
        let image = oci.image("amd64", &content);
        oci.list(image, name);
        let config = sha256(config(&[&content]).to_string().as_bytes());
        let blobs = |digest: &str| format!("blobs/sha256/{digest}");
        let saved = json!([{
            "Config": blobs(config.digest()),
            "RepoTags": ["web:1.0", "web:latest"],
            "Layers": [blobs(sha256(&content).digest())],
        }]);
        only(read_tar(oci.into_tar().json("manifest.json", &saved)).unwrap())
    };
    assert_eq!(names(&hybrid(Some("1.0"))), ["web:1.0", "web:latest"]);
    assert_eq!(names(&hybrid(None)), ["web:1.0", "web:latest"]);
    assert_eq!(names(&hybrid(Some("localhost/web:3"))), ["localhost/web:3"]);
    assert!(matches!(&hybrid(None).content, Content::Unpacked { exact: Some(_), .. }));
}

#[test]
fn manifest_json_comes_last() {
    let (content, other) = (layer("x"), layer("y"));
    let mut oci = Oci::default();
    let image = oci.image("amd64", &content);
    // The layout names a manifest that nobody wrote; manifest.json has the image, and one more.
    oci.list(image.clone(), Some("1.0"));
    let docker = |layer: &[u8], tag: &str, name: &str| {
        let config = sha256(config(&[layer]).to_string().as_bytes());
        json!({"Config": format!("blobs/sha256/{}", config.digest()), "RepoTags": [tag], "Layers": [name]})
    };
    let saved = json!([docker(&content, "web:1.0", "l/x"), docker(&other, "api:2.0", "l/y")]);
    let second = config(&[&other]).to_string();
    let gone = sha256(&content);
    oci.drop_blob(&json!({"digest": gone.to_string()}));
    let second_name = format!("blobs/sha256/{}", sha256(second.as_bytes()).digest());
    let tar = oci.into_tar().file("l/x", &content).file("l/y", &other).file(&second_name, second.as_bytes());
    let found = read_tar(tar.json("manifest.json", &saved)).unwrap();
    assert_eq!(found.images.iter().map(names).collect::<Vec<_>>(), [["web:1.0"], ["api:2.0"]]);
    assert!(found.images.iter().all(|image| matches!(&image.content, Content::Unpacked { exact: None, .. })));
}
