//! `lavka standalone`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lavka_api::Result;
use lavka_telemetry::log::{LogConfig, LogControl, init};
use tokio::signal::unix::{SignalKind, signal};

use crate::connector_file::ConnectorFile;
use crate::run::{StandaloneBuilder, read_connector_files, read_worker_file};

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
    super::runtime()?.block_on(serve(StandaloneBuilder::new(config), logs, connectors))
}

async fn serve(
    builder: StandaloneBuilder,
    logs: LogControl,
    connectors: Vec<ConnectorFile>,
) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let worker = builder.logs(logs).start().await?;
    let mut status = ExitCode::SUCCESS;
    let mut refused = false;
    for file in connectors {
        if let Err(refusal) =
            worker.handle().put_connector(file.name.clone(), file.config, file.initial, true).await
        {
            eprintln!("lavka: the connector '{}' cannot be started: {}", file.name, refusal.message);
            status = ExitCode::from(CONNECTOR_REFUSED);
            refused = true;
            break;
        }
    }
    if !refused {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = tokio::signal::ctrl_c() => tracing::info!("interrupted: stopping"),
        }
    }
    worker.shutdown().await;
    Ok(status)
}
