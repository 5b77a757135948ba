//! The crates that are built into the program, as cargo knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    /// As SPDX has it.
    #[serde(default)]
    pub(crate) license: String,
    #[serde(default)]
    pub(crate) repository: Option<String>,
    manifest_path: PathBuf,
    id: String,
}

impl Crate {
    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
    root: String,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dep>,
}

#[derive(Deserialize)]
struct Dep {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    /// `None` for what is neither of the tests nor of the build.
    kind: Option<String>,
}

/// Sorted by name; this crate is not among them. `triple` is a platform, or nothing for all of them.
pub(crate) fn built_in(root: &Path, triple: Option<&str>) -> Result<Vec<Crate>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--locked", "--format-version", "1"]).current_dir(root);
    if let Some(triple) = triple {
        cargo.args(["--filter-platform", triple]);
    }
    let ran = cargo.output().context("cannot run cargo")?;
    ensure!(ran.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&ran.stderr));
    let metadata: Metadata = serde_json::from_slice(&ran.stdout)?;
    let reached = reached(&metadata.resolve);
    let is_built_in = |one: &Crate| one.id != metadata.resolve.root && reached.contains(one.id.as_str());
    let mut crates: Vec<Crate> = metadata.packages.iter().filter(|one| is_built_in(one)).cloned().collect();
    crates.sort();
    Ok(crates)
}

fn reached(resolve: &Resolve) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Node> = resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![resolve.root.as_str()];
    while let Some(id) = open.pop() {
        if !reached.insert(id) {
            continue;
        }
        let deps = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        let linked = deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        open.extend(linked.map(|dep| dep.pkg.as_str()));
    }
    reached
}
