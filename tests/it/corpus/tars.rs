//! Containers: what is wrong with a tar as a tar.

use std::fs;
use std::io::Write as _;

use super::bytes::{Tar, around, good, layer};
use super::{End, Place, Row, hold, row};

use End::{Refused, Whole};

/// The layer of an image, in an entry whose header says what `edit` makes of it.
fn edited(place: &Place, edit: impl FnOnce(&mut tar::Header)) {
    place.tar(around("l", |tar| tar.edited(b'0', b"l", &layer(), edit)));
}

fn size(place: &Place, field: [u8; 12]) {
    edited(place, |header| header.as_old_mut().size = field);
}

/// The layer behind PAX records.
fn pax(place: &Place, records: &[u8]) {
    place.tar(around("l", |tar| tar.entry(b'x', b"pax", records).file("l", layer())));
}

/// A header that promises so many bytes, and a hole in the file instead of them.
fn promised(place: &Place, tar: Tar, bytes: u64) {
    let mut file = fs::File::create(place.inside().join("app.tar")).unwrap();
    let start = tar.bytes();
    file.write_all(&start).unwrap();
    file.set_len(start.len() as u64 + bytes).unwrap();
}

fn ends() -> Vec<Row> {
    vec![
        row(1, "an empty file", Refused, &["too few for a tar"], |place| place.tar("")),
        row(2, "zeros", Refused, &["tar"], |place| place.tar([0; 10_240])),
        row(3, "one block", Refused, &["manifest.json"], |place| {
            place.tar(Tar::default().file("manifest.json", "").bytes());
        }),
        row(4, "a header that ends early", Refused, &["ends inside a header"], |place| {
            place.tar(good().raw(&[b'x'; 100]).bytes());
        }),
        row(5, "a layer that ends early", Refused, &["ends inside an entry"], |place| {
            place.tar(&good().bytes()[..2500]);
        }),
        row(6, "a wrong checksum", Refused, &["checksum"], |place| {
            let mut bytes = good().end();
            bytes[1024] ^= 1;
            place.tar(bytes);
        }),
        row(17, "two tars behind one another", Whole, &["after the end"], |place| {
            place.tar([good().end(), good().end()].concat());
        }),
        row(18, "bytes behind the end", Whole, &["after the end"], |place| {
            place.tar([good().end(), b"more".to_vec()].concat());
        }),
    ]
}

fn sizes() -> Vec<Row> {
    vec![
        row(7, "a negative size", Refused, &["no number"], |place| size(place, [0xff; 12])),
        row(8, "a size of 2^62", Refused, &["ends inside an entry"], |place| {
            size(place, [0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]);
        }),
        row(9, "a size beyond octal", Refused, &["no number"], |place| size(place, *b"999999999999")),
        row(9, "a size that is no number", Refused, &["no number"], |place| size(place, *b"0000000x000\0")),
        row(10, "a size in PAX records beside another in the header", Whole, &[], |place| {
            let size = layer().len().to_string();
            let hidden = |tar: Tar| {
                tar.pax(&[("size", &size)]).edited(b'0', b"l", &layer(), |header| header.set_size(0))
            };
            place.tar(around("l", hidden));
        }),
        row(11, "a size in PAX records beyond 64 bits", Refused, &["PAX record"], |place| {
            pax(place, b"29 size=18446744073709551616\n");
        }),
        row(11, "a size in PAX records with an exponent", Refused, &["PAX record"], |place| {
            pax(place, b"13 size=9e99\n");
        }),
        row(12, "a PAX record of another length", Refused, &["PAX record"], |place| {
            pax(place, b"7 size=1\n");
        }),
        row(12, "a PAX record without a length", Refused, &["PAX record"], |place| pax(place, b"path=l\n")),
        row(13, "a long name of 100 MiB", Refused, &["larger than 1 MiB"], |place| {
            let name = |header: &mut tar::Header| header.set_size(100 << 20);
            promised(place, Tar::default().edited(b'L', b"././@LongLink", b"", name), 100 << 20);
        }),
        row(13, "PAX records of 100 MiB", Refused, &["larger than 1 MiB"], |place| {
            let records = |header: &mut tar::Header| header.set_size(100 << 20);
            promised(place, Tar::default().edited(b'x', b"pax", b"", records), 100 << 20);
        }),
    ]
}

fn kinds() -> Vec<Row> {
    vec![
        row(14, "a million sparse regions", Refused, &["sparse"], |place| {
            let regions = "1\n".repeat(2_000_000);
            let records = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "l")];
            place.tar(around("l", |tar| tar.pax(&records).file("l", format!("1000000\n{regions}"))));
        }),
        row(14, "sparse regions in the header", Refused, &["sparse"], |place| {
            place.tar(around("l", |tar| tar.entry(b'S', b"l", &layer())));
        }),
        row(15, "a sparse layer of 8 EiB", Refused, &["sparse"], |place| {
            let records = [("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "9223372036854775807")];
            place.tar(around("l", |tar| tar.pax(&records).file("l", "0\n")));
        }),
        row(16, "a global PAX header", Whole, &[], |place| {
            let comment = super::bytes::record("comment", "of git archive");
            place.tar(Tar::default().entry(b'g', b"g", &comment).raw(&good().bytes()).end());
        }),
        row(19, "old forms beside new ones", Whole, &[], |place| {
            let old = |header: &mut tar::Header| header.as_mut_bytes()[257..].fill(0);
            let ustar =
                |header: &mut tar::Header| header.as_mut_bytes()[257..265].copy_from_slice(b"ustar\x0000");
            let mixed = |tar: Tar| tar.edited(b'0', b"u", b"x", ustar).edited(b'\0', b"l", &layer(), old);
            place.tar(around("l", mixed));
        }),
        row(20, "an entry of an unknown kind", Whole, &["entry `z`"], |place| {
            place.tar(good().entry(b'Z', b"z", b"12345").end());
        }),
        row(26, "a name that is no text", Whole, &["entry `"], |place| {
            place.tar(good().entry(b'Z', b"\xff\xfe\x1bz", b"").end());
        }),
    ]
}

#[test]
fn where_a_tar_ends_is_looked_at() {
    hold(&ends());
}

#[test]
fn sizes_in_a_tar_are_believed_only_where_every_reader_reads_the_same() {
    hold(&sizes());
}

#[test]
fn entries_of_every_kind_are_read_or_refused() {
    hold(&kinds());
}
