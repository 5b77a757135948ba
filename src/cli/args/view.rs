use clap::{Args, ValueEnum};

const LEVEL_HELP: &str =
    "debug, info, warn, error [default: info, with bars warn] [env: IDPBUILDER_LOG_LEVEL]";

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct ViewArgs {
    /// What stdout gets: name, table, json, yaml
    #[arg(short, long, value_name = "FORM", default_value = "name", hide_possible_values = true)]
    pub(in crate::cli) output: OutputArg,
    /// Say nothing but warnings and errors
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
    /// What stderr shows: auto, bars, lines, json, none [default: auto]
    #[arg(long, value_name = "HOW", conflicts_with = "quiet", hide_possible_values = true)]
    pub(in crate::cli) progress: Option<ProgressArg>,
    #[arg(short, long, value_name = "LEVEL", conflicts_with = "verbose", hide_possible_values = true, help = LEVEL_HELP)]
    pub(in crate::cli) log_level: Option<LevelArg>,
    /// The same as --log-level debug
    #[arg(short, long)]
    pub(in crate::cli) verbose: bool,
    /// How log lines are written: text, json
    #[arg(long, value_name = "FORM", default_value = "text", hide_possible_values = true)]
    pub(in crate::cli) log_format: LogFormatArg,
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help = "auto (heeds NO_COLOR, CLICOLOR_FORCE), always, never"
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
