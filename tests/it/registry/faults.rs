//! Faults over real sockets, by the numbers of `docs/faults.md`: those that pass fail no upload, and those that
//! do not pass end it at once.

use super::*;
use crate::kit::registry::{Answer, Greeting};

/// Times so short that a fault by silence is one soon.
fn hasty(registry: &Registry) -> Setting<'_> {
    let options = Box::new(|options: Options| Options {
        policy: Policy { stall: Duration::from_millis(150), ..options.policy },
        ..options
    });
    Setting { options, ..Setting::administrator(registry) }
}

/// Two chunks on Gitea.
fn large() -> Vec<u8> {
    content(17 << 20)
}

/// The blob arrives in spite of the fault, in the manner of distribution and in Gitea's.
async fn survived(number: u32, when: &Match, fault: &Fault) {
    for settings in both() {
        let registry = settings.start();
        registry.script(when.clone(), fault.clone());
        let bytes = large();
        let stored = hasty(&registry).client().upload("giteaadmin/web", &bytes).await;
        let scene = format!("{number} {fault:?} on {when:?}: {stored:?} {:#?}", registry.lines());
        assert!(stored.is_ok(), "{scene}");
        assert!(registry.has_blob("giteaadmin/web", sha256(&bytes).as_ref()), "{scene}");
        assert_eq!(registry.violations(), [""; 0], "{scene}");
        assert_eq!(registry.open_sessions(), [""; 0], "{scene}");
        assert_eq!(registry.unused_scripts(), [""; 0], "{scene}");
    }
}

/// The upload ends with an error after a few requests, and nothing was stored.
async fn ended(number: u32, when: &Match, fault: &Fault) -> Vec<RegistryError> {
    let mut errors = Vec::new();
    for settings in both() {
        let registry = settings.start();
        registry.script(when.clone(), fault.clone());
        let bytes = large();
        let ended = hasty(&registry).client().upload("giteaadmin/web", &bytes).await;
        let scene = format!("{number} {fault:?} on {when:?}: {ended:?} {:#?}", registry.lines());
        assert!(!registry.has_blob("giteaadmin/web", sha256(&bytes).as_ref()), "{scene}");
        assert!(registry.requests().len() < 40, "{scene}");
        assert_eq!(registry.violations(), [""; 0], "{scene}");
        errors.push(ended.expect_err(&scene));
    }
    errors
}

