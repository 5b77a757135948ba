use crate::oci::{Repository, Tag};

/// The registry's name as it stands in references: `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryHost(pub String);

/// Who owns repositories below the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Given by `--owner`, by the user name, or by the path of `--registry HOST/PATH`.
    Named(String),
    /// Only the cluster knows it; shown as `<owner>` by `list`.
    Unknown,
    /// Repositories stand below the registry itself.
    None,
}

/// Which part of a source's name is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathPart {
    #[default]
    Last,
    Whole,
}

/// What the target takes beyond the spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NameRules {
    #[default]
    Oci,
    /// No `__`, no `--`, tags folded to lower case.
    Gitea,
}

/// `--as NAME[:TAG]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pub name: String,
    pub tag: Option<Tag>,
}

/// How a source's name becomes a target.
#[derive(Debug, Clone)]
pub struct Naming {
    pub registry: RegistryHost,
    pub owner: Owner,
    pub path: PathPart,
    pub rules: NameRules,
    pub rename: Option<Rename>,
    /// `--tag`: replaces the source's own.
    pub tags: Vec<Tag>,
}

/// Where an image goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub registry: RegistryHost,
    pub repository: Repository,
    pub tag: Tag,
}

/// Why an image has no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("invalid image name `{name}`: {reason}")]
    Name { name: String, reason: String, suggestion: Option<String> },
}
