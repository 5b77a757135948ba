//! OCI layouts: digests, sizes, documents and the files that they name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use super::bytes::{CONFIG, INDEX, LAYER, MANIFEST, Oci, config, layer, path_of};
use super::{End, Place, Row, hold, push, row, unasked};
use crate::kit::registry::{Registry, sha256};
use crate::program::stored;

use End::{NotPushed, Refused, Stored, Whole};

impl Place {
    fn layout(&self, oci: Oci) {
        oci.write(&self.app());
    }

    fn app(&self) -> std::path::PathBuf {
        self.inside().join("app")
    }

    /// Where the layer of [`Oci::image`] is.
    fn layer(&self) -> std::path::PathBuf {
        self.app().join(path_of(&sha256(&layer())))
    }
}

/// A layer that the manifest describes like this.
fn described(key: &'static str, value: Value) -> Oci {
    Oci::with_layers(|oci| {
        let mut descriptor = oci.blob(LAYER, &layer());
        descriptor[key] = value;
        vec![descriptor]
    })
}

/// Digests that are none, where a manifest and where a layer has them.
#[test]
fn a_digest_that_is_none_is_refused_before_a_path_is_made() {
    let hex = "a".repeat(64);
    for digest in [
        "sha256:../../../out/layer".to_owned(),
        format!("sha256:{}", hex.to_uppercase()),
        "sha256:abc".to_owned(),
        "md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        "sha256+b64:LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=".to_owned(),
        String::new(),
        format!("sha512:{hex}"),
    ] {
        let place_of = [Oci::image().describe("digest", json!(digest)), described("digest", json!(digest))];
        for oci in place_of {
            let (registry, place) = (Registry::distribution().start(), Place::new());
            fs::write(place.outside().join("layer"), layer()).unwrap();
            place.layout(oci);
            place.guard();
            push(&registry, &place).arg("./app").run().exits(3).says(&["error: `./app`", "To fix this:"]);
            assert_eq!((unasked(&registry), place.opened()), (true, Vec::new()), "{digest}");
        }
    }
}

fn sizes() -> Vec<Row> {
    vec![
        row(67, "a manifest of other bytes", Refused, &["digest"], |place| {
            let mut oci = Oci::image();
            let path = path_of(oci.listed[0]["digest"].as_str().unwrap());
            let bytes = oci.files.get_mut(&path).unwrap();
            *bytes = String::from_utf8(bytes.clone()).unwrap().replace(":2}", ":3}").into_bytes();
            place.layout(oci);
        }),
        row(67, "a layer of other bytes", NotPushed, &["digest"], |place| {
            let mut oci = Oci::image();
            oci.files.get_mut(&path_of(&sha256(&layer()))).unwrap()[700] ^= 1;
            place.layout(oci);
        }),
        row(68, "a layer that is shorter than said", Refused, &["bytes"], |place| {
            place.layout(described("size", json!(layer().len() + 1)));
        }),
        row(68, "a layer that is longer than said", Refused, &["bytes"], |place| {
            place.layout(described("size", json!(layer().len() - 1)));
        }),
        row(68, "a manifest that is longer than said", Refused, &["bytes"], |place| {
            place.layout(Oci::image().describe("size", json!(7)));
        }),
        row(69, "a negative size", Refused, &[], |place| place.layout(described("size", json!(-1)))),
        row(69, "a manifest of negative size", Refused, &[], |place| {
            place.layout(Oci::image().describe("size", json!(-1)));
        }),
        row(70, "a manifest of 2^50 bytes", Refused, &[], |place| {
            place.layout(Oci::image().describe("size", json!(1_u64 << 50)));
        }),
        row(72, "a million manifests", Refused, &["more than 4 MiB"], |place| {
            let one = json!({"mediaType": MANIFEST, "digest": sha256(b""), "size": 0}).to_string() + ",";
            let index = format!(r#"{{"schemaVersion":2,"manifests":[{}{{}}]}}"#, one.repeat(1_000_000));
            let mut oci = Oci::image();
            oci.files.insert("index.json".to_owned(), index.into_bytes());
            place.layout(oci);
        }),
        row(85, "an index.json of 100 MB", Refused, &["more than 4 MiB"], |place| {
            place.layout(Oci::image());
            fs::File::options()
                .write(true)
                .open(place.app().join("index.json"))
                .unwrap()
                .set_len(100_000_000)
                .unwrap();
        }),
    ]
}

fn documents() -> Vec<Row> {
    vec![
        row(63, "no oci-layout", Refused, &["no oci-layout"], |place| {
            place.layout(Oci::image());
            fs::remove_file(place.app().join("oci-layout")).unwrap();
        }),
        row(63, "another version", Refused, &["version `9.9`"], |place| {
            let mut oci = Oci::image();
            oci.files.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"9.9"}"#.to_vec());
            place.layout(oci);
        }),
        row(71, "an index that lists itself", Refused, &["digest"], |place| {
            let digest = sha256(b"itself");
            let itself = json!({"mediaType": INDEX, "digest": digest, "size": 0});
            let mut document = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [itself]});
            let size = document.to_string().len() + 2;
            document["manifests"][0]["size"] = json!(size);
            let mut oci = Oci::default();
            oci.files.insert(path_of(&digest), document.to_string().into_bytes());
            oci.list(json!({"mediaType": INDEX, "digest": digest, "size": document.to_string().len()}));
            place.layout(oci);
        }),
        row(73, "manifests and layers", Refused, &["both"], |place| {
            place.layout(Oci::with_manifest(MANIFEST, |oci| {
                let config = oci.document(CONFIG, &config(&[]));
                json!({"schemaVersion": 2, "config": config, "layers": [], "manifests": []})
            }));
        }),
        row(74, "another media type than it is listed with", Refused, &["calls itself"], |place| {
            place.layout(Oci::image().describe("mediaType", json!(INDEX)));
        }),
        row(75, "schema 1", Refused, &["schema 1"], |place| {
            let old = json!({"schemaVersion": 1, "fsLayers": [], "name": "a"});
            place.layout(Oci::with_manifest(MANIFEST, |_| old));
        }),
    ]
}

