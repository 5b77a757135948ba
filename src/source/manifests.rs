//! The images that Kubernetes manifests refer to, as far as they are the user's own: those that are named
//! for the registry, and those that a local engine has. The rest is the world's, and is left.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::task::spawn_blocking;

mod document;
mod files;
mod wanted;

#[cfg(test)]
mod tests;

use super::engine;
use super::layout::read_error;
use super::open::Places;
use super::shown::{shown, shown_path};
use super::spec::EngineKind;
use crate::event::Events;
use crate::port::{Found, FoundImage, Outline, SourceError, SourceName, Suggested};
use files::Manifests;
use wanted::{Left, Named, Place, place, renamed};

/// Names in one note.
const SHOWN: usize = 20;

/// Takes the images of manifests from the local engines, under the names that the manifests use. One that
/// is named for the registry and is in no engine has failed; what else is left is said.
///
/// # Errors
/// When the manifests cannot be read, or nothing of them can be pushed.
pub(super) async fn find(path: &Path, places: &Places, events: &Events) -> Result<Found, SourceError> {
    let Manifests { images, renames, skipped } = read(path, places).await?;
    let found = Found { skipped, ..Found::default() };
    let mut taking = Taking { places, events, found, left: BTreeMap::new() };
    for named in renamed(images, &renames) {
        taking.take(&named).await;
    }
    taking.finish(path)
}

async fn read(path: &Path, places: &Places) -> Result<Manifests, SourceError> {
    let (manifests, pool) = (path.to_owned(), places.pool.clone());
    let read = spawn_blocking(move || files::read(&manifests, &pool));
    read.await.map_err(|error| read_error(path, std::io::Error::other(error)))?
}

/// The names under which engines are asked for the images of manifests, for each image in their order.
///
/// # Errors
/// When the manifests cannot be read.
pub(super) async fn spellings(path: &Path, places: &Places) -> Result<Vec<String>, SourceError> {
    let Manifests { images, renames, .. } = read(path, places).await?;
    let named = renamed(images, &renames).into_iter();
    let all = named.flat_map(|named| match place(&named.name, places.registry.as_deref()) {
        Ok(Place::Ours(spellings)) => spellings,
        Ok(Place::Elsewhere) => vec![named.name],
        Err(_) => Vec::new(),
    });
    Ok(all.collect())
}

/// Images while they are looked for.
struct Taking<'a> {
    places: &'a Places,
    events: &'a Events,
    found: Found,
    left: BTreeMap<Left, Vec<String>>,
}

impl Taking<'_> {
    async fn take(&mut self, wanted: &Named) {
        match place(&wanted.name, self.places.registry.as_deref()) {
            Ok(Place::Ours(spellings)) => self.ours(wanted, spellings).await,
            Ok(Place::Elsewhere) => self.elsewhere(wanted).await,
            Err(left) => self.leave(wanted, left),
        }
    }

    /// The spellings by which an engine may know it are tried in their order.
    async fn ours(&mut self, wanted: &Named, spellings: Vec<String>) {
        let mut missing = None;
        for name in spellings {
            match engine::find(&name, EngineKind::Any, self.places, self.events).await {
                Ok(found) if name == wanted.name => return self.add(wanted, found, None),
                Ok(found) => {
                    let file = shown_path(&wanted.file);
                    let note = format!("it is `{}` of the local engine, for {file}", shown(&name));
                    return self.add(wanted, found, Some(&note));
                }
                // The first is the one under the name that the manifest uses.
                Err(error @ SourceError::NotInEngine { .. }) => _ = missing.get_or_insert(error),
                Err(error) => return self.fail(wanted, error),
            }
        }
        if let Some(error) = missing {
            self.fail(wanted, error);
        }
    }

    async fn elsewhere(&mut self, wanted: &Named) {
        match engine::find(&wanted.name, EngineKind::Any, self.places, self.events).await {
            Ok(found) => {
                let (file, name) = (shown_path(&wanted.file), shown(&wanted.name));
                let note =
                    format!("{file} calls it `{name}`; the cluster finds it under the name that is printed");
                self.add(wanted, found, Some(&note));
            }
            Err(SourceError::NotInEngine { .. }) => self.leave(wanted, Left::NotHere),
            Err(error) => self.fail(wanted, error),
        }
    }

    fn add(&mut self, wanted: &Named, found: Found, note: Option<&str>) {
        self.found.skipped.extend(found.skipped);
        let suggested = vec![Suggested::Reference(wanted.name.clone())];
        self.found.images.extend(found.images.into_iter().map(|mut image| {
            image.notes.extend(note.map(str::to_owned));
            FoundImage { suggested: suggested.clone(), ..image }
        }));
        self.found.outlines.extend(found.outlines.into_iter().map(|mut outline| {
            outline.notes.extend(note.map(str::to_owned));
            Outline { suggested: suggested.clone(), ..outline }
        }));
    }

    fn fail(&mut self, wanted: &Named, error: SourceError) {
        let name = format!("manifest:{}:{}", shown_path(&wanted.file), shown(&wanted.name));
        self.found.failed.push((SourceName(name), error));
    }

    fn leave(&mut self, wanted: &Named, left: Left) {
        self.left.entry(left).or_default().push(shown(&wanted.name));
    }

    fn finish(self, path: &Path) -> Result<Found, SourceError> {
        for (left, names) in &self.left {
            let mut list: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            if names.len() > SHOWN {
                list.push(format!("and {} more", names.len() - SHOWN));
            }
            self.events.note(format!("left {}: {}", list.join(", "), left.reason()));
        }
        let Found { images, outlines, failed, .. } = &self.found;
        if images.is_empty() && outlines.is_empty() && failed.is_empty() {
            let (path, skipped) = (path.to_owned(), self.found.skipped);
            return Err(SourceError::NothingNamed { path, skipped });
        }
        Ok(self.found)
    }
}
