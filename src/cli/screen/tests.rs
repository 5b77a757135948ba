use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use indicatif::{InMemoryTerm, MultiProgress, ProgressDrawTarget, TermLike};
use insta::assert_snapshot;

use super::*;
use crate::cli::facts::{AuthFacts, AuthSource, ClusterFacts, Facts, RegistryFacts, TlsFacts};
use crate::cli::settings::Colour;
use crate::event::Meter;
use crate::oci::sha256;
use crate::port::{Skipped, SourceError};
use crate::report::{ImageError, LayerCounts, Phases, PushReport};

mod drawn;
mod summary;

const HOST: &str = "gitea.cnoe.localtest.me:8443";

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
}

/// Lines that are written to a terminal beside its bars.
struct Term(InMemoryTerm);

impl Write for Term {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_str(&std::str::from_utf8(bytes).unwrap().replace('\n', "\r\n"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn facts() -> Facts {
    Facts {
        cluster: Some(ClusterFacts { name: "localdev".into(), context: "kind-localdev".into() }),
        registry: RegistryFacts {
            host: HOST.into(),
            address: Some("127.0.0.1:8443".into()),
            tls: TlsFacts::Pinned,
            source: "localbuild/localdev".into(),
            body_limit: None,
        },
        auth: AuthFacts { source: AuthSource::None, username: None },
    }
}

fn lines(detail: Detail) -> (Screen, Kept) {
    let kept = Kept::default();
    let paper = Paper::Lines(Box::new(kept.clone()));
    let mut screen = Screen::new(paper, Ink::new(Colour::Plain), detail);
    screen.host_is(HOST);
    (screen, kept)
}

fn bars(width: fn() -> usize) -> (Screen, InMemoryTerm) {
    let term = InMemoryTerm::new(24, u16::try_from(width()).unwrap());
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
    let bars = MultiProgress::with_draw_target(target);
    let paper = Paper::Bars { bars, out: Box::new(Term(term.clone())), width };
    let mut screen = Screen::new(paper, Ink::new(Colour::Plain), Detail::Full);
    screen.host_is(HOST);
    (screen, term)
}

fn layer(name: &str) -> Digest {
    sha256(name.as_bytes())
}

fn outcome(name: &str, status: Status) -> ImageOutcome {
    ImageOutcome {
        source: SourceName(name.into()),
        reference: format!("{HOST}/giteaadmin/{name}"),
        digest: Some(layer("manifest")),
        media_type: None,
        platforms: Vec::new(),
        status,
        size: 70 << 20,
        layers: LayerCounts { total: 9, uploaded: 3, existing: 5, mounted: 1 },
        bytes_sent: 20 << 20,
        retries: 1,
        duration: Duration::from_millis(2140),
        phases: Phases::default(),
    }
}

fn failed() -> Status {
    let error = SourceError::Damaged { path: "x.tar".into(), reason: "cut off".into() };
    Status::Failed(Arc::new(ImageError::Source(error)))
}

fn started(name: &str) -> Event {
    Event::ImageStarted {
        image: 0,
        source: SourceName(name.into()),
        reference: format!("{HOST}/giteaadmin/{name}"),
    }
}

fn sending(name: &str, mib: u64, meter: &Meter) -> Event {
    Event::BlobStarted { digest: layer(name), size: mib << 20, meter: meter.clone() }
}

fn finished(name: &str, mib: u64, outcome: BlobOutcome) -> Event {
    Event::BlobFinished { digest: layer(name), size: mib << 20, outcome }
}

fn retrying(name: &str) -> Event {
    Event::Retrying {
        subject: format!("giteaadmin/myapp {}", layer(name)),
        reason: "connection reset by peer".into(),
        wait: Duration::from_millis(1500),
        attempt: 2,
    }
}

/// Drawing is limited to so many times a second; this one comes after a pause, and so does take place.
fn drawn_anew(screen: &mut Screen, now: Instant) {
    std::thread::sleep(Duration::from_millis(60));
    screen.tick(now);
}

/// The events of a run, a tenth of a second apart; what is sent moves while they come.
fn play(screen: &mut Screen, events: Vec<Event>) {
    let begin = Instant::now();
    for (n, event) in (0..).zip(events) {
        let now = begin + Duration::from_millis(100 * n);
        screen.tick(now);
        screen.show(event, now);
    }
}

fn run_of_one_image() -> Vec<Event> {
    let (pack, send) = (Meter::default(), Meter::default());
    vec![
        Event::Note("owner `giteaAdmin` is written `giteaadmin` in image names".into()),
        Event::Warning("myapp:dev is for linux/arm64, but the cluster's nodes are linux/amd64".into()),
        started("myapp:dev"),
        finished("base", 30, BlobOutcome::Present),
        finished("shared", 5, BlobOutcome::Mounted),
        Event::PackStarted { diff_id: layer("raw"), size: 100 << 20, meter: pack },
        Event::PackFinished { diff_id: layer("raw"), digest: layer("app"), size: 20 << 20 },
        sending("app", 20, &send),
        retrying("app"),
        Event::BlobStoring { digest: layer("app") },
        finished("app", 20, BlobOutcome::Uploaded),
        Event::ManifestPut { reference: "giteaadmin/myapp:dev".into(), digest: layer("manifest") },
        Event::ImageFinished(Box::new(outcome("myapp:dev", Status::Pushed))),
    ]
}

#[test]
fn lines_tell_what_happens_in_its_order() {
    let (mut screen, kept) = lines(Detail::Full);
    screen.line(Detail::Summary, &header(&facts()));
    play(&mut screen, run_of_one_image());
    assert_snapshot!(kept.text());
}

#[test]
fn several_images_say_which_of_them_ended_and_how() {
    let (mut screen, kept) = lines(Detail::Full);
    play(
        &mut screen,
        vec![
            Event::Skipped(Skipped { path: PathBuf::from("a/notes.tar"), reason: "holds no image".into() }),
            started("web:1"),
            started("api:2"),
            Event::BlobFailed { digest: layer("app") },
            Event::ImageFinished(Box::new(outcome("api:2", failed()))),
            Event::ImageFinished(Box::new(outcome("web:1", Status::Pushed))),
            Event::ImageFinished(Box::new(outcome("old:1", Status::Exists))),
        ],
    );
    assert_snapshot!(kept.text());
}

#[test]
fn what_is_stopped_has_not_failed() {
    let (mut screen, kept) = lines(Detail::Full);
    let stopping = CancellationToken::new();
    screen.stops_with(&stopping);
    stopping.cancel();
    play(&mut screen, vec![Event::BlobFailed { digest: layer("app") }]);
    assert_eq!(kept.text(), format!("  {}  stopped\n", short(&layer("app"))));
}

#[test]
fn a_retry_that_no_transfer_shows_is_a_line() {
    let (mut screen, kept) = lines(Detail::Full);
    play(&mut screen, vec![retrying("manifest")]);
    let name = short(&layer("manifest"));
    let expected = format!("  giteaadmin/myapp {name}: retry 2 in 1.5 s: connection reset by peer\n");
    assert_eq!(kept.text(), expected);
}

#[test]
fn an_archive_that_takes_longer_to_unpack_says_so() {
    let (mut screen, kept) = lines(Detail::Full);
    let (begin, meter) = (Instant::now(), Meter::default());
    let (long, short) = (SourceName("app.tar.gz".into()), SourceName("-".into()));
    let started = |source: &SourceName, size| Event::SpoolStarted {
        source: source.clone(),
        size,
        meter: meter.clone(),
    };
    screen.show(started(&short, None), begin);
    screen.tick(begin + Duration::from_millis(900));
    screen.show(Event::SpoolFinished { source: short.clone() }, begin);
    assert_eq!(kept.text(), "");
    screen.show(started(&long, Some(40 << 20)), begin);
    screen.show(started(&short, None), begin);
    for seconds in [1, 2, 10, 11, 12] {
        meter.advance(2 << 20);
        screen.tick(begin + Duration::from_secs(seconds));
    }
    screen.show(Event::SpoolFinished { source: long }, begin);
    assert_eq!(
        kept.text(),
        "reading app.tar.gz  2.0 / 40.0 MiB\nreading -  2.0 MiB\n\
         reading app.tar.gz  8.0 / 40.0 MiB\nreading -  8.0 MiB\n"
    );
}

#[test]
fn an_archive_that_is_unpacked_has_a_bar() {
    let (mut screen, term) = bars(|| 60);
    let (begin, meter) = (Instant::now(), Meter::default());
    let source = SourceName("app.tar.gz".into());
    let started = Event::SpoolStarted { source: source.clone(), size: Some(40 << 20), meter: meter.clone() };
    screen.show(started, begin);
    meter.advance(20 << 20);
    screen.tick(begin + Duration::from_secs(1));
    drawn_anew(&mut screen, begin + Duration::from_secs(2));
    let shown = term.contents();
    assert!(shown.contains("reading app.tar.gz  [") && shown.contains("20.0 / 40.0 MiB"), "{shown}");
    screen.show(Event::SpoolFinished { source }, begin);
    assert!(!term.contents().contains("reading"));
}

#[test]
fn less_detail_leaves_lines_out() {
    for (detail, expected) in [
        (Detail::Summary, "note: owner `giteaAdmin` is written `giteaadmin` in image names\nwarning: "),
        (Detail::Quiet, "warning: "),
    ] {
        let (mut screen, kept) = lines(detail);
        play(&mut screen, run_of_one_image());
        let text = kept.text();
        assert!(text.starts_with(expected), "{text}");
        assert!(!text.contains("myapp:dev ->"), "{text}");
    }
}

#[test]
fn a_long_transfer_says_how_far_it_is_where_there_are_no_bars() {
    let (mut screen, kept) = lines(Detail::Full);
    let (begin, meter) = (Instant::now(), Meter::default());
    screen.tick(begin);
    screen.show(sending("app", 20, &meter), begin);
    meter.advance(5 << 20);
    for seconds in [5, 10, 15] {
        screen.tick(begin + Duration::from_secs(seconds));
    }
    assert_eq!(kept.text(), format!("  {}  5.0 / 20.0 MiB\n", short(&layer("app"))));
}

#[test]
fn names_of_others_cannot_drive_the_terminal() {
    let (mut screen, kept) = lines(Detail::Full);
    play(
        &mut screen,
        vec![
            Event::ImageStarted {
                image: 0,
                source: SourceName("a\u{1b}[2J.tar".into()),
                reference: format!("{HOST}/x/\u{202e}y:1"),
            },
            Event::Warning("server says \u{9b}31m".into()),
        ],
    );
    assert!(kept.text().is_ascii(), "{:?}", kept.text());
    assert!(!kept.text().contains('\u{1b}'));
}

#[tokio::test]
async fn watching_ends_when_the_run_does_and_loses_nothing() {
    let (mut screen, kept) = lines(Detail::Full);
    let (events, mut received) = crate::event::Events::channel();
    events.note("first");
    let done = CancellationToken::new();
    done.cancel();
    events.note("last");
    screen.watch(&mut received, &mut Journal::default(), &done).await;
    assert_eq!(kept.text(), "note: first\nnote: last\n");
}
