use std::ffi::OsString;

use clap::{ArgAction, Args};

use super::PushArgs;

const SOURCE_HELP: &str = "\
An image of the local Docker or Podman engine (REF), an archive (FILE.tar) or an OCI layout (DIR), or one of them said \
outright: docker-archive:FILE[:REF], oci-archive:FILE[:TAG], oci:DIR[:TAG], docker-daemon:REF, podman:REF. It need not \
be there yet. Or instead --from-manifests or --all-tagged";

const AFTER_HELP: &str = "\
A file is pushed once it has stayed the same for a moment and can be read to its end. What is the
same as before is not pushed again. A push that failed is tried again where that may help, in any
case at the next change; registry, certificate and login are then found anew.

--on-push stands last. For every image that was pushed the command runs, without a shell, with
IDPBUILDER_PUSH_REFERENCE, IDPBUILDER_PUSH_DIGEST and IDPBUILDER_PUSH_IMAGE (REFERENCE@DIGEST) in
its environment. What it prints goes to stderr, and the next push waits for its end.
  watch myapp:dev --on-push kubectl rollout restart deployment/web
  watch app.tar --on-push sh -c 'kubectl set image deploy/web \"web=$IDPBUILDER_PUSH_IMAGE\"'

stdout has a reference for each push, with -o json a document in a line, with -o yaml one that
begins with `---`. Ctrl-C, SIGTERM and the end of --timeout end the watch with 0; with 130, 143
and 6 where they cut a push or its command.";

/// What may stand for the SOURCE.
const SEARCHES: [&str; 2] = ["from_manifests", "all_tagged"];
/// Flags of a push that say nothing to a watch.
const NOT_HERE: [&str; 5] = ["path", "include", "exclude", "max_depth", "dry_run"];

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(mut_arg("words", |arg| arg.required_unless_present_any(SEARCHES).num_args(1).action(ArgAction::Set).help(SOURCE_HELP)))]
#[command(mut_args(|arg| if NOT_HERE.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg }))]
pub(in crate::cli) struct WatchArgs {
    #[command(flatten)]
    pub(in crate::cli) push: PushArgs,
    /// Run this after each push; all that follows belongs to the command
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, help_heading = "Watch")]
    pub(in crate::cli) on_push: Vec<OsString>,
}
