use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::answer::{Answer, escaped};
use super::client::{RegistryClient, refused};
use super::manifests::shown;
use super::request::{Scope, call, manifest_path, reading_manifest};
use super::transport::Call;
use crate::oci::{Digest, Repository};
use crate::port::{
    Images, ManifestName, NetworkFault, PackageVersion, Packages, Refusal, RegistryError, Removed,
};

/// As many as Gitea gives at most.
const PAGE: usize = 50;
/// More than these are not read.
const MOST: usize = 10_000;
/// How often a list is begun anew that changes while it is read.
const ROUNDS: u32 = 3;

/// Where Gitea's own API is, below the origin of its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiPath {
    /// `/api/v1`.
    Root,
    /// `/gitea/api/v1`: with path routing.
    Gitea,
    /// To be found out.
    Unknown,
}

impl ApiPath {
    fn prefix(self) -> &'static str {
        match self {
            Self::Root | Self::Unknown => "",
            Self::Gitea => "/gitea",
        }
    }
}

/// Gitea's packages API, on the connection and with the login of its registry.
pub struct GiteaPackages {
    client: Arc<RegistryClient>,
    api: OnceCell<ApiPath>,
    /// Versions.
    most: usize,
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    name: String,
    version: String,
    #[serde(default)]
    created_at: String,
}

/// One page, and how many versions there are in all.
struct Page {
    versions: Vec<Listed>,
    total: usize,
}

impl GiteaPackages {
    #[must_use]
    pub fn new(client: Arc<RegistryClient>, api: ApiPath) -> Self {
        let known = (api != ApiPath::Unknown).then_some(api);
        Self { client, api: OnceCell::new_with(known), most: MOST }
    }

    /// A list of more versions is an error after its first page.
    #[must_use]
    pub fn listing_at_most(self, versions: usize) -> Self {
        Self { most: versions, ..self }
    }

    /// The path of Gitea's API. Where it is not known, its version is asked for, without a login.
    async fn api(&self) -> Result<&'static str, RegistryError> {
        self.api.get_or_try_init(|| self.find_api()).await.map(|api| api.prefix())
    }

    async fn find_api(&self) -> Result<ApiPath, RegistryError> {
        #[derive(Deserialize)]
        struct Version {
            #[serde(rename = "version")]
            _version: String,
        }
        let RegistryClient { courier, cancel, .. } = &*self.client;
        for api in [ApiPath::Root, ApiPath::Gitea] {
            let path = format!("{}/api/v1/version", api.prefix());
            let asked = asking(Method::GET, &path);
            let answer = courier.patiently(&courier.origin, &asked, "Gitea's API", cancel).await?;
            let is_gitea = serde_json::from_slice::<Version>(&answer.body).is_ok();
            // One that asks everybody to sign in does so here, too.
            if answer.status == 401 || answer.status == 403 || (answer.status == 200 && is_gitea) {
                return Ok(api);
            }
        }
        Err(self.odd("Gitea's API is neither at /api/v1 nor at /gitea/api/v1"))
    }

    fn odd(&self, reason: impl Into<String>) -> RegistryError {
        let source = NetworkFault::Answer { reason: reason.into() };
        RegistryError::Network { origin: self.client.courier.origin.clone(), source }
    }

    async fn page(&self, images: &Images, number: usize) -> Result<Page, RegistryError> {
        let path = format!("{}{}", self.api().await?, list_path(images, number));
        let (scope, subject) = (Scope::of_api(repository(images)), "the list of packages");
        let budget = &mut self.client.courier.policy.budget();
        let answer = self.client.patiently(budget, &asking(Method::GET, &path), &scope, subject).await?;
        match (answer.status.as_u16(), total(&answer)) {
            (200, Some(total)) => {
                let versions = serde_json::from_slice(&answer.body).map_err(|error| {
                    self.odd(format!("its list of packages is of another shape ({:?})", error.classify()))
                })?;
                Ok(Page { versions, total })
            }
            (200, None) => Err(self.odd("its list of packages does not say how long it is")),
            (404, _) => Err(RegistryError::Refused {
                refusal: Refusal::OwnerUnknown,
                status: 404,
                subject: repository(images).to_string(),
                message: answer.said(),
            }),
            _ => Err(refused(&answer, repository(images).as_str())),
        }
    }

    /// The list as it stood at one time: pages shift where something is pushed or deleted between them.
    async fn whole(&self, images: &Images) -> Result<Vec<Listed>, RegistryError> {
        for _ in 0..ROUNDS {
            let mut found: HashMap<u64, Listed> = HashMap::new();
            let mut totals = Vec::new();
            for number in 1.. {
                let Page { versions, total } = self.page(images, number).await?;
                if total > self.most {
                    let many = format!("it lists {total} versions, of which {} are read at most", self.most);
                    return Err(self.odd(many));
                }
                let was_last = versions.is_empty();
                found.extend(versions.into_iter().map(|version| (version.id, version)));
                totals.push(total);
                if was_last || found.len() >= total {
                    break;
                }
            }
            if totals.iter().all(|total| *total == found.len()) {
                return Ok(found.into_values().collect());
            }
        }
        Err(self.odd("its list of packages changes while it is read"))
    }

    fn version(&self, owner: &str, listed: Listed) -> Result<PackageVersion, RegistryError> {
        let Listed { id, name, version, created_at } = listed;
        let odd = || self.odd(format!("it lists `{}`", escaped(&format!("{owner}/{name}:{version}"))));
        let name_in_path = format!("{owner}/{name}");
        let name = if version.contains(':') {
            ManifestName::Digest(version.parse().map_err(|_| odd())?)
        } else {
            ManifestName::Tag(version.parse().map_err(|_| odd())?)
        };
        Ok(PackageVersion {
            repository: name_in_path.parse().map_err(|_| odd())?,
            name,
            number: id,
            created: escaped(&created_at),
        })
    }
}

