//! What stdout gets: the answer alone.

use std::io::{self, Write};

use super::failure::LocalError;

mod doctor;
mod document;
mod json;
mod list;
mod prune;
mod table;
mod verify;

pub(super) use doctor::{checkup_table, doctor_report};
pub(super) use document::document;
pub(super) use json::{Ending, Place, Problem, Summary, push_lines, push_report};
pub(super) use list::{Listed, image_list, list_names, list_table};
pub(super) use prune::{PruneEnding, prune_names, prune_report, prune_table};
pub(super) use table::{table, word};
pub(super) use verify::{VerifyEnding, verify_names, verify_report, verify_table};

use super::screen::pinned;
use crate::report::{PushReport, Status};

/// The group and version of everything that is printed for programs.
pub(super) const API_VERSION: &str = "plugins.idpbuilder.cnoe.io/v1alpha1";

/// One `reference@digest` a line, for what is in the registry now, or would be after a dry run.
pub(super) fn names(report: &PushReport) -> String {
    let there = |status: &Status| matches!(status, Status::Pushed | Status::Exists | Status::Planned);
    let images = report.images.iter().filter(|image| there(&image.status));
    images.map(|image| pinned(image) + "\n").collect()
}

/// Writes the answer. Nobody reading it any more is no failure: the push itself is done.
pub(super) fn answer(out: &mut dyn Write, text: &str) -> Result<(), LocalError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(LocalError::Stdout { source }),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
