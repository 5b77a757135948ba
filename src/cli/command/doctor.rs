use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use super::push::say_first;
use super::stage::Stage;
use super::{Start, number, on_runtime, refuse};
use crate::cli::args::DoctorArgs;
use crate::cli::checkup::{Check, class};
use crate::cli::environment::Environment;
use crate::cli::failure::{Class, Failure, Fault, LocalError, Scene, explain};
use crate::cli::output::{answer, checkup_table, doctor_report};
use crate::cli::screen::{self, Ink, Screen, width_of_stdout};
use crate::cli::settings::{DoctorSettings, Output, Stderr, Surroundings, View};
use crate::cli::stop::{Reason, Stop};
use crate::cli::wire::Examined;
use crate::cli::word::Disk;
use crate::cli::{logging, typed, wire};
use crate::event::Events;

/// What advice is phrased with in the place of a SOURCE: what is to be mended is a push.
const SOURCE: &str = "IMAGE";

/// Tries what a push needs, and tells of each. Changes nothing.
pub(in crate::cli) fn doctor(args: DoctorArgs, start: &Start) -> ExitCode {
    let words = [SOURCE.to_owned()];
    let mut typed = typed::place(&args.reach);
    typed.extend(typed::owner(args.owner.as_deref()));
    let view = View::of(args.view, &start.environment, start.stderr);
    let stdout = if io::stdout().is_terminal() { Stderr::Terminal } else { Stderr::Elsewhere };
    let ink = Ink::new(View::of(args.view, &start.environment, stdout).colour);
    let around =
        &mut Surroundings { environment: &start.environment, probe: &Disk, stdin: &mut io::stdin().lock() };
    let settings = match DoctorSettings::of(args, around) {
        Ok(settings) => settings,
        Err(error) => return refuse(&Fault::Usage(error), &start.scene(&words), &view),
    };
    let (paper, logs) = screen::terminal(view.progress);
    logging::begin(&view, Ink::new(view.colour), &logs);
    let (stage, events) = Stage::new(Screen::new(paper, Ink::new(view.colour), view.detail));
    let mut telling = Telling { output: view.output, ink, width: width_of_stdout(), fault: None };
    let scene = Scene { typed: &typed, ..start.scene(&words) };
    match on_runtime(run(&settings, (&start.environment, scene), stage, (events, &mut telling))) {
        Ok((screen, ended)) => ExitCode::from(conclude(screen, ended, telling, &scene)),
        Err(error) => refuse(&Fault::Local(error), &start.scene(&words), &view),
    }
}

/// How the answer is told, and what kept it from being told.
struct Telling {
    output: Output,
    ink: Ink,
    width: Option<usize>,
    fault: Option<LocalError>,
}

impl Telling {
    /// A check takes seconds where nothing answers, so that each is told when it is made.
    fn check(&mut self, check: &Check) {
        if self.output == Output::Name {
            self.write(&screen::check(check, self.ink, self.width));
        }
    }

    fn whole(&mut self, examined: &Examined) {
        let Examined { checks, facts } = examined;
        let text = match self.output {
            Output::Name => screen::conclusion(checks, self.ink, self.width),
            Output::Table => checkup_table(checks),
            Output::Document(form) => doctor_report(checks, facts.as_ref(), form),
        };
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        if self.fault.is_none() {
            self.fault = answer(&mut io::stdout(), text).err();
        }
    }
}

/// What was found, or the class of what stopped it.
async fn run(
    settings: &DoctorSettings,
    (environment, scene): (&Environment, Scene<'_>),
    stage: Stage,
    (events, telling): (Events, &mut Telling),
) -> (Screen, Result<Examined, Class>) {
    say_first(&settings.notices, &events);
    let stop = Stop::listen(None, events.clone());
    let around = wire::Around { environment, events: &events, cancel: &stop.asked };
    // What is cut short by a signal has not failed.
    let mut tell = |check: &Check| {
        if !stop.asked.is_cancelled() {
            telling.check(check);
        }
    };
    let (examined, stage) = stage
        .during(async {
            tokio::select! {
                examined = Box::pin(wire::examine(settings, around, scene, &mut tell)) => Some(examined),
                // What was opened is closed before.
                () = stop.at_once.cancelled() => None,
            }
        })
        .await;
    let ended = match (examined, stop.reason()) {
        (Some(examined), None) => Ok(examined),
        (_, reason) => Err(reason.map_or(Class::Interrupted, Reason::class)),
    };
    (stage.screen, ended)
}

fn conclude(
    mut screen: Screen,
    ended: Result<Examined, Class>,
    mut telling: Telling,
    scene: &Scene<'_>,
) -> u8 {
    let mut failures: Vec<Failure> = Vec::new();
    let class = match ended {
        Ok(examined) => {
            telling.whole(&examined);
            let failed = examined.checks.iter().filter_map(Check::failure);
            // The lines for people say it all.
            if telling.output != Output::Name {
                failures.extend(failed.cloned());
            }
            class(&examined.checks)
        }
        Err(class) => Some(class),
    };
    failures.extend(telling.fault.map(|fault| explain(&Fault::Local(fault), scene)));
    let exit_code = number(class.or(failures.first().map(|failure| failure.class)));
    screen.finished(&failures, None, exit_code);
    exit_code
}
