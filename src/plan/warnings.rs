use super::foresight::Foresight;
use crate::oci::Platform;
use crate::port::{Content, FoundImage};

/// A warning when no platform of the image is one of the cluster's nodes.
pub(super) fn architecture(image: &FoundImage, nodes: &[Platform]) -> Option<String> {
    let runs = |platform: &Platform| {
        nodes.iter().any(|node| node.architecture() == platform.architecture() && node.os() == platform.os())
    };
    if nodes.is_empty() || image.platforms.is_empty() || image.platforms.iter().any(runs) {
        return None;
    }
    Some(format!(
        "{} is for {}, but the cluster's nodes are {}; it will not run there",
        image.source,
        listed(&image.platforms),
        listed(nodes)
    ))
}

/// A note where an image has annotations that it loses because its layers are packed.
pub(super) fn annotations(image: &FoundImage, foresight: &Foresight) -> Option<String> {
    let Content::Unpacked { exact: Some(tree), .. } = &image.content else { return None };
    let names = tree.manifest.annotations();
    if names.is_empty() || foresight.exact(image).is_some() {
        return None;
    }
    Some(format!(
        "{} loses the annotations of its manifest, since its layers are packed ({}); `--compression none` \
         keeps both as they are",
        image.source,
        names.into_iter().collect::<Vec<_>>().join(", ")
    ))
}

fn listed(platforms: &[Platform]) -> String {
    let mut names: Vec<String> =
        platforms.iter().map(|p| format!("{}/{}", p.os(), p.architecture())).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::job::Compression;
    use crate::oci::Manifest;
    use crate::pack::Encoder;
    use crate::port::{ImageTree, NoCache, SourceName};

    fn image(annotations: &str) -> FoundImage {
        let config = crate::oci::sha256(b"{}");
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json",
            "size":2,"digest":"{config}"}},"layers":[],"annotations":{annotations}}}"#
        );
        let tree = ImageTree {
            manifest: Manifest::from_bytes(Bytes::from(manifest)).unwrap(),
            blobs: Vec::new(),
            children: Vec::new(),
            referrers: Vec::new(),
        };
        let config = Bytes::from_static(b"{}");
        FoundImage {
            source: SourceName("web.tar".into()),
            suggested: Vec::new(),
            fallback: String::new(),
            content: Content::Unpacked { config, layers: Vec::new(), exact: Some(Arc::new(tree)) },
            platforms: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn annotations_are_lost_where_layers_are_packed() {
        let with = |compression| Foresight { compression, index: Arc::new(NoCache) };
        let packed = with(Compression::Pack(Encoder::GZIP));
        let note = annotations(&image(r#"{"org.example.a":"1"}"#), &packed).unwrap();
        assert!(note.starts_with("web.tar loses") && note.contains("(org.example.a)"), "{note}");
        assert_eq!(annotations(&image("{}"), &packed), None);
        assert_eq!(annotations(&image(r#"{"org.example.a":"1"}"#), &with(Compression::None)), None);
    }
}
