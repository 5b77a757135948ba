use anyhow::{Result, bail};

use super::archive::Packing;
use super::{NAME, version};

/// Where a program runs, in Go's words, as krew and plugin.yaml have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) os: &'static str,
    pub(crate) arch: &'static str,
}

impl Platform {
    /// From Rust's words.
    pub(crate) fn of(triple: &str) -> Result<Self> {
        let arch = match triple.split('-').next() {
            Some("x86_64") => "amd64",
            Some("aarch64") => "arm64",
            _ => bail!("no archive is made for the processor of `{triple}`"),
        };
        let os = match triple {
            _ if triple.contains("-linux-") => "linux",
            _ if triple.ends_with("-apple-darwin") => "darwin",
            _ if triple.contains("-windows-") => "windows",
            _ => bail!("no archive is made for the system of `{triple}`"),
        };
        Ok(Self { os, arch })
    }

    pub(crate) fn packing(self) -> Packing {
        if self.os == "windows" { Packing::Zip } else { Packing::TarGz }
    }

    /// The program's file.
    pub(crate) fn program(self) -> String {
        if self.os == "windows" { format!("{NAME}.exe") } else { NAME.to_owned() }
    }

    /// The archive's file.
    pub(crate) fn archive(self) -> String {
        format!("{NAME}_{}_{}_{}.{}", version(), self.os, self.arch, self.packing().ending())
    }
}
