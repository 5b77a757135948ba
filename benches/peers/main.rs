//! `make bench`: this program against its peers on this machine, on images made of this machine's files.
//!
//! `WORK`, `PEERS` and `ROUNDS` choose; `IDPBUILDER_PUSH` is another binary to look at. In each round each
//! candidate does all steps of a work, one candidate after another, so that what else the machine does meets all
//! of them. A first round goes through nginx, which counts, and is not timed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench shows what came out")]

mod engine;
mod files;
mod input;
mod kit;
mod measure;
mod registry;
mod table;
mod tool;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use engine::{Engine, Watch};
use input::Inputs;
use measure::{Measured, measure};
use registry::{Registry, Route};
use table::Row;
use tempfile::TempDir;
use tool::{Image, Target, Tool};
use work::{Form, Place, Start, Step, Work};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let ran = match words.next() {
        Some(word) if word == measure::SMALL => measure::run_small(words),
        Some(word) if word == "--bench" => Chosen::from_environment().and_then(|chosen| bench(&chosen)),
        // Built and run by `cargo test --benches`.
        _ => Ok(ExitCode::SUCCESS),
    };
    ran.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

/// What is to be compared.
struct Chosen {
    /// Empty: all.
    works: Vec<String>,
    peers: Option<Vec<String>>,
    rounds: usize,
}

