use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;

use super::document::Documents;
use super::magic;
use super::shown::shown;
use super::tar::TarIndex;
use crate::content::Blob;
use crate::oci::{Digest, JsonError, Platform, SavedImage, sha256};
use crate::port::{Encoding, Layer, SourceError, Suggested};

/// More images than this nobody saves into one archive.
const MAX_IMAGES: usize = 1_000;
/// Layers of all images of an archive together.
const MAX_LAYERS_IN_ALL: usize = 100_000;

/// The images of a `manifest.json`. Its paths are names in the archive and never touch the disk.
pub(super) struct DockerArchive<'a> {
    index: &'a TarIndex,
    documents: &'a Documents,
    configs: HashMap<String, (Bytes, Digest)>,
    /// What the configurations say, so that a thousand images of one are not read a thousand times.
    shapes: HashMap<String, Rc<Shape>>,
    /// Each layer is looked at once, however many images have it.
    layers: HashMap<String, (Blob, Encoding)>,
    taken: usize,
}

/// What a configuration says.
struct Shape {
    diff_ids: Vec<Digest>,
    platform: Option<Platform>,
}

/// One image, ready to be packed.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) config: Bytes,
    pub(super) layers: Vec<Layer>,
    pub(super) platform: Option<Platform>,
}

impl<'a> DockerArchive<'a> {
    pub(super) fn new(index: &'a TarIndex, documents: &'a Documents) -> Self {
        Self {
            index,
            documents,
            configs: HashMap::new(),
            shapes: HashMap::new(),
            layers: HashMap::new(),
            taken: 0,
        }
    }

    /// What `manifest.json` lists; empty where there is none.
    ///
    /// # Errors
    /// When it is no list of images.
    pub(super) fn list(&self) -> Result<Vec<SavedImage>, SourceError> {
        let Some(blob) = self.index.find_once("manifest.json")? else { return Ok(Vec::new()) };
        let bytes = self.documents.read("manifest.json", &blob)?;
        let images = SavedImage::parse_all(&bytes).map_err(|source| self.json("manifest.json", source))?;
        match images.len() {
            0 => Err(self.documents.damaged("its manifest.json lists no image")),
            1..=MAX_IMAGES => Ok(images),
            n => Err(self.documents.damaged(&format!("its manifest.json lists {n} images"))),
        }
    }

    /// The configuration of an image and its digest, which is the image's id.
    ///
    /// # Errors
    /// When it is missing, or its name says another digest.
    pub(super) fn config(&mut self, image: &SavedImage) -> Result<(Bytes, Digest), SourceError> {
        if let Some(known) = self.configs.get(&image.config) {
            return Ok(known.clone());
        }
        let name = shown(&image.config);
        let Some(blob) = self.index.find(&image.config)? else {
            return Err(self.documents.damaged(&format!("the configuration `{name}` is missing")));
        };
        let bytes = self.documents.read(&image.config, &blob)?;
        let digest = sha256(&bytes);
        if named_digest(&image.config).is_some_and(|named| named != digest) {
            return Err(self.documents.damaged(&format!("the configuration `{name}` has digest `{digest}`")));
        }
        self.configs.insert(image.config.clone(), (bytes.clone(), digest.clone()));
        Ok((bytes, digest))
    }

    /// The configuration and layers of an image. No layer is read further than its first bytes.
    ///
    /// # Errors
    /// When a layer is missing or is no file, or there are not as many as the configuration says.
    pub(super) fn load(&mut self, image: &SavedImage) -> Result<Saved, SourceError> {
        let (config, _) = self.config(image)?;
        let shape = self.shape(&image.config, &config)?;
        let (listed, known) = (image.layers.len(), shape.diff_ids.len());
        if listed != known {
            let reason = format!("manifest.json lists {listed} layers, the configuration {known}");
            return Err(self.documents.damaged(&reason));
        }
        self.taken += listed;
        if self.taken > MAX_LAYERS_IN_ALL {
            return Err(self
                .documents
                .damaged(&format!("its images have more than {MAX_LAYERS_IN_ALL} layers")));
        }
        let mut layers = Vec::with_capacity(listed);
        for (name, diff_id) in image.layers.iter().zip(&shape.diff_ids) {
            let (blob, encoding) = self.layer(name)?;
            layers.push(Layer { diff_id: diff_id.clone(), encoding, blob });
        }
        Ok(Saved { config, layers, platform: shape.platform.clone() })
    }

    fn shape(&mut self, name: &str, config: &[u8]) -> Result<Rc<Shape>, SourceError> {
        if let Some(known) = self.shapes.get(name) {
            return Ok(Rc::clone(known));
        }
        let diff_ids = SavedImage::diff_ids(config).map_err(|source| self.json(name, source))?;
        let platform = SavedImage::platform(config).map_err(|source| self.json(name, source))?;
        let shape = Rc::new(Shape { diff_ids, platform });
        self.shapes.insert(name.to_owned(), Rc::clone(&shape));
        Ok(shape)
    }

    fn layer(&mut self, name: &str) -> Result<(Blob, Encoding), SourceError> {
        if let Some(known) = self.layers.get(name) {
            return Ok(known.clone());
        }
        let Some(blob) = self.index.find(name)? else {
            return Err(self.documents.damaged(&format!("the layer `{}` is missing", shown(name))));
        };
        let encoding = magic::encoding(&blob)?;
        self.layers.insert(name.to_owned(), (blob.clone(), encoding));
        Ok((blob, encoding))
    }

    fn json(&self, entry: &str, source: JsonError) -> SourceError {
        SourceError::Json { path: self.documents.path().to_owned(), entry: shown(entry), source }
    }
}

/// All names of an image. A bad one is left to the naming, which refuses it alone.
pub(super) fn names(image: &SavedImage) -> Vec<Suggested> {
    image.repo_tags.iter().cloned().map(Suggested::Reference).collect()
}

/// The digest that the name of a configuration says: `<id>.json`, `blobs/sha256/<id>`.
fn named_digest(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    format!("sha256:{}", last.strip_suffix(".json").unwrap_or(last)).parse().ok()
}
