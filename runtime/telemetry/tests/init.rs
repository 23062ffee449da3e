//! The log of a whole process, to which the `log` crate's records belong too.

use lavka_telemetry::log::{LogConfig, LogLevel, init};
use tracing_log::log::{Level, log_enabled};

#[test]
fn the_log_is_installed_once_and_takes_records_of_the_log_crate() {
    let config = LogConfig { root: LogLevel::Error, loggers: vec![("dependency".into(), LogLevel::Warn)] };
    let control = init(&config);
    let again = init(&LogConfig { root: LogLevel::Trace, loggers: Vec::new() });
    assert_eq!(again.get("root").map(|root| root.level), Some(LogLevel::Error));

    let statement = || tracing::enabled!(target: "ours", tracing::Level::DEBUG);
    let record = || log_enabled!(target: "dependency::inner", Level::Debug);
    assert!(!statement() && !record());
    assert!(log_enabled!(target: "dependency::inner", Level::Warn));
    control.set("dependency", LogLevel::Debug, 1);
    assert!(!statement() && record());
    again.set("root", LogLevel::All, 2);
    assert!(statement() && record());
    control.set("root", LogLevel::Off, 3);
    assert!(!statement() && !record());
}
