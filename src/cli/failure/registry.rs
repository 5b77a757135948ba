use super::advice::quoted;
use super::login::{self, Refused};
use super::refusal::{self, Answer};
use super::{Class, Failure, Scene, network, source};
use crate::port::RegistryError;

pub(super) fn explain(error: &RegistryError, scene: &Scene<'_>) -> Failure {
    match error {
        RegistryError::Unauthorized { origin, status, username, source_name, tried } => {
            let username = username.as_deref();
            login::refused(&Refused { origin, status: *status, username, source_name, tried }, scene)
        }
        RegistryError::Refused { refusal, status, subject, message } => {
            refusal::explain(&Answer { refusal, status: *status, subject, message }, scene)
        }
        RegistryError::Network { origin, source } => network::explain(source, origin, scene),
        RegistryError::Content { source, .. } => source::content(source, scene),
        RegistryError::Keychain(error) => login::keychain(error, scene),
        _ => other(error, scene),
    }
}

fn other(error: &RegistryError, scene: &Scene<'_>) -> Failure {
    let of = |class, code| Failure::new(class, code, error.to_string()).chain(error);
    match error {
        RegistryError::Realm { origin, realm } => of(Class::Login, "REALM_UNTRUSTED")
            .say("Look at both names: whoever runs the token server would get the login")
            .run(
                "If they belong together",
                scene.with(&format!("--trust-realm {}", quoted(&format!("{}={realm}", origin.authority())))),
            ),
        RegistryError::ForeignLocation { .. } => of(Class::Network, "LOCATION_FOREIGN")
            .say("Push to the address that the registry calls itself by")
            .say("Behind a proxy: let it pass the Host header on, or set the registry's own URL"),
        RegistryError::Exhausted { subject, attempts, last, status } => {
            let times = if *attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
            let message = format!("gave up on `{subject}` after {times}: {last}");
            exhausted(Failure::new(Class::Network, "RETRIES_USED_UP", message), *status, scene)
        }
        RegistryError::DigestMismatch { .. } => of(Class::Refused, "DIGEST_MISMATCH")
            .say("Something between here and the registry changes what is sent; look for a proxy"),
        RegistryError::NoReferrersList { .. } => of(Class::Refused, "NO_REFERRERS_LIST")
            .say("Look at what the tag holds; it is left as it is")
            .say("Delete the tag where nothing needs it, and push again"),
        RegistryError::SourceDigest { .. } => of(Class::Source, "SOURCE_DAMAGED")
            .say("Save the image again; its bytes are not those that it says"),
        RegistryError::Cancelled => of(Class::Interrupted, "CANCELLED").may_be_retried(),
        _ => {
            of(Class::Mixed, "INTERNAL").run("Report it with what this says", scene.with("--log-level debug"))
        }
    }
}

/// An empty 500 is also what Gitea gives for a full disk.
fn exhausted(failure: Failure, status: Option<u16>, scene: &Scene<'_>) -> Failure {
    let failure = failure.may_be_retried();
    match (status, scene.cluster()) {
        (Some(507), _) => failure.say("There is no space on the server: delete images that are not used"),
        (Some(500), Some(_)) => failure
            .detail("There may be no space on Gitea's volume.")
            .run("See what is free", "kubectl -n gitea exec deploy/my-gitea -- df -h /data")
            .run("Or what Gitea says", "kubectl -n gitea logs deploy/my-gitea --tail 50")
            .run("Then push again", scene.again("--retries 10")),
        (Some(500), None) => failure
            .say("Ask whoever runs the registry what its log says; a full disk is told like this too")
            .run("Then push again", scene.again("--retries 10")),
        (Some(502..=504), Some(_)) => failure
            .run("See whether Gitea runs", "kubectl -n gitea get pods")
            .run("Then push again", scene.again("--retries 10")),
        _ => failure.run("Try longer", scene.with("--retries 10 --retry-max-wait 2m")),
    }
}
