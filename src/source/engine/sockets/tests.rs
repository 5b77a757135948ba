use super::*;

fn names(sockets: &EngineSockets, kind: EngineKind) -> Vec<String> {
    sockets.endpoints(kind).into_iter().map(|endpoint| endpoint.name).collect()
}

fn at_home(home: &Path) -> EngineSockets {
    EngineSockets {
        runtime_dir: Some(home.join("run")),
        home: Some(home.to_owned()),
        ..EngineSockets::default()
    }
}

/// Makes `context` the current one of docker's config below `home`.
fn use_context(home: &Path, context: &str, host: &str) {
    let docker = home.join(".docker");
    let id = crate::oci::sha256(context.as_bytes()).digest().to_owned();
    let meta = docker.join("contexts/meta").join(id);
    std::fs::create_dir_all(&meta).unwrap();
    let endpoint = serde_json::json!({"Endpoints": {"docker": {"Host": host}}});
    std::fs::write(meta.join("meta.json"), endpoint.to_string()).unwrap();
    let config = serde_json::json!({"currentContext": context});
    std::fs::write(docker.join("config.json"), config.to_string()).unwrap();
}

#[test]
fn without_a_word_the_usual_places_are_asked_dockers_own_first() {
    let home = Path::new("/nowhere");
    assert_eq!(
        names(&at_home(home), EngineKind::Any),
        [
            "unix:///var/run/docker.sock",
            "unix:///nowhere/run/docker.sock",
            "unix:///nowhere/.docker/run/docker.sock",
            "unix:///nowhere/.docker/desktop/docker.sock",
            "unix:///nowhere/.colima/default/docker.sock",
            "unix:///nowhere/.config/colima/default/docker.sock",
            "unix:///nowhere/.rd/docker.sock",
            "unix:///nowhere/.orbstack/run/docker.sock",
            "unix:///nowhere/run/podman/podman.sock",
            "unix:///run/podman/podman.sock",
        ]
    );
    let all = at_home(home).endpoints(EngineKind::Docker);
    let own: Vec<bool> = all.iter().map(|endpoint| endpoint.standing == Standing::Own).collect();
    assert_eq!(own.iter().filter(|own| **own).count(), 1);
    assert!(own[0]);
}

#[test]
fn a_shell_without_a_runtime_folder_has_that_of_its_user() {
    let sockets = EngineSockets::default();
    let user = rustix::process::getuid().as_raw();
    let podman = names(&sockets, EngineKind::Podman);
    assert_eq!(podman[0], format!("unix:///run/user/{user}/podman/podman.sock"));
}

#[test]
fn a_place_that_was_named_is_the_only_one() {
    let dir = tempfile::tempdir().unwrap();
    use_context(dir.path(), "colima", "unix:///colima.sock");
    let home = at_home(dir.path());
    let named = |docker_host: &str, docker_context: &str| EngineSockets {
        docker_host: Some(docker_host.to_owned()),
        docker_context: Some(docker_context.to_owned()),
        container_host: Some("tcp://127.0.0.1:2".to_owned()),
        ..home.clone()
    };
    let any = |sockets: &EngineSockets| names(sockets, EngineKind::Any);
    assert_eq!(any(&named("tcp://127.0.0.1:1", "colima")), ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"]);
    assert_eq!(any(&named("", "colima")), ["docker context colima", "tcp://127.0.0.1:2"]);
    assert_eq!(any(&named("", "default")), ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2"]);
    let missing = named("", "missing").endpoints(EngineKind::Docker);
    assert_eq!(missing.len(), 1);
    assert!(missing[0].address.clone().unwrap_err().contains("no such context"));
}

#[test]
fn the_current_context_is_asked_first_and_is_the_users_own() {
    let dir = tempfile::tempdir().unwrap();
    use_context(dir.path(), "colima", "unix:///colima.sock");
    let endpoints = at_home(dir.path()).endpoints(EngineKind::Docker);
    assert_eq!(endpoints[0].name, "docker context colima");
    assert_eq!(endpoints[0].standing, Standing::Own);
    assert_eq!(endpoints[1].standing, Standing::Other);
    assert!(endpoints.len() > 2);
}

#[test]
fn a_config_that_cannot_be_read_is_told_of_and_hides_no_other_place() {
    let dir = tempfile::tempdir().unwrap();
    use_context(dir.path(), "colima", "unix:///colima.sock");
    std::fs::write(dir.path().join(".docker/config.json"), "{").unwrap();
    let endpoints = at_home(dir.path()).endpoints(EngineKind::Docker);
    assert!(endpoints[0].address.clone().unwrap_err().contains("config.json"));
    assert!(endpoints.len() > 2);
}

#[cfg(unix)]
#[test]
fn one_socket_under_two_names_is_asked_once() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    std::fs::create_dir_all(run.join("podman")).unwrap();
    std::fs::create_dir_all(dir.path().join(".docker/run")).unwrap();
    let socket = run.join("podman/podman.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink(&socket, run.join("docker.sock")).unwrap();
    std::os::unix::fs::symlink(&socket, dir.path().join(".docker/run/docker.sock")).unwrap();
    let endpoints = at_home(dir.path()).endpoints(EngineKind::Any);
    let real: Vec<&Endpoint> =
        endpoints.iter().filter(|one| one.name.contains(dir.path().to_str().unwrap())).collect();
    let there = real.iter().filter(|one| matches!(&one.address, Ok(Address::Socket(path)) if path.exists()));
    let there: Vec<_> = there.map(|one| (one.name.as_str(), one.engine)).collect();
    let name = format!("unix://{}", run.join("docker.sock").display());
    assert_eq!(there, [(name.as_str(), Engine::Podman)]);
}

#[test]
fn machines_of_podman_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let machines = dir.path().join(".local/share/containers/podman/machine");
    for name in ["b", "a", "empty"] {
        std::fs::create_dir_all(machines.join(name)).unwrap();
    }
    for name in ["a", "b"] {
        std::fs::write(machines.join(name).join("podman.sock"), "").unwrap();
    }
    let found = names(&at_home(dir.path()), EngineKind::Podman);
    let found: Vec<_> = found.iter().filter_map(|name| name.split("machine/").nth(1)).collect();
    assert_eq!(found, ["a/podman.sock", "b/podman.sock"]);
}

#[test]
fn certificates_of_the_environment_are_for_the_host_of_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let sockets = EngineSockets {
        docker_host: Some("tcp://127.0.0.1:2376".to_owned()),
        docker_certificates: Some(dir.path().to_owned()),
        ..EngineSockets::default()
    };
    let missing = sockets.endpoints(EngineKind::Docker);
    assert!(missing[0].address.clone().unwrap_err().contains("ca.pem is missing"));
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::write(dir.path().join(name), "x").unwrap();
    }
    let found = sockets.endpoints(EngineKind::Docker);
    assert!(matches!(found[0].address, Ok(Address::Tls { .. })));
}
