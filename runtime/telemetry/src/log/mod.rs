//! The log: one line per event on standard error, and levels per logger.
//!
//! A logger is a target of `tracing`: the path of the module that logs, shown with dots (`lavka_engine.source`). It
//! takes its level from the nearest logger above it that has one, and in the end from `root`. Names that users know
//! from Java stand for the loggers that do here what those classes do there.

mod control;
mod filter;
mod java;
mod level;
mod line;

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

pub use control::{LogControl, LoggerLevel, ROOT};
pub use level::{LogLevel, UnknownLevel};

/// Levels to start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The level of everything that has no other.
    pub root: LogLevel,
    /// Loggers with a level of their own, by any name that [`LogControl::set`] takes.
    pub loggers: Vec<(String, LogLevel)>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { root: LogLevel::Info, loggers: Vec::new() }
    }
}

/// Installs the log for the whole process and gives the control over its levels.
///
/// There is one log per process: later calls change nothing and give the control of the first one. Where other code
/// has installed a `tracing` subscriber before, that one goes on and the control has no effect on it.
pub fn init(config: &LogConfig) -> LogControl {
    static CONTROL: OnceLock<LogControl> = OnceLock::new();
    let install = || {
        let control = LogControl::new(config);
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .event_format(line::Line::new(SystemTime));
        // An error means that there is a subscriber already.
        let _ = Registry::default().with(lines).with(control.filter()).try_init();
        control.started();
        control
    };
    CONTROL.get_or_init(install).clone()
}
