use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum as _;

use super::args::LevelArg;
use super::usage::UsageError;
use super::value::ValueError;
use crate::cluster::Pod;
use crate::port::Secret;

/// What the environment says. Empty variables count as unset: that is what a missing secret of a build
/// service looks like.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// `$IDPBUILDER_REGISTRY_URL` as it stands: what needs no registry, or is given one, minds no mistake
    /// in it.
    pub(super) registry: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) token: Option<Secret>,
    pub(super) cluster: Option<String>,
    /// `$KUBECONFIG`, a list of paths.
    pub(super) kubeconfig: Option<OsString>,
    pub(super) home: Option<PathBuf>,
    /// `$KUBERNETES_SERVICE_HOST` and its port: in a pod, the API server of its own cluster.
    pub(super) pod: Option<Pod>,
    /// `$DOCKER_CONFIG`, the folder of docker's `config.json`.
    pub(super) docker_config: Option<PathBuf>,
    /// `$DOCKER_AUTH_CONFIG`, a docker config itself.
    pub(super) docker_auth_config: Option<Secret>,
    /// `$REGISTRY_AUTH_FILE`, in the place of Podman's own.
    pub(super) registry_auth_file: Option<PathBuf>,
    pub(super) docker_host: Option<String>,
    pub(super) docker_context: Option<String>,
    /// Where `$DOCKER_TLS_VERIFY` asks for TLS, the folder of its files: `$DOCKER_CERT_PATH`, else that of
    /// docker's `config.json`.
    pub(super) docker_certificates: Option<PathBuf>,
    pub(super) container_host: Option<String>,
    /// `$XDG_RUNTIME_DIR`
    pub(super) runtime_dir: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`
    pub(super) config_home: Option<PathBuf>,
    pub(super) path: Option<OsString>,
    /// For http, for https, for both, and what is reached without: empty where none is set.
    pub(super) proxies: [String; 4],
    /// What a host command line was told by its own `--log-level`.
    pub(super) log_level: Option<LevelArg>,
    pub(super) no_color: Option<OsString>,
    pub(super) clicolor_force: Option<OsString>,
    pub(super) term: Option<OsString>,
}

pub(super) const REGISTRY_URL: &str = "IDPBUILDER_REGISTRY_URL";
pub(super) const USERNAME: &str = "IDPBUILDER_REGISTRY_USERNAME";
pub(super) const PASSWORD: &str = "IDPBUILDER_REGISTRY_PASSWORD";
pub(super) const TOKEN: &str = "IDPBUILDER_REGISTRY_TOKEN";
const NAME: &str = "IDPBUILDER_NAME";
const LOG_LEVEL: &str = "IDPBUILDER_LOG_LEVEL";
/// Where Kubernetes mounts the service account of a pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

impl Environment {
    /// Takes what is used of the variables that `variable` answers for.
    ///
    /// # Errors
    /// When the level is none, or a value is not UTF-8.
    pub(super) fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, UsageError> {
        let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &'static str| {
            let value = filled(name).map(OsString::into_string).transpose();
            value.map_err(|_| UsageError::NotText { variable: name })
        };
        let level = text(LOG_LEVEL)?.map(|level| LevelArg::from_str(&level, true)).transpose();
        let level = level.map_err(|_| ValueError::Form { form: "debug, info, warn or error" });
        let no_level =
            |source| UsageError::EnvironmentValue { variable: LOG_LEVEL, what: "log level", source };
        Ok(Self {
            registry: text(REGISTRY_URL)?,
            log_level: level.map_err(no_level)?,
            username: text(USERNAME)?,
            password: text(PASSWORD)?.map(Secret::new),
            token: text(TOKEN)?.map(Secret::new),
            cluster: text(NAME)?,
            kubeconfig: filled("KUBECONFIG"),
            home: filled(HOME).map(PathBuf::from),
            pod: match (text("KUBERNETES_SERVICE_HOST")?, text("KUBERNETES_SERVICE_PORT")?) {
                (Some(host), Some(port)) => Some(Pod { host, port, folder: SERVICE_ACCOUNT.into() }),
                _ => None,
            },
            docker_config: filled("DOCKER_CONFIG").map(PathBuf::from),
            docker_auth_config: text("DOCKER_AUTH_CONFIG")?.map(Secret::new),
            registry_auth_file: filled("REGISTRY_AUTH_FILE").map(PathBuf::from),
            docker_host: text("DOCKER_HOST")?,
            docker_context: text("DOCKER_CONTEXT")?,
            docker_certificates: filled("DOCKER_TLS_VERIFY").and_then(|_| {
                let home = || filled(HOME).map(|home| PathBuf::from(home).join(".docker"));
                let folder = filled("DOCKER_CERT_PATH").or_else(|| filled("DOCKER_CONFIG"));
                folder.map(PathBuf::from).or_else(home)
            }),
            container_host: text("CONTAINER_HOST")?,
            runtime_dir: filled("XDG_RUNTIME_DIR").map(PathBuf::from),
            config_home: filled("XDG_CONFIG_HOME").map(PathBuf::from),
            path: filled("PATH"),
            proxies: [
                // To a CGI program the one in capitals is a header, which anybody may send; docker and
                // kubectl read it elsewhere, and curl never does.
                match (text("http_proxy")?, filled("REQUEST_METHOD")) {
                    (None, None) => text("HTTP_PROXY")?,
                    (lower, _) => lower,
                }
                .unwrap_or_default(),
                text("https_proxy")?.or(text("HTTPS_PROXY")?).unwrap_or_default(),
                text("all_proxy")?.or(text("ALL_PROXY")?).unwrap_or_default(),
                text("no_proxy")?.or(text("NO_PROXY")?).unwrap_or_default(),
            ],
            no_color: filled("NO_COLOR"),
            clicolor_force: filled("CLICOLOR_FORCE"),
            term: filled("TERM"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Environment, UsageError> {
        Environment::of(&|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn empty_variables_are_unset() {
        let environment =
            of(&[(USERNAME, ""), (PASSWORD, ""), (REGISTRY_URL, ""), ("NO_COLOR", "")]).unwrap();
        assert_eq!(environment.username, None);
        assert_eq!(environment.password, None);
        assert_eq!(environment.registry, None);
        assert_eq!(environment.no_color, None);
    }

    #[test]
    fn a_pod_is_told_where_its_cluster_is() {
        let pod =
            of(&[("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("KUBERNETES_SERVICE_PORT", "443")]).unwrap().pod;
        let folder = SERVICE_ACCOUNT.into();
        assert_eq!(pod, Some(Pod { host: "10.96.0.1".to_owned(), port: "443".to_owned(), folder }));
        assert_eq!(of(&[("KUBERNETES_SERVICE_HOST", "10.96.0.1")]).unwrap().pod, None);
    }

    #[test]
    fn proxies_are_named_in_small_letters_or_in_capitals() {
        let proxies = |pairs: &[(&str, &str)]| of(pairs).unwrap().proxies;
        let capitals =
            [("HTTP_PROXY", "a:1"), ("HTTPS_PROXY", "b:1"), ("ALL_PROXY", "c:1"), ("NO_PROXY", "d")];
        assert_eq!(proxies(&capitals), ["a:1", "b:1", "c:1", "d"]);
        let small = [("http_proxy", "e:1"), ("https_proxy", "f:1"), ("all_proxy", "g:1"), ("no_proxy", "h")];
        assert_eq!(proxies(&[capitals, small].concat()), ["e:1", "f:1", "g:1", "h"]);
        let cgi = [capitals.as_slice(), &[("REQUEST_METHOD", "GET")]].concat();
        assert_eq!(proxies(&cgi), ["", "b:1", "c:1", "d"]);
    }

    #[test]
    fn a_registry_that_is_none_is_left_to_whoever_asks_for_it() {
        assert_eq!(of(&[(REGISTRY_URL, "ftp://x")]).unwrap().registry.as_deref(), Some("ftp://x"));
    }

    #[test]
    fn a_level_that_is_none_names_the_variable() {
        assert_eq!(of(&[(LOG_LEVEL, "Debug")]).unwrap().log_level, Some(LevelArg::Debug));
        let error = of(&[(LOG_LEVEL, "loud")]).unwrap_err();
        assert_eq!(error.to_string(), "the value of `IDPBUILDER_LOG_LEVEL` is no log level");
    }
}
