use super::{Class, Failure, Scene};
use crate::cli::facts::AuthSource;
use crate::cli::screen::size;
use crate::cli::settings::GivenKind;
use crate::port::Refusal;

/// What a registry answered instead of doing it.
pub(super) struct Answer<'a> {
    pub(super) refusal: &'a Refusal,
    pub(super) status: u16,
    /// What was asked for: a repository, a blob, a manifest.
    pub(super) subject: &'a str,
    /// The server's own words, or none.
    pub(super) message: &'a str,
}

pub(super) fn explain(answer: &Answer<'_>, scene: &Scene<'_>) -> Failure {
    let Answer { status, subject, message, .. } = answer;
    let host = scene.facts.map_or("the registry", |facts| facts.registry.host.as_str());
    let of = |code, what: &str| {
        Failure::new(Class::Refused, code, format!("{host} {what} `{subject}` ({status})")).cause(*message)
    };
    match answer.refusal {
        Refusal::Denied => denied(answer, host, scene),
        Refusal::OwnerUnknown => owner_unknown(answer, host, scene),
        Refusal::TooLarge => too_large(of("TOO_LARGE", "takes no request as large as that for"), scene),
        Refusal::NameInvalid => of("NAME_INVALID", "does not take the name or tag of")
            .run("Give it another name", scene.with("--as NAME:TAG")),
        Refusal::DigestInvalid => of("DIGEST_INVALID", "got other bytes than were sent for")
            .say("Something between here and the registry changes what is sent; look for a proxy")
            .may_be_retried(),
        Refusal::BlobUnknown => of("BLOB_UNKNOWN", "says that it lacks a layer of")
            .say("Somebody may have deleted or pushed the same image at the same time; push again")
            .may_be_retried(),
        Refusal::ManifestInvalid => of("MANIFEST_INVALID", "does not take the manifest of")
            .say("The registry may not know this kind of image; push one platform of it with --platform"),
        Refusal::Quota => no_space(of("NO_SPACE", "has no space or quota left for"), scene),
        Refusal::Redirected { to } => of("MOVED", "has moved")
            .detail(format!("it is now: {to}"))
            .say("Push to the new name; writes are not sent on to another place by themselves"),
        Refusal::Other => {
            of("REFUSED", "refused").run("See every request and answer", scene.with("--log-level debug"))
        }
    }
}

fn no_space(failure: Failure, scene: &Scene<'_>) -> Failure {
    let failure = failure.say("Delete images that are not used, or raise the quota");
    match scene.cluster() {
        Some(_) => failure.run(
            "See what is free on Gitea's volume",
            "kubectl -n gitea exec deploy/my-gitea -- df -h /data",
        ),
        None => failure,
    }
}

fn owner_unknown(answer: &Answer<'_>, host: &str, scene: &Scene<'_>) -> Failure {
    let owner = owner_of(answer.subject);
    let message = format!("{host} has no user or organisation {owner:?} ({})", answer.status);
    Failure::new(Class::Refused, "OWNER_UNKNOWN", message)
        .cause(answer.message)
        .say("Create it there: a push makes none")
        .run("Or push below another owner", scene.with("--owner OWNER"))
}

/// A subject is a repository, with the tag or digest of what was to be written there.
fn repository_of(subject: &str) -> &str {
    let name = subject.split_once('@').map_or(subject, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// A repository's first part.
fn owner_of(subject: &str) -> &str {
    subject.split_once('/').map_or(subject, |(owner, _)| owner)
}

fn denied(answer: &Answer<'_>, host: &str, scene: &Scene<'_>) -> Failure {
    let auth = scene.facts.map(|facts| &facts.auth);
    let user = auth.and_then(|auth| auth.username.as_deref());
    let whose = user.map_or_else(|| "this login".to_owned(), |user| format!("user {user:?}"));
    let repository = repository_of(answer.subject);
    let message = format!("{host} does not let {whose} push to `{repository}` ({})", answer.status);
    let failure = Failure::new(Class::Refused, "DENIED", message).cause(answer.message);
    let own = user.map(str::to_lowercase);
    let token = "Make an access token with the scope write:package: Gitea, Settings, Applications";
    match auth.map(|auth| &auth.source) {
        Some(AuthSource::None) => failure
            .detail("No login was sent.")
            .run("Give one", scene.again("--username USER --password-stdin")),
        Some(AuthSource::Given { kind: GivenKind::Token, .. }) => failure
            .detail("The login is good; its token may lack the scope write:package.")
            .say(token)
            .run("Or push below an owner of yours", scene.with("--owner OWNER")),
        // Below one's own name the right is there, so that only a token can lack it.
        _ if own.as_deref() == Some(owner_of(answer.subject)) => failure
            .detail("The login is good; if it is a token, it may lack the scope write:package.")
            .say(token),
        _ => failure
            .detail("The login is good, but may not write there.")
            .run(
                "Push below an owner of yours",
                scene.with(&format!("--owner {}", own.as_deref().unwrap_or("OWNER"))),
            )
            .say("Or let an owner of that organisation give you the right to write packages")
            .say(token),
    }
}

/// Half of the limit leaves room for what else an ingress counts.
fn too_large(failure: Failure, scene: &Scene<'_>) -> Failure {
    let limit = scene.facts.and_then(|facts| facts.registry.body_limit);
    // Without a known limit, pieces down to 1 MiB were tried.
    let fitting = limit
        .map_or_else(|| "256KiB".to_owned(), |limit| format!("{}MiB", (limit / 2 / (1 << 20)).clamp(1, 512)));
    let failure = match (limit, scene.cluster()) {
        (Some(limit), Some(_)) => {
            failure.detail(format!("The ingress gitea/my-gitea-custom takes {} a request.", size(limit)))
        }
        (Some(limit), None) => failure.detail(format!("It takes {} a request.", size(limit))),
        (None, _) => failure.detail("A proxy before the registry may have a limit of its own."),
    };
    let failure = failure.run("Send smaller pieces", scene.with(&format!("--chunk-size {fitting}")));
    match scene.cluster() {
        Some(_) => failure.run(
            "Or raise the limit",
            "kubectl -n gitea annotate --overwrite ingress my-gitea-custom \
             nginx.ingress.kubernetes.io/proxy-body-size=4096m",
        ),
        None => failure,
    }
}
