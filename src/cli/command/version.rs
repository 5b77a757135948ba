use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::Start;
use crate::cli::args::{VersionArgs, VersionFormArg};
use crate::cli::output::{API_VERSION, answer, document};
use crate::cli::settings::Form;

/// Prints the version.
pub(in crate::cli) fn version(args: VersionArgs, start: &Start) -> ExitCode {
    let _ = answer(&mut io::stdout(), &text(args.output, start.called.name()));
    ExitCode::SUCCESS
}

fn text(form: VersionFormArg, name: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match form {
        VersionFormArg::Text => format!("{name} v{version} ({}/{})\n", os(), arch()),
        VersionFormArg::Json => document(&Document::ours(), Form::Json),
        VersionFormArg::Yaml => document(&Document::ours(), Form::Yaml),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    version: &'static str,
    os: &'static str,
    arch: &'static str,
}

impl Document {
    fn ours() -> Self {
        Self {
            api_version: API_VERSION,
            kind: "Version",
            version: concat!("v", env!("CARGO_PKG_VERSION")),
            os: os(),
            arch: arch(),
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
    fn programs_get_the_version_as_a_document() {
        let value: serde_json::Value = serde_json::from_str(&text(VersionFormArg::Json, "x")).unwrap();
        let yaml: serde_json::Value = serde_saphyr::from_str(&text(VersionFormArg::Yaml, "x")).unwrap();
        assert_eq!(value, yaml);
        assert_eq!(value["version"], concat!("v", env!("CARGO_PKG_VERSION")));
        assert_eq!(value["kind"], "Version");
    }
}
