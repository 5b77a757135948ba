use std::sync::Arc;

use super::oci_images::Ask;
use super::oci_tree::{Built, Leaf, Role};
use super::shown::shown_path;
use crate::oci::{Platform, platform_text, serves};
use crate::port::{ImageTree, SourceError};

/// What can be pushed of an image.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) tree: Arc<ImageTree>,
    pub(super) platforms: Vec<Platform>,
    pub(super) notes: Vec<String>,
}

/// The whole image, or the one platform of it that is there.
///
/// # Errors
/// What is missing where nothing is whole, or the platform that was asked for is not.
pub(super) fn choose(built: &Built, ask: &Ask) -> Result<Chosen, Lacking> {
    let missing = match &built.tree {
        Ok(tree) => {
            let platforms = present(built).filter_map(|(leaf, _)| leaf.platform.clone()).collect();
            return Ok(Chosen { tree: Arc::clone(tree), platforms, notes: built.notes() });
        }
        Err(missing) => missing,
    };
    let whole: Vec<_> = present(built).collect();
    let serving = |wanted: &Platform| {
        whole.iter().find(|(leaf, _)| leaf.platform.as_ref().is_some_and(|there| serves(there, wanted)))
    };
    let chosen = match ask.platform {
        Some(wanted) => serving(wanted),
        None => ask.preferred.iter().find_map(serving).or_else(|| serving(&host())).or(whole.first()),
    };
    let Some((leaf, tree)) = chosen else {
        let present =
            whole.iter().filter_map(|(leaf, _)| leaf.platform.as_ref().map(platform_text)).collect();
        return Err(Lacking { missing: missing.clone(), present });
    };
    let mut notes = leaf.notes.clone();
    notes.push(incomplete(built, leaf, whole.len()));
    Ok(Chosen { tree: Arc::clone(tree), platforms: leaf.platform.iter().cloned().collect(), notes })
}

/// Why nothing of an image can be pushed.
#[derive(Debug)]
pub(super) struct Lacking {
    pub(super) missing: String,
    /// Platforms that are whole, where another one was asked for.
    pub(super) present: Vec<String>,
}

impl Lacking {
    pub(super) fn error(self, ask: &Ask) -> SourceError {
        match ask.platform {
            Some(wanted) if !self.present.is_empty() => SourceError::PlatformNotFound {
                source_name: format!("`{}`", shown_path(ask.path)),
                wanted: platform_text(wanted),
                present: self.present,
            },
            _ => SourceError::Damaged {
                path: ask.path.to_owned(),
                reason: format!("{} is missing", self.missing),
            },
        }
    }
}

fn present(built: &Built) -> impl Iterator<Item = (&Leaf, &Arc<ImageTree>)> {
    built
        .leaves
        .iter()
        .map(|leaf| &**leaf)
        .filter(|leaf| leaf.role == Role::Image)
        .filter_map(|leaf| Some((leaf, leaf.tree.as_ref().ok()?)))
}

/// The platform of containers on this machine.
fn host() -> Platform {
    let mut platform = Platform::default();
    platform.set_os("linux".into()).set_variant(None);
    platform
}

fn incomplete(built: &Built, chosen: &Leaf, whole: usize) -> String {
    let name = |leaf: &Leaf| leaf.platform.as_ref().map_or_else(|| leaf.digest.to_string(), platform_text);
    let lacking: Vec<String> = built
        .leaves
        .iter()
        .filter(|leaf| leaf.tree.is_err())
        .map(|leaf| match leaf.role {
            Role::Image => name(leaf),
            Role::Attestation => "an attestation".to_owned(),
        })
        .collect();
    let lacking = if lacking.is_empty() { "a manifest".to_owned() } else { lacking.join(", ") };
    let other = if whole > 1 { "; `--platform` chooses another one" } else { "" };
    format!("its index lists {lacking}, which is not there: only {} is pushed{other}", name(chosen))
}
