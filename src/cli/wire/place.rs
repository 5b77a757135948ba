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
    /// Why the cluster that there is did not answer, where the run can do without it.
    pub(super) missed: Option<ClusterError>,
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
    let target = settle(reach, cluster::find(&reach.cluster).await)?;
    for note in target.asked.iter().flat_map(|cluster| &cluster.notes) {
        events.note(note.text.clone());
    }
    if let Some(error) = &target.missed {
        events.note(format!("going on without the cluster: {error}"));
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

/// Where the run goes by what the cluster answered. One that is only wanted for what it may add may be missed.
///
/// # Errors
/// When the run cannot do without the cluster.
pub(super) fn settle(reach: &Reach, answer: Result<Cluster, ClusterError>) -> Result<Target, Fault> {
    match (&reach.place, answer) {
        (Place::Given(given), Ok(cluster)) => Ok(there(given, Some(cluster))),
        (Place::Given(given), Err(error)) if reach.login != Login::Cluster && !is_named(reach) => {
            let none = matches!(error, ClusterError::NoKubeconfig { .. } | ClusterError::NoCluster { .. });
            Ok(Target { missed: Some(error).filter(|_| !none), ..there(given, None) })
        }
        (Place::Cluster, Ok(cluster)) => {
            let named_by = format!("localbuild/{}", cluster.name);
            let origin = cluster.registry.clone();
            Ok(Target { origin, path: None, named_by, asked: Some(cluster), missed: None })
        }
        (_, Err(error)) => Err(error.into()),
    }
}

pub(super) fn there(given: &GivenRegistry, asked: Option<Cluster>) -> Target {
    let origin = match &asked {
        // The cluster knows better than the scheme that stands for an address without one.
        Some(cluster) if !given.says_scheme && same_place(&cluster.registry, &given.origin) => {
            cluster.registry.clone()
        }
        _ => given.origin.clone(),
    };
    let path = given.path.as_ref().map(ToString::to_string);
    Target { origin, path, named_by: given.given_by.to_owned(), asked, missed: None }
}

/// Whether the user said which cluster is meant; then its failing is no matter of course.
fn is_named(reach: &Reach) -> bool {
    let cluster = &reach.cluster;
    cluster.context.is_some() || cluster.kubeconfig.given.is_some() || cluster.secret.is_some()
}

fn same_place(cluster: &Origin, given: &Origin) -> bool {
    cluster.host() == given.host() && cluster.port() == given.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Routing;
    use crate::cluster::Trust;
    use crate::port::Scheme;

    fn origin(scheme: Scheme, authority: &str) -> Origin {
        Origin::parse(scheme, authority).unwrap()
    }

    fn given(scheme: Scheme) -> GivenRegistry {
        let origin = origin(scheme, "gitea.cnoe.localtest.me:8443");
        GivenRegistry { origin, path: None, says_scheme: true, given_by: "--registry" }
    }

    fn cluster(scheme: Scheme, authority: &str) -> Cluster {
        Cluster {
            name: "localdev".to_owned(),
            context: "kind-localdev".to_owned(),
            registry: origin(scheme, authority),
            routing: Routing::SubDomain,
            trust: Trust::Plain,
            owner: None,
            credential: None,
            nodes: Vec::new(),
            body_limit: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_cluster_knows_the_scheme_unless_it_was_said() {
        let own = || Some(cluster(Scheme::Https, "gitea.cnoe.localtest.me:8443"));
        let unsaid = GivenRegistry { says_scheme: false, ..given(Scheme::Http) };
        assert_eq!(there(&unsaid, own()).origin.scheme(), Scheme::Https);
        let said = there(&given(Scheme::Http), own());
        assert_eq!(said.origin.scheme(), Scheme::Http);
        assert!(said.cluster().is_none(), "its login is not for plain HTTP");
    }

    #[test]
    fn a_cluster_with_another_registry_is_not_the_targets() {
        let target = there(&given(Scheme::Https), Some(cluster(Scheme::Https, "r.example")));
        assert!(target.asked.is_some() && target.cluster().is_none());
    }
}
