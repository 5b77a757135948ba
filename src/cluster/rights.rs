/// Whether a run can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Needed,
    /// Without it a default is taken, or a warning is not given.
    Useful,
}

/// One right of the user of the kubeconfig, as a rule of a Role has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    pub need: Need,
    pub verbs: &'static [&'static str],
    /// Empty for the core group.
    pub group: &'static str,
    /// In the plural.
    pub resource: &'static str,
    /// `None` for what belongs to no namespace.
    pub namespace: Option<&'static str>,
    /// `None` for all of the resource.
    pub name: Option<&'static str>,
}

/// The rights that the program uses on a cluster of today. What it asks beyond them are the places where
/// older clusters keep the same things; a 403 there is no failure.
pub const RIGHTS: &[Right] = &[
    Right {
        need: Need::Needed,
        verbs: &["get"],
        group: "",
        resource: "secrets",
        namespace: Some("gitea"),
        name: Some("gitea-credential"),
    },
    Right {
        need: Need::Needed,
        verbs: &["get", "list"],
        group: "idpbuilder.cnoe.io",
        resource: "localbuilds",
        namespace: None,
        name: None,
    },
    Right {
        need: Need::Useful,
        verbs: &["get"],
        group: "",
        resource: "secrets",
        namespace: Some("default"),
        name: Some("idpbuilder-cert"),
    },
    Right {
        need: Need::Useful,
        verbs: &["get"],
        group: "networking.k8s.io",
        resource: "ingresses",
        namespace: Some("gitea"),
        name: Some("my-gitea-custom"),
    },
    listed("", "nodes"),
    listed("", "pods"),
    listed("apps", "deployments"),
    listed("apps", "statefulsets"),
    listed("apps", "daemonsets"),
    listed("apps", "replicasets"),
    listed("batch", "jobs"),
    listed("batch", "cronjobs"),
    listed("apps", "controllerrevisions"),
];

/// The right to list a kind in all namespaces.
const fn listed(group: &'static str, resource: &'static str) -> Right {
    Right { need: Need::Useful, verbs: &["list"], group, resource, namespace: None, name: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules that a document states, in the words of a Role.
    fn stated(rule: &serde_json::Value) -> String {
        let words = |key: &str| match &rule[key] {
            serde_json::Value::Array(items) => {
                items.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(",")
            }
            value => value.as_str().unwrap_or_default().to_owned(),
        };
        let needed = if rule["needed"] == true { Need::Needed } else { Need::Useful };
        let (verbs, group, resource) = (words("verbs"), words("apiGroup"), words("resource"));
        format!("{needed:?} {verbs} {group} {resource} {} {}", words("namespace"), words("name"))
    }

    #[test]
    fn the_readme_names_all_that_is_read() {
        let readme = include_str!("../../README.md");
        for right in RIGHTS {
            let named = right.namespace.zip(right.name).map(|(space, name)| format!("{space}/{name}: "));
            let said = named.unwrap_or_else(|| right.resource.to_owned());
            assert!(readme.to_lowercase().contains(&said), "{said}");
        }
        let rule = "resources: [secrets], resourceNames: [gitea-credential], verbs: [get]";
        assert!(readme.contains(rule));
    }

    #[test]
    fn the_plugins_description_states_these_rights() {
        let plugin: serde_json::Value = serde_saphyr::from_str(include_str!("../../plugin.yaml")).unwrap();
        let found = plugin["spec"]["requires"]["rbac"].as_array().unwrap();
        let found: Vec<String> = found.iter().map(stated).collect();
        let expected: Vec<String> = RIGHTS
            .iter()
            .map(|right| {
                let Right { need, verbs, group, resource, namespace, name } = right;
                let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
                format!("{need:?} {} {group} {resource} {namespace} {name}", verbs.join(","))
            })
            .collect();
        assert_eq!(found, expected);
    }
}
