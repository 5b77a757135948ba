use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::UnboundedReceiver;

use super::{Chart, Found, REGISTRY, certificate, space};
use crate::cli::checkup::{Check, Need};
use crate::cli::facts::{AuthFacts, Facts, TlsFacts};
use crate::cli::failure::{Failure, Fault, Scene, explain};
use crate::cli::screen::{duration, size};
use crate::cli::settings::DoctorSettings;
use crate::cli::wire::place::Target;
use crate::cli::wire::reach::{client, facts};
use crate::cli::wire::trust::{self, Chosen};
use crate::cli::wire::{Around, login, naming, owner};
use crate::cluster::Topic;
use crate::event::Event;
use crate::job::RunError;
use crate::oci::Repository;
use crate::plan::PlanError;
use crate::registry::{Cancelled, Certificate, Dialect, Entry, Knock, Ping, RegistryClient, Trust};

/// The repository that an upload session is opened in.
const REPOSITORY: &str = "idpbuilder-push-doctor";

/// Clocks that are further apart are told of.
const SKEW: Duration = Duration::from_mins(1);

/// Smallest piece that a layer is sent in, in bytes.
const PIECE: u64 = 1 << 20;

/// What asking the registry takes.
pub(super) struct Examination<'a, 'b> {
    pub(super) settings: &'a DoctorSettings,
    pub(super) around: Around<'a>,
    pub(super) scene: Scene<'a>,
    /// What the parts warn of.
    pub(super) said: &'b mut UnboundedReceiver<Event>,
}

/// The login of the run, or why there is none.
struct Credentials {
    found: login::Found,
    fault: Option<Fault>,
}

impl Examination<'_, '_> {
    /// Gives the check of the clock back, which comes last.
    pub(super) async fn run(&mut self, found: &Found, chart: &mut Chart<'_>) -> (Option<Facts>, Check) {
        let (reach, target) = (&self.settings.reach, &found.target);
        let trust = match trust::of(reach, target) {
            Ok(trust) => trust,
            Err(fault) => return (None, self.stuck(&fault, chart)),
        };
        let owner = self.settings.names.owner.as_deref();
        let credentials = match login::find(reach, owner, target, self.around).await {
            Ok(found) => Credentials { found, fault: None },
            Err(fault) => Credentials { found: login::Found::none(), fault: Some(fault) },
        };
        let facts = facts(target, trust.facts, &credentials.found);
        let scene = Scene { facts: Some(&facts), ..self.scene };
        let client = match client(reach, target, &trust, (&credentials.found, self.around)) {
            Ok(client) => Arc::new(client),
            Err(error) => return (Some(facts), self.stuck(&Fault::Trust(error), chart)),
        };
        chart.add(certificate::examine(target, &trust, &scene));
        let ping = self.connect(&client, &trust, &facts, chart).await;
        let clock = self.enter(found, &credentials, (&client, &facts), (ping, chart)).await;
        chart.add(body_limit(target));
        (Some(facts.connected_to(client.address())), clock)
    }

    /// Without anything to check a certificate with, nothing is connected to.
    fn stuck(&self, fault: &Fault, chart: &mut Chart<'_>) -> Check {
        let [certificate, rest @ ..] = REGISTRY;
        chart.add(Check::failed(certificate, explain(fault, &self.scene)));
        chart.wait(&rest, certificate);
        Check::waits(Need::Clock, certificate)
    }

    /// Name, TCP, TLS, and whether a registry answers.
    async fn connect(
        &mut self,
        client: &RegistryClient,
        trust: &Chosen,
        facts: &Facts,
        chart: &mut Chart<'_>,
    ) -> Result<Ping, Need> {
        let scene = Scene { facts: Some(facts), ..self.scene };
        let knock = client.knock().await;
        let mut checks: Vec<Check> = self.name(&knock).into_iter().chain(tcp(&knock)).collect();
        let failed = [Need::Name, Need::Tcp, Need::Tls].get(checks.len()).copied().unwrap_or(Need::Tls);
        let failed = match knock.outcome {
            Ok(()) => {
                checks.push(tls(trust, knock.shown.as_deref()));
                None
            }
            Err(error) => {
                let failure = explain(&error.into(), &scene);
                checks.push(Check::failed(failed, showing(failure, knock.shown.as_deref())));
                Some(failed)
            }
        };
        for check in checks {
            chart.add(check);
        }
        if let Some(failed) = failed {
            let rest = [Need::Tcp, Need::Tls, Need::Registry].into_iter().filter(|need| *need > failed);
            chart.wait(&rest.collect::<Vec<Need>>(), failed);
            return Err(failed);
        }
        match client.ping().await {
            Ok(ping) => {
                chart.add(Check::passed(Need::Registry, registry(ping)));
                Ok(ping)
            }
            Err(error) => {
                chart.add(Check::failed(Need::Registry, explain(&error.into(), &scene)));
                Err(Need::Registry)
            }
        }
    }

