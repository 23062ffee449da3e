//! A handle whose driver does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::plugin::Catalogue;
use lavka_api::{Error, Result};
use lavka_coordination::herder::Herder;
use lavka_ports::{Admin, Buffer, Cluster, Consumer, LogReader, Producer, TransactionalProducer};
use lavka_telemetry::metrics::Metrics;
use tokio::sync::{mpsc, watch};

use super::WorkerHandle;
use crate::answers::Health;
use crate::assembly::Assembly;
use crate::config::{Clients, WorkerConfig};
use crate::driver::{Ask, HerderView};
use crate::offsets::FileOffsetStore;
use crate::stage::within;

struct NoCluster;

impl Cluster for NoCluster {
    fn producer(&self, _config: &Config) -> Result<Arc<dyn Producer>> {
        Err(Error::fatal("there is no Kafka"))
    }

    fn transactional_producer(&self, _: &Config) -> Result<Arc<dyn TransactionalProducer>> {
        Err(Error::config("there are no transactions here"))
    }

    fn log_reader(&self, _: &Config, _: &str) -> Result<Box<dyn LogReader>> {
        Err(Error::config("there is no log here"))
    }

    fn consumer(&self, _config: &Config, _buffer: Buffer) -> Result<Box<dyn Consumer>> {
        Err(Error::fatal("there is no Kafka"))
    }

    fn admin(&self, _config: &Config) -> Result<Arc<dyn Admin>> {
        Err(Error::fatal("there is no Kafka"))
    }
}

/// A handle, what it asks, and whether its driver is ready.
fn handle() -> (WorkerHandle, mpsc::Receiver<Ask>, Arc<AtomicBool>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offsets").display().to_string();
    let config = Config::from([
        ("key.converter", "x"),
        ("value.converter", "x"),
        ("offset.storage.file.filename", file.as_str()),
    ]);
    let worker = WorkerConfig::new(config).unwrap();
    let assembly = Assembly {
        clients: Clients::new(&worker),
        offsets: Arc::new(FileOffsetStore::open(file).unwrap()),
        offset_logs: Arc::default(),
        worker,
        catalogue: Arc::new(Catalogue::new([])),
        cluster: Arc::new(NoCluster),
        metrics: Metrics::new(),
    };
    let view = HerderView::new(Herder::new("w:1", true));
    let (asks, queue) = mpsc::channel(1);
    let (_, cluster_id) = watch::channel(None);
    let ready = Arc::new(AtomicBool::new(false));
    let handle =
        WorkerHandle::new(view, asks, Arc::new(assembly), "Unknown".into(), cluster_id, Arc::clone(&ready));
    (handle, queue, ready)
}

#[tokio::test(start_paused = true)]
async fn health_tells_starting_from_stuck() {
    let (handle, queue, ready) = handle();
    assert_eq!(handle.health().await, Health::Starting(None));
    ready.store(true, Ordering::Relaxed);
    let health = handle.health().await;
    assert_eq!(health, Health::Unhealthy(None));
    assert_eq!(
        health.to_string(),
        "Worker was unable to handle this request and may be unable to handle other requests."
    );
    drop(queue);
    assert_eq!(handle.health().await, Health::Unhealthy(None), "at once, as nobody will ever answer");
}

#[tokio::test(start_paused = true)]
async fn requests_to_a_stuck_worker_time_out_and_to_an_ended_one_are_refused() {
    let (handle, queue, _) = handle();
    let text = within(Duration::from_secs(90), handle.delete("c")).await.unwrap_err().to_string();
    let told = "Request timed out. The worker is currently waiting for connector c to stop, which began at ";
    assert!(text.starts_with(told), "{text}");
    drop(queue);
    let refusal = within(Duration::from_secs(90), handle.delete("c")).await.unwrap().unwrap_err();
    assert_eq!((refusal.status, refusal.message.as_str()), (500, "The worker is shutting down"));
}
