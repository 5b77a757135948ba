use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;

use super::*;
use crate::cli::facts::{AuthFacts, AuthSource, ClusterFacts, Facts, RegistryFacts, TlsFacts};
use crate::cli::failure::{Fault, Scene, explain};
use crate::cli::settings::Form;
use crate::job::StopAfter;
use crate::oci::{MediaType, Platform, sha256};
use crate::port::{Refusal, RegistryError, SourceError, SourceName};
use crate::report::{ImageError, ImageOutcome, LayerCounts, Phases};

fn amd64() -> Platform {
    serde_json::from_value(serde_json::json!({ "os": "linux", "architecture": "amd64" })).unwrap()
}

fn facts() -> Facts {
    Facts {
        cluster: Some(ClusterFacts { name: "localdev".into(), context: "kind-localdev".into() }),
        registry: RegistryFacts {
            host: "gitea.cnoe.localtest.me:8443".into(),
            address: Some("127.0.0.1:8443".into()),
            tls: TlsFacts::Pinned,
            source: "localbuild/localdev".into(),
            body_limit: None,
        },
        auth: AuthFacts {
            source: AuthSource::Cluster { secret: "gitea/gitea-credential".into() },
            username: Some("giteaAdmin".into()),
        },
    }
}

fn image(name: &str, status: Status) -> ImageOutcome {
    ImageOutcome {
        source: SourceName(format!("docker-archive:app.tar:{name}")),
        reference: format!("gitea.cnoe.localtest.me:8443/giteaadmin/{name}"),
        digest: Some(sha256(b"manifest")),
        media_type: Some(MediaType::ImageManifest),
        platforms: vec![amd64()],
        status,
        size: 73_400_320,
        layers: LayerCounts { total: 9, uploaded: 3, existing: 5, mounted: 1 },
        bytes_sent: 20_971_520,
        retries: 1,
        duration: Duration::from_millis(2140),
        phases: Phases {
            pack: Duration::from_millis(310),
            upload: Duration::from_millis(1500),
            manifest: Duration::from_millis(40),
        },
    }
}

fn failed() -> ImageOutcome {
    let error = RegistryError::Refused {
        refusal: Refusal::Quota,
        status: 403,
        subject: "giteaadmin/big".into(),
        message: "quota \u{1b}[2J exceeded".into(),
    };
    ImageOutcome { digest: None, ..image("big:1", Status::Failed(Arc::new(ImageError::Registry(error)))) }
}

fn report() -> PushReport {
    PushReport {
        compression: Some(crate::Compression::default()),
        images: vec![image("myapp:dev", Status::Pushed), image("old:1", Status::Exists), failed()],
        bytes_sent: 20_971_520,
        duration: Duration::from_millis(2300),
    }
}

fn report_of(report: &PushReport, stop: StopAfter, form: Form) -> String {
    let facts = facts();
    let scene =
        Scene { command: "idpbuilder push", typed: &[], sources: &[], home: None, facts: Some(&facts) };
    let ending = Ending { stop, facts: Some(&facts), failure: None, exit_code: 7 };
    push_report(report, &ending, &scene, form)
}

#[test]
fn the_report_of_a_push_has_an_entry_for_every_image() {
    assert_snapshot!(report_of(&report(), StopAfter::Push, Form::Json));
}

#[test]
fn the_report_is_the_same_in_yaml() {
    let [json, yaml] = [Form::Json, Form::Yaml].map(|form| report_of(&report(), StopAfter::Push, form));
    let of_json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let of_yaml: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(of_json, of_yaml);
    assert_snapshot!(yaml);
}

#[test]
fn a_dry_run_says_that_it_is_one() {
    let planned = PushReport { images: vec![image("myapp:dev", Status::Planned)], ..PushReport::default() };
    let value: serde_json::Value =
        serde_json::from_str(&report_of(&planned, StopAfter::Plan, Form::Json)).unwrap();
    assert_eq!(value["dryRun"], true);
    assert_eq!(value["images"][0]["status"], "planned");
    assert_eq!(value["summary"]["planned"], 1);
}

#[test]
fn a_table_has_a_row_for_every_image() {
    assert_snapshot!(table(&report()));
}

#[test]
fn names_are_of_what_is_there() {
    let names = names(&report());
    assert_eq!(names.lines().count(), 2);
    assert!(names.lines().all(|line| line.contains("@sha256:")), "{names}");
}

fn listed(name: &str) -> Listed {
    Listed {
        source: format!("app.tar:{name}"),
        reference: format!("<registry>/<owner>/{name}"),
        digest: None,
        platforms: vec![amd64()],
        size: Some(73_400_320),
        layers: Some(9),
    }
}

/// An image of an engine that was never read.
fn unread(name: &str) -> Listed {
    Listed { size: None, layers: None, ..listed(name) }
}

#[test]
fn a_list_is_a_document_of_its_own_kind() {
    let fault = Fault::Source(SourceError::Damaged { path: "x.tar".into(), reason: "cut off".into() });
    let scene = Scene { command: "x", typed: &[], sources: &[], home: None, facts: None };
    let failures = [explain(&fault, &scene)];
    assert_snapshot!(image_list(&[listed("web:1"), unread("new:1")], &failures, 3, Form::Json));
}

#[test]
fn a_list_is_names_or_a_table() {
    let images = [listed("web:1"), listed("long-name:2")];
    assert_eq!(list_names(&images), "<registry>/<owner>/web:1\n<registry>/<owner>/long-name:2\n");
    assert_snapshot!(list_table(&[&images[..], &[unread("new:1")]].concat()));
}
