//! What a kubeconfig and a cluster's secret may hold, tried with any bytes.

use super::{SecretName, kubeconfig, secret};
use crate::port::{Origin, Scheme};

pub(crate) fn kubeconfig(bytes: &[u8]) {
    let Ok(document) = kubeconfig::parse(bytes) else { return };
    let loaded = kubeconfig::loaded(document, String::new(), kubeconfig::Basis::Files);
    for context in &loaded.contexts {
        let _ = (context.is_local(), super::config::config(&loaded.document, context));
    }
}

/// As the API server sends it.
pub(crate) fn secret(bytes: &[u8]) {
    let Ok(encoded) = serde_json::from_slice::<secret::Encoded>(bytes) else { return };
    let name = SecretName::new("gitea", "gitea-credential");
    let (Ok(login), Ok(origin)) =
        (secret::decode(&name, &encoded), Origin::parse(Scheme::Https, "gitea.example"))
    else {
        return;
    };
    assert!(!login.username.contains(char::is_control));
    let _ = login.credential(origin);
}
