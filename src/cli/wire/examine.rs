//! Asks for all that a push needs, by the same parts that a push is made of.

use super::Around;
use super::place::Target;
use crate::cli::checkup::{Check, Need};
use crate::cli::facts::Facts;
use crate::cli::failure::Scene;
use crate::cli::settings::DoctorSettings;
use crate::event::Events;

mod certificate;
mod cluster;
mod machine;
mod registry;
mod space;

/// What was found.
pub(in crate::cli) struct Examined {
    pub(in crate::cli) checks: Vec<Check>,
    /// Absent where it did not come to a registry.
    pub(in crate::cli) facts: Option<Facts>,
}

/// Where checks go: each is told as soon as it is made.
struct Chart<'a> {
    checks: Vec<Check>,
    tell: &'a mut dyn FnMut(&Check),
}

impl Chart<'_> {
    fn add(&mut self, check: Check) {
        (self.tell)(&check);
        self.checks.push(check);
    }

    /// Those that are left of a chain, since one of it has failed.
    fn wait(&mut self, needs: &[Need], ground: Need) {
        for need in needs {
            self.add(Check::waits(*need, ground));
        }
    }
}

/// A registry to be asked, and what is missing for a login there.
struct Found {
    target: Target,
    missing: Option<Need>,
}

/// All that needs the registry's address.
const REGISTRY: [Need; 9] = [
    Need::Certificate,
    Need::Name,
    Need::Tcp,
    Need::Tls,
    Need::Registry,
    Need::Login,
    Need::Write,
    Need::Space,
    Need::BodyLimit,
];

/// Makes all checks. `scene` is what advice is phrased with before anything is known.
pub(in crate::cli) async fn examine(
    settings: &DoctorSettings,
    around: Around<'_>,
    scene: Scene<'_>,
    tell: &mut dyn FnMut(&Check),
) -> Examined {
    let mut chart = Chart { checks: Vec::new(), tell };
    // What a push would warn of belongs to the checks.
    let (events, mut said) = Events::channel();
    let around = Around { events: &events, ..around };
    let (facts, clock) = match cluster::examine(&settings.reach, scene, &mut chart).await {
        Ok(found) => {
            let mut examination = registry::Examination { settings, around, scene, said: &mut said };
            examination.run(&found, &mut chart).await
        }
        Err(ground) => {
            chart.wait(&REGISTRY, ground);
            (None, Check::waits(Need::Clock, ground))
        }
    };
    machine::examine(settings, around.environment, scene, &mut chart).await;
    chart.add(clock);
    Examined { checks: chart.checks, facts }
}
