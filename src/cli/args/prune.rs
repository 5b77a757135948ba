use clap::Args;

use super::{ReachArgs, RequestArgs, ViewArgs};
use crate::cli::value;
use crate::oci::Repository;

/// How many of the newest untagged versions stay where nobody says how many.
pub(in crate::cli) const KEEP: usize = 3;

const AFTER_HELP: &str = "\
A push leaves the version before it in place, under its digest: deployments that name the digest go
on. `prune` lists such versions, asks, and deletes them. These stay: what a tag or an index that
stays needs; what a workload of the cluster names (pods, deployments and the like, as far as they
may be listed; else a warning says so); what is newer than every tag, since a push may be under
way; and the N newest of each image.

Gitea frees the space when it cleans up: by default at midnight, what is older than a day.

stdout has what was deleted, one reference with its digest a line; -o table also has what stays,
and why. Exit code 0 also where there was nothing to delete.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(mut_arg("registry", |arg| arg.help("The registry, a Gitea, and not the cluster's [env: IDPBUILDER_REGISTRY_URL]")))]
pub(in crate::cli) struct PruneArgs {
    /// The image: `myapp` is below the owner, `owner/myapp` is the whole path [default: all of the owner's]
    #[arg(value_name = "NAME", value_parser = value::image)]
    pub(in crate::cli) image: Option<Repository>,
    /// How many of the newest untagged versions of each image stay
    #[arg(long, value_name = "N", default_value_t = KEEP)]
    pub(in crate::cli) keep: usize,
    /// List what would be deleted; delete nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask before deleting
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(in crate::cli) yes: bool,
    /// User or organisation whose images are looked at
    #[arg(long, value_name = "OWNER", value_parser = value::owner)]
    pub(in crate::cli) owner: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) reach: ReachArgs,
    #[command(flatten)]
    pub(in crate::cli) requests: RequestArgs,
    #[command(flatten)]
    pub(in crate::cli) view: ViewArgs,
}
