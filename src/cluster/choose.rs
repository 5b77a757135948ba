use super::kubeconfig::{Basis, Context, Loaded};
use super::{ClusterError, Query};

/// The context that `idpbuilder create` makes without a name.
const DEFAULT: &str = "kind-localdev";

/// Which contexts may be contacted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// The user named it: this one or none. Its plugin may be run if `--context` named it.
    Named(&'a Context, Plugin),
    /// The first of `first` that serves a Localbuild, else the only one of `others` that does.
    Search { first: Vec<&'a Context>, others: Vec<&'a Context> },
}

impl<'a> Choice<'a> {
    /// In the order in which they are asked.
    pub(super) fn contexts(&self) -> impl Iterator<Item = &'a Context> {
        let (one, first, others) = match self {
            Self::Named(context, _) => (Some(*context), &[][..], &[][..]),
            Self::Search { first, others } => (None, first.as_slice(), others.as_slice()),
        };
        one.into_iter().chain(first.iter().copied()).chain(others.iter().copied())
    }
}

/// Whether the program that a context logs in with may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plugin {
    Allowed,
    Refused,
}

/// `--context`, else in a pod its own cluster, else `kind-N` for `--name N`, else the current context,
/// `kind-localdev` and all others, of these only what is local.
///
/// # Errors
/// `ContextNotFound` for a name that the kubeconfig does not have; `NoCluster` when nothing is local.
pub(super) fn choose<'a>(kubeconfig: &'a Loaded, query: &Query) -> Result<Choice<'a>, ClusterError> {
    if let Some(name) = &query.context {
        return named(kubeconfig, name).map(|context| Choice::Named(context, Plugin::Allowed));
    }
    if kubeconfig.basis == Basis::Pod {
        return Ok(Choice::Search { first: kubeconfig.contexts.iter().collect(), others: Vec::new() });
    }
    if let Some(name) = &query.name {
        let context = named(kubeconfig, &format!("kind-{name}"))?;
        return Ok(Choice::Named(context, Plugin::Refused));
    }
    let is_first = |context: &&Context| Some(&context.name) == kubeconfig.current.as_ref();
    let local: Vec<_> = kubeconfig.contexts.iter().filter(|context| context.is_local()).collect();
    if local.is_empty() {
        return Err(no_cluster(kubeconfig, None));
    }
    let (mut first, rest): (Vec<_>, Vec<_>) = local.into_iter().partition(is_first);
    let (default, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|context| context.name == DEFAULT);
    first.extend(default);
    Ok(Choice::Search { first, others })
}

pub(super) fn no_cluster(kubeconfig: &Loaded, context: Option<&Context>) -> ClusterError {
    ClusterError::NoCluster {
        context: context.map(|context| context.name.clone()),
        kubeconfig: kubeconfig.shown.clone(),
        contexts: kubeconfig.context_names(),
    }
}

fn named<'a>(kubeconfig: &'a Loaded, name: &str) -> Result<&'a Context, ClusterError> {
    kubeconfig.contexts.iter().find(|context| context.name == name).ok_or_else(|| {
        ClusterError::ContextNotFound {
            context: name.to_owned(),
            kubeconfig: kubeconfig.shown.clone(),
            contexts: kubeconfig.context_names(),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Kubeconfig, Login};
    use super::*;

    const LOOPBACK: &str = "https://127.0.0.1:6443";
    const REMOTE: &str = "https://k8s.example";

    fn kubeconfig(current: &str, contexts: &[(&str, &str)]) -> Loaded {
        let context = |&(name, server): &(&str, &str)| Context {
            name: name.to_owned(),
            cluster: String::new(),
            server: server.to_owned(),
            user: String::new(),
            plugin: None,
        };
        Loaded {
            document: kube::config::Kubeconfig::default(),
            shown: "~/.kube/config".to_owned(),
            contexts: contexts.iter().map(context).collect(),
            current: Some(current.to_owned()),
            basis: Basis::Files,
        }
    }

    fn query(context: Option<&str>, name: Option<&str>) -> Query {
        Query {
            kubeconfig: Kubeconfig::default(),
            context: context.map(str::to_owned),
            name: name.map(str::to_owned),
            secret: None,
            login: Login::Read,
            timeout: Duration::from_secs(2),
        }
    }

    fn searched(kubeconfig: &Loaded) -> (Vec<&str>, Vec<&str>) {
        let names = |contexts: Vec<&'_ Context>| -> Vec<String> {
            contexts.into_iter().map(|context| context.name.clone()).collect()
        };
        let Ok(Choice::Search { first, others }) = choose(kubeconfig, &query(None, None)) else { panic!() };
        let (first, others) = (names(first), names(others));
        let find = |names: Vec<String>| -> Vec<&str> {
            let found = kubeconfig.contexts.iter().map(|context| context.name.as_str());
            let found: Vec<_> = found.collect();
            names.iter().map(|name| *found.iter().find(|known| *known == name).unwrap()).collect()
        };
        (find(first), find(others))
    }

    #[test]
    fn the_current_context_comes_before_the_default_and_the_rest() {
        let contexts =
            [("kind-a", LOOPBACK), ("kind-localdev", LOOPBACK), ("kind-b", REMOTE), ("prod", REMOTE)];
        assert_eq!(
            searched(&kubeconfig("kind-b", &contexts)),
            (vec!["kind-b", "kind-localdev"], vec!["kind-a"])
        );
        assert_eq!(
            searched(&kubeconfig("kind-localdev", &contexts)),
            (vec!["kind-localdev"], vec!["kind-a", "kind-b"])
        );
    }

    #[test]
    fn a_current_context_that_is_not_local_is_never_contacted() {
        let contexts = [("prod", REMOTE), ("k3d", LOOPBACK)];
        assert_eq!(searched(&kubeconfig("prod", &contexts)), (vec![], vec!["k3d"]));
        let contexts = [("prod", REMOTE), ("stage", REMOTE)];
        let Err(ClusterError::NoCluster { context: None, contexts, .. }) =
            choose(&kubeconfig("prod", &contexts), &query(None, None))
        else {
            panic!()
        };
        assert_eq!(contexts, ["prod", "stage"]);
    }

    #[test]
    fn what_the_user_names_is_the_only_choice() {
        let kubeconfig = kubeconfig(
            "kind-localdev",
            &[("kind-localdev", LOOPBACK), ("kind-dev2", LOOPBACK), ("prod", REMOTE)],
        );
        for (context, name, expected, plugin) in [
            (Some("prod"), None, "prod", Plugin::Allowed),
            (Some("prod"), Some("dev2"), "prod", Plugin::Allowed),
            (None, Some("dev2"), "kind-dev2", Plugin::Refused),
        ] {
            let Ok(Choice::Named(chosen, allowed)) = choose(&kubeconfig, &query(context, name)) else {
                panic!()
            };
            assert_eq!((chosen.name.as_str(), allowed), (expected, plugin));
        }
    }

    #[test]
    fn a_name_that_is_not_there_lists_what_is() {
        let kubeconfig = kubeconfig("kind-localdev", &[("kind-localdev", LOOPBACK)]);
        for (query, expected) in [(query(Some("x"), None), "x"), (query(None, Some("x")), "kind-x")] {
            let Err(ClusterError::ContextNotFound { context, contexts, .. }) = choose(&kubeconfig, &query)
            else {
                panic!()
            };
            assert_eq!((context.as_str(), contexts), (expected, vec!["kind-localdev".to_owned()]));
        }
    }
}
