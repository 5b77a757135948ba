//! What is compared: images, the steps in which they are pushed, and who pushes them.

use crate::engine::EngineKind;
use crate::input::{CHANGED, TAG};
use crate::tool::Tool;

/// A run of pushes, one after another, that each candidate does in each round.
pub(crate) struct Work {
    pub(crate) place: Place,
    pub(crate) form: Form,
    pub(crate) steps: &'static [Step],
    pub(crate) tools: &'static [Tool],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Distribution,
    Gitea,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Archive,
    Hybrid,
    Layout,
    InEngine(EngineKind),
}

pub(crate) struct Step {
    /// For `WORK`.
    pub(crate) work: &'static str,
    pub(crate) phase: &'static str,
    /// An input's name, or a tag in the engine.
    pub(crate) image: &'static str,
    pub(crate) start: Start,
    /// What it is pushed as.
    pub(crate) tag: &'static str,
}

/// What is there when a step begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing: no blob in the registry, no cache here.
    Cold,
    /// All that the steps before left.
    Warm,
    /// What they left in the registry alone, as on a fresh machine of a CI.
    NoCache,
}

const fn cold(work: &'static str, image: &'static str) -> Step {
    Step { work, phase: "cold", image, start: Start::Cold, tag: TAG }
}

const fn warm(work: &'static str, image: &'static str) -> Step {
    Step { work, phase: "warm", image, start: Start::Warm, tag: TAG }
}

/// The image with its last layer changed, under the same tag.
const fn delta(work: &'static str, phase: &'static str, image: &'static str) -> Step {
    Step { work, phase, image, start: Start::Warm, tag: TAG }
}

/// Where nothing is remembered, and the registry has all blobs; whether it has the tag too makes a difference to
/// who looks at what stands under it.
const fn ci(phase: &'static str) -> Step {
    Step { work: "ci", phase, image: "web.tar", start: Start::NoCache, tag: "ci" }
}

const GZIP: Tool = Tool::Ours("auto");
const ZSTD: Tool = Tool::Ours("zstd");
const NONE: Tool = Tool::Ours("none");

pub(crate) const ALL: &[Work] = &[
    Work {
        place: Place::Distribution,
        form: Form::Archive,
        steps: &[
            cold("web", "web.tar"),
            warm("web", "web.tar"),
            delta("delta", "changed", "delta.tar"),
            ci("new tag"),
            ci("same tag"),
        ],
        tools: &[GZIP, ZSTD, NONE, Tool::Skopeo, Tool::Crane, Tool::Regctl],
    },
    Work {
        place: Place::Distribution,
        form: Form::Hybrid,
        steps: &[cold("hybrid", "hybrid.tar"), warm("hybrid", "hybrid.tar")],
        tools: &[NONE, GZIP, Tool::Oras, Tool::Skopeo, Tool::Crane, Tool::Regctl],
    },
    Work {
        place: Place::Distribution,
        form: Form::Layout,
        steps: &[cold("layout", "layout"), warm("layout", "layout")],
        tools: &[GZIP, Tool::Oras, Tool::Skopeo, Tool::Crane, Tool::Regctl],
    },
    Work {
        place: Place::Distribution,
        form: Form::Archive,
        steps: &[cold("many", "many.tar"), warm("many", "many.tar")],
        tools: &[GZIP, ZSTD, NONE, Tool::Skopeo, Tool::Crane, Tool::Regctl],
    },
    Work {
        place: Place::Distribution,
        form: Form::Archive,
        steps: &[cold("big", "big.tar")],
        tools: &[GZIP, ZSTD, Tool::Skopeo, Tool::Crane, Tool::Regctl],
    },
    Work {
        place: Place::Distribution,
        form: Form::InEngine(EngineKind::Docker),
        steps: &[cold("docker", TAG), warm("docker", TAG), delta("docker", "delta", CHANGED)],
        tools: &[GZIP, ZSTD, Tool::Engine("docker")],
    },
    Work {
        place: Place::Distribution,
        form: Form::InEngine(EngineKind::Docker29),
        steps: &[cold("docker29", TAG), warm("docker29", TAG), delta("docker29", "delta", CHANGED)],
        tools: &[GZIP, ZSTD, NONE, Tool::Engine("docker29")],
    },
    Work {
        place: Place::Distribution,
        form: Form::InEngine(EngineKind::Podman),
        steps: &[cold("podman", TAG), warm("podman", TAG), delta("podman", "delta", CHANGED)],
        tools: &[GZIP, ZSTD, Tool::Engine("podman")],
    },
    Work {
        place: Place::Gitea,
        form: Form::Archive,
        steps: &[cold("gitea", "web.tar"), warm("gitea", "web.tar"), delta("gitea", "delta", "delta.tar")],
        tools: &[GZIP, ZSTD, Tool::Skopeo, Tool::Crane, Tool::Regctl],
    },
];
