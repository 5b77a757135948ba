use std::collections::HashSet;
use std::sync::Arc;

use super::choose::{Chosen, choose};
use super::docker_archive::{self, DockerArchive};
use super::document::Documents;
use super::magic::{self, Outer};
use super::oci_images::{Ask, Listed, Listing, list};
use super::oci_tree::{BlobStore, Forest, blob_name, is_image_config};
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
    let mut reading =
        Reading { docker, documents: &documents, form, ask, found: Found::default(), others: Vec::new() };
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

/// An image of `manifest.json` with its id, the digest of its configuration.
type Identified = (SavedImage, Digest);

/// An archive while it is read.
struct Reading<'a> {
    docker: DockerArchive<'a>,
    documents: &'a Documents,
    form: Form,
    ask: &'a Ask<'a>,
    found: Found,
    /// Names of images that were not asked for.
    others: Vec<Suggested>,
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
            let id = self.docker.config(&image)?.1;
            saved.push((image, id));
        }
        let covered = self.listed(index, &saved)?;
        for (image, id) in &saved {
            if !covered.contains(id) {
                self.add_saved(image)?;
            }
        }
        Ok(())
    }

    /// The images of the layout. Returns the ids of those in `saved` that need no second look.
    fn listed(&mut self, index: &TarIndex, saved: &[Identified]) -> Result<HashSet<Digest>, SourceError> {
        let Listing { images, skipped, referrers } = list(&mut Forest::new(index, self.documents), self.ask)?;
        self.found.skipped = skipped;
        let mut covered = HashSet::new();
        for listed in images {
            let configs: HashSet<&Digest> =
                listed.built.leaves.iter().filter_map(|leaf| leaf.config.as_ref()).collect();
            let same: Vec<&SavedImage> =
                saved.iter().filter(|(_, id)| configs.contains(id)).map(|(image, _)| image).collect();
            match choose(&listed.built, self.ask) {
                Ok(mut chosen) => {
                    chosen.tree = chosen.tree.referred_by(&referrers);
                    self.add_listed(&listed, chosen, &same)?;
                    covered.extend(configs.into_iter().cloned());
                }
                // What the layout has not whole, manifest.json may have.
                Err(lacking) if same.is_empty() => return Err(lacking.error(self.ask)),
                Err(_) => {}
            }
        }
        Ok(covered)
    }

    fn add_listed(
        &mut self,
        listed: &Listed,
        chosen: Chosen,
        same: &[&SavedImage],
    ) -> Result<(), SourceError> {
        let mut names = listed.names.clone();
        let saved_names: Vec<_> = same.iter().flat_map(|image| docker_archive::names(image)).collect();
        if !names.iter().any(|name| matches!(name, Suggested::Reference(_))) && !saved_names.is_empty() {
            names = saved_names;
        }
        let content = match self.form {
            Form::Docker => content_of(chosen.tree, self.documents)?,
            Form::Oci => Content::Exact(chosen.tree),
        };
        match self.ask.image(self.form.scheme(), names, content) {
            Ok(image) => {
                let (platforms, notes) = (chosen.platforms, chosen.notes);
                self.found.images.push(FoundImage { platforms, notes, ..image });
            }
            Err(names) => self.others.extend(names),
        }
        Ok(())
    }

    fn add_saved(&mut self, image: &SavedImage) -> Result<(), SourceError> {
        let names = docker_archive::names(image);
        if !self.ask.takes(&mut names.clone()) {
            self.others.extend(names);
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
            return Err(match self.ask.wanted {
                Some(_) => self.ask.name_not_found(&self.others),
                None => self.documents.damaged("its index.json lists no image"),
            });
        }
        for image in &mut self.found.images {
            image.notes.extend_from_slice(index.notes());
        }
        Ok(self.found)
    }
}

/// The tree byte for byte where its layers are packed. Layers that are not are packed by the push, and the
/// tree stays at hand for a push that leaves them as they are.
fn content_of(tree: Arc<ImageTree>, documents: &Documents) -> Result<Content, SourceError> {
    let Children::Image { config, layers, .. } = tree.manifest.children() else {
        return Ok(Content::Exact(tree));
    };
    let Some(((_, config_blob), blobs)) = tree.blobs.split_first() else { return Ok(Content::Exact(tree)) };
    // A foreign layer has no bytes to pack.
    if !is_image_config(config.media_type()) || blobs.len() != layers.len() {
        return Ok(Content::Exact(tree));
    }
    let mut encodings = Vec::with_capacity(blobs.len());
    for (_, blob) in blobs {
        encodings.push(magic::encoding(blob)?);
    }
    if !encodings.contains(&Encoding::Tar) {
        return Ok(Content::Exact(tree));
    }
    let bytes = documents.read_exact(config, config_blob)?;
    let diff_ids = SavedImage::diff_ids(&bytes).map_err(|source| SourceError::Json {
        path: documents.path().to_owned(),
        entry: format!("configuration {}", config.digest()),
        source,
    })?;
    let (listed, known) = (blobs.len(), diff_ids.len());
    if listed != known {
        let reason = format!("the manifest lists {listed} layers, the configuration {known}");
        return Err(documents.damaged(&reason));
    }
    let layers = blobs
        .iter()
        .zip(encodings)
        .zip(diff_ids)
        .map(|(((_, blob), encoding), diff_id)| Layer { diff_id, encoding, blob: blob.clone() })
        .collect();
    Ok(Content::Unpacked { config: bytes, layers, exact: Some(Arc::clone(&tree)) })
}
