use std::time::Duration;

use super::*;
use crate::kit::registry::{Answer, Fault, Greeting, Match, Then};

const OCTETS: &[(&str, &str)] = &[("Content-Type", "application/octet-stream")];

fn start() -> (Registry, Client) {
    let registry = Registry::distribution().start();
    let client = Client::of(&registry);
    (registry, client)
}

/// The first fault happens to the first ping, whatever it is.
fn scripted(fault: Fault) -> (Registry, Client) {
    let (registry, client) = start();
    registry.script(Match::any().path_contains("/v2/"), fault);
    (registry, client)
}

#[test]
fn a_script_acts_on_the_nth_match_and_as_often_as_it_says() {
    let (registry, mut client) = start();
    registry.script(Match::method("GET").path_contains("/v2/").nth(2).times(2), Fault::status(503));
    assert_eq!([(); 4].map(|()| client.get("/v2/").status), [200, 503, 503, 200]);
    registry.script(Match::method("HEAD"), Fault::status(500));
    assert_eq!(client.get("/v2/").status, 200);
    assert_eq!(registry.unused_scripts().len(), 1);
    registry.clear_scripts();
    registry.script(Match::any().always(), Fault::status(502));
    assert_eq!([(); 3].map(|()| client.get("/v2/").status), [502, 502, 502]);
    registry.assert_orderly();
}

#[test]
fn of_two_scripts_the_first_acts_and_both_count() {
    let (registry, mut client) = start();
    registry.script(Match::any(), Fault::status(500));
    registry.script(Match::any().nth(2), Fault::status(502));
    assert_eq!([(); 3].map(|()| client.get("/v2/").status), [500, 502, 200]);
}

#[test]
fn an_answer_replaces_the_work() {
    let (registry, mut client) = start();
    let answer = Answer::refused(429, "TOOMANYREQUESTS", "slow down").with("Retry-After", "1");
    registry.script(Match::method("POST"), Fault::Answer(answer));
    let reply = client.ask("POST", "/v2/web/blobs/uploads/", OCTETS, b"body").unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    assert_eq!(registry.open_sessions(), [""; 0]);
    assert_eq!(client.get("/v2/").status, 200);
    assert_eq!(registry.lines(), ["POST /v2/web/blobs/uploads/ 429", "GET /v2/ 200"]);
    assert_eq!(registry.requests()[0].fault.as_deref(), Some("Answer"));
}

#[test]
fn an_early_answer_comes_before_the_body() {
    for (then, goes_on) in [(Then::Swallow, false), (Then::KeepReading, true)] {
        let (registry, mut client) = scripted(Fault::Early(Answer::html(413, "Too Large"), then));
        client.begin("POST", "/v2/web/blobs/uploads/", &[], 5).unwrap();
        assert_eq!(client.reply("POST").unwrap().status, 413);
        client.write(b"hello").unwrap();
        if goes_on {
            assert_eq!(client.get("/v2/").status, 200);
        } else {
            assert!(client.is_closed());
        }
        assert_eq!(registry.open_sessions(), [""; 0]);
    }
    let (_registry, mut client) = scripted(Fault::Early(Answer::new(413), Then::Reset));
    client.begin("POST", "/v2/web/blobs/uploads/", &[], 5).unwrap();
    // The reset may destroy the answer on its way.
    client.reply("POST").ok();
    assert!(client.is_closed());
}

#[test]
fn a_reset_before_the_answer_leaves_nothing_done() {
    let (registry, mut client) = scripted(Fault::ResetBeforeAnswer);
    let error = client.ask("POST", "/v2/web/blobs/uploads/", &[], b"").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(registry.open_sessions(), [""; 0]);
    assert_eq!(registry.requests()[0].status, None);
}

#[test]
fn a_reset_in_the_middle_of_a_body_keeps_what_was_read() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    registry.script(Match::method("PATCH"), Fault::ResetMidBody(4));
    assert!(client.ask("PATCH", opened.location(), OCTETS, b"hello").is_err());
    let status = Client::of(&registry).get(opened.location());
    assert_eq!(status.header("range"), Some("0-3"));
    assert_eq!(registry.bytes_received(), 4);
}

