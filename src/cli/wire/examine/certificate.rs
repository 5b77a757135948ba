use std::time::{Duration, SystemTime};

use crate::cli::checkup::{Check, Need};
use crate::cli::facts::TlsFacts;
use crate::cli::failure::{Fault, Scene, explain};
use crate::cli::screen::date;
use crate::cli::wire::place::Target;
use crate::cli::wire::trust::Chosen;
use crate::cluster::Topic;
use crate::port::RegistryError;
use crate::registry::{Certificate, Trust};

/// An end that is nearer than this is told of.
const SOON: Duration = Duration::from_hours(14 * 24);

/// What the registry's certificate is checked with, before anything is connected to.
pub(super) fn examine(target: &Target, trust: &Chosen, scene: &Scene<'_>) -> Check {
    let further = match &trust.trust {
        Trust::System { further } => further.len(),
        Trust::Only(_) | Trust::Nothing => 0,
    };
    let counted = if further == 1 { "1 certificate".to_owned() } else { format!("{further} certificates") };
    let passed = |seen: String| Check::passed(Need::Certificate, seen);
    match trust.facts {
        TlsFacts::Plain => Check::skipped(Need::Certificate, "plain HTTP has none"),
        TlsFacts::Insecure => Check::seen(
            Need::Certificate,
            "not checked (--insecure)",
            vec!["whoever answers there gets the images and the login; --ca-file checks it".to_owned()],
        ),
        TlsFacts::CaFile => passed(format!("{counted} of --ca-file, beside the system's roots")),
        TlsFacts::ClusterAuthority => passed(format!("{counted} of the cluster, beside the system's roots")),
        TlsFacts::System => {
            let notes = target.cluster().map(|cluster| cluster.notes.as_slice()).unwrap_or_default();
            let about = notes.iter().filter(|note| note.about == Topic::Certificate);
            let about = about.map(|note| note.text.clone()).collect();
            Check::seen(Need::Certificate, "the system's roots decide", about)
        }
        TlsFacts::Pinned => match &trust.trust {
            Trust::Only(pinned) => of_cluster(target, pinned.first().map_or(&[], Vec::as_slice), scene),
            Trust::System { .. } | Trust::Nothing => passed("that of the cluster".to_owned()),
        },
    }
}

fn of_cluster(target: &Target, pinned: &[u8], scene: &Scene<'_>) -> Check {
    let Some(certificate) = Certificate::read(pinned) else {
        return Check::passed(Need::Certificate, "that of the cluster; its dates cannot be read");
    };
    let now = SystemTime::now();
    if let Some(source) = certificate.fault(target.origin.host(), now) {
        let fault = Fault::Registry(RegistryError::Network { origin: target.origin.clone(), source });
        return Check::failed(Need::Certificate, explain(&fault, scene));
    }
    let seen = format!("that of the cluster, {}", told(&certificate));
    let left = certificate.not_after.duration_since(now).unwrap_or_default();
    let soon = (left < SOON).then(|| {
        let days = left.as_secs() / (24 * 3600);
        format!("it ends in {days} days; `idpbuilder create --recreate` makes a new one")
    });
    Check::seen(Need::Certificate, seen, soon.into_iter().collect())
}

/// A certificate in a line: whom it is for, and until when.
pub(super) fn told(certificate: &Certificate) -> String {
    format!("for {}, until {}", certificate.names.join(", "), date(certificate.not_after))
}
