use super::text::{duration, size};
use crate::verify::{Depth, Standing, VerifyReport};

/// How all images stand: `2 images as they should be, 1 with differences (0.2 s): 12 blobs, 31.0 MiB, by size`.
pub(in crate::cli) fn verified(report: &VerifyReport, depth: Depth) -> Vec<String> {
    let count = |of: fn(&Standing) -> bool| report.images.iter().filter(|image| of(&image.standing)).count();
    let same = count(|standing| matches!(standing, Standing::Same));
    let failed = count(|standing| matches!(standing, Standing::Failed(_)));
    let undone = count(|standing| matches!(standing, Standing::Cancelled));
    let different = report.images.len() - same - failed - undone;
    let all = [
        (same, "as it should be"),
        (different, "with differences"),
        (failed, "failed"),
        (undone, "not finished"),
    ];
    let told: Vec<String> =
        all.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if told.is_empty() {
        return Vec::new();
    }
    let blobs: usize = report.images.iter().map(|image| image.checked.blobs).sum();
    let bytes: u64 = report.images.iter().map(|image| image.checked.bytes).sum();
    let how = match depth {
        Depth::Sizes => "by their sizes",
        Depth::Digests => "byte for byte",
    };
    let took = duration(report.duration);
    let images = super::summary::count(report.images.len(), "image");
    let blobs = super::summary::count(blobs, "blob");
    vec![format!("verified {images} in {took}: {}; {blobs} ({}), {how}", told.join(", "), size(bytes))]
}