fn patch() -> Match {
    Match::method("PATCH")
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Fault {
    let answer = Answer::new(status);
    Fault::Answer(headers.iter().fold(answer, |answer, (name, value)| answer.with(name, *value)))
}

#[tokio::test]
async fn answers_that_pass_fail_no_upload() {
    for (number, when, fault) in [
        (3, patch(), Fault::Early(Answer::new(503), Then::Reset)),
        (22, patch(), Fault::status(408)),
        (23, patch(), Fault::status(409)),
        (23, Match::method("PUT"), Fault::status(409)),
        (31, Match::method("POST"), Fault::status(500)),
        (33, patch(), Fault::status(504)),
        (33, Match::method("POST"), Fault::status(504)),
    ] {
        survived(number, &when, &fault).await;
    }
}

#[tokio::test]
async fn a_wait_may_be_named_in_every_form_or_in_none() {
    for value in ["0", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", "-1", "99999999999999999999", ""] {
        survived(30, &Match::method("POST"), &answer(429, &[("Retry-After", value)])).await;
    }
    survived(30, &patch(), &answer(429, &[])).await;
}

#[tokio::test]
async fn a_session_is_followed_though_its_headers_are_odd() {
    for (number, fault) in [
        (28, Fault::NoHeader("range".to_owned())),
        (28, Fault::header("range", "0-0")),
        (28, Fault::header("range", "bytes=0-nonsense")),
        (29, Fault::NoHeader("location".to_owned())),
    ] {
        survived(number, &patch(), &fault).await;
    }
}

#[tokio::test]
async fn a_location_of_any_form_is_followed() {
    // Distribution's are absolute and have a query, Gitea's are relative.
    for settings in both() {
        let registry = settings.start();
        hasty(&registry).client().upload("giteaadmin/web", &large()).await.unwrap();
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn a_registry_without_a_method_is_asked_by_another() {
    let registry = Registry::distribution().start();
    registry.script(patch().always(), Fault::status(405));
    let client = hasty(&registry).client();
    client.upload("web", &large()).await.unwrap();
    assert!(registry.has_blob("web", sha256(&large()).as_ref()));
    registry.clear_scripts();
    registry.script(Match::method("HEAD").always(), Fault::status(405));
    client.upload("web", b"small").await.unwrap();
    assert!(registry.has_blob("web", sha256(b"small").as_ref()), "{:#?}", registry.lines());
    assert_eq!(registry.violations(), [""; 0]);
}

#[tokio::test]
async fn every_body_has_a_length() {
    for settings in both() {
        let registry = settings.length_required().start();
        hasty(&registry).client().upload("giteaadmin/web", &large()).await.unwrap();
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn a_416_with_a_range_says_where_to_go_on() {
    let registry = Registry::distribution().full_refusals().start();
    registry.script(patch(), Fault::AnswerLost);
    let bytes = large();
    hasty(&registry).client().upload("web", &bytes).await.unwrap();
    assert!(registry.bytes_received() < 2 * bytes.len() as u64, "{:#?}", registry.lines());
    registry.assert_orderly();
}

#[tokio::test]
async fn a_registry_that_says_nothing_is_left_for_a_new_connection() {
    for when in [Match::method("POST"), patch(), Match::method("HEAD")] {
        survived(37, &when, &Fault::Stall).await;
    }
    survived(36, &patch(), &Fault::StopReading(1000)).await;
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_believed() {
    for bytes in [0, 10, 60] {
        survived(38, &patch(), &Fault::TruncatedAnswer(bytes)).await;
        // Nobody but the registry knows of the session that was opened.
        let registry = Registry::distribution().start();
        registry.script(Match::method("POST"), Fault::TruncatedAnswer(bytes));
        hasty(&registry).client().upload("web", &large()).await.unwrap();
        assert!(registry.has_blob("web", sha256(&large()).as_ref()));
        assert_eq!(registry.open_sessions().len(), 1);
    }
    let registry = Registry::gitea().start();
    registry.script(Match::any().path_contains("/v2/token"), Fault::TruncatedBody(20));
    hasty(&registry).client().upload("giteaadmin/web", b"x").await.unwrap();
    registry.assert_orderly();
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_left() {
    for fault in [Fault::OversizedHeader(1 << 20), Fault::OversizedBody(64 << 20)] {
        let registry = Registry::distribution().start();
        registry.script(Match::method("GET").always(), fault.clone());
        registry.script(Match::method("HEAD").always(), fault.clone());
        let client = hasty(&registry).client();
        let name = tag("1");
        let asked = client.registry.manifest(&"web".parse().unwrap(), &name).await;
        assert!(!matches!(asked, Ok(Some(_))), "{fault:?}: {asked:?}");
    }
    let registry = Registry::gitea().start();
    registry.script(Match::any().path_contains("/v2/token").always(), Fault::OversizedBody(64 << 20));
    let error = hasty(&registry).client().upload("giteaadmin/web", b"x").await.unwrap_err();
    assert!(!error.to_string().is_empty());
}

#[tokio::test]
async fn bytes_that_change_on_the_way_are_sent_once_more() {
    survived(42, &patch(), &Fault::DamagedBody).await;
    let errors = ended(42, &patch().always(), &Fault::DamagedBody).await;
    for error in errors {
        assert!(
            matches!(error, RegistryError::Refused { .. } | RegistryError::Exhausted { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn requests_that_are_refused_for_their_form_end_at_once() {
    for (number, status) in [(24, 411), (24, 415), (26, 414), (26, 431)] {
        for error in ended(number, &Match::method("POST").always(), &Fault::status(status)).await {
            assert!(
                matches!(error, RegistryError::Refused { status: told, .. } if told == status),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_upload_is_not_redirected_to_another_origin() {
    for method in ["POST", "PATCH", "PUT"] {
        for settings in both() {
            let (registry, other) = (settings.start(), Registry::distribution().start());
            registry.script(Match::method(method).always(), Fault::Redirect(other.origin()));
            let client = Setting::administrator(&registry).client();
            let ended = client.upload("giteaadmin/web", &large()).await;
            let redirected = matches!(
                &ended,
                Err(RegistryError::Refused { refusal: Refusal::Redirected { to }, .. }) if to.starts_with(&other.origin())
            );
            assert!(redirected, "{method}: {ended:?}");
            assert_eq!(other.lines(), [""; 0], "{method}");
        }
    }
}

#[tokio::test]
async fn a_manifest_is_not_redirected_to_another_origin() {
    let (registry, other) = (Registry::gitea().start(), Registry::distribution().start());
    registry.put_blob("giteaadmin/web", &b"{}"[..]);
    registry.script(Match::method("PUT").always(), Fault::Redirect(other.origin()));
    let error = Setting::administrator(&registry).client().put("giteaadmin/web", &tag("1"), MANIFEST).await;
    assert!(error.is_err());
    assert_eq!(other.lines(), [""; 0]);
}

#[tokio::test]
async fn redirects_come_to_an_end() {
    let (registry, other) = (Registry::distribution().start(), Registry::distribution().start());
    registry.script(Match::method("HEAD").always(), Fault::Redirect(other.origin()));
    other.script(Match::method("HEAD").always(), Fault::Redirect(registry.origin()));
    let client = hasty(&registry).client();
    let asked = client.registry.blob(&"web".parse().unwrap(), &sha256(b"x")).await;
    assert!(!matches!(asked, Ok(Some(_))), "{asked:?}");
    assert!(registry.requests().len() + other.requests().len() <= 50, "{:#?}", registry.lines());
}

#[tokio::test]
async fn a_handshake_that_is_cut_is_tried_again() {
    for greeting in [Greeting::Reset, Greeting::Silence] {
        let registry = Registry::distribution().https("cnoe.localtest.me").start();
        registry.greet(1, greeting);
        let own = der(&registry.certificate_pem());
        let options = Box::new(move |options: Options| Options {
            trust: Trust::Only(vec![own.clone()]),
            policy: Policy { stall: Duration::from_millis(150), ..options.policy },
            ..options
        });
        let setting = Setting { scheme: Scheme::Https, options, ..Setting::anonymous(&registry) };
        setting.client_for("gitea.cnoe.localtest.me").upload("web", b"x").await.unwrap();
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn a_server_error_for_a_manifest_is_asked_about_before_it_is_sent_again() {
    let registry = Registry::gitea().start();
    registry.put_blob("giteaadmin/web", &b"{}"[..]);
    registry.script(Match::method("PUT"), Fault::status(500));
    Setting::administrator(&registry).client().put("giteaadmin/web", &tag("1"), MANIFEST).await.unwrap();
    let methods: Vec<String> = registry
        .requests()
        .into_iter()
        .filter(|entry| entry.path.contains("/manifests/"))
        .map(|entry| entry.method)
        .collect();
    assert_eq!(methods.iter().filter(|method| *method == "PUT").count(), 2, "{methods:?}");
    assert!(methods.windows(2).any(|pair| pair == ["HEAD", "PUT"]), "{methods:?}");
    registry.assert_orderly();
}

#[tokio::test]
async fn clocks_that_are_apart_hinder_no_login() {
    for seconds in [-90_000, 90_000] {
        let registry = Registry::gitea().clock_offset(seconds).start();
        Setting::administrator(&registry).client().upload("giteaadmin/web", &large()).await.unwrap();
        assert_eq!(registry.lines().iter().filter(|line| line.contains("/v2/token")).count(), 1);
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn two_pushes_of_one_blob_do_not_hinder_each_other() {
    for settings in both() {
        let registry = settings.start();
        let (first, second) =
            (Setting::administrator(&registry).client(), Setting::administrator(&registry).client());
        let bytes = large();
        let (one, other) =
            tokio::join!(first.send("giteaadmin/web", &bytes), second.send("giteaadmin/web", &bytes));
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
        assert!(registry.has_blob("giteaadmin/web", sha256(&bytes).as_ref()));
        assert_eq!(registry.open_sessions(), [""; 0]);
    }
}
