use super::{Settings, Surroundings};
use crate::cli::args::{ContentArgs, ModeArgs, PushArgs, TransferArgs, VerifyArgs};
use crate::cli::usage::UsageError;
use crate::cli::value::CompressionChoice;
use crate::verify::Depth;

/// What `verify` was asked for: the push whose end it looks at, and how far.
#[derive(Debug)]
pub(in crate::cli) struct VerifySettings {
    pub(in crate::cli) push: Settings,
    pub(in crate::cli) depth: Depth,
}

impl VerifySettings {
    /// # Errors
    /// As for a push.
    pub(in crate::cli) fn of(args: VerifyArgs, around: &mut Surroundings<'_>) -> Result<Self, UsageError> {
        let depth = if args.deep { Depth::Digests } else { Depth::Sizes };
        let push = PushArgs {
            sources: args.sources,
            reach: args.reach,
            names: args.names,
            search: args.search,
            content: ContentArgs { platform: args.platform, compression: CompressionChoice::Auto },
            mode: ModeArgs { dry_run: false, force: false, fail_fast: false },
            transfer: TransferArgs {
                jobs: args.jobs,
                chunk_size: None,
                requests: args.requests,
                tmp_dir: args.tmp_dir,
                no_cache: false,
            },
            view: args.view,
        };
        Ok(Self { push: Settings::of(push, around)?, depth })
    }
}
