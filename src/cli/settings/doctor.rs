use std::path::PathBuf;
use std::time::Duration;

use super::reach::Requests;
use super::{Cache, Names, Notice, Reach, Surroundings, check_one_owner};
use crate::cli::args::DoctorArgs;
use crate::cli::usage::UsageError;
use crate::plan::PathPart;

/// What a push would need, as `doctor` was told it.
#[derive(Debug)]
pub(in crate::cli) struct DoctorSettings {
    pub(in crate::cli) reach: Reach,
    pub(in crate::cli) names: Names,
    pub(in crate::cli) tmp_dir: Option<PathBuf>,
    pub(in crate::cli) notices: Vec<Notice>,
}

/// What breaks is told at once: whoever asks wants to know what is wrong now.
const ONCE: Requests = Requests {
    limit_rate: None,
    journal: Cache::Off,
    chunk: None,
    retries: 0,
    retry_max_wait: Duration::ZERO,
    stall_timeout: Duration::from_secs(10),
    timeout: None,
};

impl DoctorSettings {
    /// # Errors
    /// As for a push.
    pub(in crate::cli) fn of(args: DoctorArgs, around: &mut Surroundings<'_>) -> Result<Self, UsageError> {
        let mut notices = Vec::new();
        let reach = Reach::of(args.reach, ONCE, around, &mut notices)?;
        let names = Names { owner: args.owner, path: PathPart::Last, rename: None, tags: Vec::new() };
        check_one_owner(&reach.place, names.owner.as_deref())?;
        Ok(Self { reach, names, tmp_dir: args.tmp_dir, notices })
    }
}
