use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::cli::facts::{AuthFacts, AuthSource, RegistryFacts, TlsFacts};
use crate::cli::failure::LocalError;
use crate::cli::screen::Paper;
use crate::cli::settings::{Colour, Form};
use crate::oci::sha256;
use crate::port::{NetworkFault, Origin, RegistryError, Scheme, SourceError, SourceName};
use crate::report::{ImageError, ImageOutcome, LayerCounts, Phases, Status};

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

/// A stdout that nobody reads any more, or on a full disk.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn image(name: &str, status: Status) -> ImageOutcome {
    ImageOutcome {
        source: SourceName(name.into()),
        reference: format!("r.example/me/{name}"),
        digest: Some(sha256(name.as_bytes())),
        media_type: None,
        platforms: Vec::new(),
        status,
        size: 1,
        layers: LayerCounts::default(),
        bytes_sent: 1,
        retries: 0,
        duration: Duration::ZERO,
        phases: Phases::default(),
    }
}

fn damaged() -> Status {
    let error = SourceError::Damaged { path: "x.tar".into(), reason: "cut off".into() };
    Status::Failed(Arc::new(ImageError::Source(error)))
}

fn unreachable() -> Status {
    let origin = Origin::new(Scheme::Https, "r.example", 443);
    let source = NetworkFault::Refused { address: "127.0.0.1:443".into() };
    Status::Failed(Arc::new(ImageError::Registry(RegistryError::Network { origin, source })))
}

fn report(images: Vec<ImageOutcome>) -> Ended {
    Ended::Report(PushReport { images, ..PushReport::default() })
}

fn facts() -> Facts {
    Facts {
        cluster: None,
        registry: RegistryFacts {
            host: "r.example".into(),
            address: None,
            tls: TlsFacts::System,
            source: "--registry".into(),
            body_limit: None,
        },
        auth: AuthFacts { source: AuthSource::None, username: None },
    }
}

/// Exit code, stdout and stderr.
fn concluded(ended: Ended, reason: Option<Reason>, output: Output) -> (u8, String, String) {
    let mut out = Kept::default();
    let (code, err) = concluded_on(&mut out, ended, reason, output);
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    (code, text, err)
}

fn concluded_on(out: &mut dyn Write, ended: Ended, reason: Option<Reason>, output: Output) -> (u8, String) {
    let kept = Kept::default();
    let screen = Screen::new(Paper::Lines(Box::new(kept.clone())), Ink::new(Colour::Plain), Detail::Full);
    let ran = Ran { screen, facts: Some(facts()), reason, ended };
    let scene = Scene { command: "x", typed: &[], sources: &[], home: None, facts: None };
    let code = conclude(ran, &Telling { stop: StopAfter::Push, output, scene }, out);
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    (code, text)
}

fn code(ended: Ended, reason: Option<Reason>) -> u8 {
    concluded(ended, reason, Output::Name).0
}

#[test]
fn the_exit_code_is_the_class_of_what_failed() {
    use Status::{Cancelled, Exists, Pushed};
    let images =
        |statuses: Vec<Status>| report(statuses.into_iter().map(|status| image("a:1", status)).collect());
    assert_eq!(code(images(vec![Pushed, Exists]), None), 0);
    assert_eq!(code(images(vec![Pushed, damaged(), damaged()]), None), 3);
    assert_eq!(code(images(vec![damaged(), unreachable()]), None), 1);
    assert_eq!(code(images(vec![damaged(), Cancelled]), None), 3);
    assert_eq!(code(images(vec![Pushed, Cancelled]), Some(Reason::Interrupt)), 130);
    assert_eq!(code(images(vec![damaged(), Cancelled]), Some(Reason::Terminate)), 143);
    assert_eq!(code(images(vec![Cancelled]), Some(Reason::OutOfTime(Duration::from_secs(1)))), 6);
    assert_eq!(code(images(vec![Pushed]), Some(Reason::Interrupt)), 0);
    assert_eq!(code(Ended::Stopped(PushReport::default()), Some(Reason::Interrupt)), 130);
}

#[test]
fn a_run_that_cannot_go_on_has_the_code_of_its_fault() {
    let fault = Ended::Fault(LocalError::NoOwner.into());
    assert_eq!(code(fault, None), 2);
    let fault = Ended::Fault(SourceError::NothingFound { path: ".".into(), skipped: Vec::new() }.into());
    assert_eq!(code(fault, None), 3);
}

#[test]
fn stdout_has_the_answer_alone_and_errors_come_last() {
    let images = vec![image("a:1", Status::Pushed), image("b:1", damaged()), image("c:1", Status::Exists)];
    let (code, out, err) = concluded(report(images), None, Output::Name);
    assert_eq!(code, 3);
    let pinned = |name: &str| format!("r.example/me/{name}@{}", sha256(name.as_bytes()));
    assert_eq!(out, format!("{}\n{}\n", pinned("a:1"), pinned("c:1")));
    let summary = err.find("pushed 1 image, 1 image present already, 1 image failed").unwrap();
    let error = err.find("error: `x.tar` is damaged").unwrap();
    assert!(summary < error, "{err}");
}

#[test]
fn what_had_finished_before_a_stop_is_reported() {
    let finished = PushReport { images: vec![image("a:1", Status::Pushed)], ..PushReport::default() };
    let (_, out, _) = concluded(Ended::Stopped(finished), Some(Reason::Interrupt), Output::Name);
    assert!(out.starts_with("r.example/me/a:1@"), "{out}");
}

#[test]
fn a_closed_stdout_fails_nothing_and_a_full_one_does() {
    let pushed = || report(vec![image("a:1", Status::Pushed)]);
    let closed = &mut Broken(io::ErrorKind::BrokenPipe);
    assert_eq!(concluded_on(closed, pushed(), None, Output::Name).0, 0);
    let full = &mut Broken(io::ErrorKind::StorageFull);
    let (code, err) = concluded_on(full, pushed(), None, Output::Document(Form::Json));
    assert_eq!(code, 1);
    assert!(err.contains("error: could not write the result to stdout"), "{err}");
}

#[test]
fn the_json_of_a_run_that_could_not_go_on_says_why() {
    let fault = Ended::Fault(LocalError::NoOwner.into());
    let (code, out, _) = concluded(fault, None, Output::Document(Form::Json));
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["exitCode"], code);
    assert_eq!(document["error"]["code"], "NO_OWNER");
    assert_eq!(document["images"], serde_json::json!([]));
}
