use crate::oci::Platform;
use crate::port::FoundImage;

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

fn listed(platforms: &[Platform]) -> String {
    let mut names: Vec<String> =
        platforms.iter().map(|p| format!("{}/{}", p.os(), p.architecture())).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}
