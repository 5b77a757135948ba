use std::io::{BufRead, BufReader, Read};

use zeroize::Zeroizing;

use super::Notice;
use crate::cli::args::{AuthArg, LoginArgs};
use crate::cli::environment::{Environment, PASSWORD, TOKEN, USERNAME};
use crate::cli::usage::UsageError;
use crate::port::Secret;

/// Where the login to the registry comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Login {
    /// The cluster's secret for its own registry, then the docker config.
    Auto,
    Cluster,
    Docker,
    Anonymous,
    /// By flags or the environment.
    Given(Given),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Given {
    /// Absent for a token alone only.
    pub(in crate::cli) username: Option<String>,
    pub(in crate::cli) secret: Secret,
    pub(in crate::cli) kind: GivenKind,
    /// The flag or variable that the secret came by, for messages.
    pub(in crate::cli) by: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum GivenKind {
    Password,
    Token,
}

const STDIN: &str = "--password-stdin";
/// Bytes; no password or token is longer.
const STDIN_LIMIT: u64 = 64 * 1024;

/// Joins the login of flags and environment. A user name may come from the one and its password from
/// the other; a secret of a flag puts all secrets of the environment aside.
pub(super) fn of(
    args: LoginArgs,
    environment: &Environment,
    stdin: &mut dyn Read,
    notices: &mut Vec<Notice>,
) -> Result<Login, UsageError> {
    let auth = args.auth;
    let username = match args.username {
        Some(username) => Some((username, "--username")),
        None => environment.username.clone().map(|username| (username, USERNAME)),
    };
    let secret = match (args.password, args.token) {
        _ if args.password_stdin => Some((read_line(stdin)?, GivenKind::Password, STDIN)),
        (Some(password), _) => {
            let warning = "--password shows the password to every user of this machine; --password-stdin and \
                           IDPBUILDER_REGISTRY_PASSWORD do not";
            notices.push(Notice::Warning(warning.to_owned()));
            Some((password, GivenKind::Password, "--password"))
        }
        (None, Some(token)) => Some((token, GivenKind::Token, "--token")),
        (None, None) => of_environment(environment)?,
    };
    let given = match (username, secret) {
        (None, None) => None,
        (Some((_, given)), None) => return Err(UsageError::UserAlone { given }),
        (None, Some((_, GivenKind::Password, given))) => return Err(UsageError::PasswordAlone { given }),
        (username, Some((secret, kind, by))) => {
            Some(Given { username: username.map(|(username, _)| username), secret, kind, by })
        }
    };
    chosen(auth, given)
}

fn of_environment(
    environment: &Environment,
) -> Result<Option<(Secret, GivenKind, &'static str)>, UsageError> {
    match (environment.password.clone(), environment.token.clone()) {
        (Some(_), Some(_)) => Err(UsageError::PasswordAndToken { password: PASSWORD, token: TOKEN }),
        (Some(password), None) => Ok(Some((password, GivenKind::Password, PASSWORD))),
        (None, Some(token)) => Ok(Some((token, GivenKind::Token, TOKEN))),
        (None, None) => Ok(None),
    }
}

fn chosen(auth: AuthArg, given: Option<Given>) -> Result<Login, UsageError> {
    let beside = |auth, given: &Given| UsageError::AuthBesideLogin { auth, given: given.by };
    match (auth, given) {
        (AuthArg::Auto, Some(given)) => Ok(Login::Given(given)),
        (AuthArg::Cluster, Some(given)) => Err(beside("cluster", &given)),
        (AuthArg::Docker, Some(given)) => Err(beside("docker", &given)),
        (AuthArg::None, Some(given)) => Err(beside("none", &given)),
        (AuthArg::Auto, None) => Ok(Login::Auto),
        (AuthArg::Cluster, None) => Ok(Login::Cluster),
        (AuthArg::Docker, None) => Ok(Login::Docker),
        (AuthArg::None, None) => Ok(Login::Anonymous),
    }
}

/// The first line of standard input, without the line's end.
fn read_line(stdin: &mut dyn Read) -> Result<Secret, UsageError> {
    let mut text = Zeroizing::new(String::new());
    let mut limited = BufReader::new(stdin.take(STDIN_LIMIT + 1));
    limited.read_line(&mut text).map_err(|source| UsageError::Stdin { source })?;
    if text.len() as u64 > STDIN_LIMIT {
        return Err(UsageError::StdinTooLong { limit: STDIN_LIMIT });
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() { Err(UsageError::StdinEmpty) } else { Ok(Secret::new(line.to_owned())) }
}
