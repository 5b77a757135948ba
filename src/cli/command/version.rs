use std::io;
use std::process::ExitCode;

use serde_json::json;

use super::Start;
use crate::cli::args::{VersionArgs, VersionFormArg};
use crate::cli::output::{API_VERSION, answer};

/// Prints the version.
pub(in crate::cli) fn version(args: VersionArgs, start: &Start) -> ExitCode {
    let _ = answer(&mut io::stdout(), &text(args.output, start.called.name()));
    ExitCode::SUCCESS
}

fn text(form: VersionFormArg, name: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (os, arch) = (os(), arch());
    match form {
        VersionFormArg::Text => format!("{name} v{version} ({os}/{arch})\n"),
        VersionFormArg::Json => {
            let document = json!({
                "apiVersion": API_VERSION,
                "kind": "Version",
                "version": format!("v{version}"),
                "os": os,
                "arch": arch,
            });
            format!("{document}\n")
        }
    }
}

/// Go's names, which the manifests of plugins use.
fn os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    }
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        arch => arch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_one_line() {
        let text = text(VersionFormArg::Text, "idpbuilder push");
        assert!(text.starts_with(&format!("idpbuilder push v{} (", env!("CARGO_PKG_VERSION"))), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn programs_get_the_version_as_json() {
        let value: serde_json::Value = serde_json::from_str(&text(VersionFormArg::Json, "x")).unwrap();
        assert_eq!(value["version"], concat!("v", env!("CARGO_PKG_VERSION")));
        assert_eq!(value["kind"], "Version");
    }
}
