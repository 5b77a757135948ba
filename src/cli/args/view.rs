use clap::{Args, ValueEnum};

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct ViewArgs {
    /// What stdout gets: one reference with its digest a line, a table, or a document in JSON or YAML
    #[arg(short, long, value_name = "FORM", default_value = "name")]
    pub(in crate::cli) output: OutputArg,
    /// Say nothing but warnings and errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// How progress is shown: bars need a terminal, lines do not; json writes all of stderr as one JSON object a
    /// line, for programs [default: auto]
    #[arg(long, value_name = "HOW", conflicts_with = "quiet")]
    pub(in crate::cli) progress: Option<ProgressArg>,
    /// What is logged on stderr [default: info; warn where bars are drawn, which say the same]
    #[arg(short, long, value_name = "LEVEL", conflicts_with = "verbose")]
    pub(in crate::cli) log_level: Option<LevelArg>,
    /// The same as --log-level debug
    #[arg(short, long)]
    pub(in crate::cli) verbose: bool,
    /// How log lines are written
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(in crate::cli) log_format: LogFormatArg,
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help = "Colours on stderr; auto heeds NO_COLOR and CLICOLOR_FORCE"
    )]
    pub(in crate::cli) color: ColourArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OutputArg {
    Name,
    Table,
    Json,
    Yaml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum VersionFormArg {
    Text,
    Json,
    Yaml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ProgressArg {
    Auto,
    Bars,
    Lines,
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LevelArg {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogFormatArg {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColourArg {
    Auto,
    Always,
    Never,
}
