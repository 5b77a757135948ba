use super::{Class, Failure, Scene, registry, source};
use crate::pack::PackError;
use crate::port::RegistryError;
use crate::report::{ImageError, ImageOutcome, PushReport};

/// Explains why one image was not pushed.
pub(in crate::cli) fn one(error: &ImageError, scene: &Scene<'_>) -> Failure {
    match error {
        ImageError::Registry(error) => registry::explain(error, scene),
        ImageError::Source(error) => source::explain(error, scene),
        ImageError::Pack { source: PackError::Content(error), .. } => source::content(error, scene),
        ImageError::Pack { source: PackError::DiffIdMismatch { .. } | PackError::Digest(_), .. } => {
            Failure::new(Class::Source, "SOURCE_DAMAGED", error.to_string())
                .chain(error)
                .say("Save or build the image again")
        }
        ImageError::Pack { source: PackError::Encoder { .. } | PackError::CrewLost, .. } => {
            Failure::new(Class::Mixed, "INTERNAL", error.to_string())
                .chain(error)
                .run("Report it with what this says", scene.with("--log-level debug"))
        }
        ImageError::Pack { source: PackError::Cancelled, .. } => {
            Failure::new(Class::Interrupted, "CANCELLED", error.to_string()).may_be_retried()
        }
        ImageError::PackedOtherwise { .. } => Failure::new(Class::Refused, "BLOB_UNKNOWN", error.to_string())
            .run("Pack all layers anew", scene.with("--no-cache")),
        ImageError::Compose { .. } => Failure::new(Class::Source, "SOURCE_DAMAGED", error.to_string())
            .say("Save or build the image again"),
    }
}

/// The failures of a report. Where it has several images, or what is wrong is the source, each failure names
/// its own, and those that failed for the same reason share one.
pub(in crate::cli) fn of_report(report: &PushReport, scene: &Scene<'_>) -> Vec<Failure> {
    shared(report.errors().map(|(image, error)| (name(image), error)), report.images.len(), scene)
}

/// The same for images of any report, which has `count` of them.
pub(super) fn shared<'a>(
    errors: impl Iterator<Item = (String, &'a ImageError)>,
    count: usize,
    scene: &Scene<'_>,
) -> Vec<Failure> {
    let mut told: Vec<(Failure, Vec<String>)> = Vec::new();
    let mut nameless = false;
    for (name, error) in errors {
        let failure = one(error, scene);
        nameless |= names_no_source(error);
        match told.iter_mut().find(|(known, _)| *known == failure) {
            Some((_, images)) => images.push(name),
            None => told.push((failure, vec![name])),
        }
    }
    if count == 1 && !nameless {
        return told.into_iter().map(|(failure, _)| failure).collect();
    }
    told.into_iter().map(|(failure, images)| with_images(failure, &images)).collect()
}

/// Whether an error is about bytes of the source and cannot say of which: a folder may have led to it.
fn names_no_source(error: &ImageError) -> bool {
    matches!(
        error,
        ImageError::Registry(RegistryError::SourceDigest { .. })
            | ImageError::Pack { source: PackError::DiffIdMismatch { .. } | PackError::Digest(_), .. }
    )
}

/// The class of a whole report. `None` where nothing failed.
pub(in crate::cli) fn whole(failures: &[Failure]) -> Option<Class> {
    Class::of_all(failures.iter().map(|failure| failure.class))
}

fn name(image: &ImageOutcome) -> String {
    match image.reference.as_str() {
        "" => image.source.to_string(),
        reference => format!("{} -> {reference}", image.source),
    }
}

/// Images beyond these are counted only.
const SHOWN_IMAGES: usize = 8;

pub(super) fn with_images(failure: Failure, images: &[String]) -> Failure {
    let mut lines: Vec<String> =
        images.iter().take(SHOWN_IMAGES).map(|image| format!("image: {image}")).collect();
    if images.len() > SHOWN_IMAGES {
        lines.push(format!("and {} more images", images.len() - SHOWN_IMAGES));
    }
    lines.extend(failure.details);
    Failure { details: lines, ..failure }
}
