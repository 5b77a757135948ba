use crate::cli::settings::Colour;

/// Colours, or none. What is painted is taken as it is: escape it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Ink(Colour);

impl Ink {
    pub(in crate::cli) fn new(colour: Colour) -> Self {
        Self(colour)
    }

    pub(in crate::cli) fn good(self, text: &str) -> String {
        self.painted("32", text)
    }

    pub(in crate::cli) fn bad(self, text: &str) -> String {
        self.painted("1;31", text)
    }

    pub(in crate::cli) fn warn(self, text: &str) -> String {
        self.painted("1;33", text)
    }

    pub(in crate::cli) fn strong(self, text: &str) -> String {
        self.painted("1", text)
    }

    pub(in crate::cli) fn faint(self, text: &str) -> String {
        self.painted("2", text)
    }

    /// `code` selects a graphic rendition (ECMA-48, 8.3.117).
    fn painted(self, code: &str, text: &str) -> String {
        match self.0 {
            Colour::Plain => text.to_owned(),
            Colour::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}