#[test]
fn a_server_that_stops_reading_takes_no_more_and_says_nothing() {
    let registry = Registry::distribution().receive_buffer(4096).start();
    let mut client = Client::of(&registry);
    let opened = client.post("/v2/web/blobs/uploads/");
    registry.script(Match::method("PATCH"), Fault::StopReading(3));
    client.begin("PATCH", opened.location(), OCTETS, 5).unwrap();
    client.write(b"hello").unwrap();
    let mut other = Client::of(&registry);
    assert_eq!(other.get(opened.location()).header("range"), Some("0-2"));
    registry.reset_connections();
    assert!(client.is_closed());
    assert_eq!(registry.violations(), [""; 0]);
}

#[test]
fn a_stall_takes_everything_and_says_nothing() {
    let (registry, mut client) = scripted(Fault::Stall);
    client.begin("POST", "/v2/web/blobs/uploads/", &[], 5).unwrap();
    client.write(b"hello").unwrap();
    registry.until(|registry| registry.bytes_received() == 5);
    registry.reset_connections();
    assert!(client.is_closed());
    assert_eq!(registry.open_sessions(), [""; 0]);
}

#[test]
fn a_late_answer_comes_and_its_work_is_done() {
    let (registry, mut client) = scripted(Fault::Late(Duration::from_millis(20)));
    assert_eq!(client.post("/v2/web/blobs/uploads/").status, 202);
    assert_eq!(registry.open_sessions().len(), 1);
}

#[test]
fn an_answer_that_is_lost_has_done_its_work() {
    let (registry, mut client) = scripted(Fault::AnswerLost);
    assert!(client.ask("POST", "/v2/web/blobs/uploads/", &[], b"").is_err());
    assert_eq!(registry.open_sessions().len(), 1);
    assert_eq!(registry.lines(), ["POST /v2/web/blobs/uploads/ -"]);
}

#[test]
fn a_connection_can_end_behind_its_answer() {
    let (_registry, mut client) = scripted(Fault::CloseAfterAnswer);
    let reply = client.get("/v2/");
    assert_eq!((reply.status, reply.header("connection")), (200, None));
    assert!(client.is_closed());
    let (_registry, mut client) = scripted(Fault::ResetAfterAnswer);
    client.ask("GET", "/v2/", &[], b"").ok();
    assert!(client.is_closed());
    let registry = Registry::distribution().requests_per_connection(2).start();
    let mut client = Client::of(&registry);
    assert_eq!([(); 2].map(|()| client.get("/v2/").status), [200, 200]);
    assert!(client.is_closed());
}

#[test]
fn a_slow_answer_arrives_whole() {
    let (_registry, mut client) = scripted(Fault::SlowAnswer { bytes: 40, every: Duration::from_millis(1) });
    assert_eq!(client.get("/v2/").text(), "{}");
}

