use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CompletionArgs {
    /// The shell, or kubectl
    pub(in crate::cli) shell: ScriptArg,
    /// For kubectl: link this program into a folder of PATH [default: ~/.local/bin]
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "~/.local/bin", conflicts_with = "uninstall")]
    pub(in crate::cli) install: Option<PathBuf>,
    /// For kubectl: take the link away again
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "~/.local/bin")]
    pub(in crate::cli) uninstall: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ScriptArg {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
    Kubectl,
}

impl ScriptArg {
    /// `None` for kubectl.
    pub(in crate::cli) fn shell(self) -> Option<Shell> {
        match self {
            Self::Bash => Some(Shell::Bash),
            Self::Zsh => Some(Shell::Zsh),
            Self::Fish => Some(Shell::Fish),
            Self::Powershell => Some(Shell::PowerShell),
            Self::Elvish => Some(Shell::Elvish),
            Self::Kubectl => None,
        }
    }
}
