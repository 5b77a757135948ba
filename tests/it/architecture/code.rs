//! Reads Rust as far as the rules need it: tokens, test modules, paths.

use std::fs;
use std::path::Path;

/// A word, `::`, or any other character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// One file of `src/`.
#[derive(Debug)]
pub(crate) struct Source {
    /// `src/push/blob.rs`.
    pub(crate) path: String,
    /// `["push", "blob"]`; nothing for `lib.rs`.
    pub(crate) module: Vec<String>,
    pub(crate) lines: usize,
    /// Without comments and without what stands in quotes.
    pub(crate) tokens: Vec<Token>,
    /// Lines of `#[cfg(test)] mod ... { ... }`, first and last.
    pub(crate) tests: Vec<(usize, usize)>,
}

impl Source {
    /// All files below `src/`, in order of their paths.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Vec::new();
        walk(&root.join("src"), &mut |path| {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            sources.push(Self::parse(&name, &fs::read_to_string(path).unwrap()));
        });
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        let tests = test_modules(&tokens);
        let (path, module) = (path.to_owned(), module_of(path));
        Self { path, module, lines: text.lines().count(), tokens, tests }
    }

    /// A file of tests, or one below a folder of them.
    pub(crate) fn is_tests(&self) -> bool {
        self.module.iter().any(|part| part == "tests")
    }

    fn in_tests(&self, line: usize) -> bool {
        self.tests.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// Lines that are no tests.
    pub(crate) fn own_lines(&self) -> usize {
        self.lines - self.tests.iter().map(|(first, last)| last - first + 1).sum::<usize>()
    }

    /// Tokens that are no tests.
    pub(crate) fn own_tokens(&self) -> Vec<Token> {
        let own = |token: &&Token| !self.is_tests() && !self.in_tests(token.line);
        self.tokens.iter().filter(own).cloned().collect()
    }

    /// Everything of this crate that the file names, tests included, as paths from the crate's root: `use`
    /// lines, and paths that begin with `crate`, `self` or `super`. In `lib.rs`, also those that begin with a module.
    pub(crate) fn references(&self, modules: &[String]) -> Vec<(usize, Vec<String>)> {
        let mut inline: Vec<(String, usize)> = Vec::new();
        let mut depth = 0;
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inline.retain(|(_, opened)| *opened <= depth);
                }
                "mod" if self.text(at + 2) == "{" => inline.push((self.text(at + 1).to_owned(), depth + 1)),
                word => {
                    let mut paths = Vec::new();
                    if word == "use" {
                        at = self.tree(at + 1, &[], Place::Use, &mut paths) - 1;
                    } else if self.begins_here(at, modules) {
                        at = self.tree(at, &[], Place::Code, &mut paths) - 1;
                    }
                    let names = inline.iter().map(|(name, _)| name);
                    let here: Vec<String> = self.module.iter().chain(names).cloned().collect();
                    let absolute = paths.iter().filter_map(|path| absolute(path, &here, modules));
                    found.extend(absolute.map(|path| (token.line, path)));
                }
            }
            at += 1;
        }
        found
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    /// Whether a path of this crate begins at this token.
    fn begins_here(&self, at: usize, modules: &[String]) -> bool {
        let word = self.text(at);
        let first = at == 0 || !["::", "."].contains(&self.text(at - 1));
        let root_word = ["crate", "self", "super", "idpbuilder_push"].contains(&word);
        first
            && self.text(at + 1) == "::"
            && (root_word || (self.module.is_empty() && modules.iter().any(|module| module == word)))
    }

    /// Reads one tree of a `use` line, or one path elsewhere, and returns where it ends.
    fn tree(&self, mut at: usize, prefix: &[String], place: Place, paths: &mut Vec<Vec<String>>) -> usize {
        let mut path = prefix.to_vec();
        loop {
            match self.text(at) {
                "::" => {}
                "{" if place == Place::Use => {
                    at += 1;
                    while self.text(at) != "}" && !self.text(at).is_empty() {
                        at = self.tree(at, &path, place, paths);
                        at += usize::from(self.text(at) == ",");
                    }
                    return at + 1;
                }
                "*" if place == Place::Use => path.push("*".to_owned()),
                "as" if place == Place::Use => at += 1,
                word if is_word(word) && (path.len() == prefix.len() || self.text(at - 1) == "::") => {
                    path.push(word.to_owned());
                }
                _ => {
                    paths.push(path);
                    return at;
                }
            }
            at += 1;
        }
    }
}

/// Where a path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Use,
    Code,
}

/// From the crate's root; nothing for paths into other crates.
fn absolute(path: &[String], here: &[String], modules: &[String]) -> Option<Vec<String>> {
    let mut base = here.to_vec();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" | "idpbuilder_push" => {
            base.clear();
            rest = rest.get(1..)?;
        }
        "self" => rest = rest.get(1..)?,
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop()?;
                rest = rest.get(1..)?;
            }
        }
        first if here.is_empty() && modules.iter().any(|module| module == first) => {}
        _ => return None,
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

