use std::io;
use std::path::PathBuf;

use super::{Class, Failure};
use crate::cli::screen::duration;
use crate::cli::stop::Reason;
use crate::registry::TrustError;

/// What failed on this machine, outside of any step.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum LocalError {
    #[error("could not start the runtime")]
    Runtime { source: io::Error },
    #[error("could not write the result to stdout")]
    Stdout { source: io::Error },
    #[error("could not read the certificates in `{}`", path.display())]
    CaFile { path: PathBuf, source: io::Error },
    #[error("`{}` is no file of certificates: {reason}", path.display())]
    NotCertificates { path: PathBuf, reason: String },
    #[error("the cluster's login is for its own registry, not for {registry}")]
    ClusterLoginElsewhere { registry: String },
    #[error("the cluster's login does not go to {registry} with --insecure")]
    ClusterLoginInsecure { registry: String },
    #[error("nothing says which user or organisation the images are for, and this registry has none without")]
    NoOwner,
    #[error("{registry} is no Gitea: only Gitea's versions can be pruned")]
    NoGitea { registry: String },
    #[error("there is no image `{image}`")]
    NoSuchImage { image: String },
    /// Standard input or standard error is no terminal.
    #[error("nobody is there to be asked whether it may be deleted")]
    NoConsent,
    #[error("could not write the link `{}`", path.display())]
    Link { path: PathBuf, source: io::Error },
    #[error("`{}` is no link to this program", path.display())]
    LinkTaken { path: PathBuf },
    #[error("there is no home folder to link the program in")]
    NoHome,
    #[error("cancelled")]
    Cancelled,
}

pub(super) fn explain(error: &LocalError) -> Failure {
    let of = |class, code| Failure::new(class, code, error.to_string()).chain(error);
    match error {
        LocalError::Runtime { .. } => {
            of(Class::Mixed, "RUNTIME").say("Look at the limits of this user: ulimit -a")
        }
        LocalError::Stdout { .. } => of(Class::Mixed, "STDOUT")
            .say("What was pushed is in the registry all the same; run again to see the references"),
        LocalError::Cancelled => of(Class::Interrupted, "CANCELLED"),
        LocalError::CaFile { .. } => of(Class::Usage, "CA_FILE"),
        LocalError::NotCertificates { .. } => of(Class::Usage, "CA_FILE").say(
            "Give a PEM file: the text between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----",
        ),
        LocalError::ClusterLoginElsewhere { .. } => of(Class::Usage, "LOGIN_ELSEWHERE")
            .run("Push to the cluster", "leave --registry out")
            .run("Or log in there", "--username with --password-stdin, or --auth docker"),
        LocalError::ClusterLoginInsecure { .. } => of(Class::Usage, "LOGIN_INSECURE")
            .say("Leave --insecure out: the cluster's own certificate is known and checked")
            .run("Or trust the certificate", "--ca-file FILE"),
        LocalError::NoGitea { .. } => of(Class::Usage, "NO_GITEA")
            .say("Use the registry's own means: a garbage collection, or rules for what is kept"),
        LocalError::NoSuchImage { .. } => of(Class::Source, "IMAGE_NOT_FOUND")
            .say("A bare name is below the owner; OWNER/NAME is the whole path")
            .say("Leave the name out to see all images of the owner"),
        LocalError::Link { .. } => of(Class::Mixed, "LINK").run("Choose another folder", "--install DIR"),
        LocalError::LinkTaken { .. } => of(Class::Usage, "LINK_TAKEN")
            .say("Remove it yourself if nothing needs it")
            .run("Or choose another folder", "--install DIR"),
        LocalError::NoHome => of(Class::Usage, "NO_HOME").run("Name the folder", "--install DIR"),
        LocalError::NoConsent => of(Class::Usage, "NO_CONSENT")
            .run("Delete what is listed", "--yes")
            .run("Or only list it", "--dry-run"),
        LocalError::NoOwner => of(Class::Usage, "NO_OWNER")
            .run("Name it", "--owner NAME")
            .say("Or log in: the user name of a login is the owner where nothing else is said"),
    }
}

/// Certificates that cannot be used as roots.
pub(super) fn trust(error: &TrustError) -> Failure {
    Failure::new(Class::Network, "CERTIFICATES", error.to_string())
}

/// A `prune` that was stopped from outside before everything was done.
pub(in crate::cli) fn prune_stopped(reason: Reason) -> Failure {
    let of = |code, message: String| Failure::new(reason.class(), code, message).may_be_retried();
    let again = "Run the same again: it goes on where it was stopped";
    match reason {
        Reason::Interrupt | Reason::Terminate => {
            of("CANCELLED", "stopped before everything was deleted".to_owned()).say(again)
        }
        Reason::OutOfTime(timeout) => {
            let timeout = duration(timeout);
            of("TIMEOUT", format!("not done within {timeout}, the time of --timeout")).say(again)
        }
    }
}

/// A run that was stopped from outside before everything was done.
pub(in crate::cli) fn stopped(reason: Reason) -> Failure {
    let of = |code, message: String| Failure::new(reason.class(), code, message).may_be_retried();
    match reason {
        Reason::Interrupt | Reason::Terminate => {
            of("CANCELLED", "stopped before everything was pushed".to_owned())
                .say("Run the same again: what the registry has already is not sent twice")
        }
        Reason::OutOfTime(timeout) => {
            let timeout = duration(timeout);
            of("TIMEOUT", format!("not done within {timeout}, the time of --timeout"))
                .say("Run the same again, or with more time: what the registry has already is not sent twice")
        }
    }
}
