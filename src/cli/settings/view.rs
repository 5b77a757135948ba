use crate::cli::args::{ColourArg, LevelArg, LogFormatArg, OutputArg, ProgressArg, ViewArgs};
use crate::cli::environment::Environment;

/// What is shown, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct View {
    pub(in crate::cli) output: Output,
    pub(in crate::cli) detail: Detail,
    pub(in crate::cli) progress: Progress,
    pub(in crate::cli) level: tracing::Level,
    pub(in crate::cli) log_format: LogFormat,
    pub(in crate::cli) colour: Colour,
}

/// What stdout gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Output {
    Name,
    Table,
    Document(Form),
}

/// How a document for programs is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Form {
    Json,
    Yaml,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Detail {
    /// Warnings and errors.
    Quiet,
    /// The cluster, notes and the summary as well.
    Summary,
    /// Images and layers as well.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Progress {
    Bars,
    Lines,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Colour {
    Plain,
    Ansi,
}

/// What stderr is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Stderr {
    Terminal,
    Elsewhere,
}

impl View {
    /// Before anything is known of what is wanted.
    pub(in crate::cli) fn plain() -> Self {
        Self {
            output: Output::Name,
            detail: Detail::Full,
            progress: Progress::Lines,
            level: tracing::Level::WARN,
            log_format: LogFormat::Text,
            colour: Colour::Plain,
        }
    }

    pub(in crate::cli) fn of(args: ViewArgs, environment: &Environment, stderr: Stderr) -> Self {
        let progress = progress(args, environment, stderr);
        Self {
            output: match args.output {
                OutputArg::Name => Output::Name,
                OutputArg::Table => Output::Table,
                OutputArg::Json => Output::Document(Form::Json),
                OutputArg::Yaml => Output::Document(Form::Yaml),
            },
            detail: match (args.quiet, args.progress) {
                (true, _) => Detail::Quiet,
                (false, Some(ProgressArg::None)) => Detail::Summary,
                (false, _) => Detail::Full,
            },
            progress,
            level: level(args, environment, progress),
            log_format: match args.log_format {
                // Lines of a log stand between those of the progress.
                _ if progress == Progress::Json => LogFormat::Json,
                LogFormatArg::Text => LogFormat::Text,
                LogFormatArg::Json => LogFormat::Json,
            },
            colour: colour(args, environment, stderr),
        }
    }
}

/// Bars move the cursor, so they need a terminal that can, whatever was asked for.
fn progress(args: ViewArgs, environment: &Environment, stderr: Stderr) -> Progress {
    let dumb = environment.term.as_ref().is_some_and(|term| term == "dumb");
    if args.progress == Some(ProgressArg::Json) {
        return Progress::Json;
    }
    let wanted = !args.quiet && matches!(args.progress, None | Some(ProgressArg::Auto | ProgressArg::Bars));
    match stderr {
        Stderr::Terminal if wanted && !dumb => Progress::Bars,
        _ => Progress::Lines,
    }
}

/// Bars and their summary, and lines for programs, say what the log says at info, and a line is never both.
fn level(args: ViewArgs, environment: &Environment, progress: Progress) -> tracing::Level {
    let from_host = environment.log_level.filter(|_| !args.quiet && !args.verbose);
    match args.log_level.or(from_host) {
        Some(LevelArg::Error) => tracing::Level::ERROR,
        Some(LevelArg::Warn) => tracing::Level::WARN,
        Some(LevelArg::Debug) => tracing::Level::DEBUG,
        None if args.verbose => tracing::Level::DEBUG,
        None if args.quiet || progress != Progress::Lines => tracing::Level::WARN,
        Some(LevelArg::Info) | None => tracing::Level::INFO,
    }
}

/// `NO_COLOR` (no-color.org) goes before `CLICOLOR_FORCE`, a flag before both.
fn colour(args: ViewArgs, environment: &Environment, stderr: Stderr) -> Colour {
    let forced = environment.clicolor_force.as_ref().is_some_and(|value| value != "0");
    let dumb = environment.term.as_ref().is_some_and(|term| term == "dumb");
    let capable = stderr == Stderr::Terminal && !dumb;
    match args.color {
        ColourArg::Always => Colour::Ansi,
        ColourArg::Auto if environment.no_color.is_none() && (forced || capable) => Colour::Ansi,
        ColourArg::Auto | ColourArg::Never => Colour::Plain,
    }
}
