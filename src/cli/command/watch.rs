use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Zoned;
use tokio::time::{Instant, sleep_until};

mod after;
mod decide;
mod told;
mod waiting;

use super::stage::Stage;
use super::{Start, number, on_runtime, push, shown};
use crate::cli::args::{LevelArg, ProgressArg, ViewArgs, WatchArgs};
use crate::cli::environment::Environment;
use crate::cli::facts::Facts;
use crate::cli::failure::{Class, Failure, Fault, Scene, explain, of_report, whole};
use crate::cli::output::{Ending, answer, push_lines};
use crate::cli::screen::{self, Ink, Screen};
use crate::cli::settings::{Detail, Output, Settings, Surroundings, View, watched};
use crate::cli::stop::{Reason, Stop};
use crate::cli::wire::{Connected, Unconnected};
use crate::cli::word::Disk;
use crate::cli::{logging, typed, wire};
use crate::event::{Event, Events};
use crate::job::StopAfter;
use crate::port::{Sight, Snapshot, Watched};
use crate::report::{ImageOutcome, PushReport, Status};
use crate::source::Spec;
use after::Ran;
use decide::{Action, Connection, Known, Observed, decide, pause};
use push::Ended;
use told::Tally;
use waiting::Waiting;

/// Pushes whenever the source changes, until it is stopped.
pub(in crate::cli) fn watch(args: WatchArgs, start: &Start) -> ExitCode {
    let WatchArgs { push: args, on_push } = args;
    let words = shown(&args.sources, &args.search);
    let typed = [typed::place(&args.reach), typed::names(&args.names)].concat();
    let view = view(args.view, start);
    let around =
        &mut Surroundings { environment: &start.environment, probe: &Disk, stdin: &mut io::stdin().lock() };
    let prepared = Settings::of(args, around).and_then(|settings| Ok((watched(&settings, &Disk)?, settings)));
    let (spec, mut settings) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return push::refused(&Fault::Usage(error), &view, &start.scene(&words)),
    };
    let ink = Ink::new(view.colour);
    let (paper, logs) = screen::terminal(view.progress);
    logging::begin(&view, ink, &logs);
    let (stage, events) = Stage::new(Screen::new(paper, ink, view.detail));
    let told = Told {
        environment: &start.environment,
        settings: &mut settings,
        scene: Scene { typed: &typed, ..start.scene(&words) },
    };
    match on_runtime(run(told, Wanted { spec, on_push, output: view.output }, stage, events)) {
        Ok(class) => ExitCode::from(number(class)),
        Err(error) => push::refused(&Fault::Local(error), &view, &start.scene(&words)),
    }
}

/// A push is a line, unless more is asked for.
fn view(mut args: ViewArgs, start: &Start) -> View {
    let asked = args.verbose || matches!(args.progress, Some(ProgressArg::Lines | ProgressArg::Bars));
    if args.log_level.is_none() && !args.verbose {
        args.log_level = Some(LevelArg::Warn);
    }
    let view = View::of(args, &start.environment, start.stderr);
    if asked { view } else { View { detail: view.detail.min(Detail::Summary), ..view } }
}

/// What a watch is told by the command line.
struct Told<'a> {
    environment: &'a Environment,
    settings: &'a mut Settings,
    scene: Scene<'a>,
}

/// What is watched, and what is done with it.
struct Wanted {
    spec: Spec,
    on_push: Vec<OsString>,
    output: Output,
}

/// Gives what a push was cut by, or why there was none; success otherwise.
async fn run(told: Told<'_>, wanted: Wanted, mut stage: Stage, events: Events) -> Option<Class> {
    push::say_first(&told.settings.notices, &events);
    // What is cut is told with the push; a watch that only waits has nothing to stop.
    let stop = Stop::listen(told.settings.reach.requests.timeout, Events::none());
    stage.screen.stops_with(&stop.asked);
    let start = Instant::now();
    let mut watch = Watch::new(told, wanted, stop, events);
    let (mut source, mut stage) = match watch.begin(stage).await {
        Ok(begun) => begun,
        Err(class) => return class,
    };
    while !watch.stop.asked.is_cancelled() {
        let (seen, back) = stage.during(watch.observe(&mut *source)).await;
        stage = match seen {
            Some(seen) => Box::pin(watch.act(seen, back)).await,
            None => back,
        };
    }
    stage.screen.line(Detail::Summary, &watch.tally.summary(start.elapsed()));
    stage.screen.finished(&[], None, number(watch.cut));
    watch.cut
}

