use std::sync::Arc;

use async_trait::async_trait;

use super::Around;
use super::place::Target;
use crate::cli::facts::AuthSource;
use crate::cli::failure::{Fault, LocalError};
use crate::cli::settings::{Given, Login, Settings, Tls};
use crate::credential::{self, DockerConfig, DockerPlaces};
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

    fn none() -> Self {
        Self { keychain: Arc::new(Nobody), source: AuthSource::None, username: None }
    }
}

/// Nobody: a registry that is open.
struct Nobody;

#[async_trait]
impl Keychain for Nobody {
    async fn credential(&self, _: &Origin) -> Result<Option<Credential>, KeychainError> {
        Ok(None)
    }
}

/// By precedence: what was given, the cluster's secret for its own registry, the docker config.
pub(super) async fn find(settings: &Settings, target: &Target, around: Around<'_>) -> Result<Found, Fault> {
    match &settings.login {
        Login::Anonymous => Ok(Found::none()),
        Login::Given(login) => given(login, target),
        Login::Docker => docker(target, around).await,
        Login::Cluster => cluster(settings, target)?
            .ok_or_else(|| LocalError::ClusterLoginElsewhere { registry: target.origin.authority() }.into()),
        Login::Auto => match cluster(settings, target)? {
            Some(found) => Ok(found),
            None => docker(target, around).await,
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

fn cluster(settings: &Settings, target: &Target) -> Result<Option<Found>, Fault> {
    let Some((cluster, credential)) =
        target.cluster().and_then(|cluster| Some((cluster, cluster.credential.as_ref()?)))
    else {
        return Ok(None);
    };
    // Without a checked certificate only the address says who gets the administrator's password.
    if settings.tls == Tls::Insecure && !is_this_machine(&target.origin) {
        return Err(LocalError::ClusterLoginInsecure { registry: target.origin.authority() }.into());
    }
    let secret = credential.source.strip_prefix("secret ").unwrap_or(&credential.source).to_owned();
    Ok(Some(Found {
        keychain: Arc::new(cluster.clone()),
        source: AuthSource::Cluster { secret },
        username: cluster.owner.clone(),
    }))
}

async fn docker(target: &Target, around: Around<'_>) -> Result<Found, Fault> {
    let environment = around.environment;
    let config = DockerConfig::new(DockerPlaces {
        config_dir: environment.docker_config.clone(),
        home: environment.home.clone(),
        path: environment.path.clone(),
    });
    let Some(credential) = config.credential(&target.origin).await? else { return Ok(Found::none()) };
    let username = match &credential.identity {
        Identity::Password { username, .. } => Some(username.clone()),
        Identity::Bearer(_) | Identity::Refresh(_) => None,
    };
    let source = AuthSource::Docker { name: credential.source.clone() };
    Ok(Found { keychain: Arc::new(credential::Given::new(credential)?), source, username })
}
