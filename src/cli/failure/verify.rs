use super::image::{one, shared};
use super::local::stopped;
use super::{Class, Failure, Scene};
use crate::cli::screen::size;
use crate::cli::stop::Reason;
use crate::oci::Digest;
use crate::verify::{Difference, Part, Standing, Verified, VerifyReport};

/// Of one image no more differences than this are told; a document has all of them.
const SHOWN: usize = 12;

/// A verification that was stopped from outside before everything was looked at.
pub(in crate::cli) fn unverified(reason: Reason) -> Failure {
    let stopped = Failure { steps: Vec::new(), ..stopped(reason) };
    match reason {
        Reason::OutOfTime(_) => stopped.say("Run the same again, with more time"),
        Reason::Interrupt | Reason::Terminate => {
            let message = "stopped before everything was looked at".to_owned();
            Failure { message, ..stopped }.say("Run the same again")
        }
    }
}

/// What is different and what failed. Images that failed for the same reason share it.
pub(in crate::cli) fn of_verification(report: &VerifyReport, scene: &Scene<'_>) -> Vec<Failure> {
    let different = report.images.iter().filter_map(|image| difference(image, scene));
    let failed = report.images.iter().filter_map(|image| match &image.standing {
        Standing::Failed(error) => Some((image.name(), &**error)),
        _ => None,
    });
    different.chain(shared(failed, report.images.len(), scene)).collect()
}

/// Why one image is not as it should be.
pub(in crate::cli) fn of_verified(image: &Verified, scene: &Scene<'_>) -> Option<Failure> {
    match &image.standing {
        Standing::Failed(error) => Some(one(error, scene)),
        _ => difference(image, scene),
    }
}

fn difference(image: &Verified, scene: &Scene<'_>) -> Option<Failure> {
    let name = image.name();
    let failure = match &image.standing {
        Standing::Missing if image.differences.contains(&Difference::Absent) => {
            Failure::new(Class::Difference, "MISSING", format!("`{name}` is not in the registry"))
        }
        Standing::Missing => {
            Failure::new(Class::Difference, "MISSING", format!("`{name}` is not whole in the registry"))
        }
        Standing::Different => {
            Failure::new(Class::Difference, "DIFFERENT", format!("`{name}` is another image in the registry"))
        }
        Standing::Damaged => {
            Failure::new(Class::Difference, "DAMAGED", format!("`{name}` is damaged in the registry"))
        }
        Standing::Same | Standing::Failed(_) | Standing::Cancelled => return None,
    };
    let lines = image.differences.iter().filter_map(line);
    let mut failure = lines.take(SHOWN).fold(failure, Failure::detail);
    if image.differences.len() > SHOWN {
        failure = failure.detail(format!("and {} more", image.differences.len() - SHOWN));
    }
    Some(advised(failure, image, scene))
}

fn advised(failure: Failure, image: &Verified, scene: &Scene<'_>) -> Failure {
    let failure = match image.differences.iter().find_map(damaged) {
        Some(digest) => failure.say(kept(digest)),
        None => failure,
    };
    let is_absent = image.differences.contains(&Difference::Absent);
    let is_here = !is_absent && !matches!(image.standing, Standing::Different);
    match (&image.source, is_here) {
        (Some(_), true) => failure.run("Send it again", scene.with("--force")),
        (Some(_), false) => failure.run("Push it", scene.with("")),
        (None, true) => failure.say("Push the image again from its source, with --force"),
        (None, false) => failure.say("Push the image, or look at the tag or digest that was asked for"),
    }
}

fn damaged(difference: &Difference) -> Option<&Digest> {
    match difference {
        Difference::Damaged { digest, .. } => Some(digest),
        _ => None,
    }
}

/// Gitea and distribution believe a file of the right name, whatever is in it.
fn kept(digest: &Digest) -> String {
    let hash = digest.digest();
    let (first, second) = (hash.get(..2).unwrap_or_default(), hash.get(2..4).unwrap_or_default());
    format!(
        "Delete what is damaged in the registry's storage, where no push overwrites it \
         (Gitea: packages/{first}/{second}/{hash})"
    )
}

/// One difference in words. That nothing is there is said by the message itself.
fn line(difference: &Difference) -> Option<String> {
    Some(match difference {
        Difference::Absent => return None,
        Difference::Other { part: Part::Config, expected, found: Some(found) } => {
            format!("its configuration is {found}, and should be {expected}")
        }
        Difference::Other { found: Some(found), expected, .. } => {
            format!("it is {found}, and should be {expected}")
        }
        Difference::Other { found: None, .. } => "it is an index, and should be one image".to_owned(),
        Difference::Missing { part, digest, size: bytes } => {
            format!("missing: {} {digest} ({})", word(*part), size(*bytes))
        }
        Difference::Damaged { part, digest, size: Some(bytes), found } if *bytes != found.size => {
            format!("damaged: {} {digest} has {} bytes instead of {bytes}", word(*part), found.size)
        }
        Difference::Damaged { part, digest, found, .. } => {
            let (bytes, found) = (found.size, &found.digest);
            format!("damaged: {} {digest} has {bytes} bytes of another digest, {found}", word(*part))
        }
        Difference::Unreadable { digest, reason } => format!("unreadable: manifest {digest}: {reason}"),
    })
}

fn word(part: Part) -> &'static str {
    match part {
        Part::Manifest => "manifest",
        Part::Config => "configuration",
        Part::Layer => "layer",
    }
}
