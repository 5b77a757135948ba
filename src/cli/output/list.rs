use serde::Serialize;

use super::API_VERSION;
use super::document;
use super::json::Problem;
use super::table::aligned;
use crate::cli::failure::Failure;
use crate::cli::screen::{escaped, size};
use crate::cli::settings::Form;
use crate::oci::Platform;

/// An image that a push would take, under one of its names.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Listed {
    pub(in crate::cli) source: String,
    /// What it would be called; `<registry>` and `<owner>` stand for what only the cluster knows.
    pub(in crate::cli) reference: String,
    /// Known where the image goes up byte for byte.
    pub(in crate::cli) digest: Option<String>,
    pub(in crate::cli) platforms: Vec<Platform>,
    /// Bytes as they are at the source, where it says so without being read.
    pub(in crate::cli) size: Option<u64>,
    pub(in crate::cli) layers: Option<usize>,
}

/// In the place of what was not read.
const UNKNOWN: &str = "-";

pub(in crate::cli) fn list_names(images: &[Listed]) -> String {
    images.iter().map(|image| image.reference.clone() + "\n").collect()
}

pub(in crate::cli) fn list_table(images: &[Listed]) -> String {
    let mut rows = vec![["SOURCE", "REFERENCE", "PLATFORMS", "LAYERS", "SIZE"].map(str::to_owned)];
    rows.extend(images.iter().map(|image| {
        let platforms: Vec<String> = image.platforms.iter().map(platform).collect();
        [
            escaped(&image.source),
            escaped(&image.reference),
            escaped(&platforms.join(",")),
            image.layers.map_or(UNKNOWN.to_owned(), |layers| layers.to_string()),
            image.size.map_or(UNKNOWN.to_owned(), size),
        ]
    }));
    aligned(&rows)
}

/// `os/architecture[/variant]`.
pub(super) fn platform(platform: &Platform) -> String {
    let variant = platform.variant().as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("{}/{}{variant}", platform.os(), platform.architecture())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageList {
    api_version: &'static str,
    kind: &'static str,
    images: Vec<Image>,
    errors: Vec<Problem>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Image {
    source: String,
    reference: String,
    digest: Option<String>,
    platforms: Vec<String>,
    size: Option<u64>,
    layers: Layers,
}

#[derive(Serialize)]
struct Layers {
    total: Option<usize>,
}

/// The document of `list`.
pub(in crate::cli) fn image_list(
    images: &[Listed],
    failures: &[Failure],
    exit_code: u8,
    form: Form,
) -> String {
    let list = ImageList {
        api_version: API_VERSION,
        kind: "ImageList",
        images: images
            .iter()
            .map(|image| Image {
                source: image.source.clone(),
                reference: image.reference.clone(),
                digest: image.digest.clone(),
                platforms: image.platforms.iter().map(platform).collect(),
                size: image.size,
                layers: Layers { total: image.layers },
            })
            .collect(),
        errors: failures.iter().map(Problem::of).collect(),
        exit_code,
    };
    document(&list, form)
}
