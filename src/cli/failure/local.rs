use std::io;

use super::{Class, Failure};
use crate::cli::screen::duration;
use crate::cli::stop::Reason;

/// What failed on this machine, outside of any step.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum LocalError {
    #[error("could not start the runtime")]
    Runtime { source: io::Error },
    #[error("could not write the result to stdout")]
    Stdout { source: io::Error },
    /// A part that the command line joins to nothing.
    #[error("{part} is not there in this build")]
    NotJoined { part: &'static str },
}

pub(super) fn explain(error: &LocalError) -> Failure {
    let code = match error {
        LocalError::Runtime { .. } => "RUNTIME",
        LocalError::Stdout { .. } => "STDOUT",
        LocalError::NotJoined { .. } => "NOT_IN_THIS_BUILD",
    };
    Failure::new(Class::Mixed, code, error.to_string()).chain(error)
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