fn asking(method: Method, path: &str) -> Call<'_> {
    let mut call = call(method, path);
    call.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    call
}

fn repository(images: &Images) -> &Repository {
    match images {
        Images::Below(repository) | Images::One(repository) => repository,
    }
}

/// Gitea looks for the name anywhere in the names.
fn is_among(images: &Images, name: &str) -> bool {
    let (_, wanted) = parts(repository(images));
    match images {
        Images::One(_) => name == wanted,
        Images::Below(_) if wanted.is_empty() => true,
        Images::Below(_) => name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/')),
    }
}

/// Owner, and the image's name below it; the latter is empty for all of an owner.
fn parts(repository: &Repository) -> (&str, &str) {
    repository.as_str().split_once('/').unwrap_or((repository.as_str(), ""))
}

/// The names of a `Repository` need no encoding in a URL.
fn list_path(images: &Images, page: usize) -> String {
    let (owner, name) = parts(repository(images));
    format!("/api/v1/packages/{owner}?type=container&q={name}&page={page}&limit={PAGE}")
}

/// The name is one part of the path, its slashes encoded.
fn version_path(repository: &Repository, digest: &Digest) -> String {
    let (owner, name) = parts(repository);
    format!("/api/v1/packages/{owner}/container/{}/{digest}", name.replace('/', "%2F"))
}

fn total(answer: &Answer) -> Option<usize> {
    answer.header(&HeaderName::from_static("x-total-count"))?.parse().ok()
}

#[async_trait]
impl Packages for GiteaPackages {
    async fn versions(&self, images: &Images) -> Result<Vec<PackageVersion>, RegistryError> {
        let (owner, _) = parts(repository(images));
        let listed = self.whole(images).await?;
        let listed = listed.into_iter().filter(|version| is_among(images, &version.name));
        let mut versions = Vec::new();
        for version in listed {
            versions.push(self.version(owner, version)?);
        }
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        Ok(versions)
    }

    async fn manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Option<Bytes>, RegistryError> {
        let path = manifest_path(repository, name);
        let (scope, subject) = (Scope::of(repository), shown(repository, name));
        let budget = &mut self.client.courier.policy.budget();
        let reading = reading_manifest(Method::GET, &path);
        let answer = self.client.patiently(budget, &reading, &scope, &subject).await?;
        match answer.status.as_u16() {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            _ => Err(refused(&answer, &subject)),
        }
    }

    /// By the packages API: deleting by the registry's own would take every tag of the digest along.
    async fn delete(&self, repository: &Repository, digest: &Digest) -> Result<Removed, RegistryError> {
        let path = format!("{}{}", self.api().await?, version_path(repository, digest));
        let name = ManifestName::Digest(digest.clone());
        let (scope, subject) = (Scope::of_api(repository), shown(repository, &name));
        let budget = &mut self.client.courier.policy.budget();
        let answer = self.client.patiently(budget, &asking(Method::DELETE, &path), &scope, &subject).await?;
        match answer.status.as_u16() {
            200 | 202 | 204 => return Ok(Removed::Deleted),
            404 => {}
            _ => return Err(refused(&answer, &subject)),
        }
        // Also what an ingress answers that does not let an encoded slash through.
        let left = self.versions(&Images::One(repository.clone())).await?;
        if left.iter().any(|version| version.name == name) {
            return Err(refused(&answer, &subject));
        }
        Ok(Removed::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_listed_whole_and_an_image_by_its_name() {
        let owner = Images::Below("giteaadmin".parse().unwrap());
        assert_eq!(list_path(&owner, 1), "/api/v1/packages/giteaadmin?type=container&q=&page=1&limit=50");
        let image = Images::One("giteaadmin/team/web".parse().unwrap());
        assert_eq!(
            list_path(&image, 2),
            "/api/v1/packages/giteaadmin?type=container&q=team/web&page=2&limit=50"
        );
    }

    #[test]
    fn names_that_only_contain_the_one_that_is_wanted_are_left_out() {
        let image = Images::One("o/web".parse().unwrap());
        let below = Images::Below("o/web".parse().unwrap());
        let owner = Images::Below("o".parse().unwrap());
        for (name, of_image, of_below) in
            [("web", true, false), ("web/a", false, true), ("webs", false, false), ("a/web", false, false)]
        {
            assert_eq!((is_among(&image, name), is_among(&below, name)), (of_image, of_below), "{name}");
            assert!(is_among(&owner, name));
        }
    }

    #[test]
    fn a_name_with_slashes_is_one_part_of_the_path() {
        let digest: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        let path = version_path(&"giteaadmin/team/web".parse().unwrap(), &digest);
        assert_eq!(path, format!("/api/v1/packages/giteaadmin/container/team%2Fweb/{digest}"));
    }
}
