use std::num::NonZeroU64;
use std::time::Duration;

use super::login::{self, Login};
use super::place::{self, Place, Tls};
use super::{Cache, Notice, Surroundings};
use crate::cli::args::{ClusterArgs, ReachArgs, RequestArgs};
use crate::cli::environment::Environment;
use crate::cli::facts::ClusterFacts;
use crate::cli::usage::UsageError;
use crate::cli::value::{Resolve, TrustedRealm};
use crate::cluster::{Kubeconfig, Login as ClusterLogin, Query};

/// Which registry is meant, as whom, and how it is asked: all that every command needs that goes there.
#[derive(Debug)]
pub(in crate::cli) struct Reach {
    pub(in crate::cli) place: Place,
    pub(in crate::cli) tls: Tls,
    pub(in crate::cli) resolve: Vec<Resolve>,
    pub(in crate::cli) trusted_realms: Vec<TrustedRealm>,
    pub(in crate::cli) login: Login,
    pub(in crate::cli) cluster: Query,
    pub(in crate::cli) requests: Requests,
}

/// How requests are made.
#[derive(Debug)]
pub(in crate::cli) struct Requests {
    /// Bytes of the largest request body; by default below the ingress's limit.
    pub(in crate::cli) chunk: Option<NonZeroU64>,
    /// Bytes a second of all transfers together.
    pub(in crate::cli) limit_rate: Option<NonZeroU64>,
    /// Whether sessions of uploads are noted.
    pub(in crate::cli) journal: Cache,
    /// Attempts after the first.
    pub(in crate::cli) retries: u32,
    pub(in crate::cli) retry_max_wait: Duration,
    pub(in crate::cli) stall_timeout: Duration,
    /// For the whole run.
    pub(in crate::cli) timeout: Option<Duration>,
}

impl Reach {
    /// Joins what was typed with the environment; a flag goes before it.
    ///
    /// # Errors
    /// For contradictions and half a login.
    pub(in crate::cli) fn of(
        args: ReachArgs,
        requests: Requests,
        around: &mut Surroundings<'_>,
        notices: &mut Vec<Notice>,
    ) -> Result<Self, UsageError> {
        let environment = around.environment;
        let (place, tls) = place::of(args.registry.registry, args.tls, environment)?;
        let login = login::of(args.login, environment, around.stdin, notices)?;
        Ok(Self {
            place,
            tls,
            resolve: args.registry.resolve,
            trusted_realms: args.registry.trust_realm,
            cluster: query(args.cluster, environment, &login),
            login,
            requests,
        })
    }
}

impl Reach {
    /// From now on this cluster is meant and no other, also while it does not answer.
    pub(in crate::cli) fn stays_with(&mut self, cluster: Option<&ClusterFacts>) {
        if let Some(cluster) = cluster {
            self.cluster.context = Some(cluster.context.clone());
        }
    }
}

/// As they are for commands that send no content.
pub(in crate::cli) fn requests(args: RequestArgs) -> Requests {
    let RequestArgs { retries, retry_max_wait, stall_timeout, timeout, limit_rate } = args;
    Requests { chunk: None, journal: Cache::Off, limit_rate, retries, retry_max_wait, stall_timeout, timeout }
}

fn query(args: ClusterArgs, environment: &Environment, login: &Login) -> Query {
    Query {
        kubeconfig: Kubeconfig {
            given: args.kubeconfig,
            environment: environment.kubeconfig.clone(),
            home: environment.home.clone(),
            pod: environment.pod.clone(),
        },
        // A flag goes before the environment also where the two say it in different words.
        name: args.name.or_else(|| environment.cluster.clone().filter(|_| args.context.is_none())),
        context: args.context,
        secret: args.secret,
        login: match login {
            Login::Auto | Login::Cluster => ClusterLogin::Read,
            Login::Docker | Login::Anonymous | Login::Given(_) => ClusterLogin::Skip,
        },
        timeout: args.request_timeout,
    }
}
