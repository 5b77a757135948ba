use super::{Class, Failure, Scene};
use crate::cli::facts::TlsFacts;
use crate::port::{NetworkFault, Origin};

pub(super) fn explain(fault: &NetworkFault, origin: &Origin, scene: &Scene<'_>) -> Failure {
    let host = origin.authority();
    match fault {
        NetworkFault::Untrusted { reason, fingerprint } => {
            let failure = untrusted(&host, reason, scene);
            match fingerprint {
                Some(fingerprint) => failure.detail(format!("its fingerprint: {fingerprint}")),
                None => failure,
            }
        }
        NetworkFault::Expired { reason } => expired(&host, reason, scene),
        NetworkFault::WrongName { reason } => certificate("CERTIFICATE_NAME", &host, "is for other names")
            .cause(reason.clone())
            .say("Use one of the certificate's names in --registry, with --resolve if it needs an address"),
        NetworkFault::NotTls => {
            let message = format!("could not reach {}", origin.authority());
            let failure = Failure::new(Class::Network, "TLS", message).cause(fault.to_string());
            let failure = failure.say("Look at host and port: another program may listen there");
            match scene.cluster() {
                Some(_) => failure,
                None => failure.run("If the registry has no TLS", scene.with("--plain-http")),
            }
        }
        _ => connection(fault, origin, scene),
    }
}

fn connection(fault: &NetworkFault, origin: &Origin, scene: &Scene<'_>) -> Failure {
    let of = |code| {
        let message = format!("could not reach {}", origin.authority());
        Failure::new(Class::Network, code, message).cause(fault.to_string()).chain(fault).may_be_retried()
    };
    match fault {
        NetworkFault::Resolve { .. } => {
            let address = format!("--resolve {}:{}:ADDRESS", origin.host(), origin.port());
            of("DNS")
                .say("Look at the name: it is part of --registry, or of what the cluster says")
                .run("Or say the address", scene.with(&address))
        }
        NetworkFault::Refused { .. } | NetworkFault::Connect { .. } => {
            unreachable_host(of("UNREACHABLE"), scene)
        }
        NetworkFault::Tls { .. } => of("TLS").say("Look at host and port: another program may listen there"),
        NetworkFault::Stalled { .. } | NetworkFault::Silent { .. } => {
            of("TIMEOUT").run("Wait longer", scene.with("--stall-timeout 2m"))
        }
        NetworkFault::Answer { .. } => {
            let failure = of("NOT_A_REGISTRY")
                .say("Look at the address: something else than a registry may answer there");
            match scene.facts.map(|facts| facts.registry.tls) {
                Some(TlsFacts::Plain) => failure.say("If it has TLS, leave out --plain-http"),
                _ => failure,
            }
        }
        NetworkFault::Proxy { .. } => {
            of("PROXY").say(format!("Add {} to NO_PROXY if it needs no proxy", origin.host()))
        }
        _ => of("CONNECTION_CLOSED").run("Try longer", scene.with("--retries 10")),
    }
}

fn expired(host: &str, reason: &str, scene: &Scene<'_>) -> Failure {
    let failure = certificate("CERTIFICATE_EXPIRED", host, "has expired, or is not valid yet").cause(reason);
    let failure = match scene.cluster() {
        Some(_) => failure.run("Create the cluster anew", "idpbuilder create --recreate"),
        None => failure.say("Renew the registry's certificate; look at this machine's clock"),
    };
    failure.run("Or do without the check", scene.with("--insecure"))
}

fn unreachable_host(failure: Failure, scene: &Scene<'_>) -> Failure {
    match scene.cluster() {
        Some(_) => failure
            .run("See whether the cluster runs", "docker ps --filter name=-control-plane")
            .run("And whether its ingress does", "kubectl -n ingress-nginx get pods"),
        None => failure.say("Look at the host and port of --registry, and whether the registry runs"),
    }
}

fn certificate(code: &'static str, host: &str, what: &str) -> Failure {
    Failure::new(Class::Network, code, format!("the certificate that {host} shows {what}"))
}

fn untrusted(host: &str, reason: &str, scene: &Scene<'_>) -> Failure {
    let tls = scene.facts.map(|facts| facts.registry.tls);
    match (tls, scene.cluster()) {
        (Some(TlsFacts::Pinned), Some(cluster)) => {
            let what = format!("is not that of cluster {:?}", cluster.name);
            certificate("CERTIFICATE_OTHER", host, &what)
                .detail("Another cluster may sit on this port, or this one was created anew.")
                .cause(reason)
                .run("See which clusters there are", "kind get clusters")
                .run("Push to the other one", scene.with("--name NAME"))
                .run("Or say what to trust", scene.with("--ca-file FILE"))
        }
        (Some(TlsFacts::CaFile), _) => {
            certificate("CERTIFICATE_UNKNOWN", host, "is not signed by those of --ca-file")
                .cause(reason)
                .say("Look at the file: it may be that of another registry or cluster")
        }
        _ => certificate("CERTIFICATE_UNKNOWN", host, "is signed by no authority known here")
            .cause(reason)
            .run("Say which to trust", scene.with("--ca-file FILE"))
            .run("Or do without the check", scene.with("--insecure")),
    }
}
