//! `lavka demo`.

use std::process::ExitCode;

use lavka_api::Result;
use lavka_telemetry::log::{LogConfig, LogLevel, init};

use crate::demo::DemoOptions;

pub(super) fn run(options: DemoOptions) -> Result<ExitCode> {
    init(&LogConfig { root: LogLevel::Warn, ..LogConfig::default() });
    let complete = super::runtime()?.block_on(crate::demo::run(options))?;
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
