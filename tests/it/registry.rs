//! The registry client against the strict registry, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use idpbuilder_push::content::Blob;
use idpbuilder_push::event::{Event, Events, Meter};
use idpbuilder_push::oci::{Digest, Manifest, Repository, sha256};
use idpbuilder_push::port::{
    Credential, Hashed, Identity, Keychain, KeychainError, ManifestName, NetworkFault, NoCache, Origin,
    Refusal, RegistryError, RegistryReader, RegistryWriter, Scheme, Secret, Stored, Upload,
};
use idpbuilder_push::registry::{Dialect, Options, Policy, RegistryClient, Trust, TrustedRealm};
use tokio_util::sync::CancellationToken;

use crate::kit::registry::{Fault, Login, Match, PASSWORD, Registry, Scope, Settings, Then, USER, User};

mod faults;
mod resume;
mod tls;

struct Logins(Option<Credential>);

#[async_trait]
impl Keychain for Logins {
    async fn credential(
        &self,
        origin: &Origin,
        _: Option<&Repository>,
    ) -> Result<Option<Credential>, KeychainError> {
        assert!(self.0.as_ref().is_none_or(|login| login.origin == *origin));
        Ok(self.0.clone())
    }
}

fn password(name: &str, password: &str) -> Identity {
    Identity::Password { username: name.into(), password: Secret::new(password.into()) }
}

struct Setting<'a> {
    registry: &'a Registry,
    scheme: Scheme,
    identity: Option<Identity>,
    second: Option<Identity>,
    options: Box<dyn Fn(Options) -> Options>,
}

impl<'a> Setting<'a> {
    fn anonymous(registry: &'a Registry) -> Self {
        Self {
            registry,
            scheme: Scheme::Http,
            identity: None,
            second: None,
            options: Box::new(|options| options),
        }
    }

    fn administrator(registry: &'a Registry) -> Self {
        Self { identity: Some(password(USER, PASSWORD)), ..Self::anonymous(registry) }
    }

    fn client(self) -> Client {
        self.client_for("127.0.0.1")
    }

    fn client_for(self, host: &str) -> Client {
        let origin = Origin::new(self.scheme, host, self.registry.port());
        let login = self.identity.map(|identity| Credential {
            origin: origin.clone(),
            identity,
            source: "the test".into(),
            second: self.second,
        });
        let (events, received) = Events::channel();
        let cancel = CancellationToken::new();
        let options = Options {
            trust: Trust::Only(Vec::new()),
            policy: Policy { max_wait: Duration::from_millis(20), ..Policy::default() },
            events,
            cancel: cancel.clone(),
            ..Options::new(origin, Arc::new(Logins(login)), Arc::new(NoCache))
        };
        let registry = RegistryClient::new((self.options)(options)).unwrap();
        Client { registry, cancel, meter: Meter::default(), events: received }
    }
}

struct Client {
    registry: RegistryClient,
    cancel: CancellationToken,
    meter: Meter,
    events: tokio::sync::mpsc::UnboundedReceiver<Event>,
}

impl Client {
    async fn upload(&self, repository: &str, content: &[u8]) -> Result<Stored, RegistryError> {
        self.upload_as(repository, content, &sha256(content), None).await
    }

    async fn upload_as(
        &self,
        repository: &str,
        content: &[u8],
        digest: &Digest,
        from: Option<&str>,
    ) -> Result<Stored, RegistryError> {
        let repository: Repository = repository.parse().unwrap();
        let from: Option<Repository> = from.map(|from| from.parse().unwrap());
        // As a push does: asked for before it is sent.
        if self.registry.blob(&repository, digest).await?.is_some() {
            return Ok(Stored::Mounted);
        }
        let upload = Upload {
            repository: &repository,
            digest,
            blob: &Blob::Memory(Bytes::copy_from_slice(content)),
            hashed: Hashed::OnTheWay,
            mount_from: from.as_ref(),
            meter: &self.meter,
            cancel: &self.cancel,
        };
        self.registry.upload(&upload).await
    }

    /// Without a question before it.
    async fn send(&self, repository: &str, content: &[u8]) -> Result<Stored, RegistryError> {
        let upload = Upload {
            repository: &repository.parse().unwrap(),
            digest: &sha256(content),
            blob: &Blob::Memory(Bytes::copy_from_slice(content)),
            hashed: Hashed::OnTheWay,
            mount_from: None,
            meter: &self.meter,
            cancel: &self.cancel,
        };
        self.registry.upload(&upload).await
    }

