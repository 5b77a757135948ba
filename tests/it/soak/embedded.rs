//! The library in a process that pushes for a long time. The process is this test binary, started once more, so
//! that what is measured is its own, and the registry is in the other one.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use idpbuilder_push::cache::{CacheFolder, SessionFolder};
use idpbuilder_push::content::SpoolDir;
use idpbuilder_push::credential::Given;
use idpbuilder_push::event::Events;
use idpbuilder_push::plan::{NameRules, Naming, Owner, RegistryHost};
use idpbuilder_push::port::{Credential, Identity, Origin, Scheme, Secret};
use idpbuilder_push::registry::{Dialect, Options, RegistryClient, Trust};
use idpbuilder_push::report::Verdict;
use idpbuilder_push::source::{self, ArchiveKind, Places, Spec};
use idpbuilder_push::{Job, Limits, World, run};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::numbers::{Numbers, Random, variable};
use crate::kit::folder;
use crate::kit::image::{self, Image};
use crate::kit::registry::{PASSWORD, Registry, USER};

const PORT: &str = "IDPBUILDER_PUSH_SOAK_PORT";
const CERTIFICATE: &str = "IDPBUILDER_PUSH_SOAK_CERTIFICATE";
const CHILD: &str = "soak::embedded::the_process_that_pushes";

/// What may come and go: pages that an allocator keeps, and a thread's descriptors.
const KIBIBYTES: u64 = 8 << 10;
const DESCRIPTORS: u64 = 4;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    pushes: u32,
    resident_kibibytes: u64,
    descriptors: u64,
}

impl Held {
    fn by_now(pushes: u32) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident_kibibytes = line.trim().trim_end_matches(" kB").parse().unwrap();
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        Self { pushes, resident_kibibytes, descriptors }
    }

    fn line(self) -> String {
        format!("held {} {} {}", self.pushes, self.resident_kibibytes, self.descriptors)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split_once("held ")?.1.split(' ').map(|word| word.parse::<u64>().unwrap());
        let pushes = u32::try_from(numbers.next()?).unwrap();
        Some(Self { pushes, resident_kibibytes: numbers.next()?, descriptors: numbers.next()? })
    }
}

#[test]
fn a_process_that_pushes_again_and_again_holds_no_more_with_time() {
    let (registry, numbers) = (Registry::gitea().https("localhost").start(), Numbers::of_this_run());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture", "--test-threads=1"])
        .env(PORT, registry.port().to_string())
        .env(CERTIFICATE, registry.certificate_pem())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        held.extend(Held::parse(&line));
        assert_eq!(registry.violations(), [""; 0]);
        registry.clear_log();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(registry.open_sessions(), [""; 0]);
    let warm = held.iter().find(|held| held.pushes == numbers.warm).unwrap();
    let last = held.last().unwrap();
    println!("{warm:?}\n{last:?}");
    assert_eq!(last.pushes, numbers.pushes);
    assert!(last.resident_kibibytes <= warm.resident_kibibytes + KIBIBYTES, "{held:#?}");
    assert!(last.descriptors <= warm.descriptors + DESCRIPTORS, "{held:#?}");
}

#[test]
#[ignore = "it is started by the test above, in a process of its own"]
fn the_process_that_pushes() {
    let Some(port) = variable(PORT) else { return };
    let certificate = CertificateDer::from_pem_slice(variable(CERTIFICATE).unwrap().as_bytes()).unwrap();
    let (numbers, mut random) = (Numbers::of_this_run(), Random::of_this_run());
    println!("seed {}", random.seed);
    let embedding =
        Embedding { port: port.parse().unwrap(), certificate: certificate.to_vec(), folder: folder() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for number in 1..=numbers.pushes {
        // Some are stopped somewhere in the middle, and are followed by the same once more.
        if number % 10 == 3 {
            let after = std::time::Duration::from_micros(random.below(30_000));
            runtime.block_on(embedding.push(number, Some(after)));
        }
        runtime.block_on(embedding.push(number, None));
        if number % 10 == 0 {
            println!("{}", Held::by_now(number).line());
        }
    }
}

/// A program that has the library in it.
struct Embedding {
    port: u16,
    certificate: Vec<u8>,
    folder: TempDir,
}

impl Embedding {
    /// Everything is made anew for each push. Stopped after a time, or let through.
    async fn push(&self, number: u32, stop: Option<std::time::Duration>) {
        let archive = self.folder.path().join("app.tar");
        let image = Image::new(&format!("app:{number}")).layer(u64::from(number), 60_000).layer(7, 300_000);
        image::docker_archive(&archive, &[image]);
        let (events, mut received) = Events::channel();
        let cancel = CancellationToken::new();
        let world = self.world(&archive, &events, &cancel);
        let job = self.job();
        let stopping = async {
            if let Some(after) = stop {
                tokio::time::sleep(after).await;
                cancel.cancel();
            }
        };
        let (report, ()) = tokio::join!(run(&job, &world, &events, &cancel), stopping);
        received.close();
        if stop.is_none() {
            assert_eq!(report.unwrap().verdict(), Verdict::Done);
        }
    }

    fn job(&self) -> Job {
        let registry = RegistryHost(format!("localhost:{}", self.port));
        let naming = Naming::new(registry, Owner::User(USER.to_owned()));
        let limits = Limits { threads: NonZeroUsize::MIN, ..Limits::default() };
        Job { limits, ..Job::new(Naming { rules: NameRules::Gitea, ..naming }) }
    }

    fn world(&self, archive: &Path, events: &Events, cancel: &CancellationToken) -> World {
        let client = Arc::new(RegistryClient::new(self.options(events, cancel)).unwrap());
        let spools = SpoolDir::new(self.folder.path().to_owned());
        let index = Arc::new(CacheFolder::new(self.folder.path().join("cache")));
        let places = Places::new(spools.clone(), Arc::clone(&index) as Arc<_>);
        let spec = Spec::Archive { path: archive.to_owned(), kind: ArchiveKind::Any, name: None };
        World {
            sources: vec![source::open(spec, &places)],
            reader: Arc::clone(&client) as Arc<_>,
            writer: client,
            index,
            spools,
        }
    }

    fn options(&self, events: &Events, cancel: &CancellationToken) -> Options {
        let origin = Origin::new(Scheme::Https, "localhost", self.port);
        let identity =
            Identity::Password { username: USER.to_owned(), password: Secret::new(PASSWORD.to_owned()) };
        let credential =
            Credential { origin: origin.clone(), identity, source: "the test".to_owned(), second: None };
        let journal = Arc::new(SessionFolder::new(&self.folder.path().join("cache")));
        Options {
            trust: Trust::Only(vec![self.certificate.clone()]),
            dialect: Some(Dialect::Gitea),
            events: events.clone(),
            cancel: cancel.clone(),
            ..Options::new(origin, Arc::new(Given::new(credential).unwrap()), journal)
        }
    }
}
