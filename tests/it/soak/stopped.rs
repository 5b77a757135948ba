//! Runs that are asked to end in the middle.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::load::{Load, Machine};
use super::numbers::{Numbers, Random};
use super::remembered::Writers;
use crate::kit::registry::{Registry, Settings};
use crate::program::stored;

/// A run that has not ended by then hangs. Two seconds are promised; how long it took is printed.
const HANGS: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Sum {
    stopped: u32,
    /// The signal came before the program listened: the system ended it.
    before_it_listened: u32,
    /// It had ended by then.
    too_late: u32,
    slowest: Duration,
}

fn kinds() -> [Settings; 3] {
    [Registry::gitea(), Registry::gitea().behind_nginx(), Registry::distribution()]
}

/// Sends the signal after so long, and adds to the sum what became of the run.
fn stop_one(load: &Load, registry: &Registry, (signal, code): (&str, i32), after: Duration, sum: &mut Sum) {
    let machine = Machine::new();
    let running = machine.push(load, registry).limit(HANGS).start();
    std::thread::sleep(after);
    running.signal(signal);
    let asked = Instant::now();
    let ran = running.wait();
    let took = asked.elapsed();
    match ran.code {
        Some(0) => sum.too_late += 1,
        None => {
            assert_eq!(registry.lines(), [""; 0], "it had begun, and ended by the signal itself");
            sum.before_it_listened += 1;
        }
        Some(_) => {
            let ran = ran.exits(code);
            // What was put and not yet answered is there and not told.
            let there = references(registry);
            assert!(ran.stdout.lines().all(|told| there.contains(told)), "{there:?}\n{ran}");
            sum.stopped += 1;
            sum.slowest = sum.slowest.max(took);
        }
    }
    registry.until(|registry| registry.open_connections() == 0);
    registry.assert_orderly();
    machine.assert_sound(Writers::Gone);
}

/// What stands under a tag, as the program tells it; each is whole.
fn references(registry: &Registry) -> BTreeSet<String> {
    let mut references = BTreeSet::new();
    for repository in registry.repositories() {
        for tag in registry.tags(&repository) {
            let digest = stored::digest(registry, &repository, &tag);
            references.insert(format!("{}/{repository}:{tag}@{digest}", registry.address()));
        }
    }
    references
}

fn stop(signal: (&str, i32)) {
    let (numbers, mut random) = (Numbers::of_this_run(), Random::of_this_run());
    println!("seed {}", random.seed);
    let load = Load::with_large_layers(numbers);
    let began = Instant::now();
    Machine::new().push(&load, &Registry::gitea().start()).run().exits(0);
    let time = began.elapsed();
    let mut sum = Sum::default();
    for settings in kinds().iter().cycle() {
        if sum.stopped >= numbers.signals {
            break;
        }
        stop_one(&load, &settings.clone().start(), signal, random.moment_within(time), &mut sum);
    }
    println!("SIG{}: {sum:?}", signal.0);
}

#[test]
fn a_push_that_is_interrupted_at_any_moment_ends_and_leaves_no_session() {
    stop(("INT", 130));
}

#[test]
fn a_push_that_is_terminated_at_any_moment_ends_and_leaves_no_session() {
    stop(("TERM", 143));
}
