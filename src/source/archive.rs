use std::collections::HashSet;
use std::sync::Arc;

use super::choose::choose;
use super::docker_archive::{self, DockerArchive};
use super::document::Documents;
use super::magic::{self, Outer};
use super::media::{is_image_config, is_plain_tar};
use super::oci_images::{Ask, Listed, Listing, list};
use super::oci_tree::{BlobStore, Forest, blob_name};
use super::spec::ArchiveKind;
use super::tar::{TarIndex, looks_like_tar};
use crate::content::{Blob, SourceFile};
use crate::oci::{Children, Digest, SavedImage};
use crate::port::{Content, Encoding, Found, FoundImage, ImageTree, Layer, SourceError, Suggested};

impl BlobStore for TarIndex {
    fn blob(&self, digest: &Digest) -> Result<Option<Blob>, SourceError> {
        self.find(&blob_name(digest))
    }

    fn document(&self, name: &str) -> Result<Option<Blob>, SourceError> {
        self.find_once(name)
    }
}

/// The images of an archive, whatever form it has.
///
/// An archive of docker 25 or later is both: an OCI layout and a `manifest.json`. The layout counts, so
/// that digests survive; `manifest.json` gives names, and the images that the layout does not have whole.
///
/// # Errors
/// When it is no archive of images, not of the kind that was asked for, or damaged.
pub(super) fn images(file: &Arc<SourceFile>, kind: ArchiveKind, ask: &Ask) -> Result<Found, SourceError> {
    let start = magic::first_block(file)?;
    let not_an_image = |reason: String| SourceError::NotAnImage { path: ask.path.to_owned(), reason };
    if let Some(outer) = Outer::of(&start) {
        return Err(not_an_image(outer.refusal()));
    }
    if start.len() < 512 {
        return Err(not_an_image(format!("it has {} bytes, which is too few for a tar", file.len())));
    }
    if start.iter().any(|byte| *byte != 0) && !looks_like_tar(&start) {
        return Err(not_an_image("it is no tar".to_owned()));
    }
    let index = TarIndex::read(file)?;
    let (layout, saved) = (index.has("index.json") || index.has("oci-layout"), index.has("manifest.json"));
    let wrong = match kind {
        _ if index.is_empty() => "it is an empty tar",
        _ if !layout && !saved => "it is a tar without a manifest.json or an index.json",
        ArchiveKind::DockerSave if !saved => "it has no manifest.json: it is an OCI archive",
        ArchiveKind::Oci if !layout => "it has no index.json: `docker save` wrote it",
        _ => "",
    };
    if !wrong.is_empty() {
        return Err(not_an_image(wrong.to_owned()));
    }
    let form = if saved && kind != ArchiveKind::Oci { Form::Docker } else { Form::Oci };
    let documents = Documents::of(ask.path);
    let docker = DockerArchive::new(&index, &documents);
    let (found, others) = (Found::default(), Vec::new());
    let mut reading = Reading { docker, documents: &documents, form, ask, found, others, fault: None };
    match (form, layout) {
        (Form::Docker, false) => reading.saved()?,
        (Form::Docker, true) => reading.both(&index)?,
        (Form::Oci, _) => drop(reading.listed(&index, &[])?),
    }
    reading.finish(&index)
}

/// What an archive turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With a `manifest.json`, whether or not there is a layout beside it.
    Docker,
    Oci,
}

impl Form {
    fn scheme(self) -> &'static str {
        match self {
            Self::Docker => "docker-archive",
            Self::Oci => "oci-archive",
        }
    }
}

/// An image of `manifest.json` with its id, the digest of its configuration, where that can be read.
type Identified = (SavedImage, Option<Digest>);

/// An archive while it is read.
struct Reading<'a> {
    docker: DockerArchive<'a>,
    documents: &'a Documents,
    form: Form,
    ask: &'a Ask<'a>,
    found: Found,
    /// Names of images that were not asked for.
    others: Vec<Suggested>,
    /// The first fault in what was looked at without being asked for by its name.
    fault: Option<SourceError>,
}

