//! Pushes an archive with the library alone: `cargo run --example push -- REGISTRY USER FILE < password`.
//!
//! REGISTRY is `HOST[:PORT]`, with `http://` before it for one without TLS. Images go below the user.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use idpbuilder_push::content::SpoolDir;
use idpbuilder_push::credential::Given;
use idpbuilder_push::event::Events;
use idpbuilder_push::plan::{NameRules, Naming, Owner, RegistryHost};
use idpbuilder_push::port::{Credential, Identity, NoCache, Origin, Scheme, Secret};
use idpbuilder_push::registry::{Dialect, Options, RegistryClient};
use idpbuilder_push::report::PushReport;
use idpbuilder_push::source::{ArchiveKind, Places, Spec, open};
use idpbuilder_push::{Job, World, run};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(registry), Some(user), Some(file), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("usage: push REGISTRY USER FILE < password".into());
    };
    let mut password = String::new();
    std::io::stdin().read_line(&mut password)?;
    let report = push(&registry, &user, password.trim_end(), file.into()).await?;
    for image in &report.images {
        writeln!(std::io::stdout(), "{} {:?}", image.reference, image.status)?;
    }
    match report.errors().next() {
        Some((image, error)) => Err(format!("{}: {error}", image.source).into()),
        None => Ok(()),
    }
}

/// An image that fails is a value in the report; an error is a run that could not go on.
pub(crate) async fn push(
    registry: &str,
    user: &str,
    password: &str,
    archive: PathBuf,
) -> Result<PushReport, Box<dyn Error>> {
    let origin = match registry.strip_prefix("http://") {
        Some(plain) => Origin::parse(Scheme::Http, plain)?,
        None => Origin::parse(Scheme::Https, registry)?,
    };
    // A login is for one origin: a request to another one cannot carry it.
    let login = Given::new(Credential {
        origin: origin.clone(),
        identity: Identity::Password { username: user.into(), password: Secret::new(password.into()) },
        source: "standard input".into(),
        second: None,
    })?;
    let client =
        Arc::new(RegistryClient::new(Options::new(origin.clone(), Arc::new(login), Arc::new(NoCache)))?);
    let rules = match client.ask_dialect().await? {
        Dialect::Gitea => NameRules::Gitea,
        Dialect::Spec => NameRules::Oci,
    };
    let owner = Owner::User(user.into());
    let job = Job::new(Naming { rules, ..Naming::new(RegistryHost(origin.in_references()), owner) });

    let spools = SpoolDir::new(std::env::temp_dir());
    let places = Places::new(spools.clone(), Arc::new(NoCache));
    let archive = Spec::Archive { path: archive, kind: ArchiveKind::Any, name: None };
    let world = World {
        sources: vec![open(archive, &places)],
        reader: client.clone(),
        writer: client,
        index: Arc::new(NoCache),
        spools,
    };
    Ok(run(&job, &world, &Events::none(), &CancellationToken::new()).await?)
}
