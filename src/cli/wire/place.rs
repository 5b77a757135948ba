use crate::cli::failure::Fault;
use crate::cli::settings::{GivenRegistry, Login, Place, Reach, Tls};
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
    if let Some(given) = alone(reach) {
        return Ok(there(given, None));
    }
    let (target, missed) = settle(reach, cluster::find(&reach.cluster).await)?;
    for note in target.asked.iter().flat_map(|cluster| &cluster.notes) {
        events.note(note.text.clone());
    }
    match missed {
        None | Some(ClusterError::NoKubeconfig { .. } | ClusterError::NoCluster { .. }) => {}
        Some(error) => events.note(format!("going on without the cluster: {error}")),
    }
    Ok(target)
}

/// The registry that needs no cluster: a login is known and a choice how it is trusted, so that there is
/// nothing to ask.
pub(super) fn alone(reach: &Reach) -> Option<&GivenRegistry> {
    let login_known = matches!(reach.login, Login::Given(_) | Login::Docker | Login::Anonymous);
    match &reach.place {
        Place::Given(given) if login_known && reach.tls != Tls::Known => Some(given),
        Place::Given(_) | Place::Cluster => None,
    }
}

/// Where the run goes by what the cluster answered. One that is only wanted for what it may add is not
/// missed; then its error comes along.
///
/// # Errors
/// When the run cannot do without the cluster.
pub(super) fn settle(
    reach: &Reach,
    answer: Result<Cluster, ClusterError>,
) -> Result<(Target, Option<ClusterError>), Fault> {
    match (&reach.place, answer) {
        (Place::Given(given), Ok(cluster)) => Ok((there(given, Some(cluster)), None)),
        (Place::Given(given), Err(error)) if reach.login != Login::Cluster && !is_named(reach) => {
            Ok((there(given, None), Some(error)))
        }
        (Place::Cluster, Ok(cluster)) => {
            let named_by = format!("localbuild/{}", cluster.name);
            let origin = cluster.registry.clone();
            Ok((Target { origin, path: None, named_by, asked: Some(cluster) }, None))
        }
        (_, Err(error)) => Err(error.into()),
    }
}

pub(super) fn there(given: &GivenRegistry, asked: Option<Cluster>) -> Target {
    let origin = match &asked {
        // The cluster knows better than the scheme that stands for an address without one.
        Some(cluster) if same_place(&cluster.registry, &given.origin) => cluster.registry.clone(),
        _ => given.origin.clone(),
    };
    let path = given.path.as_ref().map(ToString::to_string);
    Target { origin, path, named_by: given.given_by.to_owned(), asked }
}

/// Whether the user said which cluster is meant; then its failing is no matter of course.
fn is_named(reach: &Reach) -> bool {
    let cluster = &reach.cluster;
    cluster.context.is_some() || cluster.kubeconfig.given.is_some() || cluster.secret.is_some()
}

fn same_place(cluster: &Origin, given: &Origin) -> bool {
    cluster.host() == given.host() && cluster.port() == given.port()
}
