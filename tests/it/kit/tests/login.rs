use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::*;
use crate::kit::registry::{Certificate, Fault, Login, Manner, Match, Scope, User};

const UPLOADS: &str = "/v2/giteaadmin/web/blobs/uploads/";

fn challenges(reply: &Reply) -> Vec<&str> {
    reply
        .headers
        .iter()
        .filter(|(name, _)| name == "www-authenticate")
        .map(|(_, value)| value.as_str())
        .collect()
}

/// The claims of a token, which is a JWT.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn token_of(client: &mut Client, target: &str) -> String {
    let reply = client.get(target);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["token"].as_str().unwrap().to_owned()
}

#[test]
fn gitea_challenges_with_bearer_and_with_basic() {
    let registry = Registry::gitea().start();
    let reply = Client::of(&registry).get("/v2/");
    assert_eq!(reply.status, 401);
    let realm = format!("http://127.0.0.1:{}/v2/token", registry.port());
    let bearer = format!(r#"Bearer realm="{realm}",service="container_registry",scope="*""#);
    assert_eq!(challenges(&reply)[0], bearer);
    assert!(challenges(&reply)[1].starts_with("Basic "));
    let older = Registry::of(Manner::Gitea124).start();
    assert_eq!(challenges(&Client::of(&older).get("/v2/")).len(), 1);
}

#[test]
fn gitea_gives_a_ghosts_token_to_nobody() {
    let registry = Registry::gitea().start();
    let ghost = token_of(&mut Client::of(&registry), "/v2/token");
    assert_eq!(claims(&ghost)["UserID"], -1);
    let mut client = Client::of(&registry).bearer(&ghost);
    assert_eq!(client.get("/v2/").status, 200);
    let reply = client.post(UPLOADS);
    assert_eq!((reply.status, reply.text().as_str()), (401, "reqPackageAccess"));
    assert_eq!(challenges(&reply), [r#"Basic realm="Gitea Package API""#]);
}

#[test]
fn gitea_gives_a_token_that_says_when_it_ends() {
    let registry = Registry::gitea().start();
    let reply = administrator(&registry).get("/v2/token?scope=ignored");
    assert_eq!(reply.json().as_object().unwrap().len(), 1);
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let claims = claims(&token);
    assert_eq!(claims["UserID"], 1);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap(), 24 * 3600);
    assert_eq!(Client::of(&registry).bearer(&token).post(UPLOADS).status, 202);
    assert_eq!(administrator(&registry).post("/v2/token").status, 404);
}

#[test]
fn a_wrong_password_is_refused_everywhere() {
    let registry = Registry::gitea().start();
    let mut client = Client::of(&registry).basic(USER, "wrong");
    assert_eq!(client.get("/v2/token").status, 401);
    assert_eq!(client.post(UPLOADS).status, 401);
    let older = Registry::of(Manner::Gitea124).start();
    let reply = Client::of(&older).basic(USER, "wrong").get("/v2/token");
    assert_eq!((reply.status, reply.header("content-type")), (401, Some("text/plain; charset=utf-8")));
    assert_eq!(challenges(&reply), [""; 0]);
}

#[test]
fn a_password_alone_does_everything_but_ping_the_older_gitea() {
    let statuses = |manner: Manner| {
        let registry = Registry::of(manner).start();
        let mut client = administrator(&registry);
        (client.get("/v2/").status, client.post(UPLOADS).status, client.head("/v2/").status)
    };
    assert_eq!(statuses(Manner::Gitea), (200, 202, 405));
    assert_eq!(statuses(Manner::Gitea124), (401, 202, 405));
}

#[test]
fn an_access_token_is_a_password_or_a_user_name() {
    let user = User::new("dev", "made-up")
        .access_token("made-up-write", Scope::Write)
        .access_token("made-up-read", Scope::Read)
        .access_token("made-up-none", Scope::Nothing);
    let registry = Registry::gitea().user(user).start();
    let post = |name: &str, password: &str| {
        Client::of(&registry).basic(name, password).post("/v2/dev/web/blobs/uploads/").status
    };
    assert_eq!(post("dev", "made-up-write"), 202);
    assert_eq!(post("made-up-write", ""), 202);
    assert_eq!(post("dev", "made-up-read"), 401);
    assert_eq!(Client::of(&registry).bearer("made-up-write").get("/v2/").status, 401);
    assert_eq!(Client::of(&registry).basic("dev", "made-up-none").get("/v2/token").status, 401);
    let reader = token_of(&mut Client::of(&registry).basic("dev", "made-up-read"), "/v2/token");
    assert_eq!(
        Client::of(&registry).bearer(&reader).post("/v2/dev/web/blobs/uploads/").text(),
        "reqPackageAccess"
    );
}

#[test]
fn rights_end_at_an_owner() {
    let user = User::new("dev", "made-up").writes_only("dev/");
    let registry = Registry::gitea().user(user).owner("team").private("team/").start();
    let mut client = Client::of(&registry).basic("dev", "made-up");
    assert_eq!(client.post("/v2/Dev/web/blobs/uploads/").status, 202);
    assert_eq!(client.post(UPLOADS).text(), "reqPackageAccess");
    assert_eq!(client.head("/v2/giteaadmin/web/manifests/1").status, 404);
    assert_eq!(client.head("/v2/team/web/manifests/1").status, 401);
}

#[test]
fn a_revoked_token_is_refused_and_the_session_lives() {
    let registry = Registry::gitea().start();
    let token = token_of(&mut administrator(&registry), "/v2/token");
    let mut client = Client::of(&registry).bearer(&token);
    let opened = client.post(UPLOADS);
    registry.script(Match::method("PATCH"), Fault::RevokeTokens);
    assert_eq!(client.patch(opened.location(), None, b"hello").status, 401);
    let token = token_of(&mut administrator(&registry), "/v2/token");
    let mut client = Client::of(&registry).bearer(&token);
    assert_eq!(client.patch(opened.location(), None, b"hello").status, 202);
    registry.revoke_tokens();
    assert_eq!(client.get(opened.location()).status, 401);
}

#[test]
fn a_token_ends_by_its_time_or_by_its_uses() {
    let registry = Registry::gitea().token_uses(2).start();
    let token = token_of(&mut administrator(&registry), "/v2/token");
    let mut client = Client::of(&registry).bearer(&token);
    assert_eq!([(); 3].map(|()| client.get("/v2/").status), [200, 200, 401]);
    let registry = Registry::gitea().token_lifetime(Duration::ZERO).start();
    let token = token_of(&mut administrator(&registry), "/v2/token");
    assert_eq!(Client::of(&registry).bearer(&token).get("/v2/").status, 401);
}

#[test]
fn a_clock_that_is_ahead_shows_in_token_and_date() {
    let registry = Registry::gitea().clock_offset(86_400).start();
    let reply = administrator(&registry).get("/v2/token");
    let ours = std::time::SystemTime::now();
    let theirs = httpdate::parse_http_date(reply.header("date").unwrap()).unwrap();
    assert!(theirs.duration_since(ours).unwrap() > Duration::from_secs(86_000));
    let begins = claims(reply.json()["token"].as_str().unwrap())["nbf"].as_u64().unwrap();
    assert!(begins > ours.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 86_000);
}

#[test]
fn basic_asks_for_a_password_and_knows_rights() {
    let user = User::new("dev", "made-up").writes_only("team/");
    let registry = Registry::distribution().login(Login::Basic).user(user).start();
    let reply = Client::of(&registry).get("/v2/");
    assert_eq!((reply.status, challenges(&reply)), (401, vec![r#"Basic realm="Registry Realm""#]));
    let mut client = Client::of(&registry).basic("dev", "made-up");
    assert_eq!(client.get("/v2/").status, 200);
    assert_eq!(client.post("/v2/team/web/blobs/uploads/").status, 202);
    let denied = client.post("/v2/other/web/blobs/uploads/");
    assert_eq!((denied.status, denied.code().as_str()), (403, "DENIED"));
}

#[test]
fn bearer_asks_for_a_token_of_that_repository() {
    let registry = Registry::distribution().login(Login::Bearer).user(User::new("dev", "made-up")).start();
    let reply = Client::of(&registry).post("/v2/web/blobs/uploads/");
    let realm = format!("{}/token", registry.origin());
    let wanted =
        format!(r#"Bearer realm="{realm}",service="registry.test",scope="repository:web:pull,push""#);
    assert_eq!((reply.status, challenges(&reply)), (401, vec![wanted.as_str()]));
    let mut dev = Client::of(&registry).basic("dev", "made-up");
    let answer = dev.get("/token?service=registry.test&scope=repository:web:pull,push").json();
    assert_eq!(answer["expires_in"], 24 * 3600);
    let mut client = Client::of(&registry).bearer(answer["token"].as_str().unwrap());
    assert_eq!(client.post("/v2/web/blobs/uploads/").status, 202);
    let other = client.post("/v2/other/blobs/uploads/");
    assert!(challenges(&other)[0].ends_with(r#"error="insufficient_scope""#), "{other:?}");
    assert_eq!(dev.post("/v2/web/blobs/uploads/").status, 401);
}

#[test]
fn bearer_gives_no_more_than_the_rights() {
    let user = User::new("dev", "made-up").reads_only();
    let registry = Registry::distribution().login(Login::Bearer).user(user).private("secret/").start();
    let token = |client: &mut Client| {
        let both = "scope=repository:web:pull,push&scope=repository:secret/web:pull,push";
        token_of(client, &format!("/token?service=registry.test&{both}"))
    };
    for mut client in [Client::of(&registry).basic("dev", "made-up"), Client::of(&registry)] {
        let mut client = Client::of(&registry).bearer(&token(&mut client));
        assert_eq!(client.head("/v2/web/manifests/1").status, 404);
        assert_eq!(client.post("/v2/web/blobs/uploads/").status, 401);
        assert_eq!(client.head("/v2/secret/web/manifests/1").status, 401);
    }
    assert_eq!(
        Client::of(&registry).basic("dev", "wrong").get("/token?scope=repository:web:pull").status,
        401
    );
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let user = User::new("dev", "made-up").access_token("made-up-identity", Scope::Write);
    let registry = Registry::distribution().login(Login::Bearer).user(user).start();
    let exchange = |token: &str| {
        let form =
            format!("grant_type=refresh_token&refresh_token={token}&scope=repository%3Aweb%3Apull%2Cpush");
        Client::of(&registry).ask("POST", "/token", &[], form.as_bytes()).unwrap()
    };
    let reply = exchange("made-up-identity").json();
    let mut client = Client::of(&registry).bearer(reply["access_token"].as_str().unwrap());
    assert_eq!(client.post("/v2/web/blobs/uploads/").status, 202);
    assert_eq!(exchange("wrong").status, 400);
}

#[test]
fn a_token_server_may_be_another_origin() {
    let user = User::new("dev", "made-up");
    let registry = Registry::distribution().login(Login::BearerElsewhere).user(user).start();
    let port = registry.token_port().unwrap();
    let reply = Client::of(&registry).get("/v2/");
    assert!(challenges(&reply)[0].contains(&format!("realm=\"http://127.0.0.1:{port}/token\"")), "{reply:?}");
    let mut elsewhere = Client::to_port(port).unwrap().basic("dev", "made-up");
    let token = token_of(&mut elsewhere, "/token?scope=repository:web:pull");
    assert_eq!(Client::of(&registry).bearer(&token).head("/v2/web/manifests/1").status, 404);
    let where_from: Vec<bool> = registry.requests().iter().map(|entry| entry.elsewhere).collect();
    assert_eq!(where_from, [false, true, false]);
}

#[test]
fn tls_is_spoken_with_a_certificate_like_idpbuilders() {
    let registry = Registry::gitea().https("localhost").start();
    let reply = Client::of(&registry).get("/v2/");
    assert!(challenges(&reply)[0].contains("realm=\"https://127.0.0.1:"), "{reply:?}");
    assert_eq!(registry.origin(), format!("https://{}", registry.address()));
}

#[test]
fn a_certificate_can_be_out_of_its_time() {
    for certificate in [Certificate::expired("localhost"), Certificate::not_yet_valid("localhost")] {
        let registry = Registry::gitea().certificate(certificate).start();
        let mut client = Client::of(&registry);
        let error = client.ask("GET", "/v2/", &[], b"").unwrap_err().to_string();
        assert!(error.contains("expired") || error.contains("not valid yet"), "{error}");
    }
}