#[test]
fn an_answer_can_be_cut_or_too_long() {
    let (_registry, mut client) = scripted(Fault::TruncatedAnswer(20));
    assert!(client.ask("GET", "/v2/", &[], b"").is_err());
    let (_registry, mut client) = scripted(Fault::TruncatedBody(1));
    assert_eq!(client.ask("GET", "/v2/", &[], b"").unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    let (_registry, mut client) = scripted(Fault::OversizedBody(2 << 20));
    assert_eq!(client.get("/v2/").body.len(), 2 << 20);
    let (_registry, mut client) = scripted(Fault::OversizedHeader(70_000));
    assert_eq!(client.get("/v2/").header("x-large").unwrap().len(), 70_000);
}

#[test]
fn a_header_can_be_another_or_missing() {
    let (_registry, mut client) = scripted(Fault::header("location", "/elsewhere"));
    assert_eq!(client.post("/v2/web/blobs/uploads/").location(), "/elsewhere");
    let (_registry, mut client) = scripted(Fault::NoHeader("Location".to_owned()));
    assert_eq!(client.post("/v2/web/blobs/uploads/").header("location"), None);
}

#[test]
fn a_redirect_keeps_the_path_unless_it_has_its_own() {
    let (_registry, mut client) = scripted(Fault::Redirect("https://other.test".to_owned()));
    assert_eq!(client.get("/v2/?n=1").location(), "https://other.test/v2/?n=1");
    let (_registry, mut client) = scripted(Fault::Redirect("https://other.test/x".to_owned()));
    assert_eq!(client.get("/v2/").location(), "https://other.test/x");
}

#[test]
fn a_damaged_body_has_another_digest() {
    let registry = Registry::distribution().single_posts().start();
    registry.script(Match::method("POST"), Fault::DamagedBody);
    let mut client = Client::of(&registry);
    let target = format!("/v2/web/blobs/uploads/?digest={}", sha256(b"hello"));
    assert_eq!(client.ask("POST", &target, OCTETS, b"hello").unwrap().code(), "DIGEST_INVALID");
    assert_eq!(client.ask("POST", &target, OCTETS, b"hello").unwrap().status, 201);
}

#[test]
fn a_blob_can_be_lost_between_two_requests() {
    let (registry, mut client) = start();
    for blob in [&b"{}"[..], b"layer"] {
        put_blob(&mut client, "web", blob);
    }
    let lost = Fault::LoseBlob("web".to_owned(), sha256(b"layer"));
    registry.script(Match::method("PUT").path_contains("/manifests/"), lost);
    let manifest = manifest_of(&[b"layer"]);
    assert_eq!(put_manifest(&mut client, "web", "1", &manifest).code(), "MANIFEST_BLOB_UNKNOWN");
    put_blob(&mut client, "web", b"layer");
    assert_eq!(put_manifest(&mut client, "web", "1", &manifest).status, 201);
    registry.lose_blob("web", &sha256(b"layer"));
    assert!(!registry.has_blob("web", &sha256(b"layer")));
    registry.assert_orderly();
}

#[test]
fn sessions_can_be_forgotten() {
    let (registry, mut client) = start();
    let opened = client.post("/v2/web/blobs/uploads/");
    registry.script(Match::method("PATCH"), Fault::ForgetSessions);
    assert_eq!(client.patch(opened.location(), None, b"hello").code(), "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn connections_are_refused_for_a_while_and_the_port_stays() {
    let (registry, mut client) = start();
    assert_eq!(client.get("/v2/").status, 200);
    registry.refuse_connections();
    let refused = Client::to_port(registry.port()).map(|_| ()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(client.get("/v2/").status, 200);
    registry.reset_connections();
    assert!(client.is_closed());
    registry.accept_connections();
    assert_eq!(Client::of(&registry).get("/v2/").status, 200);
}

#[test]
fn an_outage_ends_by_itself() {
    let (registry, mut client) = start();
    assert_eq!(client.get("/v2/").status, 200);
    registry.outage(Duration::from_millis(5));
    assert!(client.is_closed());
    assert_eq!(Client::of(&registry).get("/v2/").status, 200);
}

#[test]
fn a_connection_can_be_met_with_a_reset_or_with_silence() {
    let registry = Registry::distribution().start();
    registry.greet(1, Greeting::Reset);
    registry.greet(1, Greeting::Silence);
    let mut reset = Client::of(&registry);
    assert!(reset.ask("GET", "/v2/", &[], b"").is_err());
    let mut silent = Client::of(&registry);
    silent.begin("GET", "/v2/", &[], 0).unwrap();
    registry.until(|registry| registry.connections() == 2);
    registry.reset_connections();
    assert!(silent.is_closed());
    assert_eq!(Client::of(&registry).get("/v2/").status, 200);
}

#[test]
fn a_registry_can_be_dropped_in_a_runtime_while_it_is_asked() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut client = runtime.block_on(async {
        let (registry, mut client) = start();
        registry.script(Match::any(), Fault::Stall);
        client.begin("GET", "/v2/", &[], 0).unwrap();
        registry.until(|registry| registry.count("GET") == 1);
        client
    });
    assert!(client.is_closed());
}