impl Reading<'_> {
    fn saved(&mut self) -> Result<(), SourceError> {
        for image in self.docker.list()? {
            self.add_saved(&image)?;
        }
        Ok(())
    }

    /// The images of the layout, then those that only `manifest.json` has.
    fn both(&mut self, index: &TarIndex) -> Result<(), SourceError> {
        let mut saved = Vec::new();
        for image in self.docker.list()? {
            // What is wrong with it matters where it is taken, and is heard again there.
            let id = self.docker.config(&image).ok().map(|(_, id)| id);
            saved.push((image, id));
        }
        let covered = self.listed(index, &saved)?;
        for (image, id) in &saved {
            if !id.as_ref().is_some_and(|id| covered.contains(id)) {
                self.add_saved(image)?;
            }
        }
        Ok(())
    }

    /// The images of the layout. Returns the ids of those in `saved` that need no second look.
    fn listed(&mut self, index: &TarIndex, saved: &[Identified]) -> Result<HashSet<Digest>, SourceError> {
        let Listing { images, skipped, referrers, fault } =
            list(&mut Forest::new(index, self.documents), self.ask)?;
        (self.found.skipped, self.fault) = (skipped, fault);
        let mut covered = HashSet::new();
        for listed in images {
            let configs: HashSet<&Digest> =
                listed.built.leaves.iter().filter_map(|leaf| leaf.config.as_ref()).collect();
            let is_same = |id: &Option<Digest>| id.as_ref().is_some_and(|id| configs.contains(id));
            let same: Vec<&SavedImage> =
                saved.iter().filter(|(_, id)| is_same(id)).map(|(image, _)| image).collect();
            let names = names(&listed, &same);
            if !self.ask.takes(&mut names.clone()) {
                self.pass(names);
                continue;
            }
            match self.add_listed(&listed, names, &referrers) {
                Ok(()) => covered.extend(configs.into_iter().cloned()),
                // What the layout has not whole, manifest.json may have.
                Err(error) if same.is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(covered)
    }

    fn add_listed(
        &mut self,
        listed: &Listed,
        names: Vec<Suggested>,
        referrers: &[Arc<ImageTree>],
    ) -> Result<(), SourceError> {
        let chosen = choose(&listed.built, self.ask).map_err(|lacking| lacking.error(self.ask))?;
        let tree = chosen.tree.referred_by(referrers);
        let content = match self.form {
            Form::Docker => content_of(tree, self.documents)?,
            Form::Oci => Content::Exact(tree),
        };
        if let Ok(image) = self.ask.image(self.form.scheme(), names, content) {
            let (platforms, notes) = (chosen.platforms, chosen.notes);
            self.found.images.push(FoundImage { platforms, notes, ..image });
        }
        Ok(())
    }

    fn pass(&mut self, names: Vec<Suggested>) {
        for name in names {
            if !self.others.contains(&name) {
                self.others.push(name);
            }
        }
    }

    fn add_saved(&mut self, image: &SavedImage) -> Result<(), SourceError> {
        let names = docker_archive::names(image);
        if !self.ask.takes(&mut names.clone()) {
            self.pass(names);
            return Ok(());
        }
        let saved = self.docker.load(image)?;
        let content = Content::Unpacked { config: saved.config, layers: saved.layers, exact: None };
        if let Ok(image) = self.ask.image(self.form.scheme(), names, content) {
            let platforms = saved.platform.into_iter().collect();
            self.found.images.push(FoundImage { platforms, ..image });
        }
        Ok(())
    }

    fn finish(mut self, index: &TarIndex) -> Result<Found, SourceError> {
        if self.found.images.is_empty() {
            return Err(match (self.ask.wanted, self.fault) {
                (_, Some(fault)) => fault,
                (Some(_), None) => self.ask.name_not_found(&self.others),
                (None, None) => self.documents.damaged("its index.json lists no image"),
            });
        }
        for image in &mut self.found.images {
            image.notes.extend_from_slice(index.notes());
        }
        Ok(self.found)
    }
}

/// The names that the layout gives an image, or else those of the same one in `manifest.json`.
fn names(listed: &Listed, same: &[&SavedImage]) -> Vec<Suggested> {
    let saved: Vec<_> = same.iter().flat_map(|image| docker_archive::names(image)).collect();
    let named = listed.names.iter().any(|name| matches!(name, Suggested::Reference(_)));
    if named || saved.is_empty() { listed.names.clone() } else { saved }
}

/// The tree byte for byte where its layers are packed. Layers that are not are packed by the push, and the
/// tree stays at hand for a push that leaves them as they are.
///
/// # Errors
/// When the manifest does not list as many layers as the configuration: some versions of docker wrote none.
fn content_of(tree: Arc<ImageTree>, documents: &Documents) -> Result<Content, SourceError> {
    let Children::Image { config, layers: listed, .. } = tree.manifest.children() else {
        return Ok(Content::Exact(tree));
    };
    let Some(((_, config_blob), blobs)) = tree.blobs.split_first() else { return Ok(Content::Exact(tree)) };
    if !is_image_config(config.media_type()) {
        return Ok(Content::Exact(tree));
    }
    let bytes = documents.read_exact(config, config_blob)?;
    let diff_ids = SavedImage::diff_ids(&bytes).map_err(|source| SourceError::Json {
        path: documents.path().to_owned(),
        entry: format!("configuration {}", config.digest()),
        source,
    })?;
    let (there, known) = (listed.len(), diff_ids.len());
    if there != known {
        let reason = format!("the manifest lists {there} layers, the configuration {known}");
        return Err(documents.damaged(&reason));
    }
    let encodings = blobs.iter().map(|(_, blob)| magic::encoding(blob)).collect::<Result<Vec<_>, _>>()?;
    // A foreign layer has no bytes to pack, and what is encrypted, or a program for another machine, is no
    // tar, though it is not compressed either.
    let unpacked = blobs.iter().zip(&encodings).filter(|(_, encoding)| **encoding == Encoding::Tar);
    let mut kinds = unpacked.map(|((layer, _), _)| is_plain_tar(layer.media_type())).peekable();
    if blobs.len() != there || kinds.peek().is_none() || !kinds.all(|is_plain| is_plain) {
        return Ok(Content::Exact(tree));
    }
    let layers = blobs
        .iter()
        .zip(encodings)
        .zip(diff_ids)
        .map(|(((_, blob), encoding), diff_id)| Layer { diff_id, encoding, blob: blob.clone() })
        .collect();
    Ok(Content::Unpacked { config: bytes, layers, exact: Some(Arc::clone(&tree)) })
}
