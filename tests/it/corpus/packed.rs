//! Archives that are compressed as a whole, and layers that are.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::bytes::{CONFIG, MANIFEST, Oci, config, good, layer};
use super::{End, Place, Row, hold, push, row};
use crate::kit::registry::{Registry, sha256};
use crate::program::stored;

use End::{Refused, Whole};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// An archive of a good image in gzip, with one byte changed, counted from its end.
fn changed(place: &Place, back: usize) {
    let mut packed = gzip(&good().end());
    let at = packed.len() - back;
    packed[at] ^= 0x55;
    place.tar(packed);
}

fn archives() -> Vec<Row> {
    vec![
        row(39, "gzip in several members", Whole, &[], |place| {
            place.tar(good().end().chunks(1000).flat_map(gzip).collect::<Vec<u8>>());
        }),
        row(40, "gzip with another checksum", Refused, &["gzip"], |place| changed(place, 8)),
        row(40, "gzip with another length", Refused, &["gzip"], |place| changed(place, 4)),
        row(41, "zstd with a window of 2 GiB", Refused, &["128 MiB"], |place| {
            let content = good().end();
            let block = u32::try_from(content.len()).unwrap() << 3 | 1;
            let head = [&[0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3][..], &block.to_le_bytes()[..3]].concat();
            place.tar([head, content].concat());
        }),
        row(42, "a million frames of zstd without content", Refused, &["zstd"], |place| {
            let frame = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
            place.tar([frame.repeat(1_000_000), zstd(&good().end())].concat());
        }),
        row(43, "xz with a dictionary of 4 GiB", Refused, &["64 MiB"], |place| {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
            encoder.write_all(&good().end()).unwrap();
            let mut packed = encoder.finish().unwrap();
            let header = 12 + (usize::from(packed[12]) + 1) * 4;
            packed[16] = 40;
            let mut sum = flate2::Crc::new();
            sum.update(&packed[12..header - 4]);
            packed[header - 4..header].copy_from_slice(&sum.sum().to_le_bytes());
            place.tar(packed);
        }),
        row(44, "gzip in gzip in gzip", Refused, &["more than once"], |place| {
            place.tar(gzip(&gzip(&gzip(&good().end()))));
        }),
        row(45, "gzip under the name of a tar", Whole, &[], |place| place.tar(gzip(&good().end()))),
        row(46, "gzip that ends early", Refused, &["gzip"], |place| {
            let packed = gzip(&good().end());
            place.tar(&packed[..packed.len() - 9]);
        }),
    ]
}

#[test]
fn what_cannot_be_unpacked_is_refused_and_the_rest_is_read() {
    hold(&archives());
}

/// Row 37 at a size that a test has time for: the bound of 64 GiB is held where the bytes are counted.
#[test]
fn a_bomb_of_gzip_takes_no_memory() {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&good().end()).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..128 {
        encoder.write_all(&zeros).unwrap();
    }
    place.tar(encoder.finish().unwrap());
    push(&registry, &place).arg("./app.tar").run().exits(0);
    stored::whole(&registry, "app", "1");
    registry.assert_orderly();
}

/// Row 38.
#[test]
fn a_bomb_for_a_layer_goes_up_as_it_is() {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    let bomb = gzip(&vec![0; 256 << 20]);
    let oci = Oci::with_manifest(MANIFEST, |oci| {
        let bomb = oci.blob("application/vnd.oci.image.layer.v1.tar+gzip", &bomb);
        let config = oci.document(CONFIG, &config(&[&layer()]));
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [bomb]})
    });
    oci.write(&place.inside().join("app"));
    push(&registry, &place).arg("./app").run().exits(0);
    assert_eq!(registry.blob("app", &sha256(&bomb)).map(|blob| blob.len()), Some(bomb.len()));
    registry.assert_orderly();
}

/// Row 47.
#[test]
fn no_program_of_the_path_unpacks() {
    let (registry, place) = (Registry::distribution().start(), Place::new());
    place.tar(gzip(&good().end()));
    let programs = place.inside().join("bin");
    std::fs::create_dir(&programs).unwrap();
    for name in ["unpigz", "pigz", "gzip", "gunzip", "xz", "zstd", "bzip2"] {
        let script = programs.join(name);
        std::fs::write(&script, format!("#!/bin/sh\n: > {}/ran\n", programs.display())).unwrap();
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    push(&registry, &place).env("PATH", &programs).arg("./app.tar").run().exits(0);
    assert!(!programs.join("ran").exists());
    stored::whole(&registry, "app", "1");
    registry.assert_orderly();
}