/// The loop's state.
struct Watch<'a> {
    told: Told<'a>,
    wanted: Wanted,
    stop: Stop,
    events: Events,
    /// Kept from push to push until one fails.
    connected: Option<(Connected, Connection)>,
    known: Known,
    /// A push that failed and is to be tried again.
    again: Option<Again>,
    waiting: Option<Waiting>,
    /// Why the last push failed; when it is tried again, the same is not told again.
    failures: Vec<Failure>,
    tally: Tally,
    cut: Option<Class>,
}

struct Again {
    snapshot: Snapshot,
    at: Instant,
    failures: u32,
}

/// What a push without a connection ended in, and what is known of the registry.
type Unmade = (Ended, Option<Facts>);

enum Seen {
    Sight(Sight),
    PauseOver,
    StillUnready,
}

impl<'a> Watch<'a> {
    fn new(told: Told<'a>, wanted: Wanted, stop: Stop, events: Events) -> Self {
        Self {
            told,
            wanted,
            stop,
            events,
            connected: None,
            known: Known::Nothing,
            again: None,
            waiting: None,
            failures: Vec::new(),
            tally: Tally::default(),
            cut: None,
        }
    }

    /// What is wrong from the start ends the watch: nobody would see it later.
    async fn begin(&mut self, stage: Stage) -> Result<(Box<dyn Watched>, Stage), Option<Class>> {
        let (connected, mut stage) = self.connect(stage).await;
        let connected = match connected {
            Ok(connected) => connected,
            Err((ended, facts)) => {
                self.tell(ended, facts.as_ref(), &mut stage.screen);
                let class = whole(&self.failures);
                stage.screen.finished(&[], None, number(class));
                return Err(class);
            }
        };
        stage.screen.connected(&connected.facts);
        self.told.settings.reach.stays_with(connected.facts.cluster.as_ref());
        let line = format!("watching  {}; Ctrl-C ends it", screen::escaped(&self.wanted.spec.to_string()));
        stage.screen.line(Detail::Summary, &line);
        let source = connected.watched(self.wanted.spec.clone(), &self.events);
        self.connected = Some((connected, Connection::Fresh));
        Ok((source, stage))
    }

    async fn connect(&self, stage: Stage) -> (Result<Connected, Unmade>, Stage) {
        let Told { environment, settings, .. } = &self.told;
        let around = wire::Around { environment, events: &self.events, cancel: &self.stop.asked };
        let (connected, stage) = stage.during(push::connect(settings, around)).await;
        let connected = match connected {
            Some(connected) => connected.map_err(|Unconnected { fault, facts }| (Ended::Fault(fault), facts)),
            None => Err((Ended::Stopped(PushReport::default()), None)),
        };
        (connected, stage)
    }

    /// What happens next; `None` when the watch is to end.
    async fn observe(&self, source: &mut dyn Watched) -> Option<Seen> {
        tokio::select! {
            biased;
            () = self.stop.asked.cancelled() => None,
            sight = source.next() => Some(Seen::Sight(sight)),
            () = at(self.again.as_ref().map(|again| again.at)) => Some(Seen::PauseOver),
            () = at(self.waiting.as_ref().and_then(Waiting::to_be_said)) => Some(Seen::StillUnready),
        }
    }

    async fn act(&mut self, seen: Seen, mut stage: Stage) -> Stage {
        let observed = match &seen {
            Seen::Sight(Sight::Ready(snapshot)) => Observed::Ready(&snapshot.fingerprint),
            Seen::Sight(Sight::Unready(_)) => Observed::Unready,
            Seen::PauseOver => Observed::PauseOver,
            Seen::StillUnready => {
                if let Some(waiting) = &mut self.waiting {
                    stage.screen.tell(Event::Note(waiting.said()));
                }
                return stage;
            }
        };
        let again = self.again.take();
        match (decide(observed, &self.known), seen, again) {
            (Action::Wait, Seen::Sight(Sight::Unready(error)), _) => {
                self.waiting = Some(Waiting::since(error, self.waiting.take()));
            }
            (Action::Push, Seen::Sight(Sight::Ready(snapshot)), _) => {
                self.waiting = None;
                self.failures.clear();
                return self.push(snapshot, 0, stage).await;
            }
            (Action::PushAgain, _, Some(Again { snapshot, failures, .. })) => {
                return self.push(snapshot, failures, stage).await;
            }
            _ => self.waiting = None,
        }
        stage
    }

