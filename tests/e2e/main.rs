//! The program against real servers: `tests/servers/setup` installs them, `kit` starts and stops them.
#![expect(clippy::indexing_slicing, reason = "the index of a JSON value gives null where nothing is")]

/// Names each function after itself.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(crate) const CASES: &[crate::Case] = &[$((stringify!($case), $case)),*];
    };
}

mod cases;
mod kit;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use kit::Servers;
use libtest_mimic::{Arguments, Failed, Trial};

/// A behaviour, named as a sentence, and how it is tried.
type Case = (&'static str, fn(&Servers) -> anyhow::Result<()>);

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("hold") {
        return hold();
    }
    // Started by the first trial, so that `--list` starts nothing; stopped when the last trial has let go.
    let servers = Arc::new(OnceLock::new());
    let trials = cases::all().map(|case| trial(case, &servers)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial((name, case): Case, servers: &Arc<OnceLock<Result<Servers, String>>>) -> Trial {
    let servers = Arc::clone(servers);
    Trial::test(name, move || {
        let started = servers.get_or_init(|| Servers::start().map_err(|error| format!("{error:#}")));
        let servers =
            started.as_ref().map_err(|error| Failed::from(format!("the servers did not start: {error}")))?;
        case(servers).map_err(|error| Failed::from(format!("{error:#}")))
    })
}

/// A cluster to try the program on by hand, until standard input ends.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a conversation")]
fn hold() -> ExitCode {
    let settings = kit::IngressSettings { port: Some(8443), ..kit::IngressSettings::default() };
    let servers = match Servers::start_behind(&settings) {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("the servers did not start: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    println!("export KUBECONFIG={}", servers.api.kubeconfig().display());
    println!("export DOCKER_HOST={}", servers.docker.host());
    println!("The cluster is there until this ends: Enter or Ctrl-D stops it.");
    std::io::stdin().read_line(&mut String::new()).ok();
    ExitCode::SUCCESS
}