fn contents() -> Vec<Row> {
    vec![
        row(76, "a layer of others", Stored, &["belongs to others"], |place| {
            place.layout(Oci::with_layers(|_| {
                let media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar";
                vec![json!({"mediaType": media_type, "size": 5, "digest": sha256(b"fives"),
                    "urls": ["http://127.0.0.2:9/layer"]})]
            }));
        }),
        row(77, "a layer of an unknown media type", Stored, &["`application/x-nobody-knows`"], |place| {
            place.layout(Oci::with_layers(|oci| vec![oci.blob("application/x-nobody-knows", &layer())]));
        }),
        row(78, "content in a descriptor that is not its digest", Refused, &["data"], |place| {
            place.layout(Oci::image().describe("data", json!("AAAA")));
        }),
        row(79, "a layer that is missing", Refused, &["is missing"], |place| {
            place.layout(Oci::image());
            fs::remove_file(place.layer()).unwrap();
        }),
        row(82, "a subject that the registry has not", Stored, &[], |place| {
            place.layout(Oci::with_manifest(MANIFEST, |oci| {
                let (layer, config) = (oci.blob(LAYER, &layer()), oci.document(CONFIG, &config(&[&layer()])));
                let subject = json!({"mediaType": MANIFEST, "digest": sha256(b"gone"), "size": 4});
                json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
                    "subject": subject})
            }));
        }),
        row(83, "an artifact without layers", Stored, &[], |place| {
            place.layout(Oci::with_manifest(MANIFEST, |oci| {
                let config = oci.blob("application/vnd.oci.empty.v1+json", b"{}");
                json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x-thing",
                    "config": config, "layers": []})
            }));
        }),
    ]
}

/// Moves the layer there and links to it.
fn linked(place: &Place, target: &Path) {
    place.layout(Oci::image());
    fs::rename(place.layer(), target).unwrap();
    symlink(target, place.layer()).unwrap();
}

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

fn files() -> Vec<Row> {
    vec![
        row(80, "a layer that links to inside", Whole, &[], |place| {
            fs::create_dir(place.app()).unwrap();
            linked(place, &place.app().join("shared"));
        }),
        row(80, "a layer that links to outside", Refused, &["links out of it"], |place| {
            linked(place, &place.outside().join("shared"));
        }),
        row(81, "a pipe for a layer", Refused, &["not a regular file"], |place| {
            place.layout(Oci::image());
            fifo(&place.layer());
        }),
        row(81, "a pipe for index.json", Refused, &["not a regular file"], |place| {
            place.layout(Oci::image());
            fifo(&place.app().join("index.json"));
        }),
    ]
}

#[test]
fn sizes_and_digests_of_a_layout_are_those_of_its_files() {
    hold(&sizes());
}

#[test]
fn documents_of_a_layout_mean_one_thing() {
    hold(&documents());
    hold(&contents());
}

#[test]
fn blobs_are_files_in_the_layout() {
    hold(&files());
}

/// Row 80, where it was allowed.
#[test]
fn a_layer_outside_is_pushed_when_it_was_asked_for() {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    linked(&place, &place.outside().join("shared"));
    place.guard();
    push(&registry, &place).args(["--follow", "./app"]).run().exits(0);
    assert!(place.opened().contains(&"shared".to_owned()), "the guard sees what is opened");
    stored::whole(&registry, "app", "1");
    registry.assert_orderly();
}

/// Row 84.
#[test]
fn one_tag_on_two_images_of_a_layout_is_refused() {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    let mut oci = Oci::image();
    let other = Oci::with_layers(|_| Vec::new());
    oci.files.extend(other.files);
    oci.listed.extend(other.listed);
    place.layout(oci);
    let ran = push(&registry, &place).arg("./app").run().exits(2);
    ran.says(&["error: ", "app:1", "To fix this:"]);
    assert_eq!(registry.repositories(), [""; 0]);
}
