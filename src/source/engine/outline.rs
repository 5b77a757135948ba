use super::client::{Availability, Image};
use super::export::Wanted;
use super::names;
use super::platform;
use super::select::Chosen;
use crate::oci::Platform;
use crate::port::{Outline, SourceError, SourceName};

/// What the engine says of an image.
///
/// # Errors
/// `PlatformNotFound` where it does not have the one that was asked for.
pub(super) fn of(reference: &str, chosen: Chosen, wanted: &Wanted) -> Result<Outline, SourceError> {
    let image = &chosen.here.image;
    let one = platform::exported(image, wanted)?.cloned();
    let platforms = one.clone().map_or_else(|| present(image), |one| vec![one]);
    let (suggested, fallback) = names(reference, image);
    let mut notes = chosen.notes;
    notes.extend(one.map(|one| platform::note(image, &one)));
    Ok(Outline {
        source: SourceName(wanted.shown.clone()),
        suggested,
        fallback: fallback.unwrap_or_default(),
        size: image.size,
        layers: layers(image, &platforms),
        platforms,
        notes,
    })
}

fn present(image: &Image) -> Vec<Platform> {
    let there = image.listed.iter().filter(|one| one.availability == Availability::Present);
    let listed: Vec<Platform> = there.filter_map(|one| one.platform.clone()).collect();
    if listed.is_empty() { image.platform.iter().cloned().collect() } else { listed }
}

/// An engine names the layers of one platform alone, its own where it has that.
fn layers(image: &Image, platforms: &[Platform]) -> Option<usize> {
    let is_own = platforms.iter().eq(&image.platform);
    Some(image.diff_ids.len()).filter(|layers| is_own && *layers > 0)
}
