//! Step 1: asks every source, drops duplicates, applies the selection.

use crate::event::{Event, Events};
use crate::job::{Job, RunError, Selection, World};
use crate::oci::{Children, Descriptor, Platform, platform_text, serves};
use crate::port::{Content, FoundImage, ImageTree, SourceError, SourceName};
use std::sync::Arc;

/// What the sources had, and which of them failed. A failed source leaves the others.
#[derive(Debug, Default)]
pub struct Discovered {
    pub images: Vec<FoundImage>,
    pub failed: Vec<(SourceName, SourceError)>,
}

/// Asks all sources in their order.
///
/// # Errors
/// When no image was found for one reason alone. Several are told one by one, in the report.
pub async fn discover(job: &Job, world: &World, events: &Events) -> Result<Discovered, RunError> {
    let mut discovered = Discovered::default();
    for source in &world.sources {
        match source.find(events).await {
            Ok(found) => {
                for skipped in found.skipped {
                    events.emit(Event::Skipped(skipped));
                }
                discovered.failed.extend(found.failed);
                for image in found.images {
                    take(image, &job.selection, &mut discovered, events);
                }
            }
            Err(error) => discovered.failed.push((source.name(), error)),
        }
    }
    if discovered.images.is_empty() && discovered.failed.len() == 1 {
        return Err(discovered.failed.swap_remove(0).1.into());
    }
    Ok(discovered)
}

fn take(image: FoundImage, selection: &Selection, discovered: &mut Discovered, events: &Events) {
    let source = image.source.clone();
    match select(image, selection) {
        Ok(image) => {
            events.emit(Event::ImageFound { source });
            discovered.images.push(image);
        }
        Err(error) => discovered.failed.push((source, error)),
    }
}

/// The image reduced to what was selected.
fn select(mut image: FoundImage, selection: &Selection) -> Result<FoundImage, SourceError> {
    let Selection::Only(wanted) = selection else { return Ok(image) };
    let lacking = |image: &FoundImage| SourceError::PlatformNotFound {
        source_name: image.source.to_string(),
        wanted: platform_text(wanted),
        present: image.platforms.iter().map(platform_text).collect(),
    };
    if let Content::Exact(tree) = &image.content
        && matches!(tree.manifest.children(), Children::Index { .. })
    {
        let child = child_for(tree, wanted).ok_or_else(|| lacking(&image))?;
        image.content = Content::Exact(child.referred_by(&tree.referrers));
        image.platforms = vec![wanted.clone()];
        return Ok(image);
    }
    if image.platforms.is_empty() || image.platforms.iter().any(|present| serves(present, wanted)) {
        return Ok(image);
    }
    Err(lacking(&image))
}

fn child_for(tree: &ImageTree, wanted: &Platform) -> Option<Arc<ImageTree>> {
    let Children::Index { manifests, .. } = tree.manifest.children() else { return None };
    let find = |descriptor: &Descriptor| {
        tree.children.iter().find(|child| child.manifest.digest() == descriptor.digest()).cloned()
    };
    let named = manifests
        .iter()
        .filter(|descriptor| descriptor.platform().as_ref().is_some_and(|p| serves(p, wanted)))
        .find_map(find);
    named.or_else(|| tree.children.iter().find_map(|child| child_for(child, wanted)))
}
