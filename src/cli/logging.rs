//! Logs for whoever looks for a fault: on stderr, in idpbuilder's own form or as JSON.

use std::fmt;

use jiff::Zoned;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::screen::{Ink, LogWriter, escaped};
use super::settings::{LogFormat, View};

/// Begins logging. Called once; a later call changes nothing.
pub(super) fn begin(view: &View, ink: Ink, writer: &LogWriter) {
    let writer = writer.clone();
    let fmt = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    let layer = match view.log_format {
        LogFormat::Text => fmt.event_format(Text { ink }).boxed(),
        LogFormat::Json => fmt.json().flatten_event(true).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter(view.level))).try_init();
}

/// Other crates get a word only when something is wrong, since below that they may log headers and bodies,
/// and only for whoever looks for a fault: what they complain of is in an error's causes already.
fn filter(level: Level) -> Targets {
    let others = if level >= Level::DEBUG { LevelFilter::WARN } else { LevelFilter::OFF };
    Targets::new().with_target("idpbuilder_push", level).with_default(others)
}

/// `Jan  2 15:04:05 INFO message key=value`, as idpbuilder writes it.
struct Text {
    ink: Ink,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let time = Zoned::now();
        let level = event.metadata().level();
        let mut fields = Fields::default();
        event.record(&mut fields);
        write!(writer, "{} {} {}", time.strftime("%b %e %H:%M:%S"), self.painted(*level), fields.message)?;
        write!(writer, "{}", fields.rest)?;
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(writer, " {}", escaped(fields))?;
            }
        }
        writeln!(writer)
    }
}

impl Text {
    fn painted(&self, level: Level) -> String {
        match level {
            Level::ERROR => self.ink.bad("ERROR"),
            Level::WARN => self.ink.warn("WARN"),
            Level::INFO => self.ink.good("INFO"),
            _ => self.ink.faint("DEBUG"),
        }
    }
}

/// An event's fields, written as they come.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, &format!("{value:?}"));
    }
}

impl Fields {
    fn take(&mut self, field: &Field, value: &str) {
        let value = escaped(value);
        if field.name() == "message" {
            self.message = value;
            return;
        }
        let bare = !value.is_empty() && !value.contains([' ', '"', '=']);
        let value = if bare { value } else { format!("{value:?}") };
        self.rest.extend([" ", field.name(), "=", &value]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::cli::settings::Colour;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Text { ink: Ink::new(Colour::Plain) })
            .with_filter(filter(level));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = kept.0.lock().unwrap().clone();
        // The time takes fifteen columns and a space.
        let text = String::from_utf8(bytes).unwrap();
        text.split_inclusive('\n').map(|line| &line[16..]).collect()
    }

    #[test]
    fn a_line_has_level_message_and_fields() {
        let text = logged(Level::INFO, || {
            tracing::info!(image = %"web:1", reason = "two words", empty = "", size = 3, "push started");
            tracing::debug!("not wanted");
        });
        assert_eq!(text, "INFO push started image=web:1 reason=\"two words\" empty=\"\" size=3\n");
    }

    #[test]
    fn what_a_server_says_cannot_drive_the_terminal() {
        let text = logged(Level::WARN, || tracing::warn!(said = "a\u{1b}[2J\nb", "answer"));
        assert_eq!(text, "WARN answer said=a\\u{1b}[2J\\nb\n");
    }

    #[test]
    fn fields_of_spans_come_last() {
        let text = logged(Level::DEBUG, || {
            let _in_span = tracing::debug_span!("http", method = "PUT").entered();
            tracing::debug!(status = 201, "answered");
        });
        assert_eq!(text, "DEBUG answered status=201 method=\"PUT\"\n");
    }

    #[test]
    fn other_crates_are_not_heard_where_nobody_looks_for_a_fault() {
        for level in [Level::ERROR, Level::WARN, Level::INFO] {
            let text = logged(level, || tracing::error!(target: "kube_client::client::builder", "failed"));
            assert_eq!(text, "");
        }
    }

    #[test]
    fn other_crates_are_heard_from_warnings_on() {
        let text = logged(Level::DEBUG, || {
            tracing::debug!(target: "hyper", "header");
            tracing::error!(target: "hyper", "broken");
        });
        assert_eq!(text, "ERROR broken\n");
    }
}
