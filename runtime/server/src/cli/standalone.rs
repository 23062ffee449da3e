//! `lavka standalone`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lavka_api::Result;
use lavka_telemetry::log::{LogConfig, LogControl, init};
use tokio::signal::unix::{SignalKind, signal};

use crate::connector_file::{ConnectorFile, read_connector_files};
use crate::connector_keys::log_unused_keys;
use crate::properties::in_file;
use crate::run::{Standalone, StandaloneBuilder, read_worker_file};

/// The exit status of `connect-standalone` for a connector that cannot be started.
const CONNECTOR_REFUSED: u8 = 3;

pub(super) fn run(worker: &Path, connectors: &[PathBuf]) -> Result<ExitCode> {
    let logs = init(&LogConfig::default());
    let config = read_worker_file(worker)?;
    let connectors = match read_connector_files(connectors) {
        Ok(connectors) => connectors,
        Err(error) => {
            eprintln!("lavka: {error}");
            return Ok(ExitCode::from(CONNECTOR_REFUSED));
        }
    };
    super::runtime()?.block_on(serve(StandaloneBuilder::new(config), worker, logs, connectors))
}

async fn serve(
    builder: StandaloneBuilder,
    file: &Path,
    logs: LogControl,
    connectors: Vec<ConnectorFile>,
) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let worker = builder.logs(logs).start().await.map_err(|error| in_file(file, &error))?;
    let outcome = tokio::select! {
        status = run_connectors(&worker, connectors) => Ok(status),
        Err(error) = worker.cluster_found() => Err(in_file(file, &error)),
        _ = terminate.recv() => {
            tracing::info!("SIGTERM: stopping");
            Ok(ExitCode::SUCCESS)
        }
        _ = tokio::signal::ctrl_c() => {
            tracing::info!("interrupted: stopping");
            Ok(ExitCode::SUCCESS)
        }
    };
    worker.shutdown().await;
    outcome
}

/// Starts the connectors; ends only if one of them cannot be started.
async fn run_connectors(worker: &Standalone, connectors: Vec<ConnectorFile>) -> ExitCode {
    let handle = worker.handle();
    let catalogue = crate::catalogue();
    for file in connectors {
        log_unused_keys(&file.name, &file.config, &catalogue);
        let started = handle.put_connector(file.name.clone(), file.config, file.initial, false).await;
        if let Err(refusal) = started {
            eprintln!("lavka: the connector '{}' cannot be started: {}", file.name, refusal.message);
            return ExitCode::from(CONNECTOR_REFUSED);
        }
    }
    std::future::pending().await
}
