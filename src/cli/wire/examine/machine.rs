use super::Chart;
use crate::cli::checkup::{Check, Need};
use crate::cli::environment::Environment;
use crate::cli::failure::{Fault, Scene, explain};
use crate::cli::screen::size;
use crate::cli::settings::DoctorSettings;
use crate::cli::wire::{sources, spools};
use crate::content::SpoolDir;
use crate::port::SourceError;
use crate::source::{self, Engines};

/// With less than this, a large image may find no room.
const ROOM: u64 = 1 << 30;

/// What a push needs of this machine.
pub(super) async fn examine(
    settings: &DoctorSettings,
    environment: &Environment,
    scene: Scene<'_>,
    chart: &mut Chart<'_>,
) {
    chart.add(engines(source::engines(&sources::sockets(environment)).await));
    chart.add(disk(&spools(settings.tmp_dir.as_ref(), environment), &scene));
}

/// No engine is no failure: archives and layouts need none.
fn engines(found: Engines) -> Check {
    if found.answering.is_empty() {
        let mut said = found.silent;
        said.push("archives and layouts can be pushed; images of an engine need one that answers".to_owned());
        return Check::seen(Need::Engines, "none answers", said);
    }
    let answering: Vec<String> =
        found.answering.iter().map(|(product, place)| format!("{product} at {place}")).collect();
    Check::passed(Need::Engines, answering.join(", "))
}

fn disk(spools: &SpoolDir, scene: &Scene<'_>) -> Check {
    if let Err(error) = spools.try_out() {
        let fault = Fault::Source(SourceError::Content(error));
        return Check::failed(Need::Disk, explain(&fault, scene));
    }
    let folder = scene.path(spools.path());
    let Some(free) = spools.free() else {
        return Check::passed(Need::Disk, format!("{folder} can be written to"));
    };
    let scarce =
        (free < ROOM).then(|| "layers are packed there; --tmp-dir names a folder with more room".to_owned());
    Check::seen(Need::Disk, format!("{} free for {folder}", size(free)), scarce.into_iter().collect())
}
