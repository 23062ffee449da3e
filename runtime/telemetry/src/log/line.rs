//! The form of a line: time, level, logger, what it is about, message and fields.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::redaction::for_log;

/// Writes events as lines such as
/// `2023-11-14T22:13:20.123456Z INFO  lavka_engine.source [task=c-0] Started offset=7`.
///
/// An event is one line whatever it holds: control characters are written as escapes.
pub(super) struct Line<T> {
    timer: T,
}

impl<T> Line<T> {
    pub(super) fn new(timer: T) -> Self {
        Self { timer }
    }
}

impl<S, N, T> FormatEvent<S, N> for Line<T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    T: FormatTime,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        self.timer.format_time(&mut writer)?;
        let name = name(*metadata.level());
        if writer.has_ansi_escapes() {
            write!(writer, " \x1b[{}m{name:5}\x1b[0m ", colour(*metadata.level()))?;
        } else {
            write!(writer, " {name:5} ")?;
        }
        let mut line = OneLine(writer.by_ref());
        line.write_str(&metadata.target().replace("::", "."))?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            match extensions.get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                Some(fields) => write!(line, " [{}]", for_log(&fields.fields))?,
                None => write!(line, " [{}]", span.name())?,
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.write_str(&for_log(&fields.message))?;
        line.write_str(&for_log(&fields.others))?;
        writeln!(writer)
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// The number of a terminal's colour.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// The fields of an event as texts, each with a space before it.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Fields {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, " {value}"),
            // What the bridge from the `log` crate adds is in the line already.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.others, " {name}={value}"),
        };
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let quoted = value.is_empty() || value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=');
        if quoted && field.name() != "message" {
            self.put(field, format_args!("{value:?}"));
        } else {
            self.put(field, format_args!("{value}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

/// Writes control characters as escapes.
struct OneLine<'w>(Writer<'w>);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(char::is_control) {
            let (before, after) = rest.split_at(at);
            self.0.write_str(before)?;
            let mut chars = after.chars();
            if let Some(c) = chars.next() {
                write!(self.0, "{}", c.escape_default())?;
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests;
