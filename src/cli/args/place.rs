use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::value::{self, RegistryAddress, Resolve, TrustedRealm};
use crate::cluster::SecretName;
use crate::port::Secret;

/// What every command takes that goes to a registry.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReachArgs {
    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
    #[command(flatten)]
    pub(in crate::cli) tls: TlsArgs,
    #[command(flatten)]
    pub(in crate::cli) login: LoginArgs,
    #[command(flatten)]
    pub(in crate::cli) cluster: ClusterArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub(in crate::cli) struct RegistryArgs {
    #[arg(short, long, value_name = "HOST[/PATH]", value_parser = value::registry, help = "Push there, not to the cluster's [env: IDPBUILDER_REGISTRY_URL]")]
    pub(in crate::cli) registry: Option<RegistryAddress>,
    /// Connect to ADDR for that host; names and certificates stay
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = value::resolve)]
    pub(in crate::cli) resolve: Vec<Resolve>,
    /// A token server elsewhere that may see the login
    #[arg(long, value_name = "REGISTRY=HOST", value_parser = value::trusted_realm)]
    pub(in crate::cli) trust_realm: Vec<TrustedRealm>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub(in crate::cli) struct TlsArgs {
    /// Do not check the registry's certificate; no plain HTTP either
    #[arg(long, conflicts_with_all = ["ca_file", "plain_http"])]
    pub(in crate::cli) insecure: bool,
    /// Trust these certificates (PEM) too, for the registry
    #[arg(long, value_name = "FILE", conflicts_with = "plain_http")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
    /// Plain HTTP: all can be read on the way, the login too
    #[arg(long)]
    pub(in crate::cli) plain_http: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Login to the registry")]
pub(in crate::cli) struct LoginArgs {
    /// Read the password or token from standard input
    #[arg(long, conflicts_with_all = ["password", "token"])]
    pub(in crate::cli) password_stdin: bool,
    #[arg(short, long, value_name = "USER", value_parser = value::filled, help = "User name [env: IDPBUILDER_REGISTRY_USERNAME]")]
    pub(in crate::cli) username: Option<String>,
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "token", value_parser = value::secret, help = "Password; better in the environment [env: IDPBUILDER_REGISTRY_PASSWORD]")]
    pub(in crate::cli) password: Option<Secret>,
    #[arg(short, long, value_name = "TOKEN", value_parser = value::secret, help = "Access token [env: IDPBUILDER_REGISTRY_TOKEN]")]
    pub(in crate::cli) token: Option<Secret>,
    /// Where the login is from: auto, cluster, docker, none
    #[arg(long, value_name = "SOURCE", default_value = "auto", hide_possible_values = true)]
    pub(in crate::cli) auth: AuthArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AuthArg {
    Auto,
    Cluster,
    Docker,
    None,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(in crate::cli) struct ClusterArgs {
    #[arg(long, value_name = "CLUSTER", value_parser = value::filled, help = "Name of the idpbuilder cluster [env: IDPBUILDER_NAME]")]
    pub(in crate::cli) name: Option<String>,
    #[arg(long, value_name = "FILE", help = "Path of the kubeconfig [env: KUBECONFIG]")]
    pub(in crate::cli) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "CONTEXT", value_parser = value::filled)]
    pub(in crate::cli) context: Option<String>,
    /// Longest wait for the Kubernetes API
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::duration)]
    pub(in crate::cli) request_timeout: Duration,
    /// The secret with the login [default: gitea/gitea-credential]
    #[arg(long, value_name = "NS/NAME", value_parser = value::secret_name)]
    pub(in crate::cli) secret: Option<SecretName>,
}
