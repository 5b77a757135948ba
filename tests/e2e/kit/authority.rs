use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::process::output;

/// Issues what kubeadm issues: RSA 2048, clients told apart by organisation and common name, keys as PKCS#1.
pub(crate) struct Authority<'a> {
    folder: &'a Path,
}

impl<'a> Authority<'a> {
    pub(crate) fn new(folder: &'a Path) -> Result<Self> {
        let authority = Self { folder };
        let mut command = openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            "/CN=kubernetes",
        ]);
        command.arg("-addext").arg("keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign");
        output(
            command.arg("-keyout").arg(authority.path("ca.key")).arg("-out").arg(authority.certificate("ca")),
        )?;
        Ok(authority)
    }

    pub(crate) fn server(&self, name: &str) -> Result<()> {
        let names = "DNS:localhost,DNS:kubernetes,IP:127.0.0.1,IP:10.96.0.1";
        self.issue(
            name,
            "/CN=kube-apiserver",
            &format!("extendedKeyUsage=serverAuth\nsubjectAltName={names}\n"),
        )
    }

    pub(crate) fn client(&self, name: &str, subject: &str) -> Result<()> {
        self.issue(name, subject, "extendedKeyUsage=clientAuth\n")
    }

    fn issue(&self, name: &str, subject: &str, extensions: &str) -> Result<()> {
        let (fresh, request, wanted) =
            (self.path("fresh.key"), self.path("request"), self.path("extensions"));
        let shared =
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n";
        fs::write(&wanted, format!("{shared}{extensions}"))?;
        let mut ask = openssl(&["req", "-newkey", "rsa:2048", "-nodes", "-subj", subject]);
        output(ask.arg("-keyout").arg(&fresh).arg("-out").arg(&request))?;
        let mut sign = openssl(&["x509", "-req", "-days", "365", "-CAcreateserial"]);
        sign.arg("-CA").arg(self.certificate("ca")).arg("-CAkey").arg(self.path("ca.key"));
        output(
            sign.arg("-in")
                .arg(&request)
                .arg("-extfile")
                .arg(&wanted)
                .arg("-out")
                .arg(self.certificate(name)),
        )?;
        output(openssl(&["rsa", "-traditional"]).arg("-in").arg(&fresh).arg("-out").arg(self.key(name)))
            .map(drop)
    }

    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.crt"))
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.key"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn openssl(arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments);
    command
}
