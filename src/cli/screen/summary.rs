use super::text::{duration, escaped, size};
use crate::cli::facts::Facts;
use crate::oci::Digest;
use crate::plan::Outstanding;
use crate::report::{ImageOutcome, LayerCounts, PushReport, Status};

/// Where the run goes: `cluster   localdev (kind-localdev), host:port, certificate pinned`.
pub(in crate::cli) fn header(facts: &Facts) -> String {
    let registry = &facts.registry;
    let place = match &facts.cluster {
        Some(cluster) => {
            format!("cluster   {} ({}), {}", escaped(&cluster.name), escaped(&cluster.context), registry.host)
        }
        None => format!("registry  {}", registry.host),
    };
    format!("{place}, {}", registry.tls.phrase())
}

/// What became of all images, and the line to paste where there is one image.
pub(in crate::cli) fn summary(report: &PushReport) -> Vec<String> {
    let counts = Counts::of(report);
    let took = duration(report.duration);
    let mut told = Vec::new();
    let mut tell = |n: usize, text: String| {
        if n > 0 {
            told.push(text);
        }
    };
    tell(counts.pushed, format!("pushed {}", images(counts.pushed)));
    tell(counts.exists, format!("{} present already", images(counts.exists)));
    tell(counts.failed, format!("{} failed", images(counts.failed)));
    tell(counts.cancelled, format!("{} not finished", images(counts.cancelled)));
    if told.is_empty() {
        return Vec::new();
    }
    let told = told.join(", ");
    let mut lines = vec![match counts.pushed {
        0 => format!("{told} ({took})"),
        _ => format!("{told} in {took}: {}", layers(&all_layers(report), report.bytes_sent)),
    }];
    if let [image] = report.images.as_slice()
        && matches!(image.status, Status::Pushed | Status::Exists)
    {
        lines.push(format!("in a manifest:  image: {}", pinned(image)));
    }
    lines
}

/// The plan of a dry run.
pub(in crate::cli) fn plan(report: &PushReport, to_send: Outstanding, host: &str) -> Vec<String> {
    let mut lines: Vec<String> = report.images.iter().flat_map(|image| planned(image, host)).collect();
    let counts = Counts::of(report);
    let Outstanding { blobs, bytes, unknown } = to_send;
    if blobs > 0 {
        lines.push(format!("to send: {} ({})", count(blobs, "blob"), size(bytes)));
    }
    if unknown > 0 {
        lines.push(format!("{} unknown until packed", count(unknown, "layer")));
    }
    lines.push(format!(
        "dry run: {} to push, {} present already, {} failed; nothing was written",
        images(counts.planned),
        counts.exists,
        counts.failed
    ));
    lines
}

/// `reference@digest`, or the reference alone where the digest is not known.
pub(in crate::cli) fn pinned(image: &ImageOutcome) -> String {
    pinned_as(&image.reference, image.digest.as_ref())
}

pub(in crate::cli) fn pinned_as(reference: &str, digest: Option<&Digest>) -> String {
    digest.map_or_else(|| reference.to_owned(), |digest| format!("{reference}@{digest}"))
}

fn planned(image: &ImageOutcome, host: &str) -> Vec<String> {
    let below = image.reference.strip_prefix(host).and_then(|rest| rest.strip_prefix('/'));
    let below = below.unwrap_or(&image.reference);
    let first = match below {
        "" => escaped(&image.source.0),
        below => format!("{} -> {}", escaped(&image.source.0), escaped(below)),
    };
    let LayerCounts { total, existing, .. } = image.layers;
    let second = match &image.status {
        Status::Exists => "  present already".to_owned(),
        Status::Failed(_) => "  failed".to_owned(),
        _ => format!(
            "  {}, {}: {existing} present, {} to send",
            count(total, "layer"),
            size(image.size),
            total.saturating_sub(existing),
        ),
    };
    vec![first, second]
}

fn all_layers(report: &PushReport) -> LayerCounts {
    let sum = |of: fn(&LayerCounts) -> usize| report.images.iter().map(|image| of(&image.layers)).sum();
    LayerCounts {
        total: sum(|layers| layers.total),
        uploaded: sum(|layers| layers.uploaded),
        existing: sum(|layers| layers.existing),
        mounted: sum(|layers| layers.mounted),
    }
}

/// `1 layer sent (4.1 KiB), 2 present`
pub(in crate::cli) fn layers(layers: &LayerCounts, bytes_sent: u64) -> String {
    let LayerCounts { uploaded, existing, mounted, .. } = *layers;
    let mut text = format!("{} sent ({}), {existing} present", count(uploaded, "layer"), size(bytes_sent));
    if mounted > 0 {
        text = format!("{text}, {mounted} mounted");
    }
    text
}

fn images(n: usize) -> String {
    count(n, "image")
}

pub(super) fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// How many images came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cli) struct Counts {
    pub(in crate::cli) pushed: usize,
    pub(in crate::cli) exists: usize,
    pub(in crate::cli) planned: usize,
    pub(in crate::cli) failed: usize,
    pub(in crate::cli) cancelled: usize,
}

impl Counts {
    pub(in crate::cli) fn of(report: &PushReport) -> Self {
        let mut counts = Self::default();
        for image in &report.images {
            match image.status {
                Status::Pushed => counts.pushed += 1,
                Status::Exists => counts.exists += 1,
                Status::Planned => counts.planned += 1,
                Status::Failed(_) => counts.failed += 1,
                Status::Cancelled => counts.cancelled += 1,
            }
        }
        counts
    }
}
