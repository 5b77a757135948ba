//! The registry: the distribution spec's push on an upload engine of our own.
//!
//! Requests are made (`request`) and answers read (`answer`) without I/O; the state machine in `upload`
//! decides what follows what. All retry is here, in one policy ([`Policy`]): nobody above tries again.
//! A login is bound to the registry's [`Origin`](crate::port::Origin): where it may go besides is
//! decided in `realm` (token servers) and `location` (upload sessions), and nowhere else.

mod account;
mod answer;
mod blobs;
mod body;
mod certificate;
mod challenge;
mod client;
mod connect;
mod courier;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod held;
mod hosts;
mod location;
mod login;
mod manifests;
mod noted;
mod opening;
mod pace;
mod packages;
mod probe;
mod proxy;
mod realm;
mod received;
mod referrers;
mod request;
mod resolve;
mod retry;
mod tls;
mod token;
mod transport;
mod upload;
mod wire;

pub use certificate::Certificate;
pub use client::{Dialect, Options, RegistryClient};
pub use packages::{ApiPath, GiteaPackages};
pub use probe::{Cancelled, Entry, Knock, Ping};
pub use proxy::Proxies;
pub use realm::{Realms, TrustedRealm};
pub use resolve::{Pinned, Rebind, is_this_machine};
pub use retry::Policy;
pub use tls::{Trust, TrustError};
