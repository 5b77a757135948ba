use super::image::with_images;
use super::{Class, Failure, Fault, Scene, explain, registry};
use crate::port::{Refusal, RegistryError};
use crate::prune::{Outcome, PruneError, PruneReport};

/// The failures of a report; what failed for the same reason shares one.
pub(in crate::cli) fn of_prune(report: &PruneReport, scene: &Scene<'_>) -> Vec<Failure> {
    let mut told: Vec<(Failure, Vec<String>)> = Vec::new();
    let mut tell =
        |failure: Failure, subject: String| match told.iter_mut().find(|(known, _)| *known == failure) {
            Some((_, subjects)) => subjects.push(subject),
            None => told.push((failure, vec![subject])),
        };
    for (repository, error) in &report.failed {
        tell(image(error, scene), repository.to_string());
    }
    for (version, outcome) in &report.versions {
        if let Outcome::Failed(error) = outcome {
            let subject = format!("{}@{}", version.repository, version.digest);
            tell(of_registry(error, scene), subject);
        }
    }
    told.into_iter().map(|(failure, subjects)| with_images(failure, &subjects)).collect()
}

/// Explains why there is nothing to report.
pub(in crate::cli) fn refused_prune(fault: &Fault, scene: &Scene<'_>) -> Failure {
    match fault {
        Fault::Registry(error) => of_registry(error, scene),
        fault => explain(fault, scene),
    }
}

/// Why nothing of an image is deleted.
fn image(error: &PruneError, scene: &Scene<'_>) -> Failure {
    let of = |code| {
        Failure::new(Class::Source, code, error.to_string())
            .chain(error)
            .detail("What its tags need is not known, so that nothing of this image is deleted.")
    };
    match error {
        PruneError::Registry(error) => of_registry(error, scene),
        PruneError::Vanished { .. } => of("MANIFEST_MISSING")
            .say("Somebody may be deleting or pushing at this time: run it again")
            .say("If it stays so, delete that version in Gitea, under the image's settings")
            .may_be_retried(),
        PruneError::Manifest { .. } | PruneError::Digest { .. } => {
            of("MANIFEST_DAMAGED").say("Delete that version in Gitea, under the image's settings")
        }
    }
}

/// What is refused here is listing and deleting, and not a push.
fn of_registry(error: &RegistryError, scene: &Scene<'_>) -> Failure {
    let RegistryError::Refused { refusal, status, subject, message } = error else {
        return registry::explain(error, scene);
    };
    let host = scene.facts.map_or("the registry", |facts| facts.registry.host.as_str());
    let user = scene.facts.and_then(|facts| facts.auth.username.as_deref());
    let whose = user.map_or_else(|| "this login".to_owned(), |user| format!("user {user:?}"));
    let owner = subject.split_once('/').map_or(subject.as_str(), |(owner, _)| owner);
    match refusal {
        Refusal::Denied => {
            let message_of = format!("{host} does not let {whose} delete packages of {owner:?} ({status})");
            Failure::new(Class::Refused, "DENIED", message_of)
                .cause(message.as_str())
                .say("A token needs the scope write:package: Gitea, Settings, Applications")
                .say("In an organisation, its owner gives the right to write packages")
        }
        Refusal::OwnerUnknown => {
            let message_of = format!("{host} has no user or organisation {owner:?} ({status})");
            Failure::new(Class::Refused, "OWNER_UNKNOWN", message_of)
                .cause(message.as_str())
                .run("Name another one", scene.with("--owner OWNER"))
        }
        Refusal::Other if subject.contains('@') && *status == 404 => {
            let image = subject.split_once('@').map_or(subject.as_str(), |(image, _)| image);
            let message_of =
                format!("{host} lists versions of `{image}`, and does not find them to delete them (404)");
            let failure = Failure::new(Class::Refused, "NOT_DELETED", message_of).cause(message.as_str());
            let failure = if image.matches('/').count() > 1 {
                failure.detail("With path routing, the ingress does not let a name with slashes below its owner through.")
            } else {
                failure
            };
            failure.say("Delete them in Gitea, under the image's settings")
        }
        _ => registry::explain(error, scene),
    }
}
