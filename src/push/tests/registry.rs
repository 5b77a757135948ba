use super::*;

/// Keeps what it is given, and refuses a manifest whose parts are missing.
#[derive(Default)]
pub(super) struct MemoryRegistry {
    pub(super) held: Mutex<Held>,
}

#[derive(Default)]
pub(super) struct Held {
    pub(super) blobs: HashSet<(Repository, Digest)>,
    pub(super) manifests: HashMap<(Repository, String), Manifest>,
    pub(super) content: HashMap<Digest, Bytes>,
    pub(super) best_unasked: bool,
    pub(super) log: Vec<String>,
    pub(super) refuse_upload_of: Option<Digest>,
    pub(super) refuse_head_in: Option<Repository>,
    pub(super) lose_once: Option<Digest>,
    pub(super) cancel_on_upload: Option<CancellationToken>,
    /// Each is put at the second attempt.
    pub(super) manifests_need_two: bool,
}

impl MemoryRegistry {
    pub(super) fn log(&self) -> Vec<String> {
        self.held.lock().unwrap().log.clone()
    }

    pub(super) fn count(&self, word: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(word)).count()
    }
}

pub(super) fn refused(refusal: Refusal, status: u16) -> RegistryError {
    RegistryError::Refused { refusal, status, subject: "r".into(), message: String::new() }
}

#[async_trait]
impl TagLister for MemoryRegistry {
    async fn tags(&self, repository: &Repository) -> Vec<Tag> {
        let mut held = self.held.lock().unwrap();
        held.log.push(format!("list tags {repository}"));
        let names = held.manifests.keys().filter(|(of, _)| of == repository).map(|(_, name)| name);
        let mut tags: Vec<&String> = names.filter(|name| !name.contains(':')).collect();
        tags.sort_unstable();
        tags.into_iter().map(|tag| tag.parse().unwrap()).collect()
    }
}

#[async_trait]
impl RegistryReader for MemoryRegistry {
    async fn manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let mut held = self.held.lock().unwrap();
        held.log.push(format!("head manifest {repository} {}", name.as_str()));
        let key = (repository.clone(), name.as_str().to_owned());
        Ok(held.manifests.get(&key).map(|manifest| manifest.descriptor().clone()))
    }

    async fn document(
        &self,
        repository: &Repository,
        document: Document,
        descriptor: &Descriptor,
    ) -> Result<Option<Bytes>, RegistryError> {
        let mut held = self.held.lock().unwrap();
        held.log.push(format!("get {document:?} {repository}"));
        Ok(match document {
            Document::Manifest => {
                let key = (repository.clone(), descriptor.digest().to_string());
                held.manifests.get(&key).map(|manifest| manifest.raw().clone())
            }
            Document::Config => held.content.get(descriptor.digest()).cloned(),
        })
    }

    fn best_unasked(&self, _: u64) -> bool {
        self.held.lock().unwrap().best_unasked
    }

    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let mut held = self.held.lock().unwrap();
        held.log.push(format!("head blob {repository}"));
        if held.refuse_head_in.as_ref() == Some(repository) {
            return Err(refused(Refusal::Denied, 403));
        }
        if !held.blobs.contains(&(repository.clone(), digest.clone())) {
            return Ok(None);
        }
        Ok(held.content.get(digest).map(|content| content.len() as u64))
    }
}

#[async_trait]
impl RegistryWriter for MemoryRegistry {
    async fn upload(&self, upload: &Upload<'_>) -> Result<Stored, RegistryError> {
        let content = upload.blob.read_all(u64::MAX).unwrap();
        assert_eq!(sha256(&content), *upload.digest);
        let mut held = self.held.lock().unwrap();
        if let Some(cancel) = &held.cancel_on_upload {
            cancel.cancel();
            return Err(RegistryError::Cancelled);
        }
        if held.refuse_upload_of.as_ref() == Some(upload.digest) {
            return Err(refused(Refusal::Denied, 403));
        }
        held.blobs.insert((upload.repository.clone(), upload.digest.clone()));
        held.content.insert(upload.digest.clone(), content.clone());
        if let Some(from) = upload.mount_from {
            held.log.push(format!("mount {} from {from}", upload.repository));
            return Ok(Stored::Mounted);
        }
        held.log.push(format!("upload {}", upload.repository));
        upload.meter.advance(content.len() as u64);
        Ok(Stored::Uploaded)
    }

    async fn put_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
        manifest: &Manifest,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        let mut held = self.held.lock().unwrap();
        if held.manifests_need_two {
            meter.count_retry();
        }
        if let Some(lost) = held.lose_once.take() {
            held.blobs.remove(&(repository.clone(), lost));
        }
        let whole = match manifest.children() {
            Children::Image { config, layers, .. } => layers
                .iter()
                .chain([&**config])
                .all(|part| held.blobs.contains(&(repository.clone(), part.digest().clone()))),
            Children::Index { manifests, .. } => manifests
                .iter()
                .all(|part| held.manifests.contains_key(&(repository.clone(), part.digest().to_string()))),
        };
        if !whole {
            return Err(refused(Refusal::BlobUnknown, 404));
        }
        let kind = match name {
            ManifestName::Digest(_) => "digest".to_owned(),
            ManifestName::Tag(tag) => format!("tag {tag}"),
        };
        held.log.push(format!("put {repository} {kind}"));
        held.manifests.insert((repository.clone(), name.as_str().to_owned()), manifest.clone());
        Ok(())
    }
}
