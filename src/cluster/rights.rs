use super::SecretName;

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
];

/// The right to list a kind in all namespaces.
const fn listed(group: &'static str, resource: &'static str) -> Right {
    Right { need: Need::Useful, verbs: &["list"], group, resource, namespace: None, name: None }
}

/// The least Role that lets `user` read `secret`, with its binding, as YAML for `kubectl apply -f -`.
/// `user` is as the API names it: `dev`, or `system:serviceaccount:NAMESPACE:NAME`.
#[must_use]
pub fn least_role(secret: &SecretName, user: &str) -> String {
    let SecretName { namespace, name } = secret;
    let (namespace, name) = (quoted(namespace), quoted(name));
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: idpbuilder-push, namespace: {namespace}}}
rules: [{{apiGroups: [\"\"], resources: [secrets], resourceNames: [{name}], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: idpbuilder-push, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: idpbuilder-push}}
subjects: [{}]
",
        subject(user)
    )
}

fn subject(user: &str) -> String {
    let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
    match account {
        Some((namespace, name)) => {
            format!("{{kind: ServiceAccount, name: {}, namespace: {}}}", quoted(name), quoted(namespace))
        }
        None => format!("{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {}}}", quoted(user)),
    }
}

/// A name as YAML has it: JSON's string where a plain one could be read as something else.
fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !matches!(name, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if is_plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
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

    #[test]
    fn the_role_names_the_secret_and_the_user() {
        let secret = SecretName::new("gitea", "gitea-credential");
        let role = least_role(&secret, "system:serviceaccount:ci:pusher");
        assert!(role.contains("resourceNames: [gitea-credential], verbs: [get]"), "{role}");
        assert!(
            role.ends_with("subjects: [{kind: ServiceAccount, name: pusher, namespace: ci}]\n"),
            "{role}"
        );
        let role = least_role(&secret, "dev@example.com");
        assert!(role.contains("kind: User, name: \"dev@example.com\"}]"), "{role}");
    }

    #[test]
    fn a_name_that_is_no_plain_text_is_quoted() {
        for (name, expected) in [
            ("a-1", "a-1"),
            ("on", "\"on\""),
            ("1", "\"1\""),
            ("a]: b", "\"a]: b\""),
            ("a\n\"", "\"a\\n\\\"\""),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }
}
