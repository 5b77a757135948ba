//! Real servers and the means to look at them; none of it uses the product's own code.

mod authority;
mod certificate;
mod containerd;
mod distribution;
mod docker29;
mod dockerd;
mod gitea;
mod http;
pub(crate) mod image;
mod ingress;
mod kube_api;
mod objects;
mod observer;
mod podman;
mod process;
mod pulled;
mod push;
mod relay;

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Result, anyhow};

pub(crate) use certificate::Certificate;
pub(crate) use containerd::Containerd;
pub(crate) use distribution::Distribution;
pub(crate) use docker29::Docker29;
pub(crate) use dockerd::Dockerd;
pub(crate) use gitea::Gitea;
pub(crate) use http::Endpoint;
pub(crate) use ingress::{Ingress, IngressSettings, Speaks};
pub(crate) use kube_api::KubeApi;
pub(crate) use objects::{credential, describe_cluster, localbuild};
pub(crate) use observer::Observer;
pub(crate) use podman::Podman;
pub(crate) use process::{output, soak};
pub(crate) use pulled::{Pulled, digest_of, pulled};
pub(crate) use push::{Push, Ran, Running};
pub(crate) use relay::Relay;

/// Everything that the trials share: a cluster as idpbuilder makes it, a Docker engine and a plain registry.
pub(crate) struct Servers {
    pub(crate) ingress: Ingress,
    pub(crate) gitea: Gitea,
    pub(crate) api: KubeApi,
    pub(crate) docker: Dockerd,
    pub(crate) distribution: Distribution,
}

impl Servers {
    pub(crate) fn start() -> Result<Self> {
        Self::start_behind(&IngressSettings::default())
    }

    /// With the ingress as it is said: for whoever wants to try the program by hand.
    pub(crate) fn start_behind(ingress: &IngressSettings) -> Result<Self> {
        let (gitea, api, docker, distribution) = thread::scope(|scope| {
            let gitea = scope.spawn(Gitea::start);
            let api = scope.spawn(KubeApi::start);
            let docker = scope.spawn(Dockerd::start);
            let distribution = Distribution::start_3();
            (gitea.join(), api.join(), docker.join(), distribution)
        });
        let panicked = |_| anyhow!("the thread that started a server panicked");
        let gitea = gitea.map_err(panicked)??;
        let (api, docker, distribution) =
            (api.map_err(panicked)??, docker.map_err(panicked)??, distribution?);
        let ingress = Ingress::start(gitea.port, ingress)?;
        objects::describe_cluster(&api, &gitea, &ingress)?;
        Ok(Self { ingress, gitea, api, docker, distribution })
    }
}

/// A file of `testdata/`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}
