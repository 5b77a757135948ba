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
    #[arg(short, long, value_name = "HOST[:PORT][/PATH]", value_parser = value::registry, help = "Push there, and not to the cluster's registry [env: IDPBUILDER_REGISTRY_URL]")]
    pub(in crate::cli) registry: Option<RegistryAddress>,
    /// Connect to this address for that host and port; names and certificates stay as they are
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = value::resolve)]
    pub(in crate::cli) resolve: Vec<Resolve>,
    /// A token server on another host that may see this registry's login
    #[arg(long, value_name = "REGISTRY=HOST", value_parser = value::trusted_realm)]
    pub(in crate::cli) trust_realm: Vec<TrustedRealm>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub(in crate::cli) struct TlsArgs {
    /// Do not check the registry's certificate; never allows plain HTTP
    #[arg(long, conflicts_with_all = ["ca_file", "plain_http"])]
    pub(in crate::cli) insecure: bool,
    /// Certificates in PEM that the registry's may be signed by, beside the system's
    #[arg(long, value_name = "FILE", conflicts_with = "plain_http")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
    /// Plain HTTP: everything, the login too, can be read on the way
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
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "token", value_parser = value::secret, help = "Password; other users of this machine can see it here [env: IDPBUILDER_REGISTRY_PASSWORD]")]
    pub(in crate::cli) password: Option<Secret>,
    #[arg(short, long, value_name = "TOKEN", value_parser = value::secret, help = "Access token, with or without a user name [env: IDPBUILDER_REGISTRY_TOKEN]")]
    pub(in crate::cli) token: Option<Secret>,
    /// Where the login comes from: the cluster's secret, the docker config, nowhere, or what fits
    #[arg(long, value_name = "SOURCE", default_value = "auto")]
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
    /// Longest wait for one answer of the Kubernetes API
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::duration)]
    pub(in crate::cli) request_timeout: Duration,
    /// The secret with the registry's login, instead of gitea/gitea-credential
    #[arg(long, value_name = "NS/NAME", value_parser = value::secret_name)]
    pub(in crate::cli) secret: Option<SecretName>,
}
