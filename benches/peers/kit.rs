//! The servers and engines of the tests.
#![expect(dead_code, reason = "the tests use all of it")]
#![expect(clippy::indexing_slicing, reason = "the index of a JSON value gives null where nothing is")]

#[path = "../../tests/e2e/kit/certificate.rs"]
mod certificate;
#[path = "../../tests/e2e/kit/docker29.rs"]
mod docker29;
#[path = "../../tests/e2e/kit/dockerd.rs"]
mod dockerd;
#[path = "../../tests/e2e/kit/gitea.rs"]
mod gitea;
#[path = "../../tests/e2e/kit/http.rs"]
mod http;
#[path = "../../tests/e2e/kit/ingress.rs"]
mod ingress;
#[path = "../../tests/e2e/kit/podman.rs"]
mod podman;
#[path = "../../tests/e2e/kit/process.rs"]
mod process;

pub(crate) use docker29::Docker29;
pub(crate) use dockerd::Dockerd;
pub(crate) use gitea::Gitea;
pub(crate) use http::Endpoint;
pub(crate) use ingress::{Ingress, IngressSettings, Speaks};
pub(crate) use podman::Podman;
pub(crate) use process::{Server, built, free_port, output};
