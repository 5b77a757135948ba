use std::collections::HashSet;
use std::sync::Arc;

use crate::cli::args::KEEP;
use crate::cli::checkup::{Check, Need};
use crate::cli::failure::{Fault, Scene, explain};
use crate::cli::screen::size;
use crate::cli::wire::login;
use crate::cli::wire::place::Target;
use crate::cli::wire::prune::{api_path, owner_of};
use crate::port::{Images, InUse, ManifestName, Packages, RegistryError};
use crate::prune;
use crate::registry::{Dialect, GiteaPackages, RegistryClient};

/// Versions that are listed at most: a few pages.
const LISTED: usize = 250;
/// So many manifests are read to learn what they need.
const READ: usize = 20;

/// What the owner's images take, and what of it `prune` would free. It is no part of a push, and so never a
/// failure.
pub(super) async fn examine(
    client: &Arc<RegistryClient>,
    dialect: Dialect,
    (target, login, owner): (&Target, &login::Found, Option<&str>),
    scene: &Scene<'_>,
) -> Check {
    if dialect != Dialect::Gitea {
        return Check::skipped(Need::Space, "known of a Gitea only");
    }
    let owner = owner_of(owner, target, login).and_then(|owner| owner.parse().ok());
    let Some(owner) = owner else { return Check::skipped(Need::Space, "no owner is known") };
    let packages = GiteaPackages::new(Arc::clone(client), api_path(target)).listing_at_most(LISTED);
    match seen(&packages, &Images::Below(owner), scene).await {
        Ok(seen) => Check::passed(Need::Space, seen),
        Err(error) => {
            let failure = explain(&Fault::from(error), scene);
            let told = std::iter::once(failure.message).chain(failure.causes);
            Check::skipped(Need::Space, told.collect::<Vec<String>>().join(": "))
        }
    }
}

async fn seen(packages: &dyn Packages, images: &Images, scene: &Scene<'_>) -> Result<String, RegistryError> {
    let versions = packages.versions(images).await?;
    if versions.is_empty() {
        return Ok("the owner has no images".to_owned());
    }
    let names: HashSet<_> = versions.iter().map(|version| &version.repository).collect();
    let untagged = versions.iter().filter(|version| matches!(version.name, ManifestName::Digest(_))).count();
    let seen = format!(
        "{} of {}, {untagged} untagged",
        counted(versions.len(), "version"),
        counted(names.len(), "image")
    );
    if versions.len() > READ {
        return Ok(format!("{seen}; `{} prune` lists what may go of them", scene.command));
    }
    let plan = prune::look(packages, images, KEEP, &InUse::default()).await?;
    if !plan.failed.is_empty() {
        return Ok(seen);
    }
    let seen = format!("{seen}, {}", size(plan.stored()));
    Ok(match plan.doomed.len() {
        0 => seen,
        // What runs is not known here.
        doomed => format!(
            "{seen}; `{} prune` would delete {doomed} at most and free {}",
            scene.command,
            size(plan.freed())
        ),
    })
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::oci::{Digest, Repository, sha256};
    use crate::port::{PackageVersion, Removed};

    /// So many versions without a tag, and one with; each has a layer of a mebibyte.
    struct Stored(u64);

    fn manifest(number: u64) -> Bytes {
        let layer = sha256(&number.to_be_bytes());
        let config = sha256(b"{}");
        Bytes::from(format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":1048576}}]}}"#
        ))
    }

    #[async_trait]
    impl Packages for Stored {
        async fn versions(&self, _: &Images) -> Result<Vec<PackageVersion>, RegistryError> {
            let name = |number| match number {
                0 => ManifestName::Tag("1".parse().unwrap()),
                _ => ManifestName::Digest(sha256(&manifest(number))),
            };
            let version = |number| PackageVersion {
                repository: "o/web".parse().unwrap(),
                name: name(number),
                number: if number == 0 { u64::MAX } else { number },
                created: String::new(),
            };
            Ok((0..=self.0).map(version).collect())
        }

        async fn manifest(
            &self,
            _: &Repository,
            name: &ManifestName,
        ) -> Result<Option<Bytes>, RegistryError> {
            let is = |number: &u64| *name == ManifestName::Digest(sha256(&manifest(*number)));
            Ok(Some(manifest((1..=self.0).find(is).unwrap_or(0))))
        }

        async fn delete(&self, _: &Repository, _: &Digest) -> Result<Removed, RegistryError> {
            Ok(Removed::Gone)
        }
    }

    async fn told(untagged: u64) -> String {
        let scene = Scene { command: "x", typed: &[], sources: &[], home: None, facts: None };
        seen(&Stored(untagged), &Images::Below("o".parse().unwrap()), &scene).await.unwrap()
    }

    #[tokio::test]
    async fn few_versions_are_read_and_many_are_counted() {
        assert_eq!(told(0).await, "1 version of 1 image, 0 untagged, 1.0 MiB");
        assert_eq!(
            told(5).await,
            "6 versions of 1 image, 5 untagged, 6.0 MiB; `x prune` would delete 2 at most and free 2.0 MiB"
        );
        assert_eq!(
            told(20).await,
            "21 versions of 1 image, 20 untagged; `x prune` lists what may go of them"
        );
    }
}
