//! A standalone worker with the plugins of this example beside the built-in ones: `trip-worker worker.properties`.

use lavka_telemetry::log::{LogConfig, init};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> lavka_api::Result<()> {
    let logs = init(&LogConfig::default());
    let file = std::env::args_os().nth(1).unwrap_or_else(|| "worker.properties".into());
    let config = lavka::read_worker_file(file.as_ref())?;
    let own = trip_source::plugins().into_iter().chain(geohash_transform::plugins());
    let mut stop = signal(SignalKind::terminate())?;
    let worker = lavka::StandaloneBuilder::new(config).plugins(own).logs(logs).start().await?;
    stop.recv().await;
    worker.shutdown().await;
    Ok(())
}
