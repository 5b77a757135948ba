use std::io::{self, Write};
use std::process::ExitCode;

use super::stage::Stage;
use super::{Start, number, on_runtime, refuse, shown};
use crate::cli::args::PushArgs;
use crate::cli::environment::Environment;
use crate::cli::facts::Facts;
use crate::cli::failure::{self, Class, Failure, Fault, Scene, explain, of_report, whole};
use crate::cli::output::{self, Ending, answer, push_report};
use crate::cli::screen::{self, Ink, Screen};
use crate::cli::settings::{Detail, Notice, Output, Settings, Surroundings, View};
use crate::cli::stop::{Reason, Stop};
use crate::cli::wire::Connected;
use crate::cli::word::Disk;
use crate::cli::{logging, typed, wire};
use crate::event::Events;
use crate::job::{RunError, StopAfter};
use crate::report::{PushReport, Verdict};

/// Pushes, or shows the plan.
pub(in crate::cli) fn push(args: PushArgs, start: &Start) -> ExitCode {
    let words = shown(&args.sources, &args.search);
    let typed = [typed::place(&args.reach), typed::names(&args.names)].concat();
    let view = View::of(args.view, &start.environment, start.stderr);
    let ink = Ink::new(view.colour);
    let around =
        &mut Surroundings { environment: &start.environment, probe: &Disk, stdin: &mut io::stdin().lock() };
    let settings = match Settings::of(args, around) {
        Ok(settings) => settings,
        Err(error) => return refused(&Fault::Usage(error), &view, &start.scene(&words)),
    };
    let (paper, logs) = screen::terminal(view.progress);
    logging::begin(&view, ink, &logs);
    let (stage, events) = Stage::new(Screen::new(paper, ink, view.detail));
    match on_runtime(run(&settings, &start.environment, stage, events)) {
        Ok(ran) => {
            let scene = Scene { typed: &typed, ..start.scene(&words) };
            let telling = Telling { stop: settings.stop, output: view.output, scene };
            ExitCode::from(conclude(ran, &telling, &mut io::stdout()))
        }
        Err(error) => refused(&Fault::Local(error), &view, &start.scene(&words)),
    }
}

/// A program that asked for a document gets it also where there is nothing to run.
pub(super) fn refused(fault: &Fault, view: &View, scene: &Scene<'_>) -> ExitCode {
    if let Output::Document(form) = view.output {
        let failure = explain(fault, scene);
        let exit_code = failure.class.number();
        let ending = Ending { stop: StopAfter::Push, facts: None, failure: Some(&failure), exit_code };
        let _ = answer(&mut io::stdout(), &push_report(&PushReport::default(), &ending, scene, form));
    }
    refuse(fault, scene, view)
}

/// How a run ended, with the screen that tells of it.
struct Ran {
    screen: Screen,
    facts: Option<Facts>,
    reason: Option<Reason>,
    ended: Ended,
}

pub(super) enum Ended {
    Report(PushReport),
    Fault(Fault),
    /// Stopped before it came to a report; what had finished by then.
    Stopped(PushReport),
}

async fn run(settings: &Settings, environment: &Environment, mut stage: Stage, events: Events) -> Ran {
    say_first(&settings.notices, &events);
    let stop = Stop::listen(settings.reach.requests.timeout, events.clone());
    stage.screen.stops_with(&stop.asked);
    let around = wire::Around { environment, events: &events, cancel: &stop.asked };
    let (connected, mut stage) = stage.during(connect(settings, around)).await;
    let ran = |screen, facts, ended| Ran { screen, facts, reason: stop.reason(), ended };
    let connected = match connected {
        Some(Ok(connected)) => connected,
        Some(Err(wire::Unconnected { fault, facts })) => {
            return ran(stage.screen, facts, Ended::Fault(fault));
        }
        None => return ran(stage.screen, None, Ended::Stopped(PushReport::default())),
    };
    stage.screen.connected(&connected.facts);
    let (ended, stage) = once(&connected, stage, &events, &stop).await;
    ran(stage.screen, Some(connected.facts_by_now()), ended)
}

