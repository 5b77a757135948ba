use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use super::stage::Stage;
use super::{Start, number, on_runtime, push, refuse};
use crate::cli::args::PruneArgs;
use crate::cli::environment::Environment;
use crate::cli::facts::Facts;
use crate::cli::failure::{
    Failure, Fault, LocalError, Scene, explain, of_prune, prune_stopped, refused_prune, whole,
};
use crate::cli::output::{PruneEnding, answer, prune_names, prune_report, prune_table};
use crate::cli::screen::{self, Ink, Screen};
use crate::cli::settings::{Company, Consent, Detail, Output, PruneSettings, Stderr, Surroundings, View};
use crate::cli::stop::{Reason, Stop};
use crate::cli::usage::UsageError;
use crate::cli::wire::{Pruner, Unconnected};
use crate::cli::word::Disk;
use crate::cli::{logging, typed, wire};
use crate::event::Events;
use crate::prune::{Outcome, Plan, PruneReport};

/// Lists the untagged versions that nothing needs, and deletes them.
pub(in crate::cli) fn prune(args: PruneArgs, start: &Start) -> ExitCode {
    let words: Vec<String> = args.image.iter().map(ToString::to_string).collect();
    let command = format!("{} prune", start.called.name());
    let mut typed = typed::place(&args.reach);
    typed.extend(typed::owner(args.owner.as_deref()));
    let scene = Scene { command: &command, typed: &typed, ..start.scene(&words) };
    let view = View::of(args.view, &start.environment, start.stderr);
    let settings = match settings(args, &view, start) {
        Ok(settings) => settings,
        Err(error) => return refuse(&Fault::Usage(error), &scene, &view),
    };
    let ink = Ink::new(view.colour);
    let (paper, logs) = screen::terminal(view.progress);
    logging::begin(&view, ink, &logs);
    let (stage, events) = Stage::new(Screen::new(paper, ink, view.detail));
    match on_runtime(run(&settings, &start.environment, stage, events)) {
        Ok(ran) => ExitCode::from(conclude(ran, settings.consent, view.output, &scene)),
        Err(error) => refuse(&Fault::Local(error), &scene, &view),
    }
}

/// Standard input is let go of again: the answer to the question comes from there, too.
fn settings(args: PruneArgs, view: &View, start: &Start) -> Result<PruneSettings, UsageError> {
    let stdin = &mut io::stdin().lock();
    let mut around = Surroundings { environment: &start.environment, probe: &Disk, stdin };
    PruneSettings::of(args, (view, company(start.stderr)), &mut around)
}

fn company(stderr: Stderr) -> Company {
    let both = stderr == Stderr::Terminal && io::stdin().is_terminal();
    if both { Company::Person } else { Company::Nobody }
}

/// How a run ended, with the screen that tells of it.
struct Ran {
    screen: Screen,
    facts: Option<Facts>,
    reason: Option<Reason>,
    report: PruneReport,
    /// Why it did not come to a report, or deleted nothing.
    fault: Option<Fault>,
}

async fn run(settings: &PruneSettings, environment: &Environment, stage: Stage, events: Events) -> Ran {
    push::say_first(&settings.notices, &events);
    let stop = Stop::listen(settings.reach.requests.timeout, events.clone());
    let around = wire::Around { environment, events: &events, cancel: &stop.asked };
    let connect = Box::pin(unless_stopped(&stop, wire::pruner(settings, around)));
    let (connected, mut stage) = stage.during(connect).await;
    let (facts, ended) = match connected {
        Some(Ok(pruner)) => {
            stage.screen.connected(&pruner.facts_by_now());
            let (ended, back) = work(settings, &pruner, stage, (&events, &stop)).await;
            stage = back;
            (Some(pruner.facts_by_now()), ended)
        }
        Some(Err(Unconnected { fault, facts })) => (facts, Err(fault)),
        None => (None, Ok(PruneReport::default())),
    };
    let (report, fault) = match ended {
        Ok(report) => (report, None),
        Err(fault) => (PruneReport::default(), Some(fault)),
    };
    Ran { screen: stage.screen, facts, reason: stop.reason(), report, fault }
}

async fn unless_stopped<T>(stop: &Stop, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        value = work => Some(value),
        () = stop.asked.cancelled() => None,
    }
}

