//! Holds `docs/faults.md` and `SECURITY.md` to the tests that they name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A row of a table, with the numbers that it is about and the tests that it names.
struct Row {
    numbers: Vec<u32>,
    outcome: String,
    tests: Vec<String>,
}

fn rows(section: &str) -> Vec<Row> {
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [numbers, _, outcome, tests] = cells[..] else { panic!("{line}") };
        let tests = tests.split(", ").filter(|name| !name.is_empty());
        let tests = tests.map(|name| name.trim_matches('`').to_owned()).collect();
        Row { numbers: numbers.split(", ").flat_map(range).collect(), outcome: outcome.to_owned(), tests }
    })
    .collect()
}

fn range(text: &str) -> Vec<u32> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    (first.parse().unwrap()..=last.parse().unwrap()).collect()
}

/// The sections of the file, and how many numbers each has.
fn sections() -> Vec<(u32, Vec<Row>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let text = fs::read_to_string(path).unwrap();
    let sections = text.split("\n## ").skip(1).map(rows);
    [61, 107, 13].into_iter().zip(sections).collect()
}

/// Names of functions behind `#[test]` or `#[tokio::test]`, and of the cases of `tests/e2e`.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            tests_below(&entry.path(), names);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let mut marked = false;
            let cases = text.split_once("\ncases![").and_then(|(_, rest)| rest.split_once("];"));
            let cases = cases.into_iter().flat_map(|(cases, _)| cases.split(','));
            names.extend(cases.map(|case| case.trim().to_owned()));
            for line in text.lines().map(str::trim) {
                marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") {
                    let name = rest.split('(').next().unwrap_or_default();
                    names.extend(std::mem::take(&mut marked).then(|| name.to_owned()));
                }
            }
        }
    }
}

fn known_tests() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for folder in ["src", "tests"] {
        tests_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut known);
    }
    known
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let known = known_tests();
    let named = sections().into_iter().flat_map(|(_, rows)| rows).flat_map(|row| row.tests);
    let unknown: Vec<String> = named.filter(|name| !known.contains(name)).collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn every_promise_has_tests_that_are_there() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md");
    let (text, known) = (fs::read_to_string(path).unwrap(), known_tests());
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let rows: Vec<&str> =
        rows.map(|row| row.trim_matches(['|', ' ']).rsplit_once(" | ").unwrap().1).collect();
    assert!(!rows.is_empty());
    let named = rows.iter().flat_map(|tests| tests.split(", ")).map(|name| name.trim_matches('`'));
    let unknown: Vec<&str> = named.filter(|name| !known.contains(*name)).collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn every_number_is_in_the_table_once_and_has_a_test_or_a_reason() {
    for (count, rows) in sections() {
        let mut numbers: Vec<u32> = rows.iter().flat_map(|row| row.numbers.clone()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=count).collect::<Vec<u32>>());
        for row in rows {
            assert_eq!(row.tests.is_empty(), row.outcome.starts_with("- : "), "{:?}", row.numbers);
        }
    }
}
