//! Runs that are ended in the middle by a signal that no program hears.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::load::{JOBS, Load, Machine, assert_arrived};
use super::numbers::{Numbers, Random};
use super::remembered::Writers;
use crate::kit::registry::{Registry, Settings};

/// Runs of one push before it is let through.
const MOST_KILLS: u32 = 5;

/// What one push came to.
#[derive(Debug, Default)]
struct Push {
    kills: u32,
    content: u64,
    received: u64,
    /// Sessions that the registry gave up, and the bytes in them.
    spoilt: BTreeMap<String, u64>,
}

/// Of all pushes.
#[derive(Debug, Default)]
struct Sum {
    pushes: u32,
    kills: u32,
    content: u64,
    received: u64,
    spoilt: u64,
}

fn time_of_a_push(load: &Load, registry: &Registry) -> Duration {
    let began = Instant::now();
    Machine::new().push(load, registry).run().exits(0);
    began.elapsed()
}

/// Starts the push again and again, kills it, and lets the last one through.
fn pushed(load: &Load, registry: &Registry, time: Duration, random: &mut Random) -> Push {
    let (machine, mut push) = (Machine::new(), Push::default());
    loop {
        let running = machine.push(load, registry).start();
        if push.kills < MOST_KILLS {
            std::thread::sleep(random.moment_within(time));
            running.signal("KILL");
        }
        let ran = running.wait();
        if ran.code.is_some() {
            ran.exits(0);
            break;
        }
        push.kills += 1;
        registry.until(|registry| registry.open_connections() == 0);
        push.spoilt.extend(registry.spoilt_sessions());
        machine.assert_sound(Writers::CutShort);
    }
    machine.assert_sound(Writers::Gone);
    machine.assert_remembers();
    assert_arrived(load, registry);
    Push { content: registry.stored_bytes(), received: registry.bytes_received(), ..push }
}

fn kill(load: &Load, settings: &Settings, kills: u32) -> Sum {
    let mut random = Random::of_this_run();
    println!("seed {}", random.seed);
    let time = time_of_a_push(load, &settings.clone().start());
    let mut sum = Sum::default();
    while sum.kills < kills {
        let registry = settings.clone().start();
        let push = pushed(load, &registry, time, &mut random);
        let spoilt: u64 = push.spoilt.values().sum();
        let most = push.content + u64::from(push.kills) * JOBS * load.piece + spoilt;
        assert!(push.received <= most, "{most} bytes at most: {push:?}: {:#?}", registry.lines());
        sum.pushes += 1;
        sum.kills += push.kills;
        sum.content += push.content;
        sum.received += push.received;
        sum.spoilt += spoilt;
    }
    sum
}

fn tell(manner: &str, sum: &Sum) {
    let lost = (sum.received - sum.content) / u64::from(sum.kills.max(1));
    println!("{manner}: {sum:?}, {lost} bytes sent again for each kill");
}

#[test]
fn a_push_that_is_killed_at_any_moment_goes_on_and_loses_a_chunk_for_each_transfer() {
    let numbers = Numbers::of_this_run();
    let load = Load::with_large_layers(numbers);
    tell("Gitea behind nginx", &kill(&load, &Registry::gitea().behind_nginx(), numbers.kills));
}

#[test]
fn a_push_that_is_killed_at_any_moment_loses_a_layer_for_each_transfer_where_no_session_is_kept() {
    let numbers = Numbers::of_this_run();
    let load = Load::of_many_images(numbers);
    tell("distribution", &kill(&load, &Registry::distribution(), numbers.kills));
}
