use std::io::{self, Write};
use std::process::ExitCode;

use super::push::say_first;
use super::stage::Stage;
use super::{Start, number, on_runtime, refuse, shown};
use crate::cli::args::VerifyArgs;
use crate::cli::environment::Environment;
use crate::cli::facts::Facts;
use crate::cli::failure::{Class, Fault, Scene, explain, of_verification, unverified, whole};
use crate::cli::output::{VerifyEnding, answer, verify_names, verify_report, verify_table};
use crate::cli::screen::{self, Ink, Screen};
use crate::cli::settings::{Detail, Output, Surroundings, VerifySettings, View};
use crate::cli::stop::{Reason, Stop};
use crate::cli::word::Disk;
use crate::cli::{logging, typed, wire};
use crate::event::Events;
use crate::job::RunError;
use crate::verify::{Depth, Standing, VerifyReport};

/// Compares what the registry holds with what it should hold.
pub(in crate::cli) fn verify(args: VerifyArgs, start: &Start) -> ExitCode {
    let words = shown(&args.sources, &args.search);
    let typed = [typed::place(&args.reach), typed::names(&args.names)].concat();
    let view = View::of(args.view, &start.environment, start.stderr);
    let depth = if args.deep { Depth::Digests } else { Depth::Sizes };
    let ink = Ink::new(view.colour);
    let around =
        &mut Surroundings { environment: &start.environment, probe: &Disk, stdin: &mut io::stdin().lock() };
    let refused = |fault: &Fault| refused(fault, depth, &view, &start.scene(&words));
    let mut settings = match VerifySettings::of(args, around) {
        Ok(settings) => settings,
        Err(error) => return refused(&Fault::Usage(error)),
    };
    let (paper, logs) = screen::terminal(view.progress);
    logging::begin(&view, ink, &logs);
    let (stage, events) = Stage::new(Screen::new(paper, ink, view.detail));
    match on_runtime(run(&mut settings, &start.environment, stage, events)) {
        Ok(ran) => {
            let scene = Scene { typed: &typed, ..start.scene(&words) };
            ExitCode::from(conclude(ran, &Telling { depth, output: view.output, scene }, &mut io::stdout()))
        }
        Err(error) => refused(&Fault::Local(error)),
    }
}

/// A program that asked for a document gets it also where there is nothing to run.
fn refused(fault: &Fault, depth: Depth, view: &View, scene: &Scene<'_>) -> ExitCode {
    if let Output::Document(form) = view.output {
        let failure = explain(fault, scene);
        let exit_code = failure.class.number();
        let ending = VerifyEnding { depth, facts: None, failure: Some(&failure), exit_code };
        let _ = answer(&mut io::stdout(), &verify_report(&VerifyReport::default(), &ending, scene, form));
    }
    refuse(fault, scene, view)
}

/// How a run ended, with the screen that tells of it.
struct Ran {
    screen: Screen,
    facts: Option<Facts>,
    reason: Option<Reason>,
    ended: Result<VerifyReport, Fault>,
}

async fn run(
    settings: &mut VerifySettings,
    environment: &Environment,
    mut stage: Stage,
    events: Events,
) -> Ran {
    say_first(&settings.push.notices, &events);
    let stop = Stop::listen(settings.push.reach.requests.timeout, events.clone());
    stage.screen.stops_with(&stop.asked);
    let around = wire::Around { environment, events: &events, cancel: &stop.asked };
    let connecting = async {
        tokio::select! {
            connected = wire::connect_to_verify(settings, around) => connected,
            () = stop.asked.cancelled() => Err(Fault::Run(RunError::Cancelled).into()),
        }
    };
    let (connected, mut stage) = stage.during(connecting).await;
    let (connected, check) = match connected {
        Ok(connected) => connected,
        Err(wire::Unconnected { fault, facts }) => {
            return Ran { screen: stage.screen, facts, reason: stop.reason(), ended: Err(fault) };
        }
    };
    stage.screen.connected(&connected.facts);
    let work = async {
        tokio::select! {
            ended = crate::verify::verify(&check, &connected.job, &connected.world, &events, &stop.asked) => ended,
            () = stop.at_once.cancelled() => Err(RunError::Cancelled),
        }
    };
    let (ended, stage) = stage.during(work).await;
    let facts = Some(connected.facts_by_now());
    Ran { screen: stage.screen, facts, reason: stop.reason(), ended: ended.map_err(Fault::from) }
}

/// What the end of a run is told with.
struct Telling<'a> {
    depth: Depth,
    output: Output,
    scene: Scene<'a>,
}

/// Prints the answer, the summary and the differences, in this order. Gives the exit code.
fn conclude(ran: Ran, telling: &Telling<'_>, out: &mut dyn Write) -> u8 {
    let Ran { mut screen, facts, reason, ended } = ran;
    let scene = Scene { facts: facts.as_ref(), ..telling.scene };
    let stopped = reason.map(unverified);
    let (report, failure) = match ended {
        Ok(report) => {
            let undone = report.images.iter().any(|image| matches!(image.standing, Standing::Cancelled));
            (report, stopped.filter(|_| undone))
        }
        Err(fault) => {
            let failure = explain(&fault, &scene);
            let of_signal = failure.class == Class::Interrupted;
            (VerifyReport::default(), stopped.filter(|_| of_signal).or(Some(failure)))
        }
    };
    let mut failures = of_verification(&report, &scene);
    let class = failure.as_ref().map(|failure| failure.class).or_else(|| whole(&failures));
    let ending = VerifyEnding {
        depth: telling.depth,
        facts: facts.as_ref(),
        failure: failure.as_ref(),
        exit_code: number(class),
    };
    let text = match telling.output {
        Output::Document(form) => verify_report(&report, &ending, &scene, form),
        Output::Table if report.images.is_empty() => String::new(),
        Output::Table => verify_table(&report),
        Output::Name => verify_names(&report),
    };
    let written = answer(out, &text);
    screen.lines(Detail::Summary, &screen::verified(&report, telling.depth));
    failures.extend(failure);
    failures.extend(written.err().map(|error| explain(&Fault::Local(error), &scene)));
    let exit_code = number(class.or_else(|| whole(&failures)));
    screen.finished(&failures, None, exit_code);
    exit_code
}
