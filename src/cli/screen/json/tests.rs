use std::io;
use std::sync::{Arc, Mutex};

use insta::assert_snapshot;
use serde_json::Value;

use super::*;
use crate::cli::facts::{AuthFacts, AuthSource, ClusterFacts, RegistryFacts, TlsFacts};
use crate::cli::failure::{Fault, LocalError, Scene, explain};
use crate::oci::sha256;
use crate::port::Skipped;
use crate::report::{LayerCounts, Phases, Status};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn lines() -> (JsonLines, Kept) {
    let kept = Kept::default();
    (JsonLines::new(Box::new(kept.clone())), kept)
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

fn image() -> ImageOutcome {
    ImageOutcome {
        source: SourceName("app.tar".into()),
        reference: "r/o/app:1".into(),
        digest: Some(sha256(b"manifest")),
        media_type: None,
        platforms: Vec::new(),
        status: Status::Pushed,
        size: 20,
        layers: LayerCounts::default(),
        bytes_sent: 10,
        retries: 0,
        duration: Duration::from_millis(1500),
        phases: Phases::default(),
    }
}

fn events() -> Vec<Event> {
    let source = || SourceName("app.tar".into());
    let (diff_id, digest) = (sha256(b"layer"), sha256(b"packed"));
    let meter = Meter::default();
    vec![
        Event::Skipped(Skipped { path: "a.txt".into(), reason: "it is \u{1b} no tar".into() }),
        Event::Note("a note".into()),
        Event::Warning("a \"warning\"".into()),
        Event::SpoolStarted { source: source(), size: None, meter: meter.clone() },
        Event::SpoolFinished { source: source() },
        Event::ImageFound { source: source() },
        Event::Planned { images: 2, present: 1, blobs: 3, bytes: 40, unknown: 1 },
        Event::ImageStarted { image: 0, source: source(), reference: "r/o/app:1".into() },
        Event::PackStarted { diff_id: diff_id.clone(), size: 30, meter: meter.clone() },
        Event::PackFinished { diff_id, digest: digest.clone(), size: 20 },
        Event::BlobStarted { digest: digest.clone(), size: 20, meter },
        Event::Retrying {
            subject: "o/app".into(),
            reason: "no byte moved".into(),
            wait: Duration::from_millis(1500),
            attempt: 1,
        },
        Event::BlobStoring { digest: digest.clone() },
        Event::BlobFinished { digest: digest.clone(), size: 20, outcome: BlobOutcome::Uploaded },
        Event::BlobFailed { digest: digest.clone() },
        Event::ManifestPut { reference: "r/o/app:1".into(), digest },
        Event::ImageFinished(Box::new(image())),
    ]
}

#[test]
fn every_fact_is_a_line_of_its_type() {
    let (mut lines, kept) = lines();
    lines.connected(&facts());
    for event in events() {
        lines.event(&event);
    }
    let scene = Scene { command: "x", typed: &[], sources: &[], home: None, facts: None };
    lines.error(&explain(&Fault::Local(LocalError::NoOwner), &scene));
    let report = PushReport {
        images: vec![image()],
        bytes_sent: 10,
        duration: Duration::from_secs(2),
        ..PushReport::default()
    };
    lines.finished(Some(&report), 0);
    lines.finished(None, 3);
    assert_snapshot!(kept.text());
}

#[test]
fn the_documentation_knows_every_type_and_field() {
    let (mut lines, kept) = lines();
    for event in events() {
        lines.event(&event);
    }
    let meter = Meter::default();
    for event in [
        Event::SpoolStarted { source: SourceName("x".into()), size: None, meter: meter.clone() },
        Event::PackStarted { diff_id: sha256(b"x"), size: 1, meter: meter.clone() },
        Event::BlobStarted { digest: sha256(b"x"), size: 1, meter: meter.clone() },
    ] {
        lines.event(&event);
    }
    meter.advance(1);
    lines.tick(Instant::now());
    let known: Vec<&str> =
        include_str!("../../../../docs/json.md").split(|c: char| !c.is_alphanumeric()).collect();
    let told = kept.take();
    assert_eq!(told.iter().filter(|line| line["type"].as_str().unwrap().ends_with("Progress")).count(), 3);
    for line in told {
        let kind = line["type"].as_str().unwrap();
        assert!(known.contains(&kind), "{kind}");
        for field in line.as_object().unwrap().keys() {
            assert!(known.contains(&field.as_str()), "{field} of {kind}");
        }
    }
}

#[test]
fn bytes_are_told_four_times_a_second_at_most_and_only_where_they_moved() {
    let (mut lines, kept) = lines();
    let (meter, began) = (Meter::default(), Instant::now());
    let at = |ms| began + Duration::from_millis(ms);
    let digest = sha256(b"x");
    lines.event(&Event::BlobStarted { digest: digest.clone(), size: 100, meter: meter.clone() });
    kept.take();
    lines.tick(at(0));
    assert_eq!(kept.take(), [Value::Null; 0]);
    meter.advance(60);
    for ms in [100, 200, 249] {
        lines.tick(at(ms));
    }
    assert_eq!(kept.take(), [Value::Null; 0]);
    lines.tick(at(250));
    meter.rewind_to(10);
    meter.count_retry();
    lines.tick(at(500));
    lines.tick(at(750));
    let told = kept.take();
    let positions: Vec<_> =
        told.iter().map(|line| (&line["position"], &line["sent"], &line["retries"])).collect();
    assert_eq!(positions, [(&60.into(), &60.into(), &0.into()), (&10.into(), &60.into(), &1.into())]);
    assert_eq!(told[0]["type"], "blobProgress");
    lines.event(&Event::BlobFailed { digest });
    kept.take();
    meter.advance(1);
    lines.tick(at(1000));
    assert_eq!(kept.take(), [Value::Null; 0]);
}
