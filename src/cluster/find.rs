use std::time::Duration;

use crate::port::Scheme;

use super::api::Api;
use super::choose::{Choice, Plugin, choose, no_cluster};
use super::endpoint::Site;
use super::explored::{Explored, Halt, Sights, Stage};
use super::kubeconfig::{self, Context, Loaded};
use super::localbuild::{Localbuild, Resource, ResourceList};
use super::request::Request;
use super::secret::{self, Encoded};
use super::{
    Cluster, ClusterError, Login, Note, Query, SecretName, Topic, Trust, certificate, ingress, nodes,
};

/// How long a context that nobody named may take to answer.
const UNASKED: Duration = Duration::from_secs(2);

/// Finds the cluster and what it says of its registry.
///
/// A context that was named is the only one that is asked. Else those of this machine are, and one that
/// does not answer or does not let us in is passed over and named in the notes.
///
/// # Errors
/// When there is no such cluster, it is not one of idpbuilder's, or it does not let us read what is
/// needed.
pub async fn find(query: &Query) -> Result<Cluster, ClusterError> {
    explore(query).await.outcome.map_err(|halt| halt.error)
}

/// As [`find`], with what was seen on the way: for whoever wants to know how far it went.
pub async fn explore(query: &Query) -> Explored {
    let mut sights = Sights::default();
    let outcome = go(query, &mut sights).await;
    Explored { sights, outcome }
}

async fn go(query: &Query, sights: &mut Sights) -> Result<Cluster, Halt> {
    let kubeconfig = kubeconfig::load(&query.kubeconfig).map_err(Halt::at(Stage::Kubeconfig))?;
    sights.kubeconfig = Some((kubeconfig.shown.clone(), kubeconfig.contexts.len()));
    let choice = choose(&kubeconfig, query).map_err(Halt::at(Stage::Context))?;
    sights.contexts = choice.contexts().map(|context| context.name.clone()).collect();
    let mut search = Search { kubeconfig: &kubeconfig, query, failures: Vec::new() };
    let mut served = search.serving(&choice).await.map_err(Halt::of_search)?;
    served.api.limit = query.timeout;
    sights.server = Some(served.api.context.server.clone());
    let passed_over = search.failures.iter();
    let notes = passed_over.map(|error| Note::new(Topic::Context, error.to_string())).collect();
    describe(&served, query, notes, sights).await
}

/// A context whose API serves a Localbuild.
struct Served {
    api: Api,
    localbuild: Localbuild,
}

struct Search<'a> {
    kubeconfig: &'a Loaded,
    query: &'a Query,
    failures: Vec<ClusterError>,
}

impl Search<'_> {
    async fn serving(&mut self, choice: &Choice<'_>) -> Result<Served, ClusterError> {
        match choice {
            Choice::Named(context, plugin) => self
                .ask(context, *plugin, self.query.timeout)
                .await?
                .ok_or_else(|| no_cluster(self.kubeconfig, Some(context))),
            Choice::Search { first, others } => self.run(first, others).await,
        }
    }

    async fn run(&mut self, first: &[&Context], others: &[&Context]) -> Result<Served, ClusterError> {
        for context in first {
            if let Some(served) = self.try_ask(context).await {
                return Ok(served);
            }
        }
        let mut found = Vec::new();
        for context in others {
            found.extend(self.try_ask(context).await);
        }
        match found.pop() {
            Some(only) if found.is_empty() => Ok(only),
            Some(last) => {
                let served = found.iter().chain([&last]);
                Err(ClusterError::Several {
                    contexts: served.map(|served| served.api.context.name.clone()).collect(),
                })
            }
            // Why the first of them failed says more than that there is none.
            None if self.failures.is_empty() => Err(no_cluster(self.kubeconfig, None)),
            None => Err(self.failures.swap_remove(0)),
        }
    }

    async fn try_ask(&mut self, context: &Context) -> Option<Served> {
        let limit = UNASKED.min(self.query.timeout);
        self.ask(context, Plugin::Refused, limit).await.unwrap_or_else(|failure| {
            self.failures.push(failure);
            None
        })
    }

    /// `None` when the API answers and has no Localbuild.
    async fn ask(
        &self,
        context: &Context,
        plugin: Plugin,
        limit: Duration,
    ) -> Result<Option<Served>, ClusterError> {
        let api = Api::new(self.kubeconfig, context, plugin, limit).await?;
        let resource = match self.query.name.as_deref() {
            Some(name) => named(&api, name).await?,
            None => only(&api).await?,
        };
        let localbuild = resource.map(Resource::read).transpose()?;
        Ok(localbuild.map(|localbuild| Served { api, localbuild }))
    }
}

