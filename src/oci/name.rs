use std::fmt;
use std::str::FromStr;

/// Why a repository name or a tag is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("invalid repository name `{}`: it is empty", name.escape_debug())]
    EmptyRepository { name: String },
    #[error("invalid repository name `{}`: repository names are lower case", name.escape_debug())]
    UpperCase { name: String },
    #[error("invalid repository name `{}`: {reason}", name.escape_debug())]
    Repository { name: String, reason: &'static str },
    #[error("invalid tag `{}`: {reason}", tag.escape_debug())]
    Tag { tag: String, reason: &'static str },
}

/// A repository's name below the registry, such as `giteaadmin/web` (distribution-spec, "Pulling
/// manifests"): components of lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(String);

impl Repository {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let refused = |reason| NameError::Repository { name: name.to_owned(), reason };
        if name.is_empty() {
            return Err(NameError::EmptyRepository { name: name.to_owned() });
        }
        if name.len() > 255 {
            return Err(refused("it is longer than 255 characters"));
        }
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(NameError::UpperCase { name: name.to_owned() });
        }
        for component in name.split('/') {
            check_component(component).map_err(refused)?;
        }
        Ok(Self(name.to_owned()))
    }
}

fn check_component(component: &str) -> Result<(), &'static str> {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if component.is_empty() {
        return Err("a part between slashes is empty");
    }
    let mut separators = component.split(|c: char| c.is_ascii() && alphanumeric(c as u8));
    if component.bytes().any(|b| !alphanumeric(b) && !matches!(b, b'.' | b'_' | b'-')) {
        return Err("only a-z, 0-9, `.`, `_`, `-` and `/` are allowed");
    }
    let bounded = component.as_bytes().first().is_some_and(|b| alphanumeric(*b))
        && component.as_bytes().last().is_some_and(|b| alphanumeric(*b));
    if !bounded {
        return Err("each part starts and ends with a letter or digit");
    }
    if separators.any(|s| !(matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))) {
        return Err("letters and digits are separated by one `.`, one or two `_`, or dashes");
    }
    Ok(())
}

/// A tag (distribution-spec: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `latest`, which an image without a tag gets.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(tag: &str) -> Result<Self, NameError> {
        let refused = |reason| NameError::Tag { tag: tag.to_owned(), reason };
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if tag.len() > 128 {
            return Err(refused("it is longer than 128 characters"));
        }
        if !tag.as_bytes().first().is_some_and(|b| word(*b)) {
            return Err(refused("it starts with a letter, a digit or `_`"));
        }
        if !tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-')) {
            return Err(refused("only letters, digits, `_`, `.` and `-` are allowed"));
        }
        Ok(Self(tag.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repository_names_follow_the_spec() {
        for good in ["a", "library/nginx", "a.b_c__d---e/f", "0/1"] {
            assert!(good.parse::<Repository>().is_ok(), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a//b", "-a", "a-", "a..b", "a___b", "a._b", "A", "a b", "ä", "a:b"]
        {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
    }

    #[test]
    fn capitals_are_told_from_other_faults() {
        assert!(matches!("MyApp".parse::<Repository>(), Err(NameError::UpperCase { .. })));
    }

    #[test]
    fn tags_follow_the_spec() {
        for good in ["latest", "1.0", "_x", "V1", "a-b.c_d"] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "a/b", "a b", "ä"] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
        assert!("x".repeat(128).parse::<Tag>().is_ok());
        assert!("x".repeat(129).parse::<Tag>().is_err());
    }

    proptest! {
        #[test]
        fn what_the_grammar_makes_is_accepted_and_shown_as_it_was(
            name in "[a-z0-9]{1,8}((\\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}(/[a-z0-9]{1,8}){0,3}"
        ) {
            prop_assert_eq!(name.parse::<Repository>().unwrap().to_string(), name);
        }

        #[test]
        fn no_input_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Repository>();
            let _ = text.parse::<Tag>();
        }
    }
}
