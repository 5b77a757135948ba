use super::{Class, Failure, Scene};
use crate::plan::TargetError;

/// A name that cannot be a target is cured by flags, so it counts as usage.
pub(super) fn explain(error: &TargetError, scene: &Scene<'_>) -> Failure {
    let failure = Failure::new(Class::Usage, "NAME_INVALID", error.to_string());
    let renamed = |name: &str| scene.with(&format!("--as {name}"));
    match error {
        TargetError::Name { .. } => failure.run("Give it another name", renamed("NAME:TAG")),
        TargetError::UpperCase { name, suggestion } => {
            let message = format!("invalid image name {name:?}: repository names are lower case");
            let failure = Failure::new(Class::Usage, "NAME_INVALID", message);
            // What was typed itself is typed anew; what stands in a file is renamed.
            if scene.sources.iter().any(|source| source == name) {
                failure.did_you_mean(scene.of(suggestion))
            } else {
                failure.did_you_mean(renamed(suggestion))
            }
        }
        TargetError::GiteaName { suggestion, .. } => failure.did_you_mean(renamed(suggestion)),
        TargetError::NoName => failure.run("Give it one", scene.with("--as NAME:TAG")),
        TargetError::NoTag { .. } => failure.run("Give it a tag", scene.with("--tag TAG")),
        TargetError::Collision { sources, .. } => sources
            .iter()
            .fold(failure, |failure, source| failure.detail(format!("from {source}")))
            .say("Push them one by one, each with --as NAME:TAG")
            .say("Or keep the whole path of their names with --keep-path"),
        TargetError::RenameOfMany { .. } => failure.detail("--as names the one image of a run.").say(
            "Name one of them: one SOURCE a run, and docker-archive:FILE:REF for one image of an archive",
        ),
    }
}