    /// Pushes, tells of it, and runs what is to be run after it; `before` failures of the same came before.
    async fn push(&mut self, snapshot: Snapshot, before: u32, stage: Stage) -> Stage {
        let (kept, stage) = self.kept_or_new(stage).await;
        let (ended, kept, facts, mut stage) = match kept {
            Ok((mut connected, connection)) => {
                connected.world.sources = vec![Arc::clone(&snapshot.source)];
                let (ended, stage) = push::once(&connected, stage, &self.events, &self.stop).await;
                // What was read of the source is held no longer than it is needed.
                connected.world.sources.clear();
                let facts = Some(connected.facts.clone());
                (ended, Some((connected, connection)), facts, stage)
            }
            Err((ended, facts)) => (ended, None, facts, stage),
        };
        let report = self.tell(ended, facts.as_ref(), &mut stage.screen);
        self.remember(snapshot, kept, before);
        for image in report.images.iter().filter(|image| matches!(image.status, Status::Pushed)) {
            self.run_after(image, &mut stage.screen).await;
        }
        stage
    }

    async fn kept_or_new(&mut self, stage: Stage) -> (Result<(Connected, Connection), Unmade>, Stage) {
        if let Some(kept) = self.connected.take() {
            return (Ok(kept), stage);
        }
        let (connected, stage) = self.connect(stage).await;
        (connected.map(|connected| (connected, Connection::Fresh)), stage)
    }

    /// Notes what the next observation is compared with, and when a failure is tried again.
    fn remember(&mut self, snapshot: Snapshot, kept: Option<(Connected, Connection)>, before: u32) {
        if self.failures.is_empty() {
            self.known = Known::Pushed(snapshot.fingerprint);
            self.connected = kept.map(|(connected, _)| (connected, Connection::Kept));
            return;
        }
        self.known = Known::Failed(snapshot.fingerprint.clone());
        let connection = kept.map_or(Connection::Fresh, |(_, connection)| connection);
        self.again = pause(&self.failures, connection, before).map(|pause| Again {
            snapshot,
            at: Instant::now() + pause,
            failures: before.saturating_add(u32::from(!pause.is_zero())),
        });
    }

    /// Answers, and tells what became of a push. Gives the report, and keeps the failures.
    fn tell(&mut self, ended: Ended, facts: Option<&Facts>, screen: &mut Screen) -> PushReport {
        let scene = Scene { facts, ..self.told.scene };
        let (report, failure) = push::settled(ended, self.stop.reason(), &scene);
        let mut failures = of_report(&report, &scene);
        let class = failure.as_ref().map(|failure| failure.class).or_else(|| whole(&failures));
        let ending =
            Ending { stop: StopAfter::Push, facts, failure: failure.as_ref(), exit_code: number(class) };
        let text = match self.wanted.output {
            Output::Document(form) => push_lines(&report, &ending, &scene, form),
            output => push::answered(&report, &ending, output, &scene),
        };
        self.cut = failure.as_ref().and_then(|failure| self.cut_by(failure));
        failures.extend(failure);
        self.tally.bytes_sent = self.tally.bytes_sent.saturating_add(report.bytes_sent);
        if failures.is_empty() {
            self.tally.count(&report);
        }
        let known = !failures.is_empty() && failures == self.failures;
        self.failures = failures;
        if known {
            return report;
        }
        let written = answer(&mut io::stdout(), &text).err();
        let time = Zoned::now().strftime("%H:%M:%S").to_string();
        screen.lines(Detail::Summary, &told::lines(&report, &time, screen.ink()));
        self.tally.failed += usize::from(!self.failures.is_empty());
        let written = written.map(|error| explain(&Fault::Local(error), &scene));
        for failure in self.failures.iter().chain(&written) {
            screen.failed(failure, &time);
        }
        report
    }

    fn cut_by(&self, failure: &Failure) -> Option<Class> {
        self.stop.reason().map(Reason::class).filter(|class| *class == failure.class)
    }

    async fn run_after(&mut self, image: &ImageOutcome, screen: &mut Screen) {
        match after::run(&self.wanted.on_push, image, &self.stop).await {
            Ran::Well => {}
            Ran::Failed(reason) => {
                screen.tell(Event::Warning(format!("--on-push: {reason}")));
            }
            Ran::Cut => {
                screen.tell(Event::Warning("the command of --on-push was ended with the watch".to_owned()));
                self.cut = self.stop.reason().map(Reason::class);
            }
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
