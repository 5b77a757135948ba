use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::{NameArgs, ReachArgs, RequestArgs, SearchArgs, SourceArgs, ViewArgs};
use crate::cli::value::{self, PlatformChoice};

const SOURCE_HELP: &str = "\
What push takes: FILE.tar, DIR, - or REF, or one of them said outright. A REF that begins with the registry's name, \
HOST[:PORT]/OWNER/NAME[:TAG][@DIGEST], is looked at in the registry by itself, without a source; \
docker-daemon:REF and podman:REF are the images of that name in an engine. Without a SOURCE, the folder of --path is \
searched";

const REGISTRY_HELP: &str = "Look there, not in the cluster's [env: IDPBUILDER_REGISTRY_URL]";
const MANIFESTS_HELP: &str = "Kubernetes manifests: what a push of them takes; may be repeated";
const TAGGED_HELP: &str = "Every image of the local engines that is named for the registry";

const AFTER_HELP: &str = "\
A tag is compared with its source by the digest of the manifest, or, where a push packs the layers,
by that of the configuration, which names them unpacked. Everything that the manifest leads to has
to be in the registry with its size; with --deep every byte is read and hashed.

stdout has the references that are as they should be; what is missing, damaged or another image is
named on stderr, and in the documents of -o json and yaml. push --force sends it again.

Exit codes: 0 all is as it should be, 8 a difference, others as for push.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(mut_arg("words", |arg| arg.help(SOURCE_HELP)))]
#[command(mut_arg("registry", |arg| arg.help(REGISTRY_HELP)))]
#[command(mut_arg("from_manifests", |arg| arg.help(MANIFESTS_HELP)))]
#[command(mut_arg("all_tagged", |arg| arg.help(TAGGED_HELP)))]
pub(in crate::cli) struct VerifyArgs {
    #[command(flatten)]
    pub(in crate::cli) sources: SourceArgs,
    /// Read everything and hash it, not only its sizes
    #[arg(long, help_heading = "Content")]
    pub(in crate::cli) deep: bool,
    /// One platform, or all that are there
    #[arg(long, value_name = "OS/ARCH", default_value = "all", value_parser = value::platform, help_heading = "Content")]
    pub(in crate::cli) platform: PlatformChoice,
    #[command(flatten)]
    pub(in crate::cli) reach: ReachArgs,
    #[command(flatten)]
    pub(in crate::cli) names: NameArgs,
    #[command(flatten)]
    pub(in crate::cli) search: SearchArgs,
    /// Requests at once
    #[arg(short, long, value_name = "N", default_value = "3", help_heading = "Transfer")]
    pub(in crate::cli) jobs: NonZeroUsize,
    #[command(flatten)]
    pub(in crate::cli) requests: RequestArgs,
    /// Folder for temporary files [default: the cache folder]
    #[arg(long, value_name = "DIR", help_heading = "Transfer")]
    pub(in crate::cli) tmp_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) view: ViewArgs,
}