/// Connects, unless the run is stopped first.
pub(super) async fn connect(
    settings: &Settings,
    around: wire::Around<'_>,
) -> Option<Result<Connected, wire::Unconnected>> {
    tokio::select! {
        connected = wire::connect(settings, around) => Some(connected),
        () = around.cancel.cancelled() => None,
    }
}

/// One push, or its plan, while it is shown.
pub(super) async fn once(
    connected: &Connected,
    stage: Stage,
    events: &Events,
    stop: &Stop,
) -> (Ended, Stage) {
    let (ended, mut stage) = stage
        .during(async {
            tokio::select! {
                ended = crate::run(&connected.job, &connected.world, events, &stop.asked) => Some(ended),
                () = stop.at_once.cancelled() => None,
            }
        })
        .await;
    let finished = stage.screen.take_finished();
    let ended = match ended {
        Some(Ok(report)) => Ended::Report(report),
        Some(Err(RunError::Cancelled)) => Ended::Stopped(PushReport::default()),
        Some(Err(error)) => Ended::Fault(error.into()),
        None => {
            let bytes_sent = finished.iter().map(|image| image.bytes_sent).sum();
            Ended::Stopped(PushReport { images: finished, bytes_sent, ..PushReport::default() })
        }
    };
    (ended, stage)
}

pub(super) fn say_first(notices: &[Notice], events: &Events) {
    for notice in notices {
        match notice {
            Notice::Note(text) => events.note(text),
            Notice::Warning(text) => events.warn(text),
        }
    }
}

/// What the end of a run is told with.
struct Telling<'a> {
    stop: StopAfter,
    output: Output,
    scene: Scene<'a>,
}

/// Prints the answer, the summary and the errors, in this order, so that the errors are what is seen
/// last. Gives the exit code.
fn conclude(ran: Ran, telling: &Telling<'_>, out: &mut dyn Write) -> u8 {
    let Ran { mut screen, facts, reason, ended } = ran;
    let scene = Scene { facts: facts.as_ref(), ..telling.scene };
    let (report, failure) = settled(ended, reason, &scene);
    let mut failures = of_report(&report, &scene);
    let class = failure.as_ref().map(|failure| failure.class).or_else(|| whole(&failures));
    let exit_code = number(class);
    let ending = Ending { stop: telling.stop, facts: facts.as_ref(), failure: failure.as_ref(), exit_code };
    let written = answer(out, &answered(&report, &ending, telling.output, &scene));
    let host = facts.as_ref().map_or("", |facts| facts.registry.host.as_str());
    let lines = match telling.stop {
        StopAfter::Plan if failure.is_none() => screen::plan(&report, screen.outstanding(), host),
        _ => screen::summary(&report),
    };
    screen.lines(Detail::Summary, &lines);
    failures.extend(failure);
    failures.extend(written.err().map(|error| explain(&Fault::Local(error), &scene)));
    let exit_code = number(class.or_else(|| whole(&failures)));
    screen.finished(&failures, Some(&report), exit_code);
    exit_code
}

pub(super) fn answered(
    report: &PushReport,
    ending: &Ending<'_>,
    output: Output,
    scene: &Scene<'_>,
) -> String {
    match output {
        Output::Document(form) => push_report(report, ending, scene, form),
        Output::Table if report.images.is_empty() => String::new(),
        Output::Table => output::table(report),
        Output::Name => output::names(report),
    }
}

/// The report of a run, and why it could not go on. A signal counts only where it left work undone.
pub(super) fn settled(
    ended: Ended,
    reason: Option<Reason>,
    scene: &Scene<'_>,
) -> (PushReport, Option<Failure>) {
    let stopped = reason.map(failure::stopped);
    match ended {
        Ended::Report(report) => {
            let undone = report.verdict() == Verdict::Cancelled;
            (report, stopped.filter(|_| undone))
        }
        Ended::Fault(fault) => {
            let failure = explain(&fault, scene);
            let of_signal = failure.class == Class::Interrupted;
            (PushReport::default(), stopped.filter(|_| of_signal).or(Some(failure)))
        }
        Ended::Stopped(report) => (report, stopped),
    }
}

#[cfg(test)]
mod tests;
