//! Levels by the names of Log4j, which the REST API uses.

use std::fmt;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

/// How much a logger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What ends the process. Nothing is logged with this level here, so it is as quiet as `Off`.
    Fatal,
    /// What went wrong and has to be looked at.
    Error,
    /// What may have to be looked at.
    Warn,
    /// What a worker does.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Every step.
    Trace,
    /// Everything.
    All,
}

impl LogLevel {
    /// Every level, from the quietest to the loudest.
    pub const EVERY: [LogLevel; 8] = [
        LogLevel::Off,
        LogLevel::Fatal,
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
        LogLevel::All,
    ];

    /// The name over REST (`DEBUG`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Off => "OFF",
            LogLevel::Fatal => "FATAL",
            LogLevel::Error => "ERROR",
            LogLevel::Warn => "WARN",
            LogLevel::Info => "INFO",
            LogLevel::Debug => "DEBUG",
            LogLevel::Trace => "TRACE",
            LogLevel::All => "ALL",
        }
    }

    /// What it lets through.
    pub(super) fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Off | LogLevel::Fatal => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace | LogLevel::All => LevelFilter::TRACE,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that is no level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLevel(pub String);

impl fmt::Display for UnknownLevel {
    /// The text of Connect's answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid log level '{}'.", self.0)
    }
}

impl std::error::Error for UnknownLevel {}

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    /// Reads a level's name in any case.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let level = LogLevel::EVERY.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
        level.ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        for level in LogLevel::EVERY {
            assert_eq!(level.name().to_lowercase().parse(), Ok(level));
        }
        let error = "loud".parse::<LogLevel>().unwrap_err();
        assert_eq!(error.to_string(), "invalid log level 'loud'.");
    }
}
