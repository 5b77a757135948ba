use serde_json::{Map, Value};

use crate::source::shown::shown;

/// Strings of one file that are kept.
const MAX_STRINGS: usize = 5_000;
/// Longer names no registry takes.
const MAX_NAME: usize = 1024;

/// What a file of manifests says of images.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// As they stand there.
    pub(super) images: Vec<String>,
    pub(super) renames: Vec<Rename>,
    /// Paths that it leads to, from its own folder: what idpbuilder puts into a repository of its own.
    pub(super) leads: Vec<String>,
    /// Why something in it counts for nothing.
    pub(super) passed: Vec<String>,
}

/// An entry of `images` of a kustomization.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Rename {
    pub(super) name: String,
    pub(super) new_name: Option<String>,
    pub(super) new_tag: Option<String>,
    pub(super) digest: Option<String>,
}

/// Why a file says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    #[error("it is a template: helm fills it in first")]
    Template,
    #[error("it is not UTF-8")]
    NotText,
    #[error("it is no YAML (line {line}, column {column})")]
    NotYaml { line: u64, column: u64 },
    #[error("its YAML is too large or too deep once it is expanded")]
    TooMuch,
}

/// Reads all documents of a file. `kustomization` is for those that kustomize knows by their file's name,
/// which need not say their kind.
///
/// # Errors
/// When it is no YAML, or one that is made to take memory.
pub(super) fn read(bytes: &[u8], kustomization: Kustomization) -> Result<Said, Unread> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| Unread::NotText)?;
    let options = serde_saphyr::options! {
        // An alias is a copy here, and ten of them may stand for a million nodes.
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000 },
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
    };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| if text.contains("{{") { Unread::Template } else { unread(&error) })?;
    let mut said = Said::default();
    for document in &documents {
        said.take(document, kustomization);
    }
    Ok(said)
}

/// Whether a file is a kustomization by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kustomization {
    ByName,
    ByKind,
}

fn unread(error: &serde_saphyr::Error) -> Unread {
    use serde_saphyr::Error;
    match error.without_snippet() {
        Error::AliasError { error, .. } => unread(error),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => Unread::TooMuch,
        // The reader's own message quotes lines of the file.
        error => {
            let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
            Unread::NotYaml { line, column }
        }
    }
}

/// Where a pod's specification lists its containers.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

impl Said {
    fn take(&mut self, document: &Value, kustomization: Kustomization) {
        let Value::Object(object) = document else { return };
        let (group, kind) = (text(object, "apiVersion"), text(object, "kind"));
        if let Some(Value::Array(items)) = object.get("items").filter(|_| kind.ends_with("List")) {
            // A list of lists is none that Kubernetes takes.
            items.iter().filter_map(Value::as_object).for_each(|item| self.object(item));
            return;
        }
        let by_kind = kind == "Kustomization" && group.starts_with("kustomize.config.k8s.io/");
        if by_kind || (kind.is_empty() && kustomization == Kustomization::ByName) {
            self.kustomization(object);
        } else {
            self.object(object);
        }
    }

    fn object(&mut self, object: &Map<String, Value>) {
        let (group, kind) = (text(object, "apiVersion"), text(object, "kind"));
        if group.is_empty() || kind.is_empty() {
            return;
        }
        match (group.split('/').next().unwrap_or_default(), kind) {
            ("argoproj.io", "Application" | "ApplicationSet") => self.leads(object),
            ("idpbuilder.cnoe.io", "CustomPackage") => {
                let file = object.get("spec").and_then(|spec| spec.get("argoCD")?.get("applicationFile"));
                keep(&mut self.leads, file);
                self.leads(object);
            }
            // What it says is text until somebody reads it.
            ("v1", "ConfigMap" | "Secret") => {}
            _ => self.pods(object),
        }
    }

    /// The images of all pods that are described in an object, whatever it is: whoever brings a kind of
    /// their own describes pods as Kubernetes does.
    fn pods(&mut self, object: &Map<String, Value>) {
        for (key, value) in object {
            match value {
                Value::Array(items) if CONTAINERS.contains(&key.as_str()) => {
                    for container in items {
                        keep(&mut self.images, container.get("image"));
                    }
                }
                Value::Array(items) if key == "volumes" => {
                    for volume in items {
                        let image = volume.get("image");
                        keep(&mut self.images, image.and_then(|image| image.get("reference")));
                    }
                }
                value => nested(value).for_each(|inner| self.pods(inner)),
            }
        }
    }

    /// Local folders of idpbuilder's: `repoURL: cnoe://manifests`, and the `path` in it.
    fn leads(&mut self, object: &Map<String, Value>) {
        if let Some(folder) = text(object, "repoURL").strip_prefix("cnoe://") {
            let lead = match text(object, "path") {
                "" => folder.to_owned(),
                path => format!("{folder}/{path}"),
            };
            keep(&mut self.leads, Some(&Value::String(lead)));
        }
        object.values().flat_map(nested).for_each(|inner| self.leads(inner));
    }

    fn kustomization(&mut self, object: &Map<String, Value>) {
        let Some(Value::Array(images)) = object.get("images") else { return };
        for image in images.iter().filter_map(Value::as_object).take(MAX_STRINGS) {
            let given = |key| Some(text(image, key)).filter(|text| !text.is_empty()).map(str::to_owned);
            let Some(name) = given("name") else { continue };
            if let Some(field) =
                ["newName", "newTag", "digest"].into_iter().find(|field| is_no_text(image, field))
            {
                let name = shown(&name);
                self.passed.push(format!("the `{field}` of its image `{name}` is no text: put it in quotes"));
                continue;
            }
            let rename = Rename {
                name,
                new_name: given("newName"),
                new_tag: given("newTag"),
                digest: given("digest"),
            };
            if rename.new_name.is_some() || rename.new_tag.is_some() || rename.digest.is_some() {
                self.renames.push(rename);
            }
        }
    }
}

/// Objects directly below a value.
fn nested(value: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let (one, many) = match value {
        Value::Object(object) => (Some(object), None),
        Value::Array(items) => (None, Some(items.iter().filter_map(Value::as_object))),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten())
}

/// As `newTag: 20240131`, which kustomize refuses.
fn is_no_text(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_string() && !value.is_null())
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).filter(|text| text.len() <= MAX_NAME).unwrap_or_default()
}

fn keep(kept: &mut Vec<String>, value: Option<&Value>) {
    let Some(Value::String(text)) = value else { return };
    if !text.is_empty() && text.len() <= MAX_NAME && kept.len() < MAX_STRINGS && !kept.contains(text) {
        kept.push(text.clone());
    }
}