    async fn put(&self, repository: &str, name: &ManifestName, text: &str) -> Result<(), RegistryError> {
        let manifest = Manifest::from_bytes(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        self.registry.put_manifest(&repository.parse().unwrap(), name, &manifest, &self.meter).await
    }

    fn reasons(&mut self) -> Vec<String> {
        let mut reasons = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let Event::Retrying { reason, .. } = event {
                reasons.push(reason);
            }
        }
        reasons
    }
}

/// Bytes that do not repeat, so that a wrong offset shows.
fn content(len: usize) -> Vec<u8> {
    (0..len as u64)
        .flat_map(|i| (i / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(len)
        .collect()
}

fn both() -> [Settings; 2] {
    [Registry::distribution(), Registry::gitea()]
}

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}"#;

fn tag(text: &str) -> ManifestName {
    ManifestName::Tag(text.parse().unwrap())
}

#[tokio::test]
async fn blobs_of_any_size_arrive_in_both_manners() {
    for settings in both() {
        let registry = settings.start();
        let client = Setting::administrator(&registry).client();
        for len in [0, 1, 300_000, 17 << 20, 40 << 20] {
            let bytes = content(len);
            assert_eq!(client.upload("giteaadmin/web", &bytes).await.unwrap(), Stored::Uploaded);
            let digest = sha256(&bytes).to_string();
            assert_eq!(registry.blob("giteaadmin/web", &digest).as_deref(), Some(&bytes[..]));
        }
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn gitea_gets_a_small_blob_in_one_request_after_the_login() {
    let registry = Registry::gitea().start();
    let client = Setting::administrator(&registry).client();
    client.upload("giteaadmin/web", b"small").await.unwrap();
    assert_eq!((registry.count("POST"), registry.count("PATCH"), registry.count("PUT")), (1, 0, 0));
    assert_eq!(registry.lines().iter().filter(|line| line.contains("/v2/token")).count(), 1);
    registry.assert_orderly();
}

#[tokio::test]
async fn a_blob_of_another_repository_is_mounted() {
    for settings in both() {
        let registry = settings.start();
        registry.put_blob("giteaadmin/base", &b"shared"[..]);
        let client = Setting::administrator(&registry).client();
        let digest = sha256(b"shared");
        let stored = client.upload_as("giteaadmin/web", b"shared", &digest, Some("giteaadmin/base")).await;
        stored.unwrap();
        assert!(registry.has_blob("giteaadmin/web", digest.as_ref()));
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn a_declined_mount_is_a_session_that_is_used() {
    let registry = Registry::distribution().start();
    let client = Setting::anonymous(&registry).client();
    let bytes = content(100_000);
    let stored = client.upload_as("web", &bytes, &sha256(&bytes), Some("nothing/there")).await;
    assert_eq!(stored.unwrap(), Stored::Uploaded);
    assert_eq!(registry.count("POST"), 1);
    registry.assert_orderly();
}

#[tokio::test]
async fn a_cut_upload_goes_on_where_the_registry_says() {
    let registry = Registry::distribution().start();
    registry.script(Match::method("PATCH"), Fault::ResetMidBody(5 << 20));
    let mut client = Setting::anonymous(&registry).client();
    let bytes = content(20 << 20);
    client.upload("web", &bytes).await.unwrap();
    assert!(registry.bytes_received() < (21 << 20), "{} bytes", registry.bytes_received());
    assert_eq!(client.reasons().len(), 1);
    registry.assert_orderly();
}

#[tokio::test]
async fn faults_that_pass_do_not_fail_an_upload() {
    for (method, fault) in [
        ("POST", Fault::status(503)),
        ("POST", Fault::ResetBeforeAnswer),
        ("POST", Fault::AnswerLost),
        ("PATCH", Fault::status(500)),
        ("PATCH", Fault::status(502)),
        ("PATCH", Fault::AnswerLost),
        ("PATCH", Fault::ResetMidBody(1000)),
        ("PATCH", Fault::ForgetSessions),
        ("PUT", Fault::status(500)),
        ("PUT", Fault::AnswerLost),
        ("PUT", Fault::status(504)),
        ("HEAD", Fault::status(429)),
    ] {
        for settings in both() {
            let registry = settings.start();
            registry.script(Match::method(method), fault.clone());
            let client = Setting::administrator(&registry).client();
            let bytes = content(17 << 20);
            let stored = client.upload("giteaadmin/web", &bytes).await;
            assert!(stored.is_ok(), "{method} {fault:?}: {stored:?} {:#?}", registry.lines());
            assert!(registry.has_blob("giteaadmin/web", sha256(&bytes).as_ref()), "{method} {fault:?}");
            assert_eq!(registry.violations(), [""; 0], "{method} {fault:?}: {:#?}", registry.lines());
        }
    }
}

#[tokio::test]
async fn a_body_that_is_refused_early_is_sent_in_smaller_pieces() {
    for then in [Then::Swallow, Then::Reset] {
        let registry = Registry::distribution().start();
        let Fault::Answer(too_large) = Fault::status(413) else { unreachable!() };
        registry.script(Match::method("PATCH"), Fault::Early(too_large, then));
        let client = Setting::anonymous(&registry).client();
        let bytes = content(20 << 20);
        client.upload("web", &bytes).await.unwrap();
        let patches = registry.requests().into_iter().filter(|entry| entry.method == "PATCH");
        let ranges: Vec<String> =
            patches.filter_map(|patch| patch.header("content-range").map(str::to_owned)).collect();
        assert_eq!(ranges, ["0-10485759", "10485760-20971519"]);
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn a_body_limit_is_learned_by_itself() {
    let registry = Registry::gitea().behind_nginx().body_limit(4 << 20).start();
    let client = Setting::administrator(&registry).client();
    let bytes = content(20 << 20);
    client.upload("giteaadmin/web", &bytes).await.unwrap();
    registry.assert_orderly();
}

#[tokio::test]
async fn content_that_is_not_its_digest_never_arrives() {
    for settings in both() {
        for len in [1000, 17 << 20] {
            let registry = settings.clone().start();
            let client = Setting::administrator(&registry).client();
            let wrong = sha256(b"something else");
            let error = client.upload_as("giteaadmin/web", &content(len), &wrong, None).await.unwrap_err();
            assert!(matches!(error, RegistryError::SourceDigest { .. }), "{error:?}");
            registry.assert_orderly();
        }
    }
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_renewed_once() {
    let registry = Registry::gitea().token_uses(2).start();
    let client = Setting::administrator(&registry).client();
    let bytes = content(40 << 20);
    client.upload("giteaadmin/web", &bytes).await.unwrap();
    assert!(registry.has_blob("giteaadmin/web", sha256(&bytes).as_ref()));
    assert_eq!(registry.open_sessions(), [""; 0]);
}

#[tokio::test]
async fn a_login_that_was_good_is_tried_again_where_its_token_is_refused_anew() {
    let registry = Registry::gitea().token_uses(2).start();
    let token = Match::method("GET").path_contains("/v2/token").nth(2);
    registry.script(token, Fault::status(401));
    let client = Setting::administrator(&registry).client();
    let bytes = content(40 << 20);
    client.upload("giteaadmin/web", &bytes).await.unwrap();
    assert!(registry.has_blob("giteaadmin/web", sha256(&bytes).as_ref()));
}

#[tokio::test]
async fn a_wrong_password_is_a_failed_login_after_one_request() {
    let registry = Registry::gitea().start();
    let client =
        Setting { identity: Some(password(USER, "wrong")), ..Setting::anonymous(&registry) }.client();
    let error = client.upload("giteaadmin/web", b"x").await.unwrap_err();
    let RegistryError::Unauthorized { status: 401, username, tried, .. } = error else { panic!("{error:?}") };
    assert_eq!((username.as_deref(), &tried[..]), (Some(USER), &["password".to_owned()][..]));
    assert_eq!(registry.lines().iter().filter(|line| line.contains("/v2/token")).count(), 1);
}

#[tokio::test]
async fn the_second_identity_is_tried_once_after_the_first() {
    let user = User::new("drifted", "new password").access_token("made-up-token", Scope::Write);
    let registry = Registry::gitea().user(user).start();
    let login = || Setting {
        identity: Some(password("drifted", "old password")),
        second: Some(password("drifted", "made-up-token")),
        ..Setting::anonymous(&registry)
    };
    login().client().upload("drifted/web", b"x").await.unwrap();
    let stale = Setting { second: Some(password("drifted", "stale")), ..login() };
    let error = stale.client().upload("drifted/web", b"y").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { tried, .. } if tried == ["password", "token"]));
}

#[tokio::test]
async fn a_token_alone_is_giteas_user_name() {
    let user = User::new("dev", "p").access_token("made-up-token", Scope::Write);
    let registry = Registry::gitea().user(user).start();
    let token = Identity::Bearer(Secret::new("made-up-token".into()));
    let client = Setting { identity: Some(token), ..Setting::anonymous(&registry) }.client();
    client.upload("dev/web", b"x").await.unwrap();
    registry.assert_orderly();
}

#[tokio::test]
async fn nobodys_token_is_no_login() {
    let registry = Registry::gitea().start();
    let client = Setting::anonymous(&registry).client();
    let error = client.upload("giteaadmin/web", b"x").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { username: None, .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_right_is_a_refusal_and_no_failed_login() {
    let registry = Registry::gitea().user(User::new("reader", "p").reads_only()).start();
    let client =
        Setting { identity: Some(password("reader", "p")), ..Setting::anonymous(&registry) }.client();
    let error = client.upload("giteaadmin/web", b"x").await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Refused { refusal: Refusal::Denied, status: 401, .. }),
        "{error:?} {:#?}",
        registry.lines()
    );
}

#[tokio::test]
async fn an_owner_that_does_not_exist_is_named_as_such() {
    let registry = Registry::gitea().start();
    let client = Setting::administrator(&registry).client();
    let error = client.upload("nobody/web", b"x").await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused { refusal: Refusal::OwnerUnknown, .. }), "{error:?}");
}

#[tokio::test]
async fn basic_and_bearer_logins_work_elsewhere_too() {
    for login in [Login::Basic, Login::Bearer] {
        let registry = Registry::distribution().login(login).user(User::new("dev", "p")).start();
        let client =
            Setting { identity: Some(password("dev", "p")), ..Setting::anonymous(&registry) }.client();
        client.upload("web", b"x").await.unwrap();
        registry.assert_orderly();
        let wrong =
            Setting { identity: Some(password("dev", "x")), ..Setting::anonymous(&registry) }.client();
        let error = wrong.upload("web", b"y").await.unwrap_err();
        assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_token_server_elsewhere_gets_no_login_unless_it_is_trusted() {
    let registry = Registry::distribution().login(Login::BearerElsewhere).user(User::new("dev", "p")).start();
    let login = || Setting { identity: Some(password("dev", "p")), ..Setting::anonymous(&registry) };
    let error = login().client().upload("web", b"x").await.unwrap_err();
    assert!(matches!(error, RegistryError::Realm { .. }), "{error:?}");
    assert!(!registry.requests().iter().any(|entry| entry.elsewhere));
    let port = registry.token_port().unwrap();
    let trusted = TrustedRealm { registry: registry.address(), realm: format!("127.0.0.1:{port}") };
    let options = Box::new(move |options| Options { trusted_realms: vec![trusted.clone()], ..options });
    Setting { options, ..login() }.client().upload("web", b"x").await.unwrap();
    registry.assert_orderly();
}

#[tokio::test]
async fn an_upload_that_is_sent_to_another_origin_ends() {
    let registry = Registry::distribution().start();
    registry.script(Match::method("POST"), Fault::header("location", "http://127.0.0.2:9/v2/web/x"));
    let client = Setting::anonymous(&registry).client();
    let error = client.upload("web", b"x").await.unwrap_err();
    assert!(matches!(error, RegistryError::ForeignLocation { .. }), "{error:?}");
}

#[tokio::test]
async fn a_manifest_is_put_and_its_digest_compared() {
    for settings in both() {
        let registry = settings.start();
        registry.put_blob("giteaadmin/web", &b"{}"[..]);
        let client = Setting::administrator(&registry).client();
        client.put("giteaadmin/web", &tag("1.0"), MANIFEST).await.unwrap();
        let found = client.registry.manifest(&"giteaadmin/web".parse().unwrap(), &tag("1.0")).await.unwrap();
        assert_eq!(found.unwrap().digest(), &sha256(MANIFEST.as_bytes()));
        registry.script(Match::method("PUT"), Fault::header("docker-content-digest", sha256(b"x").as_ref()));
        let error = client.put("giteaadmin/web", &tag("1.0"), MANIFEST).await.unwrap_err();
        assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_manifest_is_asked_for() {
    let registry = Registry::gitea().start();
    registry.put_blob("giteaadmin/web", &b"{}"[..]);
    registry.script(Match::method("PUT"), Fault::AnswerLost);
    let client = Setting::administrator(&registry).client();
    // Logs in.
    client.registry.manifest(&"giteaadmin/web".parse().unwrap(), &tag("1.0")).await.unwrap();
    client.put("giteaadmin/web", &tag("1.0"), MANIFEST).await.unwrap();
    assert_eq!(registry.count("PUT"), 1);
    registry.assert_orderly();
}

#[tokio::test]
async fn a_manifest_whose_blob_is_missing_is_told_apart() {
    for settings in both() {
        let registry = settings.start();
        registry.lose_blob("giteaadmin/web", "sha256:none");
        let client = Setting::administrator(&registry).client();
        let error = client.put("giteaadmin/web", &tag("1.0"), MANIFEST).await.unwrap_err();
        assert!(matches!(error, RegistryError::Refused { refusal: Refusal::BlobUnknown, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_registry_that_is_away_for_a_while_is_waited_for() {
    let registry = Registry::distribution().start();
    registry.refuse_connections();
    let mut client = Setting::anonymous(&registry).client();
    let upload = client.upload("web", b"x");
    let back = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        registry.accept_connections();
    };
    tokio::join!(upload, back).0.unwrap();
    assert!(client.reasons()[0].contains("refused"));
}

#[tokio::test]
async fn a_stalled_transfer_is_noticed_and_goes_on() {
    let registry = Registry::distribution().receive_buffer(64 << 10).start();
    registry.script(Match::method("PATCH"), Fault::StopReading(1 << 20));
    let options = Box::new(|options: Options| Options {
        policy: Policy { stall: Duration::from_millis(200), ..options.policy },
        ..options
    });
    let mut client = Setting { options, ..Setting::anonymous(&registry) }.client();
    let bytes = content(40 << 20);
    client.upload("web", &bytes).await.unwrap();
    assert!(registry.has_blob("web", sha256(&bytes).as_ref()));
    assert!(client.reasons().iter().any(|reason| reason.contains("no byte moved")), "stalled");
}

/// Cancels as soon as somebody is asked for a session.
async fn cancel_at_post(registry: &Registry, client: &Client) {
    while registry.count("POST") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.cancel.cancel();
}

#[tokio::test]
async fn cancelling_closes_a_session_whose_name_is_not_known_yet() {
    for settings in both() {
        let registry = settings.start();
        registry.script(Match::method("POST"), Fault::Late(Duration::from_millis(100)));
        let client = Setting::administrator(&registry).client();
        let bytes = content(20 << 20);
        let upload = client.send("giteaadmin/web", &bytes);
        let (ended, ()) = tokio::join!(upload, cancel_at_post(&registry, &client));
        assert!(matches!(ended, Err(RegistryError::Cancelled)), "{ended:?}");
        assert_eq!(registry.count("PATCH"), 0, "{:#?}", registry.lines());
        registry.assert_orderly();
    }
}

#[tokio::test]
async fn a_session_that_is_not_opened_is_not_waited_for_when_it_is_cancelled() {
    let registry = Registry::distribution().start();
    registry.script(Match::method("POST"), Fault::Stall);
    let client = Setting::anonymous(&registry).client();
    let bytes = content(20 << 20);
    let upload = client.send("web", &bytes);
    let (ended, ()) = tokio::join!(upload, cancel_at_post(&registry, &client));
    assert!(matches!(ended, Err(RegistryError::Cancelled)), "{ended:?}");
    assert_eq!(registry.lines().len(), 1, "{:#?}", registry.lines());
}

#[tokio::test]
async fn cancelling_closes_the_session() {
    let registry = Registry::distribution().start();
    registry.script(Match::method("PATCH"), Fault::StopReading(1 << 20));
    let client = Setting::anonymous(&registry).client();
    let bytes = content(20 << 20);
    let upload = client.upload("web", &bytes);
    let stop = async {
        while registry.count("PATCH") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.cancel.cancel();
    };
    let (ended, ()) = tokio::join!(upload, stop);
    assert!(matches!(ended, Err(RegistryError::Cancelled)), "{ended:?}");
    assert_eq!(registry.open_sessions(), [""; 0]);
    assert_eq!(registry.count("DELETE"), 1);
}

fn der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

fn trusting(registry: &Registry, trust: Trust) -> Client {
    let options = Box::new(move |options| Options { trust: trust.clone(), ..options });
    Setting { scheme: Scheme::Https, options, ..Setting::anonymous(registry) }
        .client_for("gitea.cnoe.localtest.me")
}

#[tokio::test]
async fn the_clusters_certificate_is_trusted_when_it_is_given_and_for_its_names_only() {
    let registry = Registry::distribution().https("cnoe.localtest.me").start();
    let own = der(&registry.certificate_pem());
    trusting(&registry, Trust::Only(vec![own.clone()])).upload("web", b"x").await.unwrap();
    trusting(&registry, Trust::System { further: vec![own] }).upload("web", b"y").await.unwrap();
    let insecure = trusting(&registry, Trust::Nothing);
    insecure.upload("web", b"z").await.unwrap();
    assert!(insecure.registry.fingerprint().is_some());
}

#[tokio::test]
async fn another_certificate_of_the_same_shape_is_refused_at_once() {
    let registry = Registry::distribution().https("cnoe.localtest.me").start();
    let other = Registry::distribution().https("cnoe.localtest.me").start();
    for trust in [Trust::Only(vec![der(&other.certificate_pem())]), Trust::System { further: Vec::new() }] {
        let mut client = trusting(&registry, trust);
        let error = client.upload("web", b"x").await.unwrap_err();
        let RegistryError::Network { source: NetworkFault::Untrusted { fingerprint, .. }, .. } = &error
        else {
            panic!("{error:?}")
        };
        assert!(fingerprint.is_some());
        assert!(client.reasons().is_empty());
    }
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_for_other_names_is_refused() {
    let registry = Registry::distribution().https("other.example").start();
    let own = der(&registry.certificate_pem());
    let error = trusting(&registry, Trust::Only(vec![own])).upload("web", b"x").await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::Network { source: NetworkFault::WrongName { .. }, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn gitea_is_known_by_its_challenge() {
    let gitea = Registry::gitea().start();
    let plain = Registry::distribution().start();
    assert_eq!(Setting::anonymous(&gitea).client().registry.ask_dialect().await.unwrap(), Dialect::Gitea);
    assert_eq!(Setting::anonymous(&plain).client().registry.ask_dialect().await.unwrap(), Dialect::Spec);
}

#[tokio::test]
async fn many_uploads_at_once_log_in_once() {
    let registry = Registry::gitea().start();
    let client = Setting::administrator(&registry).client();
    let contents: Vec<Vec<u8>> = (1..9).map(|n| content(n * 1000)).collect();
    let uploads = contents.iter().map(|bytes| client.upload("giteaadmin/web", bytes));
    for ended in futures_util::future::join_all(uploads).await {
        ended.unwrap();
    }
    assert_eq!(registry.lines().iter().filter(|line| line.contains("/v2/token")).count(), 1);
    registry.assert_orderly();
}

#[tokio::test]
async fn an_answer_that_drips_is_not_waited_for_byte_by_byte() {
    let registry = Registry::distribution().start();
    let drip = Fault::SlowAnswer { bytes: 1, every: Duration::from_millis(30) };
    registry.script(Match::method("PATCH"), drip);
    let options = Box::new(|options: Options| Options {
        policy: Policy { stall: Duration::from_millis(400), ..options.policy },
        ..options
    });
    let mut client = Setting { options, ..Setting::anonymous(&registry) }.client();
    client.upload("web", &content(100_000)).await.unwrap();
    assert!(client.reasons().iter().any(|reason| reason.contains("no answer")), "given up");
    registry.assert_orderly();
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_for_every_request() {
    let bearer = Registry::distribution().login(Login::Bearer);
    let basic = Registry::distribution().login(Login::Basic);
    for settings in [Registry::gitea(), bearer.user(User::new(USER, "p")), basic.user(User::new(USER, "p"))] {
        let registry = settings.start();
        let client =
            Setting { identity: Some(password(USER, "wrong")), ..Setting::anonymous(&registry) }.client();
        for repository in ["giteaadmin/a", "giteaadmin/b", "giteaadmin/c"] {
            let error = client.upload(repository, b"x").await.unwrap_err();
            assert!(matches!(error, RegistryError::Unauthorized { status: 401, .. }), "{error:?}");
        }
        let with_login =
            registry.requests().into_iter().filter(|entry| entry.header("authorization").is_some());
        assert_eq!(with_login.count(), 1, "{:#?}", registry.lines());
    }
}

#[tokio::test]
async fn a_registry_that_stays_away_is_waited_for_once() {
    let registry = Registry::distribution().start();
    registry.refuse_connections();
    let options = Box::new(|options: Options| Options {
        policy: Policy { max_wait: Duration::ZERO, ..options.policy },
        dialect: Some(Dialect::Spec),
        ..options
    });
    let mut client = Setting { options, ..Setting::anonymous(&registry) }.client();
    let given_up = |ended: Result<Stored, RegistryError>| match ended {
        Err(
            RegistryError::Exhausted { .. }
            | RegistryError::Network { source: NetworkFault::Refused { .. }, .. },
        ) => {}
        ended => panic!("{ended:?}"),
    };
    given_up(client.send("web", b"x").await);
    assert!(client.reasons().len() > 100);
    given_up(client.send("web", b"y").await);
    given_up(client.upload("web", b"z").await);
    assert!(client.reasons().is_empty());
    registry.accept_connections();
    client.upload("web", b"x").await.unwrap();
    registry.refuse_connections();
    registry.reset_connections();
    given_up(client.upload("web", b"y").await);
    assert!(client.reasons().len() > 100, "it had been back");
}

#[tokio::test]
async fn a_session_that_is_slow_to_close_does_not_end_the_upload() {
    let registry = Registry::gitea().start();
    registry.script(Match::method("PATCH").times(2), Fault::status(500));
    registry.script(Match::method("DELETE"), Fault::Late(Duration::from_millis(1200)));
    let client = Setting::administrator(&registry).client();
    assert_eq!(client.upload("giteaadmin/web", &content(17 << 20)).await.unwrap(), Stored::Uploaded);
    registry.assert_orderly();
}

#[tokio::test]
async fn a_manifest_and_the_questions_about_it_have_one_budget() {
    let registry = Registry::distribution().start();
    registry.script(Match::method("PUT").always(), Fault::status(500));
    for first in [1, 4] {
        registry.script(Match::method("HEAD").nth(first).times(2), Fault::status(500));
    }
    let options =
        Box::new(|options: Options| Options { policy: Policy { retries: 3, ..options.policy }, ..options });
    let client = Setting { options, ..Setting::anonymous(&registry) }.client();
    let error = client.put("web", &tag("1"), MANIFEST).await.unwrap_err();
    assert!(matches!(error, RegistryError::Exhausted { attempts: 4, .. }), "{error:?}");
    let lines = registry.lines();
    assert_eq!(lines.iter().filter(|line| line.ends_with("500")).count(), 4, "{lines:#?}");
}

#[tokio::test]
async fn a_body_limit_is_learned_once_for_all_blobs() {
    let registry = Registry::distribution().body_limit(4 << 20).start();
    let client = Setting::anonymous(&registry).client();
    client.upload("web", &content(20 << 20)).await.unwrap();
    registry.clear_log();
    client.upload("web", &content(19 << 20)).await.unwrap();
    assert!(registry.lines().iter().all(|line| !line.ends_with("413")), "{:#?}", registry.lines());
    registry.assert_orderly();
}

#[tokio::test]
async fn a_blob_whose_answer_was_lost_is_found_in_storage_elsewhere() {
    let (registry, storage) = (Registry::distribution().start(), Registry::distribution().start());
    let bytes = content(100_000);
    storage.put_blob("web", bytes.clone());
    registry.script(Match::method("PUT"), Fault::AnswerLost);
    registry.script(Match::method("HEAD").nth(2), Fault::Redirect(storage.origin()));
    let client = Setting::anonymous(&registry).client();
    client.upload("web", &bytes).await.unwrap();
    assert_eq!((registry.count("POST"), storage.count("HEAD")), (1, 1));
    registry.assert_orderly();
}