    /// `None` where it does not resolve.
    fn name(&mut self, knock: &Knock) -> Option<Check> {
        let addresses: Vec<String> = knock.addresses.iter().map(|address| address.ip().to_string()).collect();
        if addresses.is_empty() {
            return None;
        }
        let proxy = knock.proxy.as_ref().map(|proxy| format!("proxy {proxy}: ")).unwrap_or_default();
        let seen = format!("{proxy}{}", addresses.join(", "));
        Some(Check::seen(Need::Name, seen, self.warnings()))
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        while let Ok(event) = self.said.try_recv() {
            if let Event::Warning(text) = event {
                warnings.push(text);
            }
        }
        warnings
    }

    /// Login and right to write. Gives the check of the clock back.
    async fn enter(
        &self,
        found: &Found,
        credentials: &Credentials,
        (client, facts): (&Arc<RegistryClient>, &Facts),
        (ping, chart): (Result<Ping, Need>, &mut Chart<'_>),
    ) -> Check {
        let scene = Scene { facts: Some(facts), ..self.scene };
        let ping = match ping {
            Ok(ping) => ping,
            Err(ground) => {
                chart.wait(&[Need::Login, Need::Write, Need::Space], ground);
                return Check::waits(Need::Clock, ground);
            }
        };
        let clock = clock(ping, SystemTime::now());
        if let Some(missing) = found.missing {
            chart.wait(&[Need::Login, Need::Write, Need::Space], missing);
            return clock;
        }
        let repository = self.repository(&found.target, credentials, client).await;
        let login = match &credentials.fault {
            Some(fault) => Err(explain(fault, &scene)),
            None => log_in(client, repository.as_ref().ok(), facts, &scene).await,
        };
        let has_entered = login.is_ok();
        chart.add(login.unwrap_or_else(|failure| Check::failed(Need::Login, failure)));
        if has_entered {
            chart.add(write(client, repository, &scene).await);
            let owner = self.settings.names.owner.as_deref();
            let whose = (&found.target, &credentials.found, owner);
            chart.add(space::examine(client, ping.dialect, whose, &scene).await);
        } else {
            chart.wait(&[Need::Write, Need::Space], Need::Login);
        }
        clock
    }

    /// Where a push would put an image of that name.
    async fn repository(
        &self,
        target: &Target,
        credentials: &Credentials,
        client: &RegistryClient,
    ) -> Result<Repository, Fault> {
        let dialect = client.ask_dialect().await?;
        let names = self.settings.names.clone();
        let owner = owner(&names, target, &credentials.found, dialect)?;
        let naming = naming(names, owner, target, dialect);
        naming.repository_of(REPOSITORY).map_err(|error| RunError::Plan(PlanError::Target(error)).into())
    }
}

/// A failure with the certificate that was shown, if it came to that.
fn showing(mut failure: Failure, shown: Option<&[u8]>) -> Failure {
    if let Some(certificate) = shown.and_then(Certificate::read) {
        failure.details.push(format!("The server shows one {}.", certificate::told(&certificate)));
    }
    failure
}

/// `None` where nobody took the connection.
fn tcp(knock: &Knock) -> Option<Check> {
    knock.connected.map(|address| Check::passed(Need::Tcp, address.to_string()))
}

fn tls(trust: &Chosen, shown: Option<&[u8]>) -> Check {
    let read = shown.filter(|_| trust.facts != TlsFacts::Plain).and_then(Certificate::read);
    let Some(certificate) = read else {
        return Check::skipped(Need::Tls, "plain HTTP: all of it, the login too, can be read on the way");
    };
    let told = certificate::told(&certificate);
    let seen = match &trust.trust {
        Trust::Only(pinned) if pinned.iter().any(|der| Some(der.as_slice()) == shown) => {
            "the server shows the cluster's certificate".to_owned()
        }
        Trust::Nothing => format!("a certificate {told}, SHA-256 {}", certificate.fingerprint),
        Trust::Only(_) | Trust::System { .. } => format!("a certificate {told}"),
    };
    Check::passed(Need::Tls, seen)
}

fn registry(ping: Ping) -> String {
    let kind = if ping.dialect == Dialect::Gitea { "Gitea" } else { "a registry" };
    let asks = if ping.status == 401 { "asks for a login" } else { "lets anybody ask" };
    format!("{kind} answers, and {asks}")
}

async fn log_in(
    client: &RegistryClient,
    repository: Option<&Repository>,
    facts: &Facts,
    scene: &Scene<'_>,
) -> Result<Check, Failure> {
    // Where an image cannot be named, the login can be tried all the same.
    let any = REPOSITORY.parse().ok();
    let Some(repository) = repository.or(any.as_ref()) else {
        return Ok(Check::skipped(Need::Login, "nothing to log in for"));
    };
    let entered = client.log_in(repository).await;
    let entry = entered.map_err(|error| explain(&error.into(), scene))?;
    Ok(entry_check(entry, &facts.auth))
}

fn entry_check(entry: Entry, auth: &AuthFacts) -> Check {
    let user = auth.username.as_deref().map_or("a token".to_owned(), |user| format!("user {user}"));
    match entry {
        Entry::Open => Check::passed(Need::Login, "it asks for none"),
        Entry::Nobody => Check::passed(Need::Login, "none is known, and it lets nobody in as well"),
        Entry::First => Check::passed(Need::Login, format!("{user} of {}", auth.source)),
        Entry::Second => Check::seen(
            Need::Login,
            format!("{user} of {}, by its token", auth.source),
            vec![
                "Its password is refused: it has drifted from Gitea's (cnoe-io/idpbuilder#489).".to_owned(),
                "`idpbuilder create` with the flags used before writes it anew.".to_owned(),
            ],
        ),
    }
}

async fn write(client: &RegistryClient, repository: Result<Repository, Fault>, scene: &Scene<'_>) -> Check {
    let tried = match repository {
        Ok(repository) => match client.try_write(&repository).await {
            Ok(cancelled) => Ok((repository, cancelled)),
            Err(error) => Err(error.into()),
        },
        Err(fault) => Err(fault),
    };
    match tried {
        Err(fault) => Check::failed(Need::Write, explain(&fault, scene)),
        Ok((repository, Cancelled::Gone)) => {
            Check::passed(Need::Write, format!("{repository}: an upload was opened and cancelled"))
        }
        Ok((repository, Cancelled::Left)) => Check::seen(
            Need::Write,
            format!("{repository}: an upload was opened"),
            vec!["It could not be cancelled; the registry forgets it by itself.".to_owned()],
        ),
    }
}

fn body_limit(target: &Target) -> Check {
    let Some(cluster) = target.cluster() else {
        return Check::skipped(Need::BodyLimit, "known for a cluster's own registry only");
    };
    let notes = cluster.notes.iter().filter(|note| note.about == Topic::BodyLimit);
    let mut said: Vec<String> = notes.map(|note| note.text.clone()).collect();
    let Some(limit) = cluster.body_limit else {
        return Check::seen(Need::BodyLimit, "none", said);
    };
    if limit < PIECE {
        said.push(format!("layers are sent in pieces of {} at least", size(PIECE)));
    }
    Check::seen(Need::BodyLimit, format!("{} a request; larger layers go in pieces", size(limit)), said)
}

/// Tokens are measured by the registry's own clock, so that only certificates are judged by ours.
fn clock(ping: Ping, now: SystemTime) -> Check {
    let Some(date) = ping.date else {
        return Check::skipped(Need::Clock, "the registry does not tell its time");
    };
    let (apart, way) = match now.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if apart <= SKEW {
        return Check::passed(Need::Clock, "less than a minute from the registry's");
    }
    Check::seen(
        Need::Clock,
        format!("{} {way} the registry's", duration(apart)),
        vec![
            "A push does without it, but certificates are judged by this clock, and by that of the cluster."
                .to_owned(),
        ],
    )
}
