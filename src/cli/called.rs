use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// How the program was called, as the user typed it; all usage and all advice is printed under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    name: &'static str,
    file: String,
    /// As it was called: a link, not where it leads.
    path: PathBuf,
}

const NAME: &str = "idpbuilder-push";

/// What the program is by its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    CommandLine,
    /// docker and its kin ask for the login of a registry.
    CredentialHelper,
    /// kubectl asks what a word can be completed to.
    Completion,
}

impl Called {
    /// `program` is `argv[0]`: a link's own name, where the path of the executable would resolve it.
    /// `caller` is `IDPBUILDER_PLUGIN_CALLER`, which a host command line sets.
    pub(super) fn by(program: Option<&OsStr>, caller: Option<&OsStr>) -> Self {
        let name = program.map(Path::new).and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or("");
        let file = name.strip_suffix(".exe").unwrap_or(name);
        let name = match (file, caller) {
            ("kubectl-idpbuilder_push", _) => "kubectl idpbuilder-push",
            ("kubectl-idpbuilder-push", _) => "kubectl idpbuilder push",
            (_, Some(caller)) if !caller.is_empty() => "idpbuilder push",
            _ => NAME,
        };
        let path = program.map(PathBuf::from).unwrap_or_default();
        Self { name, file: file.to_owned(), path }
    }

    /// `argv[0]` itself, which a shell leaves without a folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn role(&self) -> Role {
        match self.file.as_str() {
            "docker-credential-idpbuilder" => Role::CredentialHelper,
            "kubectl_complete-idpbuilder_push" | "kubectl_complete-idpbuilder-push" => Role::Completion,
            _ => Role::CommandLine,
        }
    }

    /// The one word that a shell knows the program by. What a script could take for something else is no
    /// such word.
    pub(super) fn word(&self) -> &str {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_word =
            self.file.starts_with(|c: char| c.is_ascii_alphanumeric()) && self.file.chars().all(plain);
        if is_word { &self.file } else { NAME }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_link_decides_what_usage_says() {
        for (program, caller, name) in [
            ("/home/u/.krew/bin/kubectl-idpbuilder_push", None, "kubectl idpbuilder-push"),
            ("kubectl-idpbuilder_push.exe", Some("idpbuilder"), "kubectl idpbuilder-push"),
            ("./kubectl-idpbuilder-push", None, "kubectl idpbuilder push"),
            ("/usr/bin/idpbuilder-push", Some("idpbuilder"), "idpbuilder push"),
            ("/usr/bin/idpbuilder-push", Some(""), "idpbuilder-push"),
            ("/usr/bin/idpbuilder-push", None, "idpbuilder-push"),
            ("kubectl-idpbuilder_push-more", None, "idpbuilder-push"),
            ("", None, "idpbuilder-push"),
        ] {
            let called = Called::by(Some(OsStr::new(program)), caller.map(OsStr::new));
            assert_eq!(called.name(), name, "{program}");
        }
        assert_eq!(Called::by(None, None).name(), "idpbuilder-push");
    }

    #[test]
    fn a_name_that_others_look_for_is_a_role() {
        for (program, role) in [
            ("/home/u/.local/bin/docker-credential-idpbuilder", Role::CredentialHelper),
            ("docker-credential-idpbuilder.exe", Role::CredentialHelper),
            ("/home/u/bin/kubectl_complete-idpbuilder_push", Role::Completion),
            ("kubectl_complete-idpbuilder-push.exe", Role::Completion),
            ("kubectl_complete-idpbuilder", Role::CommandLine),
            ("docker-credential-idpbuilder-push", Role::CommandLine),
            ("idpbuilder-push", Role::CommandLine),
            ("", Role::CommandLine),
        ] {
            assert_eq!(Called::by(Some(OsStr::new(program)), None).role(), role, "{program}");
        }
    }

    #[test]
    fn a_shell_knows_the_program_by_its_file() {
        for (program, word) in [
            ("/home/u/.krew/bin/kubectl-idpbuilder_push", "kubectl-idpbuilder_push"),
            ("push.exe", "push"),
            ("/usr/bin/idpbuilder-push-0.1", "idpbuilder-push-0.1"),
            ("./$(id)", "idpbuilder-push"),
            ("-x", "idpbuilder-push"),
            ("", "idpbuilder-push"),
        ] {
            assert_eq!(
                Called::by(Some(OsStr::new(program)), Some(OsStr::new("host"))).word(),
                word,
                "{program}"
            );
        }
    }
}
