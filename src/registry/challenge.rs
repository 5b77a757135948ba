/// One challenge of a `WWW-Authenticate` header (RFC 9110, 11.6.1): scheme and parameter names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// All challenges of one header value. What is no challenge ends the list; what stood before it counts.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut rest = Rest(header);
    let mut challenges = Vec::new();
    loop {
        rest.skip(" \t,");
        let Some(scheme) = rest.token() else { return challenges };
        let mut challenge = Challenge { scheme: scheme.to_ascii_lowercase(), parameters: Vec::new() };
        let spaced = rest.skip(" ");
        if spaced > 0 && !rest.token68() {
            while let Some(parameter) = rest.parameter() {
                challenge.parameters.push(parameter);
            }
        }
        challenges.push(challenge);
        rest.skip(" \t");
        if !(rest.0.is_empty() || rest.0.starts_with(',')) {
            return challenges;
        }
    }
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, characters: &str) -> usize {
        let before = self.0.len();
        self.0 = self.0.trim_start_matches(|c| characters.contains(c));
        before - self.0.len()
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end).filter(|(token, _)| !token.is_empty())?;
        self.0 = rest;
        Some(token)
    }

    /// Passes over a `token68`, such as Negotiate's: it ends the challenge, a parameter goes on.
    fn token68(&mut self) -> bool {
        let body = self.0.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        let rest = body.trim_start_matches('=').trim_start_matches([' ', '\t']);
        let is_one = body.len() < self.0.len() && (rest.is_empty() || rest.starts_with(','));
        if is_one {
            self.0 = rest;
        }
        is_one
    }

    /// `name = value`, with the comma before it. Nothing is passed over when a new challenge begins.
    fn parameter(&mut self) -> Option<(String, String)> {
        let start = self.0;
        self.skip(" \t,");
        let found = self.token().and_then(|name| {
            self.skip(" \t");
            self.0 = self.0.strip_prefix('=')?;
            self.skip(" \t");
            let value = if self.0.starts_with('"') { self.quoted()? } else { self.token()?.to_owned() };
            Some((name.to_ascii_lowercase(), value))
        });
        if found.is_none() {
            self.0 = start;
        }
        found
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.0.strip_prefix('"')?.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => value.push(characters.next()?),
                c => value.push(c),
            }
        }
        self.0 = characters.as_str();
        Some(value)
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schemes(header: &str) -> Vec<String> {
        parse(header).into_iter().map(|challenge| challenge.scheme).collect()
    }

    #[test]
    fn a_bearer_challenge_has_its_parameters() {
        let header = r#"Bearer realm="https://r/v2/token",service="container_registry",scope="*""#;
        let [challenge] = &parse(header)[..] else { panic!("one challenge") };
        assert_eq!(challenge.scheme, "bearer");
        assert_eq!(challenge.parameter("realm"), Some("https://r/v2/token"));
        assert_eq!(challenge.parameter("service"), Some("container_registry"));
        assert_eq!(challenge.parameter("error"), None);
    }

    #[test]
    fn several_challenges_stand_in_one_header() {
        let header = r#"Basic realm="a, b", Bearer realm="https://r/t" , scope="x" ,Negotiate YWJj==, NTLM"#;
        assert_eq!(schemes(header), ["basic", "bearer", "negotiate", "ntlm"]);
        assert_eq!(parse(header)[0].parameter("realm"), Some("a, b"));
        assert_eq!(parse(header)[1].parameter("scope"), Some("x"));
    }

    #[test]
    fn quotes_are_taken_off_and_escapes_resolved() {
        let challenge = &parse(r#"Bearer REALM = "say \"hi\"" , Service=plain"#)[0];
        assert_eq!(challenge.parameter("realm"), Some(r#"say "hi""#));
        assert_eq!(challenge.parameter("service"), Some("plain"));
    }

    #[test]
    fn what_is_broken_ends_the_list() {
        assert_eq!(schemes(r#"Basic realm="x", Bearer realm="never ends"#), ["basic", "bearer"]);
        assert!(schemes("").is_empty());
        assert!(schemes(",,, ").is_empty());
        assert!(schemes("\"").is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            scheme in "[A-Za-z]{1,8}",
            names in prop::collection::vec(("[a-z]{1,6}", "[ -~]{0,12}"), 1..4),
        ) {
            let parameters: Vec<String> = names
                .iter()
                .map(|(name, value)| {
                    format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
                })
                .collect();
            let parsed = parse(&format!("{scheme} {}", parameters.join(", ")));
            prop_assert_eq!(parsed.len(), 1);
            prop_assert_eq!(&parsed[0].parameters, &names);
        }

        #[test]
        fn no_header_panics(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }
    }
}
