use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::login;
use super::place::Target;
use super::reach::{Around, Reached, Unconnected, reach};
use crate::cli::facts::Facts;
use crate::cli::failure::{Fault, LocalError};
use crate::cli::settings::PruneSettings;
use crate::cluster::{self, Routing};
use crate::oci::Repository;
use crate::port::{Images, InUse};
use crate::prune::{self, Plan, PruneReport};
use crate::registry::{ApiPath, Dialect, GiteaPackages, RegistryClient};

/// What is needed to look at the versions on a Gitea, and to delete them.
pub(in crate::cli) struct Pruner {
    packages: GiteaPackages,
    client: Arc<RegistryClient>,
    facts: Facts,
    target: Target,
    images: Images,
}

/// Finds the registry and its login.
///
/// # Errors
/// As for a push; and for a registry that is no Gitea.
pub(in crate::cli) async fn pruner(
    settings: &PruneSettings,
    around: Around<'_>,
) -> Result<Pruner, Unconnected> {
    let mut reached = reach(&settings.reach, settings.owner.as_deref(), around).await?;
    let facts = reached.facts_by_now();
    // What its workloads run is not to be deleted because it did not answer for a moment.
    if let Some(error) = reached.target.missed.take() {
        return Err(Unconnected { fault: error.into(), facts: Some(facts) });
    }
    match images(settings, &reached) {
        Ok(images) => {
            let Reached { client, target, .. } = reached;
            let packages = GiteaPackages::new(Arc::clone(&client), api_path(&target));
            Ok(Pruner { packages, client, facts, target, images })
        }
        Err(error) => Err(Unconnected { fault: error.into(), facts: Some(facts) }),
    }
}

impl Pruner {
    pub(in crate::cli) fn facts_by_now(&self) -> Facts {
        self.facts.clone().connected_to(self.client.address())
    }

    /// What there is, and what may be deleted of it.
    ///
    /// # Errors
    /// When the registry or the cluster do not say.
    pub(in crate::cli) async fn look(&self, settings: &PruneSettings) -> Result<Plan, Fault> {
        let in_use = self.in_use(settings).await?;
        let plan = prune::look(&self.packages, &self.images, settings.keep, &in_use).await?;
        match &self.images {
            Images::One(image) if plan.images == 0 => {
                Err(LocalError::NoSuchImage { image: image.to_string() }.into())
            }
            _ => Ok(plan),
        }
    }

    pub(in crate::cli) async fn delete(&self, plan: Plan, cancel: &CancellationToken) -> PruneReport {
        prune::delete(plan, &self.packages, cancel).await
    }

    async fn in_use(&self, settings: &PruneSettings) -> Result<InUse, Fault> {
        match &self.target.asked {
            Some(cluster) => Ok(cluster::workloads(&settings.reach.cluster, cluster).await?),
            None => Ok(InUse::default()),
        }
    }

    /// What of the cluster was not seen, where something was not.
    pub(in crate::cli) fn unseen(&self, plan: &Plan) -> Option<String> {
        let Some(cluster) = &self.target.asked else {
            let told = "no cluster was asked: what a workload runs by its digest is not known to be in use";
            return Some(told.to_owned());
        };
        if self.target.cluster().is_none() {
            return Some(format!(
                "the cluster that was asked ({:?}) has another registry: what runs elsewhere by its digest is not known \
                 to be in use",
                cluster.context
            ));
        }
        let (kinds, context) = (plan.unseen.join(", "), &cluster.context);
        (!plan.unseen.is_empty()).then(|| {
            format!(
                "this user may not list {kinds} (context {context:?}): what only they run by its digest is not \
                 known to be in use"
            )
        })
    }
}

/// With path routing, Gitea is below a path, and so is its API.
pub(super) fn api_path(target: &Target) -> ApiPath {
    match target.cluster().map(|cluster| cluster.routing) {
        Some(Routing::SubDomain) => ApiPath::Root,
        Some(Routing::Path) => ApiPath::Gitea,
        None => ApiPath::Unknown,
    }
}

fn images(settings: &PruneSettings, reached: &Reached) -> Result<Images, LocalError> {
    let Reached { target, login, dialect, .. } = reached;
    if *dialect != Dialect::Gitea {
        return Err(LocalError::NoGitea { registry: target.origin.in_references() });
    }
    let named = |text: &str| -> Result<Repository, LocalError> {
        // With path routing `gitea/owner/name` and `owner/name` are the same.
        let is_long = target.cluster().is_some_and(|cluster| cluster.routing == Routing::Path);
        let short = text.strip_prefix("gitea/").filter(|_| is_long).unwrap_or(text);
        short.parse().map_err(|_| LocalError::NoOwner)
    };
    if let Some(name) = settings.image.as_ref().filter(|name| name.as_str().contains('/')) {
        return named(name.as_str()).map(Images::One);
    }
    let owner = owner_of(settings.owner.as_deref(), target, login).ok_or(LocalError::NoOwner)?;
    match &settings.image {
        Some(name) => named(&format!("{owner}/{name}")).map(Images::One),
        None => named(&owner).map(Images::Below),
    }
}

/// Whose images are looked at, in the registry's lower case.
pub(super) fn owner_of(named: Option<&str>, target: &Target, login: &login::Found) -> Option<String> {
    let owner = named.map(str::to_owned).or_else(|| target.path.clone());
    let owner = owner.or_else(|| login.username.clone()).or_else(|| target.owner());
    owner.map(|owner| owner.to_lowercase())
}
