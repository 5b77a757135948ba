use crate::cli::failure::Fault;
use crate::cli::settings::{Login, Place, Reach, Tls};
use crate::cluster::{self, Cluster, ClusterError};
use crate::event::Events;
use crate::port::Origin;

/// Where a run goes, and what the cluster said of it.
pub(super) struct Target {
    pub(super) origin: Origin,
    /// What images go below in the place of an owner: of `--registry HOST/PATH`.
    pub(super) path: Option<String>,
    /// `localbuild/localdev`, `--registry`, or a variable's name.
    pub(super) named_by: String,
    /// The cluster that answered, whether or not the target is its registry.
    pub(super) asked: Option<Cluster>,
}

impl Target {
    /// The cluster whose own registry is the target.
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        self.asked.as_ref().filter(|cluster| cluster.registry == self.origin)
    }

    pub(super) fn owner(&self) -> Option<String> {
        self.cluster().and_then(|cluster| cluster.owner.clone())
    }
}

/// Asks the cluster for what was not given.
pub(super) async fn find(reach: &Reach, events: &Events) -> Result<Target, Fault> {
    let given = match &reach.place {
        Place::Given(given) => given,
        Place::Cluster => {
            let cluster = cluster::find(&reach.cluster).await?;
            say(&cluster, events);
            return Ok(Target {
                origin: cluster.registry.clone(),
                path: None,
                named_by: format!("localbuild/{}", cluster.name),
                asked: Some(cluster),
            });
        }
    };
    let asked = if needs_no_cluster(reach) { None } else { ask(reach, events).await? };
    let origin = match &asked {
        // The cluster knows better than the scheme that stands for an address without one.
        Some(cluster) if same_place(&cluster.registry, &given.origin) => cluster.registry.clone(),
        _ => given.origin.clone(),
    };
    let path = given.path.as_ref().map(ToString::to_string);
    Ok(Target { origin, path, named_by: given.given_by.to_owned(), asked })
}

/// With a registry, a login and a choice how it is trusted, there is nothing to ask.
fn needs_no_cluster(reach: &Reach) -> bool {
    let login_known = matches!(reach.login, Login::Given(_) | Login::Docker | Login::Anonymous);
    login_known && reach.tls != Tls::Known
}

/// A cluster that is only wanted for what it may add is not missed; that it does not answer is said.
async fn ask(reach: &Reach, events: &Events) -> Result<Option<Cluster>, Fault> {
    match cluster::find(&reach.cluster).await {
        Ok(cluster) => {
            say(&cluster, events);
            Ok(Some(cluster))
        }
        Err(error) if reach.login == Login::Cluster || is_named(reach) => Err(error.into()),
        Err(ClusterError::NoKubeconfig { .. } | ClusterError::NoCluster { .. }) => Ok(None),
        Err(error) => {
            events.note(format!("going on without the cluster: {error}"));
            Ok(None)
        }
    }
}

/// Whether the user said which cluster is meant; then its failing is no matter of course.
fn is_named(reach: &Reach) -> bool {
    let cluster = &reach.cluster;
    cluster.context.is_some() || cluster.kubeconfig.given.is_some() || cluster.secret.is_some()
}

fn say(cluster: &Cluster, events: &Events) {
    for note in &cluster.notes {
        events.note(note.text.clone());
    }
}

fn same_place(cluster: &Origin, given: &Origin) -> bool {
    cluster.host() == given.host() && cluster.port() == given.port()
}
