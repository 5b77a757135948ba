use std::io::Write;

use proptest::prelude::*;
use tar::EntryType;

use super::*;
use crate::content::FilePool;

const BLOCK_ZEROS: [u8; 512] = [0; 512];

fn index(bytes: &[u8]) -> Result<TarIndex, SourceError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    TarIndex::read(&SourceFile::open(file.path(), &FilePool::new(4)).unwrap())
}

fn refused(bytes: &[u8]) -> String {
    match index(bytes).unwrap_err() {
        SourceError::Damaged { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

/// A header and its content, padded. `edit` changes the header before the checksum is made.
fn entry(kind: u8, name: &str, content: &[u8], edit: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(EntryType::new(kind));
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    edit(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(b'0', name, content, |_| {})
}

fn pax(records: &[u8]) -> Vec<u8> {
    entry(b'x', "pax", records, |_| {})
}

fn ended(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = parts.concat();
    bytes.extend_from_slice(&BLOCK_ZEROS);
    bytes.extend_from_slice(&BLOCK_ZEROS);
    bytes
}

fn content(index: &TarIndex, name: &str) -> Vec<u8> {
    index.find(name).unwrap().unwrap().read_all(1 << 20).unwrap().to_vec()
}

#[test]
fn an_archive_of_nothing_is_empty() {
    assert!(index(b"").unwrap().is_empty());
    assert!(index(&[0; 10_240]).unwrap().is_empty());
}

#[test]
fn an_archive_that_ends_early_is_refused() {
    let whole = file("a", &[7; 600]);
    assert!(refused(&whole[..100]).contains("ends inside a header at byte 0"));
    assert!(refused(&whole[..512]).contains("ends inside an entry of 600 bytes at byte 512"));
    assert!(refused(&whole[..1111]).contains("ends inside an entry"));
    assert!(refused(&[whole.clone(), vec![1; 5]].concat()).contains("ends inside a header at byte 1536"));
    // Without padding or an end mark nothing is missing.
    assert_eq!(content(&index(&whole[..1112]).unwrap(), "a"), [7; 600]);
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut bytes = file("a", b"x");
    bytes[0] = b'b';
    assert!(refused(&bytes).contains("checksum of a header is wrong at byte 0"));
}

#[test]
fn sizes_that_are_none_are_refused() {
    let size = |field: [u8; 12]| refused(&ended(&[entry(b'0', "a", b"", |h| h.as_old_mut().size = field)]));
    let binary = |first: [u8; 4], rest: u64| {
        let mut field = [0; 12];
        field[..4].copy_from_slice(&first);
        field[4..].copy_from_slice(&rest.to_be_bytes());
        field
    };
    assert!(size(*b"0000000000x\0").contains("no number"));
    assert!(size(*b"-0000000001\0").contains("no number"));
    assert!(size(*b"999999999999").contains("no number"));
    assert!(size(binary([0xff; 4], u64::MAX - 511)).contains("no number"));
    assert!(size(binary([0x80, 0, 0, 1], 0)).contains("no number"));
    assert!(size(binary([0x80, 0, 0, 0], 1 << 62)).contains("ends inside an entry"));
    assert!(size(binary([0x80, 0, 0, 0], u64::MAX)).contains("ends inside an entry"));
}

#[test]
fn a_size_in_pax_records_goes_before_the_headers() {
    let hidden = file("hidden", b"x");
    let mut body = hidden.clone();
    body.extend_from_slice(&hidden);
    let records = format!("13 size={}\n", body.len());
    let outer = entry(b'0', "outer", &body, |header| header.set_size(0));
    let index = index(&ended(&[pax(records.as_bytes()), outer, file("after", b"y")])).unwrap();
    assert_eq!(content(&index, "outer"), body);
    assert_eq!(content(&index, "after"), b"y");
    assert!(index.find("hidden").unwrap().is_none());
}

#[test]
fn pax_records_that_cannot_be_read_are_refused() {
    for records in ["13 size=9e99\n", "29 size=18446744073709551616\n", "7 size=1\n", "x"] {
        let bytes = ended(&[pax(records.as_bytes()), file("a", b"x")]);
        assert!(refused(&bytes).contains("PAX record"), "{records}");
    }
}

#[test]
fn a_global_header_may_stand_but_not_change_entries() {
    let global = |records: &[u8]| ended(&[entry(b'g', "g", records, |_| {}), file("a", b"x")]);
    assert_eq!(content(&index(&global(b"14 comment=ab\n")).unwrap(), "a"), b"x");
    assert!(refused(&global(b"9 size=9\n")).contains("global PAX header"));
}

#[test]
fn long_names_are_taken_in_all_their_forms() {
    let long = "d/".repeat(120) + "f";
    let records = format!("{} path={long}\n", long.len() + 10);
    let gnu = entry(b'L', "././@LongLink", format!("{long}\0").as_bytes(), |_| {});
    for parts in [[gnu, file("short", b"x")], [pax(records.as_bytes()), file("short", b"x")]] {
        let index = index(&ended(&parts)).unwrap();
        assert_eq!(content(&index, &long), b"x");
        assert!(!index.has("short"));
    }
}

#[test]
fn names_are_bounded_and_have_no_nul() {
    let long = |len: usize| entry(b'L', "l", &vec![b'a'; len], |_| {});
    assert!(refused(&ended(&[long(5000), file("a", b"")])).contains("longer than 4096"));
    assert!(refused(&ended(&[long(2 << 20), file("a", b"")])).contains("larger than 1 MiB"));
    let nul = entry(b'L', "l", b"a\0b\0", |_| {});
    assert!(refused(&ended(&[nul, file("a", b"")])).contains("NUL"));
    assert!(refused(&ended(&[pax(b"12 path=a\0b\n"), file("a", b"")])).contains("NUL"));
}

#[test]
fn a_name_without_an_entry_or_twice_is_refused() {
    let long = || entry(b'L', "l", b"name\0", |_| {});
    assert!(refused(&ended(&[long()])).contains("missing"));
    assert!(refused(&ended(&[long(), long(), file("a", b"")])).contains("two names"));
}

#[test]
fn an_entry_whose_name_stands_in_two_forms_is_refused() {
    // The first reader takes one of them, and the next the other.
    for (kind, records) in [(b'L', "14 path=other\n"), (b'K', "18 linkpath=other\n")] {
        let long = entry(kind, "l", b"name\0", |_| {});
        let (pax, link) =
            (pax(records.as_bytes()), entry(b'2', "a", b"", |h| h.as_old_mut().linkname[0] = b'x'));
        for parts in [[long.clone(), pax.clone(), link.clone()], [pax, long, link]] {
            assert!(refused(&ended(&parts)).contains("two names"));
        }
    }
}

#[test]
fn records_of_the_kind_that_solaris_wrote_are_refused() {
    // They are records to GNU tar and libarchive, and an entry to Go.
    let records = entry(b'X', "x", b"11 size=512\n", |_| {});
    assert!(refused(&ended(&[records, file("a", b""), file("b", b"")])).contains("Solaris"));
}

#[test]
fn a_long_name_that_goes_on_after_its_end_is_refused() {
    let mut long = entry(b'L', "l", b"name and more", |header| header.set_size(4));
    assert!(refused(&ended(&[long.clone(), file("a", b"")])).contains("goes on"));
    long[512 + 4..].fill(0);
    assert!(index(&ended(&[long, file("a", b"")])).unwrap().has("name"));
}

#[test]
fn a_long_name_in_a_header_of_an_old_form_is_refused() {
    let old = entry(b'L', "l", b"name\0", |header| header.as_mut_bytes()[257..].fill(0));
    assert!(refused(&ended(&[old, file("a", b"")])).contains("old form"));
}

#[test]
fn sparse_entries_are_refused() {
    assert!(refused(&ended(&[entry(b'S', "s", b"", |_| {})])).contains("stored sparse"));
    let bytes = ended(&[pax(b"22 GNU.sparse.major=1\n"), file("s", b"map"), file("a", b"x")]);
    let index = index(&bytes).unwrap();
    assert_eq!(content(&index, "a"), b"x");
    assert!(index.find("s").unwrap_err().to_string().contains("stored sparse"));
}

#[test]
fn an_entry_that_is_no_file_has_no_bytes() {
    for kind in [b'1', b'2', b'3', b'4', b'5', b'6'] {
        assert!(refused(&ended(&[entry(kind, "a", b"x", |_| {})])).contains("has a size"));
    }
}

#[test]
fn the_old_forms_are_read_together() {
    let old = entry(b'\0', "v7", b"1", |header| header.as_mut_bytes()[257..].fill(0));
    let ustar = entry(b'0', "name", b"2", |header| {
        header.as_mut_bytes()[257..265].copy_from_slice(b"ustar\x0000");
        header.as_mut_bytes()[345..348].copy_from_slice(b"dir");
    });
    let index = index(&ended(&[old, ustar, file("gnu", b"3")])).unwrap();
    assert_eq!(
        [content(&index, "v7"), content(&index, "dir/name"), content(&index, "gnu")],
        [b"1", b"2", b"3"]
    );
}

#[test]
fn names_need_not_be_text() {
    let odd = entry(b'0', "", b"x", |header| header.as_old_mut().name[..3].copy_from_slice(b"\xff\xfea"));
    assert!(index(&ended(&[odd])).is_ok());
}

#[test]
fn entries_are_bounded() {
    let one = file("a", b"");
    let mut bytes = Vec::with_capacity(one.len() * 100_001);
    for _ in 0..100_001 {
        bytes.extend_from_slice(&one);
    }
    assert!(refused(&bytes).contains("more than 100000 entries"));
}

#[test]
fn only_the_header_of_a_tar_looks_like_one() {
    assert!(looks_like_tar(&file("a", b"")));
    assert!(!looks_like_tar(&BLOCK_ZEROS));
    assert!(!looks_like_tar(&[b'x'; 512]));
    assert!(!looks_like_tar(b"short"));
}

/// Names, places and sizes of the files that the `tar` crate sees.
fn second_reader(bytes: &[u8]) -> Option<Vec<(Vec<u8>, u64, u64)>> {
    let mut archive = tar::Archive::new(std::io::Cursor::new(bytes));
    let mut files = Vec::new();
    for entry in archive.entries_with_seek().ok()? {
        let entry = entry.ok()?;
        if matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Continuous) {
            files.push((entry.path_bytes().into_owned(), entry.raw_file_position(), entry.size()));
        }
    }
    Some(files)
}

fn first_reader(bytes: &[u8]) -> Option<Vec<(Vec<u8>, u64, u64)>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let source = SourceFile::open(file.path(), &FilePool::new(1)).unwrap();
    let files = super::files(&source).ok()?.into_iter();
    Some(files.map(|entry| (entry.name, entry.offset, entry.len)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn what_is_accepted_is_what_a_second_reader_sees(
        parts in proptest::collection::vec((0_usize..6, 0_usize..1200, any::<u8>()), 1..6),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..512, any::<u8>()), 0..3),
    ) {
        let mut bytes = ended(&parts.iter().enumerate().map(|(i, (kind, len, byte))| {
            let body = vec![*byte; *len];
            match kind {
                0 => pax(format!("{} size={len}\n", len.to_string().len() + if *len < 10 { 8 } else { 9 }).as_bytes()),
                1 => entry(b'L', "l", format!("long-{i}\0").as_bytes(), |_| {}),
                2 => entry(b'5', &format!("d{i}/"), b"", |_| {}),
                3 => entry(b'2', &format!("s{i}"), b"", |h| h.as_old_mut().linkname[0] = b'x'),
                _ => file(&format!("f{i}"), &body),
            }
        }).collect::<Vec<_>>());
        for (block, at, byte) in edits {
            let start = block.index(bytes.len() / 512) * 512;
            bytes[start + at] = byte;
            let mut header = tar::Header::new_old();
            header.as_mut_bytes().copy_from_slice(&bytes[start..start + 512]);
            header.set_cksum();
            bytes[start..start + 512].copy_from_slice(header.as_bytes());
        }
        if let (Some(ours), Some(theirs)) = (first_reader(&bytes), second_reader(&bytes)) {
            prop_assert_eq!(ours, theirs);
        }
    }
}

#[test]
fn an_entry_may_stand_any_number_of_times_while_its_bytes_are_the_same() {
    let thrice = |last: &[u8]| ended(&[file("a", b"one"), file("a", b"one"), file("a", last)]);
    let same = index(&thrice(b"one")).unwrap();
    assert_eq!(content(&same, "a"), b"one");
    assert!(same.find_once("a").is_err());
    for last in [&b"two"[..], b"longer"] {
        assert!(index(&thrice(last)).unwrap().find("a").is_err());
    }
}
