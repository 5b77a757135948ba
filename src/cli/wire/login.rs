use std::sync::Arc;

use async_trait::async_trait;

use super::Around;
use super::place::Target;
use crate::cli::facts::AuthSource;
use crate::cli::failure::{Fault, LocalError};
use crate::cli::settings::{Given, Login, Reach, Tls};
use crate::cli::value::Resolve;
use crate::credential::{self, LoginPlaces, SavedLogins};
use crate::oci::Repository;
use crate::port::{Credential, Identity, Keychain, KeychainError, Origin};
use crate::registry::is_this_machine;

/// The login of a run.
pub(super) struct Found {
    pub(super) keychain: Arc<dyn Keychain>,
    pub(super) source: AuthSource,
    pub(super) username: Option<String>,
}

impl Found {
    /// Whether it is the cluster's administrator.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.source, AuthSource::Cluster { .. })
    }

    pub(super) fn none() -> Self {
        Self { keychain: Arc::new(Nobody), source: AuthSource::None, username: None }
    }
}

/// Nobody: a registry that is open.
struct Nobody;

#[async_trait]
impl Keychain for Nobody {
    async fn credential(
        &self,
        _: &Origin,
        _: Option<&Repository>,
    ) -> Result<Option<Credential>, KeychainError> {
        Ok(None)
    }
}

/// By precedence: what was given, the cluster's secret for its own registry, what
/// docker and Podman saved.
pub(super) async fn find(
    reach: &Reach,
    owner: Option<&str>,
    target: &Target,
    around: Around<'_>,
) -> Result<Found, Fault> {
    match &reach.login {
        Login::Anonymous => Ok(Found::none()),
        Login::Given(login) => given(login, target),
        Login::Docker => saved(owner, target, around).await,
        Login::Cluster => cluster(reach, target)?
            .ok_or_else(|| LocalError::ClusterLoginElsewhere { registry: target.origin.authority() }.into()),
        Login::Auto => match cluster(reach, target)? {
            Some(found) => Ok(found),
            None => saved(owner, target, around).await,
        },
    }
}

fn given(login: &Given, target: &Target) -> Result<Found, Fault> {
    let identity = match &login.username {
        None => Identity::Bearer(login.secret.clone()),
        Some(username) => Identity::Password { username: username.clone(), password: login.secret.clone() },
    };
    let credential =
        Credential { origin: target.origin.clone(), identity, source: login.by.to_owned(), second: None };
    Ok(Found {
        keychain: Arc::new(credential::Given::new(credential)?),
        source: AuthSource::Given { by: login.by, kind: login.kind },
        username: login.username.clone(),
    })
}

fn cluster(reach: &Reach, target: &Target) -> Result<Option<Found>, Fault> {
    let Some((cluster, credential)) =
        target.cluster().and_then(|cluster| Some((cluster, cluster.credential.as_ref()?)))
    else {
        return Ok(None);
    };
    // Without a checked certificate only the address says who gets the administrator's password.
    if reach.tls == Tls::Insecure && !stays_here(&target.origin, &reach.resolve) {
        return Err(LocalError::ClusterLoginInsecure { registry: target.origin.authority() }.into());
    }
    let secret = credential.source.strip_prefix("secret ").unwrap_or(&credential.source).to_owned();
    Ok(Some(Found {
        keychain: Arc::new(cluster.clone()),
        source: AuthSource::Cluster { secret },
        username: cluster.owner.clone(),
    }))
}

/// Whether the origin is this machine, by its name and by what `--resolve` makes of the name.
fn stays_here(origin: &Origin, resolve: &[Resolve]) -> bool {
    let sent_away = resolve
        .iter()
        .any(|one| one.host == origin.host() && one.port == origin.port() && !one.address.is_loopback());
    is_this_machine(origin) && !sent_away
}

/// The logins that docker and Podman saved. Images below different owners may have different ones, so the
/// one that is found here is what the run is told with; each repository asks for its own.
async fn saved(owner: Option<&str>, target: &Target, around: Around<'_>) -> Result<Found, Fault> {
    let environment = around.environment;
    let logins = SavedLogins::new(LoginPlaces {
        docker_auth_config: environment.docker_auth_config.clone(),
        docker_config: environment.docker_config.clone(),
        registry_auth_file: environment.registry_auth_file.clone(),
        runtime_dir: environment.runtime_dir.clone(),
        config_home: environment.config_home.clone(),
        home: environment.home.clone(),
        path: environment.path.clone(),
    });
    let owner = owner.or(target.path.as_deref());
    let owner: Option<Repository> = owner.and_then(|owner| owner.to_lowercase().parse().ok());
    let found = logins.credential(&target.origin, owner.as_ref()).await?;
    let username = match found.as_ref().map(|credential| &credential.identity) {
        Some(Identity::Password { username, .. }) => Some(username.clone()),
        Some(Identity::Bearer(_) | Identity::Refresh(_)) | None => None,
    };
    let source = found.map_or(AuthSource::None, |credential| AuthSource::Docker { name: credential.source });
    Ok(Found { keychain: Arc::new(logins), source, username })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::value::resolve;
    use crate::port::Scheme;

    #[test]
    fn a_name_of_this_machine_that_is_sent_elsewhere_is_not_this_machine() {
        let origin = Origin::new(Scheme::Https, "gitea.cnoe.localtest.me", 8443);
        let with = |text| stays_here(&origin, &[resolve(text).unwrap()]);
        assert!(stays_here(&origin, &[]));
        assert!(with("gitea.cnoe.localtest.me:8443:127.0.0.1"));
        assert!(with("other.example:8443:10.0.0.5"));
        assert!(!with("gitea.cnoe.localtest.me:8443:10.0.0.5"));
        assert!(!stays_here(&Origin::new(Scheme::Https, "gitea.example", 8443), &[]));
    }
}
