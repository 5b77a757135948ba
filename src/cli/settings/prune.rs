use super::{Notice, Reach, Surroundings, View, check_one_owner, requests};
use crate::cli::args::PruneArgs;
use crate::cli::settings::Progress;
use crate::cli::usage::UsageError;
use crate::oci::Repository;

/// What `prune` was asked for.
#[derive(Debug)]
pub(in crate::cli) struct PruneSettings {
    pub(in crate::cli) reach: Reach,
    /// One image: a bare name is below the owner.
    pub(in crate::cli) image: Option<Repository>,
    pub(in crate::cli) owner: Option<String>,
    /// How many of the newest untagged versions stay.
    pub(in crate::cli) keep: usize,
    pub(in crate::cli) consent: Consent,
    pub(in crate::cli) notices: Vec<Notice>,
}

/// Whether what is listed may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Consent {
    /// `--dry-run`: it is only listed.
    DryRun,
    /// `--yes`.
    Given,
    /// The user is there to be asked.
    Ask,
    /// Nobody is.
    Missing,
}

/// Who is at the other end of standard input and standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Company {
    Person,
    Nobody,
}

impl PruneSettings {
    /// # Errors
    /// For contradictions and half a login.
    pub(in crate::cli) fn of(
        args: PruneArgs,
        (view, company): (&View, Company),
        around: &mut Surroundings<'_>,
    ) -> Result<Self, UsageError> {
        let mut notices = Vec::new();
        let PruneArgs { image, keep, dry_run, yes, owner, reach, requests: asked, .. } = args;
        let can_be_asked =
            company == Company::Person && view.progress != Progress::Json && !reach.login.password_stdin;
        let consent = match (dry_run, yes) {
            (true, _) => Consent::DryRun,
            (_, true) => Consent::Given,
            _ if can_be_asked => Consent::Ask,
            _ => Consent::Missing,
        };
        let reach = Reach::of(reach, requests(asked), around, &mut notices)?;
        check_one_owner(&reach.place, owner.as_deref())?;
        Ok(Self { reach, image, owner, keep, consent, notices })
    }
}
