use std::ffi::OsStr;
use std::path::Path;

/// How the program was called, as the user typed it; all usage and all advice is printed under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called(&'static str);

impl Called {
    /// `program` is `argv[0]`: a link's own name, where the path of the executable would resolve it.
    /// `caller` is `IDPBUILDER_PLUGIN_CALLER`, which a host command line sets.
    pub(super) fn by(program: Option<&OsStr>, caller: Option<&OsStr>) -> Self {
        let name = program.map(Path::new).and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or("");
        match (name.strip_suffix(".exe").unwrap_or(name), caller) {
            ("kubectl-idpbuilder_push", _) => Self("kubectl idpbuilder-push"),
            ("kubectl-idpbuilder-push", _) => Self("kubectl idpbuilder push"),
            (_, Some(caller)) if !caller.is_empty() => Self("idpbuilder push"),
            _ => Self("idpbuilder-push"),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.0
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
}
