use proptest::prelude::*;

use super::*;
use crate::cli::failure::LocalError;
use crate::port::Secret;

fn credential(origin: Origin) -> Credential {
    let password = |value: &str| Identity::Password {
        username: "giteaAdmin".to_owned(),
        password: Secret::new(value.to_owned()),
    };
    let second = Some(password("the token"));
    Credential {
        origin,
        identity: password("p\"w"),
        source: "secret gitea/gitea-credential".to_owned(),
        second,
    }
}

fn cluster() -> Credential {
    credential(Origin::new(Scheme::Https, "gitea.cnoe.localtest.me", 8443))
}

fn asked(verb: &str, mut input: &[u8]) -> Result<String, String> {
    let verb = Verb::of(&[verb.into()]);
    said(verb, &mut input, || Ok(Some(cluster()))).map(|text| text.to_string())
}

fn unasked() -> Result<Option<Credential>, Fault> {
    panic!("the cluster was asked")
}

#[test]
fn the_clusters_registry_is_known_by_its_host_and_by_its_url() {
    for server in [
        "gitea.cnoe.localtest.me:8443",
        "GITEA.cnoe.localtest.me:8443",
        "https://gitea.cnoe.localtest.me:8443",
        "https://gitea.cnoe.localtest.me:8443/v2/",
    ] {
        for end in ["", "\n", "\r\n", "\nmore\n"] {
            let text = asked("get", format!("{server}{end}").as_bytes()).unwrap();
            let expected =
                serde_json::json!({ "ServerURL": server, "Username": "giteaAdmin", "Secret": "p\"w" });
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
        }
    }
}

#[test]
fn another_registry_has_no_login() {
    for server in [
        "gitea.cnoe.localtest.me",
        "gitea.cnoe.localtest.me:443",
        "cnoe.localtest.me:8443",
        "http://gitea.cnoe.localtest.me:8443",
        "ftp://gitea.cnoe.localtest.me:8443",
        "https://index.docker.io/v1/",
        "evil@gitea.cnoe.localtest.me:8443",
        "https://gitea.cnoe.localtest.me:8443@evil.example",
        "gitea.cnoe.localtest.me:8443.evil.example",
        "",
    ] {
        assert_eq!(asked("get", server.as_bytes()), Err(format!("{NONE}\n")), "{server}");
    }
}

#[test]
fn a_registry_over_plain_http_is_known_without_a_scheme() {
    let plain = || Ok(Some(credential(Origin::new(Scheme::Http, "localhost", 8080))));
    for (server, known) in
        [("localhost:8080", true), ("http://localhost:8080", true), ("https://localhost:8080", false)]
    {
        assert_eq!(said(Some(Verb::Get), &mut server.as_bytes(), plain).is_ok(), known, "{server}");
    }
}

#[test]
fn the_list_has_users_and_no_secret() {
    assert_eq!(asked("list", b"").unwrap(), "{\"https://gitea.cnoe.localtest.me:8443\":\"giteaAdmin\"}\n");
    assert_eq!(*said(Some(Verb::List), &mut io::empty(), || Ok(None)).unwrap(), "{}\n");
}

#[test]
fn without_a_cluster_there_is_no_login() {
    let none = said(Some(Verb::Get), &mut &b"r.example"[..], || Ok(None));
    assert_eq!(none, Err(format!("{NONE}\n")));
}

#[test]
fn a_cluster_that_fails_is_told_in_one_line_that_docker_does_not_take_for_none() {
    let failing = || Err(Fault::Local(LocalError::Runtime { source: io::ErrorKind::OutOfMemory.into() }));
    for verb in [Verb::Get, Verb::List] {
        let text = said(Some(verb), &mut &b"r.example"[..], failing).unwrap_err();
        assert!(text.lines().count() == 1 && text.contains("doctor") && !text.contains(NONE), "{text}");
    }
}

#[test]
fn changes_are_refused_without_a_look_at_the_cluster() {
    for verb in ["store", "erase", "frobnicate", "--help"] {
        let verb = Verb::of(&[verb.into()]);
        let text = said(verb, &mut &b"{}"[..], unasked).unwrap_err();
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    assert_eq!(Verb::of(&[]), None);
    assert_eq!(Verb::of(&["get".into(), "x".into()]), None);
}

#[test]
fn input_is_bounded_and_must_be_text() {
    for input in [io::repeat(b'a'), io::repeat(0xff)] {
        let mut input = input;
        assert!(said(Some(Verb::Get), &mut input, unasked).unwrap_err().contains("standard input"));
    }
}

proptest! {
    #[test]
    fn any_input_is_answered(input in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(said(Some(Verb::Get), &mut input.as_slice(), || Ok(Some(cluster()))).is_err());
    }
}