impl Chosen {
    #[expect(clippy::disallowed_methods, reason = "a bench is told by its environment what to do")]
    fn from_environment() -> Result<Self> {
        let read = |name: &str| std::env::var(name).ok();
        let words = |text: String| -> Vec<String> {
            text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let chosen = Self {
            works: read("WORK").map(words).unwrap_or_default(),
            peers: read("PEERS").filter(|text| !text.is_empty()).map(words),
            rounds: read("ROUNDS").map_or(Ok(5), |text| text.parse()).context("ROUNDS is a number")?,
        };
        let known: Vec<&str> = work::ALL.iter().flat_map(|work| work.steps).map(|step| step.work).collect();
        let tools: Vec<&str> = work::ALL.iter().flat_map(|work| work.tools).map(|tool| tool.name()).collect();
        check("WORK", &chosen.works, &known)?;
        check("PEERS", chosen.peers.as_deref().unwrap_or_default(), &tools)?;
        Ok(chosen)
    }

    fn has(&self, step: &Step) -> bool {
        self.works.is_empty() || self.works.iter().any(|work| work == step.work)
    }

    /// Others stand on what is pushed cold.
    fn needs(&self, step: &Step) -> bool {
        self.has(step) || step.start == Start::Cold
    }

    fn tools(&self, work: &Work) -> Vec<Tool> {
        let named = |tool: &Tool| {
            self.peers.as_ref().is_none_or(|peers| peers.iter().any(|peer| peer == tool.name()))
        };
        work.tools.iter().copied().filter(|tool| tool.is_ours() || named(tool)).collect()
    }
}

fn check(variable: &str, words: &[String], known: &[&str]) -> Result<()> {
    if let Some(word) = words.iter().find(|word| !known.contains(&word.as_str())) {
        let mut known: Vec<&str> = known.iter().copied().filter(|name| *name != "idpbuilder-push").collect();
        known.sort_unstable();
        known.dedup();
        bail!("{variable} has no `{word}`; it has {}", known.join(", "));
    }
    Ok(())
}

fn bench(chosen: &Chosen) -> Result<ExitCode> {
    let inputs = Inputs::new()?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{} processors, load {}; minimum of {} rounds, ratios to the best peer in each column",
        std::thread::available_parallelism()?,
        load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        chosen.rounds
    );
    let mut failed = false;
    for work in work::ALL.iter().filter(|work| work.steps.iter().any(|step| chosen.has(step))) {
        match compare(work, &inputs, chosen) {
            Ok(tables) => {
                for (step, rows) in work.steps.iter().zip(&tables).filter(|(step, _)| chosen.has(step)) {
                    println!("\n{}", table::show(&format!("{}, {}", step.work, step.phase), rows));
                    failed |= rows.iter().any(|row| row.failed.is_some());
                }
            }
            // The other works need other servers: an engine, for one, needs root.
            Err(error) => {
                let name = work.steps.first().map_or("", |step| step.work);
                println!("\n{name} could not be compared: {error:#}");
                failed = true;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// For each step of the work a row for each candidate.
fn compare(work: &Work, inputs: &Inputs, chosen: &Chosen) -> Result<Vec<Vec<Row>>> {
    let registry = match work.place {
        Place::Distribution => Registry::distribution()?,
        Place::Gitea => Registry::gitea()?,
    };
    let engine = match work.form {
        Form::InEngine(kind) => {
            Some(Engine::start(kind, &[inputs.get("web.tar")?, inputs.get("delta.tar")?])?)
        }
        _ => None,
    };
    let stage = Stage { work, inputs, registry: &registry, engine: engine.as_ref() };
    let tools = chosen.tools(work);
    let row = |tool: &Tool| Row {
        label: tool.label(),
        is_ours: tool.is_ours(),
        runs: Vec::new(),
        counted: None,
        failed: None,
    };
    let mut tables: Vec<Vec<Row>> = work.steps.iter().map(|_| tools.iter().map(row).collect()).collect();
    for round in 0..=chosen.rounds {
        let route = if round == 0 { Route::Counted } else { Route::Timed };
        for (at, tool) in tools.iter().enumerate() {
            eprintln!("round {round} of {}: {}", chosen.rounds, tool.label());
            let name = format!("{round}-{at}");
            let mut turn = Turn { name, tool: *tool, route, repository: String::new(), home: home()? };
            let rows = tables.iter_mut().filter_map(|rows| rows.get_mut(at));
            let steps = work.steps.iter().zip(rows).filter(|(step, _)| chosen.needs(step));
            stage.take(&mut turn, steps);
        }
    }
    Ok(tables)
}

fn home() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("bench-home-").tempdir()?)
}

/// Where a work is done.
struct Stage<'a> {
    work: &'a Work,
    inputs: &'a Inputs,
    registry: &'a Registry,
    engine: Option<&'a Engine>,
}

/// One candidate in one round.
struct Turn {
    name: String,
    tool: Tool,
    route: Route,
    repository: String,
    home: TempDir,
}

impl Stage<'_> {
    /// All steps. One that failed once is not tried again, and neither are those after it.
    fn take<'a>(&self, turn: &mut Turn, steps: impl Iterator<Item = (&'a Step, &'a mut Row)>) {
        let mut failed = None;
        for (step, row) in steps {
            if row.failed.is_none() {
                row.failed = failed.clone();
            }
            if row.failed.is_none()
                && let Err(error) = self.step(step, turn, row)
            {
                row.failed = Some(format!("{error:#}"));
            }
            failed.clone_from(&row.failed);
        }
    }

    fn step(&self, step: &Step, turn: &mut Turn, row: &mut Row) -> Result<()> {
        if step.start == Start::Cold {
            turn.repository = self.registry.empty(&turn.name)?;
        }
        if step.start != Start::Warm {
            turn.home = home()?;
            self.registry.log_in(turn.home.path())?;
            self.engine.map_or(Ok(()), Engine::forget)?;
        }
        let address = self.registry.address(turn.route);
        let target = Target {
            registry: &address,
            repository: &turn.repository,
            tag: step.tag,
            trust: self.registry.trust(),
        };
        let image = self.image(step.image)?;
        if let (Tool::Engine(_), Image::InEngine(engine, tag)) = (turn.tool, &image) {
            engine.prepare(tag, &target.reference())?;
        }
        let command = turn.tool.command(&image, &target, turn.home.path())?;
        let run = || self.measured(&command, &turn.home);
        match turn.route {
            Route::Counted => row.counted = Some(self.registry.count(run)?.1),
            Route::Timed => row.runs.push(run()?),
        }
        Ok(())
    }

    fn image(&self, name: &'static str) -> Result<Image<'_>> {
        let file = || -> Result<PathBuf> { self.inputs.get(name) };
        Ok(match (self.work.form, self.engine) {
            (Form::InEngine(_), Some(engine)) => Image::InEngine(engine, name),
            (Form::Layout, _) => Image::Layout(file()?),
            (Form::Hybrid, _) => Image::Hybrid(file()?),
            _ => Image::Archive(file()?),
        })
    }

    /// With the engine's share, where the image comes from one.
    fn measured(&self, command: &std::process::Command, home: &TempDir) -> Result<Measured> {
        let log = home.path().join("bench.log");
        if self.engine.is_none() {
            return measure(command, &log);
        }
        let watch = Watch::begin()?;
        let measured = measure(command, &log)?;
        let (cpu, peak_kib) = watch.end()?;
        Ok(Measured { cpu: measured.cpu + cpu, peak_kib: measured.peak_kib + peak_kib, ..measured })
    }
}