fn walk(folder: &Path, found: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            found(&path);
        }
    }
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Cuts text into tokens, and leaves out comments, strings and characters in quotes.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(c) = rest.chars().next() {
        let length = quoted(rest).unwrap_or_else(|| match c {
            ':' if rest.starts_with("::") => 2,
            _ if is_word(rest) => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
            _ => c.len_utf8(),
        });
        let (token, after) = rest.split_at(length);
        if quoted(rest).is_none() && !c.is_whitespace() {
            tokens.push(Token { text: token.to_owned(), line });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The length of the comment, string or character that begins here.
fn quoted(text: &str) -> Option<usize> {
    let until =
        |end: &str, skip: usize| text[skip..].find(end).map_or(text.len(), |at| skip + at + end.len());
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(until("*/", 2));
    }
    for prefix in ["r", "br"] {
        if let Some(raw) = text.strip_prefix(prefix) {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            if raw[hashes..].starts_with('"') {
                return Some(until(&format!("\"{}", "#".repeat(hashes)), prefix.len() + hashes + 1));
            }
        }
    }
    for prefix in ["", "b"] {
        let Some(body) = text.strip_prefix(prefix) else { continue };
        if let Some(rest) = body.strip_prefix('"') {
            return Some(prefix.len() + 1 + escaped_until(rest, '"')?);
        }
        // A lifetime has no second quote where a character has it.
        let character = body
            .strip_prefix('\'')
            .filter(|rest| rest.starts_with('\\') || rest.chars().nth(1) == Some('\''));
        if let Some(rest) = character {
            return Some(prefix.len() + 1 + escaped_until(rest, '\'')?);
        }
    }
    None
}

/// Bytes up to and with the next `end` that has no backslash before it.
fn escaped_until(text: &str, end: char) -> Option<usize> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == end {
            return Some(at + end.len_utf8());
        }
    }
    None
}

fn test_modules(tokens: &[Token]) -> Vec<(usize, usize)> {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let begins = |window: &[Token]| window.iter().map(|token| token.text.as_str()).eq(attribute);
    let starts = tokens.windows(attribute.len()).enumerate().filter(|(_, window)| begins(window));
    starts.filter_map(|(at, window)| block_end(&tokens[at..]).map(|last| (window[0].line, last))).collect()
}

/// The line where the first block ends; nothing if a semicolon comes first.
fn block_end(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0;
    for token in tokens {
        match token.text.as_str() {
            ";" if depth == 0 => return None,
            "{" => depth += 1,
            "}" if depth == 1 => return Some(token.line),
            "}" => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(path: &str, text: &str) -> Vec<String> {
        let modules = ["port", "event", "oci"].map(str::to_owned);
        let found = Source::parse(path, text).references(&modules);
        found.into_iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect()
    }

    #[test]
    fn a_use_line_is_read_to_its_leaves() {
        let text =
            "use std::fmt;\npub use crate::{oci::{Digest as D, json::*}, Job};\nuse super::step::Done;";
        assert_eq!(
            references("src/push/blob.rs", text),
            ["2 oci::Digest::D", "2 oci::json::*", "2 Job", "3 push::step::Done"]
                .map(|line| line.replace("Digest::D", "Digest"))
        );
    }

    #[test]
    fn a_path_in_the_code_counts_and_one_in_a_comment_does_not() {
        let text = "// crate::cli::x\nfn f<'a>() -> crate::port::Origin { \"crate::cli\"; 'x'; r#\"crate::cli\"#; self::g() }";
        assert_eq!(references("src/oci/mod.rs", text), ["2 port::Origin", "2 oci::g"]);
    }

    #[test]
    fn super_in_an_inline_module_is_the_file() {
        let text = "mod tests {\n use super::*;\n use super::super::report;\n}\nuse super::x;";
        assert_eq!(references("src/push/blob.rs", text), ["2 push::blob::*", "3 push::report", "5 push::x"]);
    }

    #[test]
    fn the_root_names_its_modules_without_a_prefix() {
        let text = "use event::Events;\nfn f() { port::g(); other::h(); x.port::y(); }";
        assert_eq!(references("src/lib.rs", text), ["1 event::Events", "2 port::g"]);
    }

    #[test]
    fn test_modules_are_told_from_the_rest() {
        let source = Source::parse(
            "src/a.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n fn g() {}\n}\n#[cfg(test)]\nmod more;\n",
        );
        assert_eq!(source.tests, [(2, 5)]);
        assert_eq!(source.own_lines(), 3);
        assert!(source.own_tokens().iter().all(|token| token.text != "g"));
    }
}
