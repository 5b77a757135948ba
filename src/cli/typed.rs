//! Flags that say where a run goes, as they were typed, so that advice which repeats them can be pasted.

use clap::ValueEnum as _;

use super::args::{AuthArg, ClusterArgs, LoginArgs, NameArgs, ReachArgs, TlsArgs};
use super::failure::quoted;

/// A flag as it is repeated. No password and no token is ever in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flag {
    name: &'static str,
    /// As a shell takes it.
    value: Option<String>,
}

impl Flag {
    fn plain(name: &'static str) -> Self {
        Self { name, value: None }
    }

    fn with(name: &'static str, value: impl AsRef<str>) -> Self {
        Self { name, value: Some(quoted(value.as_ref())) }
    }

    fn shown(&self) -> String {
        match &self.value {
            Some(value) => format!("{} {value}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// Whether it can stand beside another one of advice.
    fn stands_beside(&self, added: &str) -> bool {
        let group = GROUPS.iter().find(|group| group.contains(&self.name));
        !group.is_some_and(|group| group.contains(&added))
    }
}

/// What takes the place of one another. Other flags may be repeated.
const GROUPS: [&[&str]; 9] = [
    &["-r", "--registry"],
    &["--plain-http", "--insecure", "--ca-file"],
    &["-u", "--username", "--password-stdin", "--auth"],
    &["--name", "--context"],
    &["--kubeconfig"],
    &["--secret"],
    &["--owner"],
    &["--as"],
    &["--tag"],
];

/// Which registry, how it is trusted, who logs in, through which cluster.
pub(super) fn place(args: &ReachArgs) -> Vec<Flag> {
    let ReachArgs { registry, tls, login: given, cluster: through } = args;
    let mut flags = Vec::new();
    flags.extend(registry.registry.iter().map(|address| Flag::with("-r", address.to_string())));
    flags.extend(registry.resolve.iter().map(|to| {
        let address = to.address.to_string();
        let address = if to.address.is_ipv6() { format!("[{address}]") } else { address };
        Flag::with("--resolve", format!("{}:{}:{address}", to.host, to.port))
    }));
    flags.extend(
        registry
            .trust_realm
            .iter()
            .map(|trusted| Flag::with("--trust-realm", format!("{}={}", trusted.registry, trusted.realm))),
    );
    flags.extend(trust(tls));
    flags.extend(login(given));
    flags.extend(cluster(through));
    flags
}

fn trust(args: &TlsArgs) -> Vec<Flag> {
    let TlsArgs { insecure, ca_file, plain_http } = args;
    let mut flags = Vec::new();
    flags.extend(plain_http.then(|| Flag::plain("--plain-http")));
    flags.extend(insecure.then(|| Flag::plain("--insecure")));
    flags.extend(ca_file.iter().map(|file| Flag::with("--ca-file", file.to_string_lossy())));
    flags
}

/// A password or token that was typed is asked for on standard input.
fn login(args: &LoginArgs) -> Vec<Flag> {
    let LoginArgs { password_stdin, username, password, token, auth } = args;
    let mut flags = Vec::new();
    flags.extend(username.iter().map(|user| Flag::with("-u", user)));
    let secret = password.is_some() || (token.is_some() && username.is_some());
    flags.extend((*password_stdin || secret).then(|| Flag::plain("--password-stdin")));
    let chosen = auth.to_possible_value().filter(|_| *auth != AuthArg::Auto);
    flags.extend(chosen.map(|auth| Flag::with("--auth", auth.get_name())));
    flags
}

fn cluster(args: &ClusterArgs) -> Vec<Flag> {
    let ClusterArgs { name, kubeconfig, context, secret, request_timeout: _ } = args;
    let mut flags = Vec::new();
    flags.extend(name.iter().map(|name| Flag::with("--name", name)));
    flags.extend(kubeconfig.iter().map(|file| Flag::with("--kubeconfig", file.to_string_lossy())));
    flags.extend(context.iter().map(|context| Flag::with("--context", context)));
    flags.extend(secret.iter().map(|secret| Flag::with("--secret", secret.to_string())));
    flags
}

/// Whose images they are.
pub(super) fn owner(owner: Option<&str>) -> Option<Flag> {
    owner.map(|owner| Flag::with("--owner", owner))
}

/// What images are called there.
pub(super) fn names(args: &NameArgs) -> Vec<Flag> {
    let mut flags: Vec<Flag> = owner(args.owner.as_deref()).into_iter().collect();
    flags.extend(args.rename.iter().map(|rename| {
        let tag = rename.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        Flag::with("--as", format!("{}{tag}", rename.name))
    }));
    flags.extend(args.tag.iter().map(|tag| Flag::with("--tag", tag.as_str())));
    flags.extend(args.keep_path.then(|| Flag::plain("--keep-path")));
    flags
}

/// Those that stay where advice adds others.
pub(super) fn beside(flags: &[Flag], added: &str) -> String {
    let stay = |flag: &&Flag| added.split(' ').all(|word| flag.stands_beside(word));
    flags.iter().filter(stay).map(Flag::shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::args::{Command, parse};
    use crate::cli::called::Called;

    /// What is repeated of a command line beside what advice adds.
    fn repeated(line: &str, added: &str) -> String {
        let words = std::iter::once("x").chain(line.split(' ')).map(OsString::from).collect();
        let Command::Push(args) = parse(words, &Called::by(None, None)).unwrap() else { panic!("{line}") };
        beside(&[place(&args.reach), names(&args.names)].concat(), added)
    }

    #[test]
    fn what_says_where_a_run_goes_is_repeated() {
        for line in [
            "-r r.example:5000/team --ca-file it.pem -u me --password-stdin",
            "-r r.example --resolve r.example:443:127.0.0.1 --trust-realm r.example=auth.example --insecure",
            "-r r.example --plain-http --auth docker",
            "--name dev --kubeconfig kube --secret a/b --owner me --as web:1",
            "--context k3d-b --tag 1 --tag 2 --keep-path",
        ] {
            assert_eq!(repeated(&format!("{line} app.tar"), ""), line);
        }
        assert_eq!(repeated("--jobs 4 --force app.tar", ""), "");
        assert_eq!(repeated("--resolve r:1:[::1] x", ""), "--resolve 'r:1:[::1]'");
    }

    #[test]
    fn a_secret_is_not_repeated() {
        assert_eq!(repeated("-u me -p secret x", ""), "-u me --password-stdin");
        assert_eq!(repeated("-u me -t secret x", ""), "-u me --password-stdin");
        assert_eq!(repeated("-t secret x", ""), "");
    }

    #[test]
    fn what_advice_says_anew_is_left_out() {
        for (line, added, rest) in [
            ("--ca-file a -u me --password-stdin", "--insecure", "-u me --password-stdin"),
            ("--insecure -u me --password-stdin", "--username USER --password-stdin", "--insecure"),
            ("--auth docker --kubeconfig a", "-u me --password-stdin", "--kubeconfig a"),
            ("--context a --owner b", "--name c", "--owner b"),
            ("--owner a --secret b/c", "--owner OWNER", "--secret b/c"),
            ("-r a --kubeconfig b", "--registry HOST:PORT", "--kubeconfig b"),
            ("--trust-realm a=b", "--trust-realm c=d", "--trust-realm a=b"),
        ] {
            assert_eq!(repeated(&format!("{line} x"), added), rest);
        }
    }
}
