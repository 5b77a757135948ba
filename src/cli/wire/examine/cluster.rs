use super::{Chart, Found};
use crate::cli::checkup::{Check, Need};
use crate::cli::failure::{Scene, explain};
use crate::cli::settings::{Login, Reach};
use crate::cli::wire::place::{alone, settle, there};
use crate::cluster::{self, Cluster, Explored, Halt, Query, Sights, Stage, Topic};

/// What leads to the cluster's registry, and to its login.
const CHAIN: [Need; 5] = [Need::Kubeconfig, Need::Context, Need::Api, Need::Localbuild, Need::Secret];

/// Looks for the registry.
///
/// # Errors
/// With the check that a registry would stand on.
pub(super) async fn examine(reach: &Reach, scene: Scene<'_>, chart: &mut Chart<'_>) -> Result<Found, Need> {
    if let Some(given) = alone(reach) {
        for need in CHAIN {
            chart.add(Check::skipped(need, "registry, login and trust are given: no cluster is asked"));
        }
        return Ok(Found { target: there(given, None), missing: None });
    }
    let Explored { sights, outcome } = cluster::explore(&reach.cluster).await;
    match outcome {
        Ok(cluster) => {
            for check in whole(reach, &sights, &cluster) {
                chart.add(check);
            }
            let settled = settle(reach, Ok(cluster)).map_err(|_| Need::Localbuild)?;
            Ok(Found { target: settled, missing: None })
        }
        Err(halt) => halted(reach, scene, (&sights, halt), chart).await,
    }
}

/// All of the chain, where nothing of it is missing.
fn whole(reach: &Reach, sights: &Sights, cluster: &Cluster) -> [Check; 5] {
    let about = |topic| {
        let notes = cluster.notes.iter().filter(move |note| note.about == topic);
        notes.map(|note| note.text.clone()).collect::<Vec<String>>()
    };
    let [kubeconfig, _, api, localbuild] = way(sights);
    [
        Check::passed(Need::Kubeconfig, kubeconfig),
        Check::seen(Need::Context, &cluster.context, about(Topic::Context)),
        Check::seen(Need::Api, api, about(Topic::Nodes)),
        Check::seen(Need::Localbuild, localbuild, about(Topic::Localbuild)),
        secret(reach, cluster),
    ]
}

fn secret(reach: &Reach, cluster: &Cluster) -> Check {
    let Some(credential) = &cluster.credential else {
        let why = match &reach.login {
            Login::Given(given) => format!("the login is given by {}", given.by),
            Login::Docker => "the login is that of the docker config".to_owned(),
            Login::Anonymous | Login::Auto | Login::Cluster => "no login is wanted".to_owned(),
        };
        return Check::skipped(Need::Secret, why);
    };
    let user = cluster.owner.as_deref().unwrap_or_default();
    let has = if credential.second.is_some() { "password and token" } else { "password" };
    let name = credential.source.strip_prefix("secret ").unwrap_or(&credential.source);
    Check::passed(Need::Secret, format!("{name}: user {user}, {has}"))
}

/// What was seen of kubeconfig, context, API and Localbuild, as far as the way led.
fn way(sights: &Sights) -> [String; 4] {
    let kubeconfig = sights.kubeconfig.as_ref().map(|(files, contexts)| match contexts {
        1 => format!("{files}, 1 context"),
        _ => format!("{files}, {contexts} contexts"),
    });
    let localbuild = sights.localbuild.as_ref().map(|(name, registry)| format!("{name}: {registry}"));
    [
        kubeconfig.unwrap_or_default(),
        sights.contexts.join(", "),
        // Where a Localbuild is missing, some API has answered.
        sights.server.clone().unwrap_or_else(|| "it answers".to_owned()),
        localbuild.unwrap_or_default(),
    ]
}

async fn halted(
    reach: &Reach,
    scene: Scene<'_>,
    (sights, halt): (&Sights, Halt),
    chart: &mut Chart<'_>,
) -> Result<Found, Need> {
    let at = need(halt.at);
    let (before, from) = CHAIN.split_at(CHAIN.iter().position(|need| *need == at).unwrap_or_default());
    for (need, seen) in before.iter().zip(way(sights)) {
        chart.add(Check::passed(*need, seen));
    }
    let after = from.get(1..).unwrap_or_default();
    let without = format!("{}; a push goes on without the cluster", halt.error);
    match settle(reach, Err(halt.error)) {
        Ok(target) if target.missed.is_none() => {
            chart.add(Check::skipped(at, without));
            chart.wait(after, at);
            Ok(Found { target, missing: None })
        }
        Ok(target) => {
            chart.add(Check::seen(at, "not to be had", vec![without]));
            chart.wait(after, at);
            Ok(Found { target, missing: None })
        }
        Err(fault) => {
            chart.add(Check::failed(at, explain(&fault, &scene)));
            chart.wait(after, at);
            further(reach, at).await
        }
    }
}

/// Without the login, the registry can be asked all the same.
async fn further(reach: &Reach, missing: Need) -> Result<Found, Need> {
    if missing != Need::Secret {
        return Err(missing);
    }
    let query = Query { login: cluster::Login::Skip, ..reach.cluster.clone() };
    let target = settle(reach, cluster::find(&query).await).map_err(|_| missing)?;
    Ok(Found { target, missing: Some(missing) })
}

fn need(stage: Stage) -> Need {
    match stage {
        Stage::Kubeconfig => Need::Kubeconfig,
        Stage::Context => Need::Context,
        Stage::Api => Need::Api,
        Stage::Localbuild => Need::Localbuild,
        Stage::Secret => Need::Secret,
    }
}