/// Looks, asks, looks again, and deletes.
async fn work(
    settings: &PruneSettings,
    pruner: &Pruner,
    stage: Stage,
    (events, stop): (&Events, &Stop),
) -> (Result<PruneReport, Fault>, Stage) {
    let (looked, mut stage) = stage.during(unless_stopped(stop, pruner.look(settings))).await;
    let plan = match looked {
        Some(Ok(plan)) => plan,
        Some(Err(fault)) => return (Err(fault), stage),
        None => return (Ok(PruneReport::default()), stage),
    };
    if let Some(unseen) = pruner.unseen(&plan).filter(|_| !plan.doomed.is_empty()) {
        events.warn(unseen);
        ((), stage) = stage.during(std::future::ready(())).await;
    }
    list(&plan, settings.consent, &mut stage.screen);
    let plan = match settings.consent {
        Consent::DryRun | Consent::Missing => return (Ok(plan.report()), stage),
        Consent::Given => plan,
        _ if plan.doomed.is_empty() => plan,
        Consent::Ask => {
            if !said_yes(stop).await {
                return (Ok(plan.report()), stage);
            }
            // While the question stood, what was listed may have come to be needed.
            let (again, back) = stage.during(unless_stopped(stop, pruner.look(settings))).await;
            stage = back;
            match again {
                Some(Ok(again)) => plan.still(again),
                Some(Err(fault)) => return (Err(fault), stage),
                None => return (Ok(plan.report()), stage),
            }
        }
    };
    let (report, stage) = stage.during(pruner.delete(plan, &stop.asked)).await;
    (Ok(report), stage)
}

fn list(plan: &Plan, consent: Consent, screen: &mut Screen) {
    if plan.doomed.is_empty() {
        return;
    }
    // Who is asked sees what about, however little is wanted.
    let detail = if consent == Consent::Ask { Detail::Quiet } else { Detail::Summary };
    screen.line(detail, &screen::about(plan));
    screen.lines(detail, &screen::doomed(plan));
    if consent == Consent::Ask {
        screen.line(detail, "delete them? [y/N]");
    }
}

/// Whoever reads a line of standard input cannot be interrupted, and is left behind where the run ends.
async fn said_yes(stop: &Stop) -> bool {
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line).unwrap_or_default()
    });
    let line = unless_stopped(stop, line).await.and_then(Result::ok).unwrap_or_default();
    is_yes(&line)
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Prints the answer, the summary and the errors, in this order. Gives the exit code.
fn conclude(ran: Ran, consent: Consent, output: Output, scene: &Scene<'_>) -> u8 {
    let Ran { mut screen, facts, reason, report, fault } = ran;
    let scene = Scene { facts: facts.as_ref(), ..*scene };
    let mut failures = failures(&report, (fault.as_ref(), reason, consent), &scene);
    let exit_code = number(whole(&failures));
    let ending = PruneEnding { consent, facts: facts.as_ref(), failures: &failures, exit_code };
    let text = match output {
        Output::Name => prune_names(&report, &ending),
        Output::Table => prune_table(&report),
        Output::Document(form) => prune_report(&report, &ending, form),
    };
    let written = answer(&mut io::stdout(), &text);
    if fault.is_none() {
        screen.lines(Detail::Summary, &screen::pruned(&report));
    }
    failures.extend(written.err().map(|error| explain(&Fault::Local(error), &scene)));
    let exit_code = number(whole(&failures));
    screen.finished(&failures, None, exit_code);
    exit_code
}

/// All that went wrong; what was left undone has one reason.
fn failures(
    report: &PruneReport,
    (fault, reason, consent): (Option<&Fault>, Option<Reason>, Consent),
    scene: &Scene<'_>,
) -> Vec<Failure> {
    let has = |is: fn(&Outcome) -> bool| report.versions.iter().any(|(_, outcome)| is(outcome));
    let planned = has(|outcome| matches!(outcome, Outcome::Planned));
    let undone = has(|outcome| matches!(outcome, Outcome::Left)) || (planned && consent == Consent::Ask);
    let is_empty = report.versions.is_empty() && report.failed.is_empty();
    match (reason, fault) {
        (Some(reason), _) if undone || is_empty || fault.is_some() => return vec![prune_stopped(reason)],
        (_, Some(fault)) => return vec![refused_prune(fault, scene)],
        _ => {}
    }
    let mut failures = of_prune(report, scene);
    if consent == Consent::Missing && planned {
        failures.push(explain(&Fault::Local(LocalError::NoConsent), scene));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for line in ["y\n", "Y\r\n", "yes", " YES "] {
            assert!(is_yes(line), "{line:?}");
        }
        for line in ["", "\n", "n\n", "yeah", "no", "delete"] {
            assert!(!is_yes(line), "{line:?}");
        }
    }
}
