use std::path::PathBuf;

use clap::Args;

use super::{ReachArgs, ViewArgs};
use crate::cli::value;

const AFTER_HELP: &str = "\
The flags are those of a push, and count as for a push: with --registry, a login and a choice how
it is trusted, no cluster is asked. An upload session is opened in the repository
OWNER/idpbuilder-push-doctor and cancelled at once, which leaves no package behind.

A line is ok, warn (a push works all the same), FAIL (it does not, and what mends it stands below)
or skip (it needs a check that failed, or nothing asks for it). The exit code is 0, or that of the
first check that failed.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(mut_arg("output", |arg| arg.help("What stdout gets: name (a line for each check), table, json, yaml")))]
pub(in crate::cli) struct DoctorArgs {
    #[command(flatten)]
    pub(in crate::cli) reach: ReachArgs,
    /// User or organisation whose right to write is tried
    #[arg(long, value_name = "OWNER", value_parser = value::owner, help_heading = "Names")]
    pub(in crate::cli) owner: Option<String>,
    /// Folder for temporary files [default: the cache folder]
    #[arg(long, value_name = "DIR", help_heading = "Transfer")]
    pub(in crate::cli) tmp_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) view: ViewArgs,
}
