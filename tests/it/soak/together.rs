//! Several runs at once.

use super::load::{Load, Machine, assert_arrived};
use super::numbers::Numbers;
use super::remembered::Writers;
use crate::kit::registry::{Registry, Settings};

/// What two clients that know nothing of each other cannot help.
const AT_ONCE: [&str; 2] = ["was uploaded to", "were put at once"];

fn push_together(settings: Settings, processes: usize) {
    let (registry, load, machine) = (settings.start(), Load::of_images(10), Machine::new());
    let running: Vec<_> = (0..processes).map(|_| machine.push(&load, &registry).start()).collect();
    for running in running {
        running.wait().exits(0);
    }
    assert_arrived(&load, &registry);
    machine.assert_sound(Writers::Gone);
    machine.assert_remembers();
    assert_eq!(registry.open_sessions(), [""; 0]);
    let mut violations = registry.violations();
    violations.retain(|violation| !AT_ONCE.iter().any(|part| violation.contains(part)));
    assert_eq!(violations, [""; 0]);
    let (received, content) = (registry.bytes_received(), registry.stored_bytes());
    println!("{processes} processes: {received} bytes received for {content} that are stored");

    registry.clear_log();
    machine.push(&load, &registry).run().exits(0);
    assert_eq!(registry.bytes_received(), 0, "{:#?}", registry.lines());
    registry.assert_orderly();
}

#[test]
fn processes_that_push_the_same_images_at_once_all_succeed() {
    for settings in [Registry::gitea().behind_nginx(), Registry::distribution()] {
        push_together(settings, Numbers::of_this_run().processes);
    }
}
