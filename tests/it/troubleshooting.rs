//! Holds `docs/troubleshooting.md` to the errors that the program prints: headings, exit codes, words and texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a user does not meet, or what says everything itself.
const NOT_THERE: [&str; 5] = ["INTERNAL", "LINK", "LINK_TAKEN", "NO_HOME", "RUNTIME"];

/// An error of the snapshots of `src/cli/failure`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Error {
    exit: String,
    code: String,
    text: String,
}

impl Error {
    /// Snapshots have `[exit 4 AUTH_FAILED]` before each text, which an empty line ends.
    fn all() -> BTreeSet<Self> {
        let folders = ["src/cli/failure/snapshots", "src/cli/failure/tests/snapshots"];
        let files = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
        let files = files.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        files.flat_map(|file| file.split("\n[exit ").skip(1).map(Self::parsed).collect::<Vec<_>>()).collect()
    }

    fn parsed(text: &str) -> Self {
        let (head, rest) = text.split_once("]\n").unwrap();
        let mut words = head.split([' ', ',']);
        let (exit, code) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let text = rest.split("\n\n").next().unwrap().trim_end().to_owned();
        Self { exit, code, text }
    }

    fn is_headed(&self, heading: &str) -> bool {
        let cause = format!("  cause: {heading}");
        self.text.lines().next() == Some(&format!("error: {heading}"))
            || self.text.lines().any(|line| line == cause)
    }

    /// What stands below a heading, before what is written by hand.
    fn shown(&self) -> String {
        format!("\n\n`{}`\n\n```\n{}\n```\n", self.code, self.text)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Exit code, heading and what stands below it, of each entry.
fn entries(page: &str) -> Vec<(String, String, String)> {
    let sections = page.split("\n## Exit code ").skip(1);
    let entries = sections.flat_map(|section| {
        let exit = section.split(':').next().unwrap().to_owned();
        section.split("\n### ").skip(1).map(move |entry| {
            let (heading, rest) = entry.split_once('\n').unwrap();
            (exit.clone(), heading.to_owned(), format!("\n{rest}"))
        })
    });
    entries.collect()
}

/// The page with the texts as they are now; what is written by hand stays.
fn updated(page: &str, errors: &BTreeSet<Error>) -> String {
    let mut page = page.to_owned();
    for (_, heading, below) in entries(&page) {
        let mut of_heading = errors.iter().filter(|error| error.is_headed(&heading));
        // Several may be headed alike: one that is shown as it is stays.
        if of_heading.clone().any(|error| below.starts_with(&error.shown())) {
            continue;
        }
        let (Some(error), Some(end)) = (of_heading.next(), below.match_indices("\n```\n").nth(1)) else {
            continue;
        };
        let old = &below[..end.0 + "\n```\n".len()];
        page = page.replace(&format!("\n### {heading}{old}"), &format!("\n### {heading}{}", error.shown()));
    }
    page
}

#[test]
fn every_entry_has_the_text_of_an_error_under_its_exit_code() {
    let path = root().join("docs/troubleshooting.md");
    let errors = Error::all();
    #[expect(clippy::disallowed_methods, reason = "it says whether the page is to be written")]
    let is_update = std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always");
    let page = fs::read_to_string(&path).unwrap();
    if is_update {
        fs::write(&path, updated(&page, &errors)).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap();
    let entries = entries(&page);
    assert!(entries.len() > 80, "{}", entries.len());
    for (exit, heading, below) in &entries {
        let of_heading: Vec<&Error> = errors.iter().filter(|error| error.is_headed(heading)).collect();
        assert!(!of_heading.is_empty(), "no error is headed: {heading}");
        let shown = of_heading.iter().find(|error| below.starts_with(&error.shown()));
        let shown = shown.unwrap_or_else(|| panic!("INSTA_UPDATE=always writes the text of: {heading}"));
        assert_eq!(&shown.exit, exit, "{heading}");
        assert!(below.len() > shown.shown().len() + 10, "nothing is said about: {heading}");
    }
}

#[test]
fn every_word_for_programs_is_on_the_page() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let absent = |code: &String| !page.contains(&format!("\n`{code}`\n"));
    let absent: BTreeSet<String> = Error::all().into_iter().map(|error| error.code).filter(absent).collect();
    assert_eq!(absent.iter().map(String::as_str).collect::<Vec<_>>(), NOT_THERE);
}

/// Targets of links to files of the repository, without their anchors.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.map(|target| target.split('#').next().unwrap_or_default());
    targets.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for path in
        docs.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|is| is == "md"))
    {
        let page = fs::read_to_string(&path).unwrap();
        for link in links(&page) {
            seen += 1;
            assert!(path.with_file_name(link).exists(), "{}: {link}", path.display());
        }
    }
    assert!(seen > 15, "{seen}");
}
