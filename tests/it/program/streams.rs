//! What goes to which stream, and in which form.

use serde_json::Value;

use super::{json, testdata};
use crate::kit::program::{Program, Ran, assert_ran};
use crate::kit::registry::Registry;

fn push(flags: &[&str]) -> Ran {
    let registry = Registry::gitea().start();
    let push = Program::push_to(&registry).current_dir(&testdata("")).args(["-j", "1"]).args(flags);
    let ran = push.arg("./docker-hybrid-packed.tar").run().exits(0);
    registry.assert_orderly();
    ran
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn stdout_has_the_reference_with_its_digest_alone() {
    let ran = push(&[]);
    let (reference, digest) = ran.stdout.trim_end().split_once('@').unwrap();
    assert!(reference.ends_with("/giteaadmin/api:2.1"), "{ran}");
    assert_eq!(digest.len(), "sha256:".len() + 64);
    assert_eq!(ran.stdout.lines().count(), 1);
}

#[test]
fn a_table_has_a_row_for_each_image() {
    let ran = push(&["-o", "table", "-q"]);
    assert_ran!(ran);
}

#[test]
fn json_has_the_shape_that_is_promised() {
    let report = json(&push(&["-o", "json"]));
    let top = [
        "apiVersion",
        "auth",
        "cluster",
        "compression",
        "dryRun",
        "exitCode",
        "images",
        "kind",
        "registry",
        "summary",
    ];
    assert_eq!(keys(&report), top);
    assert_eq!(report["apiVersion"], "plugins.idpbuilder.cnoe.io/v1alpha1");
    assert_eq!(report["kind"], "PushReport");
    assert_eq!(report["dryRun"], false);
    assert_eq!(report["cluster"], Value::Null);
    assert_eq!(report["exitCode"], 0);
    assert_eq!(keys(&report["registry"]), ["address", "host", "source", "tls"]);
    assert_eq!(report["registry"]["source"], "--registry");
    // Nothing but its address names the registry here.
    assert_eq!(report["registry"]["address"], report["registry"]["host"]);
    assert_eq!(keys(&report["auth"]), ["source", "username"]);
    assert_eq!(report["auth"]["username"], "giteaAdmin");
    let counts = ["bytesSent", "cancelled", "durationMs", "existing", "failed", "planned", "pushed"];
    assert_eq!(keys(&report["summary"]), counts);
    assert_eq!(report["summary"]["pushed"], 1);
}

#[test]
fn json_says_of_each_image_what_became_of_it() {
    let report = json(&push(&["-o", "json"]));
    let image = &report["images"][0];
    let fields = [
        "bytesSent",
        "digest",
        "durationMs",
        "error",
        "layers",
        "mediaType",
        "phases",
        "platforms",
        "reference",
        "retries",
        "size",
        "source",
        "status",
    ];
    assert_eq!(keys(image), fields);
    assert_eq!(image["source"], "docker-archive:./docker-hybrid-packed.tar:team/api:2.1");
    assert_eq!(image["status"], "pushed");
    assert_eq!(image["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(image["platforms"], serde_json::json!(["linux/amd64"]));
    assert_eq!(image["error"], Value::Null);
    assert_eq!(
        image["layers"],
        serde_json::json!({ "total": 1, "uploaded": 1, "existing": 0, "mounted": 0 })
    );
    assert_eq!(keys(&image["phases"]), ["manifestMs", "packMs", "uploadMs"]);
}

#[test]
fn json_tells_of_a_failed_image_what_stderr_tells() {
    let registry = Registry::gitea().start();
    let push = Program::push_to(&registry).args(["-o", "json", "--owner", "nobody"]);
    let ran = push.arg(testdata("skopeo-oci.tar")).run().exits(7);
    let report = json(&ran);
    let error = &report["images"][0]["error"];
    assert_eq!(keys(error), ["cause", "code", "hints", "message", "retryable"]);
    assert_eq!((&report["exitCode"], &report["summary"]["failed"]), (&7.into(), &1.into()));
    assert!(ran.stderr.contains(&format!("error: {}", error["message"].as_str().unwrap())), "{ran}");
    registry.assert_orderly();
}

#[test]
fn json_comes_also_when_the_run_cannot_begin() {
    for (flags, code) in [(&["--username", "me"][..], 2), (&["-r", "127.0.0.1:1", "--retries", "0"], 6)] {
        let run = Program::new().args(["-o", "json", "--plain-http"]).args(flags);
        let run = if code == 2 { run.args(["-r", "127.0.0.1:1"]) } else { run };
        let ran = run.arg(testdata("skopeo-oci.tar")).run().exits(code);
        let report = json(&ran);
        assert_eq!(report["exitCode"], code);
        assert!(report["error"]["message"].is_string(), "{ran}");
        assert_eq!(report["images"], serde_json::json!([]));
    }
}

#[test]
fn quiet_says_nothing_but_the_result() {
    assert_eq!(push(&["-q"]).stderr, "");
}

#[test]
fn quiet_keeps_warnings_and_errors() {
    let registry = Registry::gitea().start();
    let push = Program::push_to(&registry).args(["-q", "--owner", "nobody"]).arg(testdata("skopeo-oci.tar"));
    let ran = push.run().exits(7);
    assert!(ran.stderr.starts_with("error: "), "{ran}");
}

#[test]
fn progress_as_lines_has_one_for_each_layer() {
    assert_ran!(push(&["--progress", "lines", "-l", "error"]));
}

#[test]
fn without_progress_the_place_and_the_summary_stay() {
    assert_ran!(push(&["--progress", "none", "-l", "error"]));
}

#[test]
fn bars_need_a_terminal() {
    let ran = push(&["--progress", "bars"]);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\r'), "{ran}");
}

/// Escape sequences begin with this.
const ESCAPE: char = '\u{1b}';

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for() {
    assert!(!push(&[]).stderr.contains(ESCAPE));
    assert!(push(&["--color", "always"]).stderr.contains(ESCAPE));
}

#[test]
fn no_color_goes_before_a_variable_that_forces_and_a_flag_goes_before_both() {
    let coloured = |flags: &[&str], variables: &[(&str, &str)]| {
        let registry = Registry::distribution().start();
        let mut push = Program::push_to(&registry).args(flags);
        for (name, value) in variables {
            push = push.env(name, value);
        }
        let ran = push.arg(testdata("skopeo-oci.tar")).run().exits(0);
        assert!(!ran.stdout.contains(ESCAPE), "stdout is for programs: {ran}");
        ran.stderr.contains(ESCAPE)
    };
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn the_version_is_a_line_or_json() {
    let version = Program::new().arg("version").run().exits(0);
    assert_eq!(version.stderr, "");
    assert!(
        version.stdout.starts_with(&format!("idpbuilder-push v{} (", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    let version = json(&Program::new().args(["version", "-o", "json"]).run().exits(0));
    assert_eq!(keys(&version), ["apiVersion", "arch", "kind", "os", "version"]);
    // What is wrong with a registry is no matter here.
    Program::new().env("IDPBUILDER_REGISTRY_URL", "ftp://x").arg("version").run().exits(0);
}

#[test]
fn the_plugin_describes_itself_in_yaml() {
    let ran = Program::new().arg("plugin-metadata").run().exits(0);
    assert_eq!(ran.stdout, include_str!("../../../plugin.yaml"));
    assert_eq!(ran.stderr, "");
}

#[test]
fn help_goes_to_stdout_and_usage_errors_to_stderr() {
    let help = Program::new().arg("--help").run().exits(0);
    assert!(help.stdout.starts_with("Examples:\n") && help.stderr.is_empty(), "{help}");
    let wrong = Program::new().arg("--nonsense").run().exits(2);
    assert!(wrong.stdout.is_empty() && wrong.stderr.starts_with("error: "), "{wrong}");
}

#[test]
fn nobody_reading_stdout_does_not_stop_a_push() {
    let registry = Registry::gitea().start();
    Program::push_to(&registry).arg(testdata("skopeo-oci.tar")).nobody_reads().run().exits(0);
    super::stored::whole(&registry, "giteaadmin/web", "1.0");
    registry.assert_orderly();
}
