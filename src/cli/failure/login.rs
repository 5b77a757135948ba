use super::{Class, Failure, Scene};
use crate::cli::facts::AuthSource;
use crate::port::{KeychainError, Origin};

/// A login that was refused, as the registry client tells it.
pub(super) struct Refused<'a> {
    pub(super) origin: &'a Origin,
    pub(super) status: u16,
    pub(super) username: Option<&'a str>,
    pub(super) source_name: &'a str,
    pub(super) tried: &'a [String],
}

pub(super) fn refused(login: &Refused<'_>, scene: &Scene<'_>) -> Failure {
    let host = login.origin.in_references();
    let status = login.status;
    let message = match login.username {
        Some(user) => format!("{host} refused the credentials of user {user:?} ({status})"),
        None if login.tried.is_empty() => format!("{host} wants a login ({status})"),
        None => format!("{host} refused the credentials ({status})"),
    };
    let mut failure = Failure::new(Class::Login, "AUTH_FAILED", message);
    let source = scene.facts.map(|facts| &facts.auth.source);
    if !login.tried.is_empty() {
        let context = if matches!(source, Some(AuthSource::Cluster { .. })) {
            scene.in_context()
        } else {
            String::new()
        };
        let tried = login.tried.join(", then ");
        failure = failure.detail(format!("tried: {tried} from {}{context}", login.source_name));
    }
    let user = login.username.unwrap_or("USER");
    let given = scene.again(&format!("-u {user} --password-stdin"));
    match source {
        Some(AuthSource::Cluster { .. }) => failure
            .detail(
                "The secret no longer matches Gitea (cnoe-io/idpbuilder#489), or belongs to another cluster on \
                 this port.",
            )
            .say("Run `idpbuilder create` again with the flags used before")
            .say(format!("Override now: {given}")),
        Some(AuthSource::Given { .. }) => {
            failure.run("Give it anew", given).say("A token needs the scope write:package to push to Gitea")
        }
        // Repositories may have saved logins of their own, of which the facts do not know.
        Some(AuthSource::Docker { .. } | AuthSource::None) | None if !login.tried.is_empty() => failure
            .run("Log in again", format!("docker login {host}"))
            .run("Or give the login here", given),
        Some(AuthSource::Docker { .. } | AuthSource::None) | None => failure
            .run("Give a login", given)
            .run("Or log in with docker, whose config is read", format!("docker login {host}")),
    }
}

pub(super) fn keychain(error: &KeychainError, scene: &Scene<'_>) -> Failure {
    let of = |code| Failure::new(Class::Login, code, error.to_string()).chain(error);
    let given = scene.again("--username USER --password-stdin");
    match error {
        KeychainError::Read { .. } | KeychainError::Config { .. } => of("DOCKER_CONFIG")
            .say("Mend it, or set DOCKER_CONFIG to another folder, REGISTRY_AUTH_FILE to another file")
            .run("Or send no login", scene.with("--auth none"))
            .run("Or give the login", given),
        KeychainError::HelperMissing { helper } => of("CREDENTIAL_HELPER")
            .say(format!("Install `{helper}`, or take it out of the docker config"))
            .run("Or give the login", given),
        KeychainError::HelperSilent { helper, .. } => of("CREDENTIAL_HELPER")
            .say(format!("Run `{helper} list` by hand: it may be waiting for a password"))
            .run("Or give the login", given)
            .may_be_retried(),
        KeychainError::HelperFailed { .. } => of("CREDENTIAL_HELPER").run("Give the login", given),
        KeychainError::ControlCharacter { .. } => {
            of("CREDENTIAL_INVALID").say("Look for a line's end that was copied along with the value")
        }
    }
}