async fn named(api: &Api, name: &str) -> Result<Option<Resource>, ClusterError> {
    if !super::answer::is_object_name(name) {
        return Ok(None);
    }
    api.get(&Request::localbuild(name)).await
}

/// A cluster has one; of several, the one that is called like the context of kind.
async fn only(api: &Api) -> Result<Option<Resource>, ClusterError> {
    let list: Option<ResourceList> = api.get(&Request::localbuilds()).await?;
    let mut items = list.map(|list| list.items).unwrap_or_default();
    let of_context = api.context.name.strip_prefix("kind-");
    let position = match items.iter().position(|item| Some(item.name()) == of_context) {
        None if items.len() > 1 => {
            let names = items.iter().map(|item| item.name().to_owned()).collect();
            return Err(ClusterError::SeveralLocalbuilds { context: api.context.name.clone(), names });
        }
        position => position.unwrap_or_default(),
    };
    Ok((position < items.len()).then(|| items.swap_remove(position)))
}

async fn describe(
    served: &Served,
    query: &Query,
    mut notes: Vec<Note>,
    sights: &mut Sights,
) -> Result<Cluster, Halt> {
    let Served { api, localbuild } = served;
    let site = site(api, localbuild, &mut notes).await.map_err(Halt::at(Stage::Localbuild))?;
    let registry = site.registry(&localbuild.name).map_err(Halt::at(Stage::Localbuild))?;
    sights.localbuild = Some((localbuild.name.clone(), registry.to_string()));
    let login = match query.login {
        Login::Skip => None,
        Login::Read => {
            let candidates = secret::candidates(query.secret.as_ref(), localbuild.secret.as_ref());
            Some(secret::read(api, candidates).await.map_err(Halt::at(Stage::Secret))?)
        }
    };
    let trust = match registry.scheme() {
        Scheme::Http => Trust::Plain,
        Scheme::Https => certificate::find(api, localbuild, &[registry.host(), &site.host], &mut notes).await,
    };
    Ok(Cluster {
        name: localbuild.name.clone(),
        context: api.context.name.clone(),
        routing: site.routing,
        trust,
        owner: login.as_ref().map(|login| login.username.clone()),
        credential: login.map(|login| login.credential(registry.clone())),
        registry,
        nodes: nodes::platforms(api, &mut notes).await,
        body_limit: ingress::body_limit(api, site.routing, &mut notes).await,
        notes,
    })
}

/// Clusters of v0.7.0 and older say it in Gitea's configuration, and in the status of the Localbuild.
async fn site(api: &Api, localbuild: &Localbuild, notes: &mut Vec<Note>) -> Result<Site, ClusterError> {
    if let Some(site) = &localbuild.site {
        return Ok(site.clone());
    }
    let configuration = SecretName::new("gitea", "my-gitea-inline-config");
    let found = api.get::<Encoded>(&Request::secret(&configuration)).await.unwrap_or_else(|error| {
        let text = format!("{error}: the registry's address is taken from the Localbuild's status");
        notes.push(Note::new(Topic::Localbuild, text));
        None
    });
    let section = found.and_then(|found| found.bytes("server"));
    let section = section.as_deref().map(|bytes| String::from_utf8_lossy(bytes));
    let by_status = || localbuild.external_url.as_deref().and_then(Site::of_gitea);
    section.as_deref().and_then(Site::of_gitea_configuration).or_else(by_status).ok_or_else(|| {
        ClusterError::Localbuild {
            name: localbuild.name.clone(),
            field: "status.gitea.externalURL",
            value: localbuild.external_url.clone().unwrap_or_default(),
        }
    })
}

#[cfg(test)]
mod tests;
