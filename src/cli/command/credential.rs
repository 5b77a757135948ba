//! Docker's protocol of credential helpers: a verb as the one argument, what it is about on standard input, the
//! answer on standard output. There a failure is told, too, and the exit code is 1.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read};
use std::process::ExitCode;

use serde::Serialize;
use zeroize::Zeroizing;

use super::on_runtime;
use crate::cli::environment::Environment;
use crate::cli::failure::{Fault, Scene, clean, explain};
use crate::cli::output::answer;
use crate::cli::wire;
use crate::port::{Credential, Identity, Origin, Scheme};

/// Bytes; no address of a registry is longer.
const INPUT_LIMIT: u64 = 8 * 1024;

/// By these words alone docker knows that there is no login, and goes on without one.
const NONE: &str = "credentials not found in native keychain";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    List,
    /// `store` and `erase`.
    Change,
    Version,
}

impl Verb {
    fn of(words: &[OsString]) -> Option<Self> {
        let [word] = words else { return None };
        match word.to_str()? {
            "get" => Some(Self::Get),
            "list" => Some(Self::List),
            "store" | "erase" => Some(Self::Change),
            "version" => Some(Self::Version),
            _ => None,
        }
    }
}

/// Answers docker, and whoever else speaks with its helpers, with the login of the cluster's registry.
pub(in crate::cli) fn credential(words: &[OsString], environment: &Environment) -> ExitCode {
    let said = said(Verb::of(words), &mut io::stdin().lock(), || login(environment));
    let (text, code) = match said {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (Zeroizing::new(text), ExitCode::FAILURE),
    };
    // Nobody reads it if this fails.
    let _ = answer(&mut io::stdout(), &text);
    code
}

fn login(environment: &Environment) -> Result<Option<Credential>, Fault> {
    on_runtime(wire::cluster_login(environment))?.map_err(Fault::Cluster)
}

type Login<'a> = &'a dyn Fn() -> Result<Option<Credential>, Fault>;

/// The answer, or what is said in its place.
fn said(
    verb: Option<Verb>,
    stdin: &mut dyn Read,
    login: impl Fn() -> Result<Option<Credential>, Fault>,
) -> Result<Zeroizing<String>, String> {
    match verb {
        Some(Verb::Get) => get(&read_line(stdin)?, &login),
        Some(Verb::List) => list(&login),
        Some(Verb::Change) => Err("this login is kept by the cluster and changed only there\n".to_owned()),
        Some(Verb::Version) => {
            Ok(concat!("idpbuilder-push v", env!("CARGO_PKG_VERSION"), "\n").to_owned().into())
        }
        None => Err("one of get, list, store, erase and version is expected, as docker says it\n".to_owned()),
    }
}

/// The names are those of the protocol.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

fn get(server: &str, login: Login<'_>) -> Result<Zeroizing<String>, String> {
    let none = || format!("{NONE}\n");
    // What is no address is nobody's, and needs no cluster to know.
    if origin(server, Scheme::Https).is_none() {
        return Err(none());
    }
    let credential = login().map_err(|fault| told(&fault))?.ok_or_else(none)?;
    let meant = origin(server, credential.origin.scheme()).is_some_and(|asked| asked == credential.origin);
    match &credential.identity {
        Identity::Password { username, password } if meant => {
            document(&Answer { server_url: server, username, secret: password.expose() })
        }
        _ => Err(none()),
    }
}

/// The one login, under the URL of its registry.
fn list(login: Login<'_>) -> Result<Zeroizing<String>, String> {
    let credential = login().map_err(|fault| told(&fault))?;
    let entries: BTreeMap<String, &str> = credential
        .iter()
        .filter_map(|credential| match &credential.identity {
            Identity::Password { username, .. } => Some((credential.origin.to_string(), username.as_str())),
            Identity::Bearer(_) | Identity::Refresh(_) => None,
        })
        .collect();
    document(&entries)
}

fn document(value: &impl Serialize) -> Result<Zeroizing<String>, String> {
    let text = serde_json::to_string(value).map_err(|error| format!("{error}\n"))?;
    Ok(Zeroizing::new(text + "\n"))
}

/// Reads `HOST[:PORT]` or a URL of which scheme and authority count. A login for HTTPS is none for HTTP.
fn origin(server: &str, unsaid: Scheme) -> Option<Origin> {
    let (scheme, rest) = match server.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(_) => return None,
        None => (unsaid, server),
    };
    Origin::parse(scheme, rest.split('/').next()?).ok()
}

/// The first line of standard input.
fn read_line(stdin: &mut dyn Read) -> Result<String, String> {
    let mut line = String::new();
    BufReader::new(stdin.take(INPUT_LIMIT + 1))
        .read_line(&mut line)
        .map_err(|_| "the address of a registry is expected on standard input\n".to_owned())?;
    if line.len() as u64 > INPUT_LIMIT {
        return Err("what is on standard input is too long for the address of a registry\n".to_owned());
    }
    Ok(line.trim().to_owned())
}

/// docker shows it in one line of its own.
fn told(fault: &Fault) -> String {
    let failure = explain(
        fault,
        &Scene { command: "idpbuilder-push", sources: &[], typed: &[], home: None, facts: None },
    );
    let parts: Vec<String> = [failure.message].into_iter().chain(failure.causes).collect();
    format!("{}; `idpbuilder-push doctor` says more\n", clean(&parts.join(": ")))
}

#[cfg(test)]
mod tests;
