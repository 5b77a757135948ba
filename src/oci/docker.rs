use std::fmt;

use oci_spec::image::{Digest, Platform};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{JsonError, strict_json};

/// `manifest.json` of a `docker save` archive: one entry an image.
pub type DockerSave = Vec<SavedImage>;

/// One image of a `docker save` archive. The paths are names in the archive, never on disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedImage {
    /// The entry of the configuration.
    pub config: String,
    /// Names that the image was saved under; absent when it was saved by id.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub repo_tags: Vec<String>,
    /// The entries of the layers, from the lowest.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub layers: Vec<String>,
}

/// More names or layers than this no image has.
const MAX_ITEMS: usize = 10_000;

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(Names)
}

/// A list of names or `null`. It is bounded while it is read: a million short names take far more memory
/// than the document that lists them.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = items.next_element()? {
            if names.len() == MAX_ITEMS {
                return Err(serde::de::Error::custom(format_args!("a list of more than {MAX_ITEMS} names")));
            }
            names.push(name);
        }
        Ok(names)
    }
}

#[derive(Deserialize)]
struct ConfigShape {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    /// Absent, or `null`, in an image of metadata alone.
    diff_ids: Option<Vec<Digest>>,
}

#[derive(Deserialize)]
struct PlatformShape {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
}

impl SavedImage {
    /// Parses `manifest.json`.
    ///
    /// # Errors
    /// When it is no JSON list of images.
    pub fn parse_all(bytes: &[u8]) -> Result<DockerSave, JsonError> {
        strict_json(bytes)
    }

    /// The digests of the unpacked layers, from the configuration (image-spec, `rootfs.diff_ids`).
    ///
    /// # Errors
    /// When the configuration is no JSON, or has no `rootfs`.
    pub fn diff_ids(config: &[u8]) -> Result<Vec<Digest>, JsonError> {
        Ok(strict_json::<ConfigShape>(config)?.rootfs.diff_ids.unwrap_or_default())
    }

    /// What the image runs on, from the configuration (image-spec, `os` and `architecture`). `None` where
    /// it does not say so.
    ///
    /// # Errors
    /// When the configuration is no JSON, or these fields are no text.
    pub fn platform(config: &[u8]) -> Result<Option<Platform>, JsonError> {
        let shape = strict_json::<PlatformShape>(config)?;
        let named = |field: Option<String>| field.filter(|text| !text.is_empty());
        let (Some(os), Some(architecture)) = (named(shape.os), named(shape.architecture)) else {
            return Ok(None);
        };
        let mut platform = Platform::default();
        platform
            .set_os(os.as_str().into())
            .set_architecture(architecture.as_str().into())
            .set_variant(named(shape.variant))
            .set_os_version(named(shape.os_version));
        Ok(Some(platform))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_was_saved_by_id_has_no_names() {
        let images =
            SavedImage::parse_all(br#"[{"Config":"c.json","RepoTags":null,"Layers":["l/layer.tar"]}]"#)
                .unwrap();
        assert_eq!(images.len(), 1);
        assert!(images[0].repo_tags.is_empty());
    }

    #[test]
    fn lists_of_names_are_bounded() {
        let with = |count: usize| {
            let layers = vec!["\"a\""; count].join(",");
            SavedImage::parse_all(format!(r#"[{{"Config":"c","Layers":[{layers}]}}]"#).as_bytes())
        };
        assert_eq!(with(MAX_ITEMS).unwrap()[0].layers.len(), MAX_ITEMS);
        assert!(with(MAX_ITEMS + 1).is_err());
    }

    #[test]
    fn a_document_that_is_no_list_is_refused() {
        for text in ["null", "{}", "[1]", "[{}]"] {
            assert!(SavedImage::parse_all(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_platform_is_read_where_it_is_said() {
        let config = br#"{"os":"linux","architecture":"arm64","variant":"v8","os.version":""}"#;
        let platform = SavedImage::platform(config).unwrap().unwrap();
        assert_eq!(platform.variant().as_deref(), Some("v8"));
        assert_eq!(*platform.os_version(), None);
        assert_eq!(SavedImage::platform(br#"{"os":"linux"}"#).unwrap(), None);
        assert!(SavedImage::platform(br#"{"os":1}"#).is_err());
    }

    #[test]
    fn a_configuration_without_diff_ids_has_no_layers_and_one_without_rootfs_is_refused() {
        for rootfs in ["{}", r#"{"type":"layers","diff_ids":null}"#] {
            let config = format!(r#"{{"rootfs":{rootfs}}}"#);
            assert!(SavedImage::diff_ids(config.as_bytes()).unwrap().is_empty());
        }
        assert!(SavedImage::diff_ids(br#"{"architecture":"amd64"}"#).is_err());
    }
}
