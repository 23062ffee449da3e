//! `lavka demo`.

use std::process::ExitCode;

use lavka_api::Result;
use lavka_telemetry::log::{LogConfig, LogLevel, init};

use crate::demo::DemoOptions;

pub(super) fn run(options: DemoOptions) -> Result<ExitCode> {
    // What ends a connection at the demo's end is an error to the embedded MQTT broker.
    let quiet = vec![("rumqttd".to_owned(), LogLevel::Off)];
    let log = init(&LogConfig { root: LogLevel::Warn, loggers: quiet });
    let complete = super::runtime()?.block_on(crate::demo::run(options, &log))?;
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
