//! What a pod has in the place of a kubeconfig: the service account that Kubernetes mounts into it.

use serde_json::json;

use crate::cluster::Pod;

/// The context of a pod's own cluster.
pub(super) const CONTEXT: &str = "in-cluster";

/// The service account as a kubeconfig; `None` where there is no token of one. Certificates and token are
/// read from their files like those of any kubeconfig.
pub(super) fn document(pod: &Pod) -> Option<kube::config::Kubeconfig> {
    let file = |name: &str| Some(pod.folder.join(name)).filter(|path| path.is_file());
    let token = file("token")?;
    let host = if pod.host.contains(':') { format!("[{}]", pod.host) } else { pod.host.clone() };
    let server = format!("https://{host}:{}", pod.port);
    let cluster = json!({ "server": server, "certificate-authority": file("ca.crt") });
    let user = "service-account";
    let document = json!({
        "current-context": CONTEXT,
        "clusters": [{ "name": CONTEXT, "cluster": cluster }],
        "users": [{ "name": user, "user": { "tokenFile": token } }],
        "contexts": [{ "name": CONTEXT, "context": { "cluster": CONTEXT, "user": user } }],
    });
    serde_json::from_value(document).ok()
}
