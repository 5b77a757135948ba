use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::value::{self, CompressionChoice, PlatformChoice};
use crate::oci::Tag;
use crate::plan::Rename;

#[derive(Debug, Args)]
#[command(next_help_heading = "Names")]
pub(in crate::cli) struct NameArgs {
    /// User or organisation that images go below
    #[arg(long, value_name = "OWNER", value_parser = value::owner)]
    pub(in crate::cli) owner: Option<String>,
    /// Another name for the one image; with a slash the whole path
    #[arg(long = "as", value_name = "NAME[:TAG]", value_parser = value::rename)]
    pub(in crate::cli) rename: Option<Rename>,
    /// Tag, instead of the image's own; may be repeated
    #[arg(long, value_name = "TAG", value_parser = value::tag)]
    pub(in crate::cli) tag: Vec<Tag>,
    /// Keep the whole path of an image's name, not only its last part
    #[arg(long)]
    pub(in crate::cli) keep_path: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Search")]
pub(in crate::cli) struct SearchArgs {
    /// The folder that is searched when no SOURCE is given [default: .]
    #[arg(long, value_name = "DIR", conflicts_with = "words")]
    pub(in crate::cli) path: Option<PathBuf>,
    /// Kubernetes manifests: push what they refer to; may be repeated
    #[arg(long, value_name = "DIR|FILE", conflicts_with = "path")]
    pub(in crate::cli) from_manifests: Vec<PathBuf>,
    /// Every image of the local engines that is named for the registry
    #[arg(long, conflicts_with = "path")]
    pub(in crate::cli) all_tagged: bool,
    /// Search files that fit only; may be repeated
    #[arg(long, value_name = "GLOB", value_parser = value::filled)]
    pub(in crate::cli) include: Vec<String>,
    /// Leave out files and folders that fit; may be repeated
    #[arg(long, value_name = "GLOB", value_parser = value::filled)]
    pub(in crate::cli) exclude: Vec<String>,
    /// How many folders deep a search goes
    #[arg(long, value_name = "N", default_value = "8")]
    pub(in crate::cli) max_depth: usize,
    /// Follow symbolic links that lead out of the folder or layout
    #[arg(long)]
    pub(in crate::cli) follow: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Content")]
pub(in crate::cli) struct ContentArgs {
    /// One platform, or all that are there
    #[arg(long, value_name = "OS/ARCH", default_value = "all", value_parser = value::platform)]
    pub(in crate::cli) platform: PlatformChoice,
    /// Of unpacked layers: auto, none, gzip[:1-9], zstd[:1-15]
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = value::compression)]
    pub(in crate::cli) compression: CompressionChoice,
}

#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct ModeArgs {
    /// Ask the registry, show the plan, write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Send everything again, also what the registry says it has
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Begin nothing new once an image has failed
    #[arg(long)]
    pub(in crate::cli) fail_fast: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Transfer")]
pub(in crate::cli) struct TransferArgs {
    /// Transfers at once
    #[arg(short, long, value_name = "N", default_value = "3")]
    pub(in crate::cli) jobs: NonZeroUsize,
    /// Largest request body; by default below what the ingress takes
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub(in crate::cli) chunk_size: Option<NonZeroU64>,
    #[command(flatten)]
    pub(in crate::cli) requests: RequestArgs,
    /// Folder for temporary files [default: the cache folder]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) tmp_dir: Option<PathBuf>,
    /// Pack every layer anew, and remember nothing
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,
}

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Transfer")]
pub(in crate::cli) struct RequestArgs {
    /// How often a failed request is tried again
    #[arg(long, value_name = "N", default_value = "5")]
    pub(in crate::cli) retries: u32,
    /// Longest wait between two attempts
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::duration)]
    pub(in crate::cli) retry_max_wait: Duration,
    /// Longest time in which no byte moves
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::duration)]
    pub(in crate::cli) stall_timeout: Duration,
    /// Bytes a second of all transfers, such as 2MiB [default: none]
    #[arg(long, value_name = "SIZE", value_parser = value::rate)]
    pub(in crate::cli) limit_rate: Option<NonZeroU64>,
    /// Longest time for the whole run [default: none]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub(in crate::cli) timeout: Option<Duration>,
}
